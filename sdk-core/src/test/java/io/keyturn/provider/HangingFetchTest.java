package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.provider.Rig.Running;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A source does not answer. */
@Timeout(60)
class HangingFetchTest {
    private static final Duration LIMIT = Duration.ofMillis(100);

    @RegisterExtension
    final Rig rig = new Rig();

    private final FakeSource source = FakeSource.of("token-1");

    private void awaitHanging() {
        Awaitility.await().until(() -> source.held() == 1);
    }

    private void awaitIdle() {
        Awaitility.await().until(() -> source.held() == 0 && ((ThreadPoolExecutor) rig.fetches).getActiveCount() == 0);
    }

    @Test
    void get_tokenThere_isAnsweredAllTheSame() throws Exception {
        LiveProvider provider = rig.provider(source);
        Token good = provider.get();
        source.hold();
        Running<Token> refresh = Rig.start(provider::refresh);
        awaitHanging();

        assertThat(provider.get()).isSameAs(good);
        rig.advance(Rig.LONG);
        assertThat(provider.get()).isSameAs(good);
        assertThatThrownBy(refresh::get).hasMessageContaining("did not answer within 20000 ms");
        assertThat(provider.status().state()).isEqualTo(TokenStatus.State.STALE);
        source.release();
    }

    @Test
    void get_noToken_failsAfterTheLimitAndThenAtOnce() {
        LiveProvider provider = rig.provider(source.hold(), LIMIT);

        assertThatThrownBy(provider::get).hasMessageContaining("did not answer within 100 ms");
        awaitHanging();
        rig.advance(LIMIT);
        long before = System.nanoTime();
        for (int i = 0; i < 1000; i++) {
            assertThatThrownBy(provider::get).hasMessageContaining("did not answer within 100 ms");
        }

        assertThat(Duration.ofNanos(System.nanoTime() - before))
                .as("1,000 times, none of which waits")
                .isLessThan(Duration.ofSeconds(30));
        assertThat(source.fetches()).isEqualTo(1);
        source.release();
    }

    @Test
    void fetch_heedsInterruption_isInterruptedAtItsLimitAndTheNextComesOnTime() throws Exception {
        AtomicReference<Boolean> interrupted = new AtomicReference<>();
        boolean[] hangs = {true};
        CountDownLatch begun = new CountDownLatch(1);
        TokenSource heeding = () -> {
            if (hangs[0]) {
                begun.countDown();
                try {
                    new CountDownLatch(1).await();
                } catch (InterruptedException e) {
                    interrupted.set(true);
                    throw new IllegalStateException(e);
                }
            }
            return Optional.of(TokenDocument.of("token-1"));
        };
        LiveProvider provider = rig.provider(heeding);
        var answer = provider.getAsync().toCompletableFuture();
        begun.await();

        hangs[0] = false;
        rig.advance(Rig.LONG);
        Awaitility.await().until(() -> interrupted.get() != null);
        assertThat(answer).isCompletedExceptionally();
        rig.advance(Duration.ofSeconds(2));

        Awaitility.await()
                .untilAsserted(() -> assertThat(provider.status().isUsable()).isTrue());
        assertThat(rig.events).as("one failure, one token").hasSize(2);
    }

    @Test
    void fetch_ignoresInterruption_holdsOneThreadUntilItReturnsAndWhatItBringsIsTaken() throws Exception {
        LiveProvider provider = rig.provider(source.hold());
        var unused = provider.getAsync();
        awaitHanging();

        for (int i = 0; i < 10; i++) {
            rig.advance(Duration.ofMinutes(5));
            assertThatThrownBy(provider::get).hasMessageContaining("did not answer");
        }
        assertThat(((ThreadPoolExecutor) rig.fetches).getActiveCount()).isEqualTo(1);
        assertThat(source.fetches()).isEqualTo(1);
        source.release();
        awaitIdle();

        assertThat(provider.get().reveal()).isEqualTo("token-1");
        assertThat(provider.lastFailure()).isEmpty();
    }

    @Test
    void fetch_failsAfterItsLimit_isCountedOnce() {
        source.answers(Optional::empty);
        LiveProvider provider = rig.provider(source.hold());
        var unused = provider.getAsync();
        awaitHanging();
        rig.advance(Rig.LONG);

        source.release();
        awaitIdle();

        assertThat(rig.events).hasSize(1);
        assertThat(provider.status().failure()).contains("did not answer");
    }

    @Test
    void fetch_findsNoThread_isToldAsAFailureAndMadeOnceThereIsOne() throws Exception {
        Runnable[] queued = new Runnable[1];
        LiveProvider provider = rig.opened(source, Rig.INTAKE, Rig.POLICY, rig.context(task -> queued[0] = task));
        var answer = provider.getAsync().toCompletableFuture();

        rig.advance(Rig.LONG.plus(Rig.POLL));
        Awaitility.await().until(answer::isCompletedExceptionally);
        assertThat(provider.status().failure()).contains("did not answer");
        queued[0].run();

        assertThat(provider.get().reveal()).isEqualTo("token-1");
    }

    @Test
    void close_fetchHangs_returnsAndFreesAllWhoWait() throws Exception {
        LiveProvider provider = rig.provider(source.hold());
        List<Running<Token>> getting = Rig.start(5, provider::get);
        Rig.awaitWaiting(getting);
        List<Running<Token>> refreshing = Rig.start(5, provider::refresh);
        Rig.awaitWaiting(refreshing);
        var answer = provider.getAsync().toCompletableFuture();

        provider.close();

        for (Running<Token> each : getting) {
            assertThatThrownBy(each::get).hasMessageContaining("agent closed");
        }
        for (Running<Token> each : refreshing) {
            assertThatThrownBy(each::get).hasMessageContaining("agent closed");
        }
        Awaitility.await().until(answer::isCompletedExceptionally);
        assertThatThrownBy(provider::refresh).hasMessageContaining("agent closed");
        source.release();
        awaitIdle();
        assertThat(source.fetches()).isEqualTo(1);
        assertThat(rig.events).isEmpty();
        assertThat(rig.timer.size()).as("the beat is the schedule's").isEqualTo(1);
    }

    @Test
    void retire_fetchHangs_theTokenStaysAndNothingIsAskedAnyMore() throws Exception {
        source.has(TokenDocument.of("token-1").withExpiresAt(rig.clock.instant().plusSeconds(100)));
        LiveProvider provider = rig.provider(source);
        Token good = provider.get();
        source.has("token-2").hold();
        Running<Token> refresh = Rig.start(provider::refresh);
        awaitHanging();

        provider.retire();

        assertThatThrownBy(refresh::get).hasMessageContaining("the configuration was changed");
        source.release();
        awaitIdle();
        assertThat(provider.get()).isSameAs(good);
        assertThat(provider.invalidate(good)).isFalse();
        rig.advance(Duration.ofSeconds(90));
        assertThat(source.fetches()).isEqualTo(2);
        assertThat(rig.timer.size()).isEqualTo(1);
    }

    /** What the caller does with the answer may take for ever: neither the fetch nor the schedule may wait for it. */
    @Test
    void getAsync_callbackThatNeverReturns_holdsNobodyUp() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        CountDownLatch reached = new CountDownLatch(2);
        LiveProvider provider = rig.provider(source.hold());
        Runnable block = () -> {
            reached.countDown();
            try {
                never.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
        var first = provider.getAsync().thenAccept(token -> block.run());
        LiveProvider hung = rig.provider(new FakeSource().hold());
        var second = hung.getAsync().handle((token, failure) -> {
            block.run();
            return token;
        });
        Running<Token> next = Rig.start(provider::refresh).awaitWaiting();

        source.release();
        assertThat(next.get().reveal()).isEqualTo("token-1");
        rig.advance(Rig.LONG);
        reached.await();
        source.has("token-2");

        assertThat(provider.refresh().reveal()).isEqualTo("token-2");
        never.countDown();
        first.toCompletableFuture().get();
        second.toCompletableFuture().get();
    }

    /** A source that never answers, and heeds interruption. */
    private static final class Heedful implements TokenSource {
        private final CountDownLatch asked = new CountDownLatch(1);
        private final CountDownLatch interrupted = new CountDownLatch(1);
        private volatile Runnable changed = () -> {};

        @Override
        public Optional<TokenDocument> fetch() {
            asked.countDown();
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                interrupted.countDown();
                Thread.currentThread().interrupt();
            }
            return Optional.empty();
        }

        @Override
        public Watch watch(Runnable run) {
            changed = run;
            return Watch.none();
        }
    }

    @Test
    void retire_fetchThatHeedsInterruption_isInterrupted() throws Exception {
        Heedful heedful = new Heedful();
        LiveProvider provider = rig.provider(heedful);
        Running<Token> waiting = Rig.start(provider::get);
        heedful.asked.await();

        provider.retire();

        heedful.interrupted.await();
        assertThatThrownBy(waiting::get).hasMessageContaining("the configuration was changed");
    }

    @Test
    void changed_interruptedAtItsLimit_leavesItsThreadAsItWas() throws Exception {
        Heedful heedful = new Heedful();
        rig.provider(heedful);
        Running<Boolean> changing = Rig.start(() -> {
            heedful.changed.run();
            return Thread.currentThread().isInterrupted();
        });
        heedful.asked.await();

        rig.advance(Rig.LONG);

        assertThat(changing.get()).isFalse();
    }
}
