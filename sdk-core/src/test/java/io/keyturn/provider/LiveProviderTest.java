package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.event.TokenEvent.Expired;
import io.keyturn.event.TokenEvent.RefreshFailed;
import io.keyturn.event.TokenEvent.Rejected;
import io.keyturn.event.TokenEvent.Resolved;
import io.keyturn.event.TokenEvent.Swapped;
import io.keyturn.provider.Rig.Running;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class LiveProviderTest {
    private static final Duration SECOND = Duration.ofSeconds(1);
    private static final Instant END = ManualClock.START.plusSeconds(60);

    @RegisterExtension
    final Rig rig = new Rig();

    @RegisterExtension
    final Canary canary = new Canary();

    private final FakeSource source = FakeSource.of(canary.token());

    private void sourceIsDown() {
        source.answers(() -> {
            throw new SourceException(Reason.UNREACHABLE, "fake store is down", "start it");
        });
    }

    // --- get ---

    @Test
    void get_tokenThere_asksTheSourceOnce() throws Exception {
        LiveProvider provider = rig.provider(source);

        assertThat(provider.get()).isSameAs(provider.get());

        assertThat(provider.get().reveal()).isEqualTo(canary.token());
        assertThat(provider.get().generation()).isEqualTo(1);
        assertThat(source.fetches()).isEqualTo(1);
    }

    @Test
    void snapshot_tokenThere_hasWhatIsSentAndWhereItIsFrom() throws Exception {
        Snapshot snapshot = rig.provider(source).snapshot();

        assertThat(snapshot.sent().reveal()).isEqualTo("Bearer " + canary.token());
        assertThat(snapshot.source()).isEqualTo("fake store");
        canary.saw("snapshot", snapshot);
    }

    @Test
    void get_atItsEnd_isNeverHandedOut() throws Exception {
        source.has(TokenDocument.of("token-1").withExpiresAt(END));
        LiveProvider provider = rig.atOnce(source);
        assertThat(provider.get().reveal()).isEqualTo("token-1");
        sourceIsDown();

        rig.advance(Duration.ofSeconds(60).minusNanos(1));
        assertThat(provider.get().reveal()).isEqualTo("token-1");
        rig.advance(Duration.ofNanos(1));
        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);

        source.has("token-2");
        rig.advance(RefreshPolicy.LONGEST_DELAY);
        assertThat(provider.get().generation()).isEqualTo(2);
    }

    @Test
    void getAsync_atItsEnd_isNeverHandedOut() throws Exception {
        source.has(TokenDocument.of("token-1").withExpiresAt(END));
        LiveProvider provider = rig.atOnce(source);
        provider.get();
        sourceIsDown();
        rig.advance(Duration.ofSeconds(60));

        assertThat(provider.getAsync().toCompletableFuture()).isCompletedExceptionally();
    }

    @Test
    void get_sourceStillHasTheExpiredOne_saysSo() {
        source.has(TokenDocument.of(canary.token()).withExpiresAt(END));
        LiveProvider provider = rig.provider(source);
        rig.advance(Duration.ofSeconds(60));

        TokenUnavailableException e = canary.caught(TokenUnavailableException.class, provider::get);

        assertThat(e.reason()).isEqualTo(Reason.EXPIRED);
        assertThat(e).hasMessage("no token 'api_token': fake store has a token that expired at 2026-11-24T12:01:00Z");
    }

    @Test
    void get_expiredAndSourceDown_failsAndTellsWhyAgainWithoutAsking() throws Exception {
        source.has(TokenDocument.of(canary.token()).withExpiresAt(END));
        LiveProvider provider = rig.atOnce(source);
        provider.get();
        sourceIsDown();
        rig.advance(Duration.ofSeconds(60));
        int asked = source.fetches();

        TokenUnavailableException first = canary.caught(TokenUnavailableException.class, provider::get);
        TokenUnavailableException second = canary.caught(TokenUnavailableException.class, provider::get);

        assertThat(first).hasMessage("no token 'api_token': fake store is down");
        assertThat(first.fix()).isEqualTo("start it");
        assertThat(second).hasMessage(first.getMessage()).isNotSameAs(first);
        assertThat(source.fetches()).as("asked while the failure backs off").isEqualTo(asked);
        rig.advance(RefreshPolicy.LONGEST_DELAY);
        assertThat(source.fetches()).isGreaterThan(asked);
    }

    @Test
    void get_wallClockStepsBack_livesAgain() throws Exception {
        source.has(TokenDocument.of("token-1").withExpiresAt(END));
        LiveProvider provider = rig.provider(source);
        provider.get();

        rig.stepNoticed(Duration.ofDays(30));
        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
        rig.stepNoticed(Duration.ofDays(-30));

        assertThat(provider.get().reveal()).isEqualTo("token-1");
    }

    @Test
    void get_waitingThreadInterrupted_failsAndKeepsTheFlagAndTheFlight() throws Exception {
        source.hold();
        LiveProvider provider = rig.provider(source);
        Running<Boolean> caller = Rig.start(() -> {
            assertThatThrownBy(provider::get)
                    .isInstanceOf(TokenUnavailableException.class)
                    .hasMessageContaining("interrupted");
            return Thread.currentThread().isInterrupted();
        });

        caller.awaitWaiting().thread().interrupt();

        assertThat(caller.get()).isTrue();
        source.release();
        assertThat(provider.get().reveal()).isEqualTo(canary.token());
        assertThat(source.fetches()).isEqualTo(1);
    }

    // --- getAsync and asSupplier ---

    @Test
    void getAsync_noTokenYet_doesNotWait() throws Exception {
        source.hold();
        LiveProvider provider = rig.provider(source);

        var answer = provider.getAsync().toCompletableFuture();

        assertThat(answer).isNotDone();
        source.release();
        assertThat(answer.get(30, TimeUnit.SECONDS).reveal()).isEqualTo(canary.token());
        assertThat(provider.getAsync().toCompletableFuture()).isCompleted();
    }

    @Test
    void getAsync_failure_isATokenUnavailableExceptionItself() {
        sourceIsDown();
        LiveProvider provider = rig.provider(source);
        var failure = new CompletableFuture<Throwable>();

        provider.getAsync().whenComplete((token, thrown) -> failure.complete(thrown));

        assertThat(failure.join())
                .isInstanceOf(TokenUnavailableException.class)
                .hasMessageContaining("fake store is down");
    }

    @Test
    void getAsync_sourceHangs_failsAfterTheTimeout() {
        source.hold();
        LiveProvider provider = rig.provider(source, Duration.ofMillis(100));

        var answer = provider.getAsync().toCompletableFuture();
        Awaitility.await().until(() -> source.held() == 1);
        rig.advance(Duration.ofMillis(100));

        assertThatThrownBy(() -> answer.get(30, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOf(TokenUnavailableException.class)
                .hasMessageContaining("did not answer within 100 ms");
        source.release();
    }

    @Test
    void getAsync_oneCallerCancels_othersGetTheToken() throws Exception {
        source.hold();
        LiveProvider provider = rig.provider(source);
        var cancelled = provider.getAsync().toCompletableFuture();
        var other = provider.getAsync().toCompletableFuture();

        cancelled.cancel(true);
        source.release();

        assertThat(other.get(30, TimeUnit.SECONDS).reveal()).isEqualTo(canary.token());
        assertThat(source.fetches()).isEqualTo(1);
    }

    @Test
    void asSupplier_swap_answersTheNewValue() throws Exception {
        LiveProvider provider = rig.provider(source.has("token-1"));
        var supplier = provider.asSupplier();
        assertThat(supplier.get()).isEqualTo("token-1");

        source.has("token-2");
        provider.refresh();

        assertThat(supplier.get()).isEqualTo("token-2");
    }

    @Test
    void asSupplier_noToken_throwsUnchecked() {
        sourceIsDown();
        var supplier = rig.provider(source).asSupplier();

        UncheckedIOException e = canary.caught(UncheckedIOException.class, supplier::get);

        assertThat(e).hasCauseInstanceOf(TokenUnavailableException.class);
    }

    // --- refresh ---

    @Test
    void refresh_newValue_swaps() throws Exception {
        LiveProvider provider = rig.provider(source.has("token-1"));
        provider.get();
        source.has("token-2");

        assertThat(provider.get().reveal()).isEqualTo("token-1");
        assertThat(provider.refresh().reveal()).isEqualTo("token-2");
        assertThat(provider.get().reveal()).isEqualTo("token-2");
    }

    @Test
    void refresh_fetchUnderWayBeforeIt_isNotTakenForTheAnswer() throws Exception {
        LiveProvider provider = rig.provider(source.has("token-1").hold());
        Running<Token> earlier = Rig.start(provider::get);
        Awaitility.await().until(() -> source.held() == 1);
        source.has("token-2");

        Running<Token> refresh = Rig.start(provider::refresh).awaitWaiting();
        source.release();

        assertThat(earlier.get().reveal()).isEqualTo("token-1");
        assertThat(refresh.get().reveal()).isEqualTo("token-2");
        assertThat(source.fetches()).isEqualTo(2);
    }

    @Test
    void refresh_fetchUnderWayFails_asksAgain() throws Exception {
        sourceIsDown();
        LiveProvider provider = rig.provider(source.hold());
        Running<Token> earlier = Rig.start(provider::get);
        Awaitility.await().until(() -> source.held() == 1);
        source.has("token-2");

        Running<Token> refresh = Rig.start(provider::refresh).awaitWaiting();
        source.release();

        assertThatThrownBy(earlier::get).hasMessageContaining("is down");
        assertThat(refresh.get().reveal()).isEqualTo("token-2");
    }

    @Test
    void refresh_sameValue_keepsGenerationAndTakesWhatElseIsKnown() throws Exception {
        LiveProvider provider = rig.provider(source.has("token-1"));
        provider.get();
        source.has(TokenDocument.of("token-1").withExpiresAt(END));

        Token refreshed = provider.refresh();

        assertThat(refreshed.generation()).isEqualTo(1);
        assertThat(provider.get().expiresAt()).contains(END);
        assertThat(rig.events).hasSize(1).first().isInstanceOf(Resolved.class);
    }

    @Test
    void refresh_rollback_countsOnUp() throws Exception {
        LiveProvider provider = rig.provider(source.has("token-1"));
        provider.get();
        source.has("token-2");
        provider.refresh();
        source.has("token-1");

        assertThat(provider.refresh().generation()).isEqualTo(3);
    }

    @Test
    void refresh_failure_throwsAndTheOldTokenStays() throws Exception {
        LiveProvider provider = rig.provider(source);
        Token before = provider.get();
        sourceIsDown();

        canary.caught(TokenUnavailableException.class, provider::refresh);

        assertThat(provider.get()).isSameAs(before);
        assertThat(provider.lastFailure()).get().satisfies(e -> assertThat(e).hasMessageContaining("is down"));
    }

    @Test
    void refresh_afterAFailure_asksAtOnce() throws Exception {
        sourceIsDown();
        LiveProvider provider = rig.provider(source);
        assertThatThrownBy(provider::refresh).isInstanceOf(TokenUnavailableException.class);
        source.has("token-1");

        assertThat(provider.refresh().reveal()).isEqualTo("token-1");
        assertThat(provider.lastFailure()).isEmpty();
    }

    @Test
    void lastFailure_sourceHangs_saysSoUntilItAnswers() throws Exception {
        LiveProvider provider = rig.provider(source, Rig.LONG);
        provider.get();
        source.hold();
        Running<Token> refresh = Rig.start(provider::refresh).awaitWaiting();
        Awaitility.await().until(() -> source.held() == 1);
        assertThat(provider.lastFailure()).isEmpty();

        rig.advance(Rig.LONG);

        assertThat(provider.lastFailure())
                .get()
                .satisfies(e -> assertThat(e).hasMessageContaining("fake store did not answer within 20000 ms"));
        assertThatThrownBy(refresh::get).hasMessageContaining("fake store did not answer within 20000 ms");
        source.release();
        Awaitility.await()
                .untilAsserted(() -> assertThat(provider.lastFailure()).isEmpty());
    }

    // --- invalidate ---

    @Test
    void invalidate_newerGenerationIsThere_trueWithoutAsking() throws Exception {
        LiveProvider provider = rig.provider(source.has("token-1"));
        Token old = provider.get();
        source.has("token-2");
        provider.refresh();

        assertThat(provider.invalidate(old)).isTrue();
        assertThat(source.fetches()).isEqualTo(2);
    }

    @Test
    void invalidate_sourceHasANewOne_trueAfterOneFetch() throws Exception {
        LiveProvider provider = rig.provider(source.has("token-1"));
        Token rejected = provider.get();
        source.has("token-2");

        assertThat(provider.invalidate(rejected)).isTrue();

        assertThat(source.fetches()).isEqualTo(2);
        assertThat(provider.get().reveal()).isEqualTo("token-2");
        assertThat(provider.invalidate(rejected)).as("told again").isTrue();
        assertThat(source.fetches()).isEqualTo(2);
    }

    @Test
    void invalidate_newOneIsRejectedToo_asksAtOnce() throws Exception {
        LiveProvider provider = rig.provider(source.has("token-1"));
        Token first = provider.get();
        source.has("token-2");
        provider.invalidate(first);
        Token second = provider.get();
        source.has("token-3");

        assertThat(provider.invalidate(second)).isTrue();
        assertThat(provider.get().reveal()).isEqualTo("token-3");
    }

    @Test
    void invalidate_sameAnswer_isNotAskedAgainForASecond() throws Exception {
        LiveProvider provider = rig.provider(source.has("token-1"));
        Token rejected = provider.get();

        assertThat(provider.invalidate(rejected)).isFalse();
        source.has("token-2");
        rig.advance(SECOND.minusNanos(1));
        rig.clock.step(Duration.ofDays(1));
        assertThat(provider.invalidate(rejected)).isFalse();
        assertThat(source.fetches()).isEqualTo(2);

        rig.advance(Duration.ofNanos(1));
        assertThat(provider.invalidate(rejected)).isTrue();
        assertThat(source.fetches()).isEqualTo(3);
    }

    @Test
    void invalidate_sourceFails_falseAndTheOldTokenStaysWhileThatBacksOff() throws Exception {
        LiveProvider provider = rig.atOnce(source);
        Token rejected = provider.get();
        sourceIsDown();

        assertThat(provider.invalidate(rejected)).isFalse();
        assertThat(provider.invalidate(rejected)).isFalse();

        assertThat(source.fetches()).isEqualTo(2);
        assertThat(provider.get()).isSameAs(rejected);
        assertThat(provider.lastFailure()).isPresent();
        source.has("token-2");
        rig.clock.advance(SECOND);
        assertThat(provider.invalidate(rejected)).isTrue();
        assertThat(provider.lastFailure()).isEmpty();
    }

    @Test
    void invalidate_sourceHangs_falseAfterTheTimeout() throws Exception {
        LiveProvider provider = rig.provider(source, Duration.ofMillis(100));
        Token rejected = provider.get();
        source.hold();

        assertThat(provider.invalidate(rejected)).isFalse();

        assertThat(provider.get()).isSameAs(rejected);
        source.release();
    }

    // --- events ---

    @Test
    void events_lifeOfAToken_areToldInOrderWithoutValue() throws Exception {
        LiveProvider provider = rig.atOnce(source);
        Token first = provider.get();
        sourceIsDown();
        provider.invalidate(first);
        rig.clock.advance(SECOND);
        source.has("token-2");
        provider.invalidate(first);
        Token second = provider.get();
        source.has(TokenDocument.of("token-2").withExpiresAt(END));
        provider.refresh();
        sourceIsDown();
        rig.advance(Duration.ofMinutes(1));

        rig.events.forEach(event -> canary.saw("event", event));
        Instant then = ManualClock.START;
        Instant later = then.plusSeconds(1);
        assertThat(rig.events.subList(0, 5))
                .containsExactly(
                        new Resolved(then, "api_token", first.fingerprint(), 1, "fake store"),
                        new Rejected(then, "api_token", first.fingerprint(), 1),
                        new RefreshFailed(then, "api_token", Reason.UNREACHABLE, "fake store is down"),
                        new Rejected(later, "api_token", first.fingerprint(), 1),
                        new Swapped(later, "api_token", first.fingerprint(), second.fingerprint(), 2, "fake store"));
        assertThat(rig.events.subList(5, rig.events.size()))
                .contains(new Expired(END, "api_token", second.fingerprint(), 2))
                .allMatch(event -> event instanceof RefreshFailed || event instanceof Expired);
    }

    @Test
    void events_stormOf401_isToldOnceASecondForEachVersion() throws Exception {
        LiveProvider provider = rig.provider(source.has("token-1"));
        Token first = provider.get();
        for (int i = 0; i < 100; i++) {
            provider.invalidate(first);
        }
        rig.clock.step(Duration.ofDays(1));
        provider.invalidate(first);
        rig.advance(SECOND);
        source.has("token-2");
        provider.invalidate(first);
        provider.invalidate(first);
        provider.invalidate(provider.get());

        assertThat(rig.events)
                .hasExactlyElementsOfTypes(
                        Resolved.class, Rejected.class, Rejected.class, Swapped.class, Rejected.class);
    }

    @Test
    void events_documentHasAnOrigin_isTheSource() throws Exception {
        LiveProvider provider =
                rig.provider(source.has(TokenDocument.of("token-1").withOrigin("the second of two")));

        provider.get();

        assertThat(rig.events)
                .singleElement()
                .isInstanceOfSatisfying(
                        Resolved.class, event -> assertThat(event.source()).isEqualTo("the second of two"));
    }

    @Test
    void events_listenerThatAsksTheProvider_isAnswered() throws Exception {
        List<Optional<Token>> seen = new CopyOnWriteArrayList<>();
        LiveProvider[] provider = new LiveProvider[1];
        ProviderContext context = rig.context(rig.clock, rig.clock::nanos, rig.fetches, event -> {
            try {
                seen.add(Optional.of(provider[0].get()));
            } catch (TokenUnavailableException e) {
                seen.add(Optional.empty());
            }
        });
        provider[0] = rig.opened(source, Rig.INTAKE, Rig.POLICY, context);

        provider[0].get();

        assertThat(seen)
                .as("the token is there when its event comes")
                .singleElement()
                .satisfies(token -> assertThat(token).isPresent());
    }
}
