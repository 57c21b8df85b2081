package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.event.TokenEvent.Rejected;
import io.keyturn.event.TokenEvent.Resolved;
import io.keyturn.event.TokenEvent.Swapped;
import io.keyturn.provider.Rig.Running;
import io.keyturn.provider.TokenStatus.State;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A reload puts another provider beneath a handle. */
@Timeout(60)
class StableProviderTest {
    @RegisterExtension
    final Rig rig = new Rig();

    private final FakeSource source = FakeSource.of("token-1");
    private final FakeSource other = FakeSource.of("token-2");

    private LiveProvider after(LiveProvider before, FakeSource asks) {
        return rig.opened(asks, Rig.INTAKE, Rig.POLICY, rig.context(rig.fetches), before);
    }

    private static StableProvider handle(LiveProvider live) {
        return new StableProvider(live, null);
    }

    private static void replace(StableProvider handle, LiveProvider before, LiveProvider next) {
        handle.become(next);
        before.retire();
    }

    @Test
    void become_next_answersEverythingAndCountsOn() throws Exception {
        LiveProvider before = rig.provider(source);
        StableProvider handle = handle(before);
        Token first = handle.get();
        LiveProvider next = after(before, other);
        next.get();

        replace(handle, before, next);

        assertThat(handle.get().reveal()).isEqualTo("token-2");
        assertThat(handle.get().generation()).isEqualTo(2);
        assertThat(handle.refresh().reveal()).isEqualTo("token-2");
        assertThat(handle.getAsync().toCompletableFuture()).isCompletedWithValue(handle.get());
        assertThat(handle.invalidate(first)).isTrue();
        assertThat(before.get()).as("a request that found it").isSameAs(first);
        assertThat(rig.events).hasExactlyElementsOfTypes(Resolved.class, Swapped.class, Rejected.class);
    }

    @Test
    void become_sameValue_isTheSameVersionWithoutASwap() throws Exception {
        LiveProvider before = rig.provider(source);
        Token first = before.get();
        LiveProvider next = after(before, FakeSource.of("token-1"));

        assertThat(next.get()).isEqualTo(first);
        assertThat(next.get().generation()).isEqualTo(1);
        assertThat(rig.events).hasSize(1);
    }

    @Test
    void become_bothFindTheSameAtOnce_isOneVersion() throws Exception {
        LiveProvider before = rig.provider(source);
        before.get();
        Intake late = (name, document, generation) -> {
            // Until now nobody knew of this version; the one that still serves finds it first.
            source.has("token-2");
            before.refresh();
            return Rig.INTAKE.accept(name, document, generation);
        };
        LiveProvider next = rig.opened(other, late, Rig.POLICY, rig.context(rig.fetches), before);

        assertThat(next.get().generation()).isEqualTo(2);
        assertThat(before.get().generation()).isEqualTo(2);
        assertThat(rig.events).as("told once").hasExactlyElementsOfTypes(Resolved.class, Swapped.class);
    }

    @Test
    void become_bothFindVersions_noNumberIsGivenTwice() throws Exception {
        LiveProvider before = rig.provider(source);
        before.get();
        LiveProvider next = after(before, other);
        List<Long> numbers = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            source.has("a-" + i);
            other.has("b-" + i);
            numbers.add(before.refresh().generation());
            numbers.add(next.refresh().generation());
        }

        assertThat(numbers).doesNotHaveDuplicates().isSorted();
    }

    @Test
    void become_nextHasNotAskedYet_isAbsentAndNotWhatWasBefore() throws Exception {
        LiveProvider before = rig.provider(source);
        before.get();
        LiveProvider next = after(before, other);

        assertThat(next.status().state()).isEqualTo(State.ABSENT);
        rig.stepNoticed(Duration.ofDays(-1));
        assertThat(next.status().isUsable())
                .as("what another source had is not its own")
                .isFalse();
    }

    @Test
    void become_whileCallersWait_theyGetTheNextOnes() throws Exception {
        LiveProvider before = rig.provider(source.hold());
        StableProvider handle = handle(before);
        List<Running<Token>> callers = Rig.start(5, handle::get);
        Rig.awaitWaiting(callers);
        Running<Token> refresh = Rig.start(handle::refresh).awaitWaiting();
        var answer = handle.getAsync().toCompletableFuture();
        LiveProvider next = after(before, other);
        next.get();

        replace(handle, before, next);

        for (Running<Token> caller : callers) {
            assertThat(caller.get().reveal()).isEqualTo("token-2");
        }
        assertThat(refresh.get().reveal()).isEqualTo("token-2");
        assertThat(answer.get(30, TimeUnit.SECONDS).reveal()).isEqualTo("token-2");
        source.release();
    }

    @Test
    void become_whileA401IsLookedInto_theNextOnesTokenCounts() throws Exception {
        LiveProvider before = rig.provider(source);
        StableProvider handle = handle(before);
        Token rejected = handle.get();
        source.hold();
        Running<Boolean> told = Rig.start(() -> handle.invalidate(rejected)).awaitWaiting();
        Awaitility.await().until(() -> source.held() == 1);
        LiveProvider next = after(before, other);
        next.get();

        replace(handle, before, next);

        assertThat(told.get()).isTrue();
        source.release();
    }

    @Test
    void remove_token_itsProviderSaysSo() throws Exception {
        LiveProvider live = rig.provider(source);
        StableProvider handle = handle(live);
        handle.get();

        live.remove();

        assertThatThrownBy(handle::get)
                .isInstanceOfSatisfying(
                        TokenUnavailableException.class,
                        e -> assertThat(e.reason()).isEqualTo(Reason.REMOVED))
                .hasMessage("no token 'api_token': it was removed from the configuration");
        assertThatThrownBy(handle::refresh).isInstanceOf(TokenUnavailableException.class);
        assertThat(handle.getAsync().toCompletableFuture()).isCompletedExceptionally();
        assertThat(live.status().isUsable()).isFalse();
    }

    @Test
    void open_closedMeanwhile_isOnNoScheduleAndWatchesNothing() throws Exception {
        LiveProvider live = rig.provider(source);
        live.close();

        live.open();

        rig.advance(Duration.ofMinutes(10));
        assertThat(source.fetches()).isZero();
    }
}
