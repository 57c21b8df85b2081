package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.event.TokenEvent.RefreshFailed;
import io.keyturn.event.TokenEvent.Resolved;
import io.keyturn.event.TokenEvent.SwapRefused;
import io.keyturn.event.TokenEvent.Swapped;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The next token comes in an answer of the API. */
@Timeout(60)
class OfferedTokenTest {
    @RegisterExtension
    final Rig rig = new Rig();

    private final FakeSource source = FakeSource.of("token-1");
    private LiveProvider provider;
    private Token first;

    @BeforeEach
    void begin() throws Exception {
        provider = rig.atOnce(source);
        first = provider.get();
    }

    private static TokenDocument offered(String value) {
        return TokenDocument.of(value).withOrigin("a header");
    }

    private String value() throws TokenUnavailableException {
        return provider.get().reveal();
    }

    @Test
    void offer_current_isTaken() throws Exception {
        provider.offer(offered("token-2"), first);

        assertThat(value()).isEqualTo("token-2");
        assertThat(provider.get().generation()).isEqualTo(2);
        assertThat(provider.status().source()).isEqualTo("a header");
        assertThat(rig.events).hasExactlyElementsOfTypes(Resolved.class, Swapped.class);
        assertThat(provider.invalidate(first)).as("a late 401 to the first").isTrue();
    }

    @Test
    void offer_sentWithAnOlderOne_comesTooLate() throws Exception {
        source.has("token-2");
        provider.refresh();

        provider.offer(offered("token-3"), first);

        assertThat(value()).isEqualTo("token-2");
    }

    @Test
    void offer_theCurrentOneItself_isNoSwap() throws Exception {
        provider.offer(offered("token-1"), first);

        assertThat(provider.get()).isSameAs(first);
        assertThat(rig.events).hasSize(1);
    }

    @Test
    void offer_sourceStillHasWhatWasReplaced_theOfferStays() throws Exception {
        provider.offer(offered("token-2"), first);

        for (int i = 0; i < 3; i++) {
            assertThat(provider.refresh().reveal()).isEqualTo("token-2");
        }
        provider.offer(offered("token-3"), provider.get());
        assertThat(provider.refresh().reveal()).isEqualTo("token-3");
        assertThat(provider.get().generation()).isEqualTo(3);
    }

    @Test
    void offer_sourceGetsAnother_thatCounts() throws Exception {
        provider.offer(offered("token-2"), first);
        source.has("token-3");

        assertThat(provider.refresh().reveal()).isEqualTo("token-3");
        source.has("token-1");
        assertThat(provider.refresh().reveal())
                .as("a rollback is a change, too")
                .isEqualTo("token-1");
    }

    @Test
    void offer_isRejected_theSourcesOwnCountsAtOnce() throws Exception {
        provider.offer(offered("token-2"), first);
        provider.refresh();

        assertThat(provider.invalidate(provider.get())).isTrue();

        assertThat(value()).isEqualTo("token-1");
        assertThat(provider.get().generation()).isEqualTo(3);
    }

    @Test
    void offer_ends_theSourcesOwnCountsAgain() throws Exception {
        provider.offer(offered("token-2").withExpiresAt(rig.clock.instant().plusSeconds(100)), first);

        rig.advance(Duration.ofSeconds(99));
        assertThat(value()).isEqualTo("token-2");
        rig.advance(Duration.ofSeconds(1));

        assertThat(value()).isEqualTo("token-1");
    }

    @Test
    void offer_endIsNearAndTheSourceHasNothingNew_isAskedEverMoreSeldom() {
        provider.offer(offered("token-2").withExpiresAt(rig.clock.instant().plusSeconds(10_000)), first);
        int before = source.fetches();

        rig.advance(Duration.ofMinutes(150));

        assertThat(source.fetches() - before).isBetween(8, 16);
    }

    @Test
    void offer_whatTheSourceHas_isTakenOnce() throws Exception {
        provider.offer(offered("token-2"), first);

        provider.offer(offered("token-1"), provider.get());

        assertThat(value()).isEqualTo("token-1");
        assertThat(provider.get().generation()).isEqualTo(3);
        assertThat(provider.refresh().generation()).isEqualTo(3);
        assertThat(rig.events).hasExactlyElementsOfTypes(Resolved.class, Swapped.class, Swapped.class);
    }

    @Test
    void offer_expired_theOldStays() throws Exception {
        provider.offer(offered("token-2").withExpiresAt(rig.clock.instant()), first);

        assertThat(value()).isEqualTo("token-1");
        assertThat(rig.events).hasExactlyElementsOfTypes(Resolved.class, RefreshFailed.class);
    }

    @Test
    void offer_refusedByTheApi_theOldStaysAndTheNextOfferIsHeard() throws Exception {
        AtomicInteger proofs = new AtomicInteger();
        LiveProvider verified = rig.atOnce(
                source,
                new VerifiedSwapTest.Proof(candidate -> {
                    proofs.incrementAndGet();
                    if (candidate.token().reveal().equals("token-2")) {
                        throw new TokenException(Reason.UNAUTHENTICATED, "the API refuses the new token", null);
                    }
                }),
                Rig.POLICY);
        Token sent = verified.get();

        verified.offer(offered("token-2"), sent);
        assertThat(verified.get().reveal()).isEqualTo("token-1");
        assertThat(rig.events).anyMatch(SwapRefused.class::isInstance);
        verified.offer(offered("token-3"), sent);

        assertThat(verified.get().reveal()).isEqualTo("token-3");
        assertThat(proofs).hasValue(2);
    }

    @Test
    void offer_manyAnswersAtOnce_takeOneThread() throws Exception {
        List<Runnable> queued = new ArrayList<>();
        LiveProvider busy = rig.opened(source, Rig.INTAKE, Rig.POLICY, rig.context(queued::add));
        var answer = busy.getAsync();
        queued.remove(0).run();
        Token sent = answer.toCompletableFuture().join();

        for (int i = 0; i < 100; i++) {
            busy.offer(offered("token-2"), sent);
        }
        assertThat(queued).hasSize(1);
        queued.remove(0).run();

        assertThat(busy.get().reveal()).isEqualTo("token-2");
        busy.offer(offered("token-3"), busy.get());
        assertThat(queued).hasSize(1);
    }

    @Test
    void offer_noThreadToBeHad_isLostAndTheNextIsHeard() throws Exception {
        boolean[] full = {false};
        LiveProvider poor = rig.opened(source, Rig.INTAKE, Rig.POLICY, rig.context(task -> {
            if (full[0]) {
                throw new RejectedExecutionException();
            }
            task.run();
        }));
        Token sent = poor.get();
        full[0] = true;
        poor.offer(offered("token-2"), sent);
        full[0] = false;

        poor.offer(offered("token-3"), sent);

        assertThat(poor.get().reveal()).isEqualTo("token-3");
    }

    @Test
    void offer_closed_isNotTaken() {
        provider.close();

        provider.offer(offered("token-2"), first);

        assertThat(rig.events).hasSize(1);
        assertThat(provider.status().isUsable()).isFalse();
    }

    @Test
    void offer_whileTheSourceFails_theFailureIsStillTold() throws Exception {
        source.answers(Optional::empty);
        rig.random = 0.9999;
        assertThat(provider.invalidate(first)).isFalse();

        provider.offer(offered("token-2"), first);

        assertThat(value()).isEqualTo("token-2");
        assertThat(provider.lastFailure()).isPresent();
    }
}
