package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.provider.Rig.Running;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.assertj.core.api.Assertions;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class SingleFlightTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    @RegisterExtension
    final Rig rig = new Rig();

    private final FakeSource source = FakeSource.of("token-1");

    /** Holds the one thread that is to be held, after it has read its clock: it will act on what was true then. */
    private static final class Hold {
        private final CountDownLatch arrived = new CountDownLatch(1);
        private final CountDownLatch released = new CountDownLatch(1);
        private volatile Thread thread;

        void here() {
            if (Thread.currentThread().equals(thread)) {
                thread = null;
                arrived.countDown();
                await(released);
            }
        }

        void awaitArrival() {
            await(arrived);
        }

        void release() {
            released.countDown();
        }

        private static void await(CountDownLatch latch) {
            try {
                assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    private LongSupplier heldBy(Hold hold) {
        return () -> {
            long now = rig.clock.nanos();
            hold.here();
            return now;
        };
    }

    @Test
    void get_500ThreadsMissAtOnce_oneFetch() throws Exception {
        source.hold();
        LiveProvider provider = rig.provider(source);

        List<Running<Token>> callers = Rig.start(500, provider::get);
        Rig.awaitWaiting(callers);
        source.release();

        for (Running<Token> caller : callers) {
            assertThat(caller.get().reveal()).isEqualTo("token-1");
        }
        assertThat(source.fetches()).isEqualTo(1);
    }

    @Test
    void get_500ThreadsMissAndTheSourceFails_oneFetchAndAFailureForEach() throws Exception {
        source.answers(() -> {
            throw new SourceException(Reason.UNREACHABLE, "fake store is down", null);
        });
        source.hold();
        LiveProvider provider = rig.provider(source);

        List<Running<Token>> callers = Rig.start(500, provider::get);
        Rig.awaitWaiting(callers);
        source.release();

        for (Running<Token> caller : callers) {
            assertThatThrownBy(caller::get)
                    .isInstanceOf(TokenUnavailableException.class)
                    .hasMessageContaining("fake store is down");
        }
        assertThat(source.fetches()).isEqualTo(1);
    }

    @Test
    void get_failureSharedByTwo_isNotTheSameException() throws Exception {
        source.answers(() -> {
            throw new SourceException(Reason.UNREACHABLE, "fake store is down", null);
        });
        source.hold();
        LiveProvider provider = rig.provider(source);

        List<Running<Throwable>> callers = Rig.start(2, () -> Assertions.catchThrowable(provider::get));
        Rig.awaitWaiting(callers);
        source.release();

        assertThat(callers.get(0).get()).isNotSameAs(callers.get(1).get());
    }

    @Test
    void invalidate_500ThreadsAreTold401_oneFetchAndAllRetry() throws Exception {
        LiveProvider provider = rig.provider(source);
        Token rejected = provider.get();
        source.has("token-2").hold();

        List<Running<Boolean>> callers = Rig.start(500, () -> provider.invalidate(rejected));
        Rig.awaitWaiting(callers);
        source.release();

        for (Running<Boolean> caller : callers) {
            assertThat(caller.get()).isTrue();
        }
        assertThat(source.fetches()).isEqualTo(2);
        assertThat(provider.get().generation()).isEqualTo(2);
    }

    @Test
    void refresh_severalBehindAFlight_shareTheNextOne() throws Exception {
        source.hold();
        LiveProvider provider = rig.provider(source);
        Running<Token> first = Rig.start(provider::get).awaitWaiting();

        List<Running<Token>> callers = Rig.start(50, provider::refresh);
        Rig.awaitWaiting(callers);
        source.has("token-2");
        source.release();

        for (Running<Token> caller : callers) {
            assertThat(caller.get().reveal()).isEqualTo("token-2");
        }
        assertThat(first.get().reveal()).isEqualTo("token-1");
        assertThat(source.fetches()).isLessThanOrEqualTo(3);
    }

    @Test
    void get_lookedBeforeThePublishAndComesAfterIt_takesWhatIsThere() throws Exception {
        Hold hold = new Hold();
        LiveProvider provider = rig.provider(source, Rig.LONG, rig.clock, heldBy(hold));

        Running<Token> late = Rig.start(() -> {
            hold.thread = Thread.currentThread();
            return provider.get();
        });
        hold.awaitArrival();
        assertThat(provider.get().reveal()).isEqualTo("token-1");
        hold.release();

        assertThat(late.get().reveal()).isEqualTo("token-1");
        assertThat(source.fetches()).as("one for both who missed").isEqualTo(1);
    }

    @Test
    void get_lookedBeforeAFailureAndComesAfterIt_takesTheFailure() throws Exception {
        Hold hold = new Hold();
        LiveProvider provider = rig.provider(source, Rig.LONG, rig.clock, heldBy(hold));
        source.answers(() -> {
            throw new SourceException(Reason.UNREACHABLE, "fake store is down", null);
        });

        Running<Token> late = Rig.start(() -> {
            hold.thread = Thread.currentThread();
            return provider.get();
        });
        hold.awaitArrival();
        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
        hold.release();

        assertThatThrownBy(late::get).hasMessageContaining("fake store is down");
        assertThat(source.fetches()).isEqualTo(1);
    }

    @Test
    void invalidate_lookedBeforeAFetchAndComesAfterIt_asksNoMore() throws Exception {
        Hold hold = new Hold();
        LiveProvider provider = rig.provider(source, Rig.LONG, rig.clock, heldBy(hold));
        Token rejected = provider.get();
        assertThat(provider.invalidate(rejected)).isFalse();
        rig.advance(SECOND);

        Running<Boolean> late = Rig.start(() -> {
            hold.thread = Thread.currentThread();
            return provider.invalidate(rejected);
        });
        hold.awaitArrival();
        assertThat(provider.invalidate(rejected)).isFalse();
        hold.release();

        assertThat(late.get()).isFalse();
        assertThat(source.fetches()).as("the first, and one for each second").isEqualTo(3);
    }

    @Test
    void get_sourceHangs_oneThreadIsHeldHoweverManyAsk() throws Exception {
        source.hold();
        LiveProvider provider = rig.provider(source, Duration.ofMillis(100));

        for (Running<Token> caller : Rig.start(20, provider::get)) {
            assertThatThrownBy(caller::get)
                    .isInstanceOf(TokenUnavailableException.class)
                    .hasMessageContaining("fake store did not answer within 100 ms");
        }
        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
        assertThatThrownBy(provider::refresh).isInstanceOf(TokenUnavailableException.class);

        assertThat(source.held()).isEqualTo(1);
        source.release();
        Awaitility.await().untilAsserted(() -> assertThat(source.held()).isZero());
        assertThat(provider.get().reveal()).isEqualTo("token-1");
    }
}
