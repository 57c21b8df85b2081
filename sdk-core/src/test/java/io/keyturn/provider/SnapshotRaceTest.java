package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.ManualClock;
import io.keyturn.http.Placement;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Whatever several threads do to a provider at the same time, each sees what one thread could have seen: what was
 * set is there when that returns, no older token comes back, and after the end there is none. Many short rounds, each
 * with a provider of its own, since what is to be found happens where it begins, swaps and ends.
 */
@Timeout(120)
class SnapshotRaceTest {
    private static final int ROUNDS = 30_000;
    private static final int THREADS = 3;
    private static final int STEPS = 4;
    private static final RefreshPolicy POLICY = RefreshPolicy.defaults().withTimeout(Duration.ofSeconds(20));

    /** The threads begin a round together, and end it together. */
    private final CyclicBarrier begin = new CyclicBarrier(THREADS, this::nextRound);

    private final CyclicBarrier end = new CyclicBarrier(THREADS, () -> race().last());
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    private volatile @Nullable Race race;

    private void nextRound() {
        race = new Race();
    }

    private Race race() {
        return Objects.requireNonNull(race);
    }

    /** A store whose tokens are numbers that grow, and that is never asked twice at the same time. */
    private static final class Store implements TokenSource {
        private final AtomicInteger number = new AtomicInteger(1);
        private final AtomicBoolean asked = new AtomicBoolean();
        private final AtomicBoolean askedTwice = new AtomicBoolean();
        private volatile Runnable changed = () -> {};

        @Override
        public Optional<TokenDocument> fetch() {
            if (!asked.compareAndSet(false, true)) {
                askedTwice.set(true);
            }
            TokenDocument document = TokenDocument.of("token-" + number.get());
            asked.set(false);
            return Optional.of(document);
        }

        @Override
        public Watch watch(Runnable listener) {
            changed = listener;
            return Watch.none();
        }

        @Override
        public String describe() {
            return "store";
        }
    }

    /** One provider and what is certain of it. */
    private static final class Race {
        private final Store store = new Store();
        private final AtomicLong ticks = new AtomicLong();
        private final LiveProvider provider;
        private final Map<Long, Integer> versions = new ConcurrentHashMap<>();

        /** Somebody was given this number, or has set it: nobody who asks from now on may be given an older one. */
        private final AtomicInteger certain = new AtomicInteger();

        private volatile boolean closing;
        private volatile boolean closed;

        Race() {
            ManualClock clock = new ManualClock();
            Schedule schedule =
                    new Schedule(clock, clock::nanos, Rig.POLL, (nanos, task) -> new CompletableFuture<Void>());
            // It ticks at every look, so that a rejected token is mostly asked for anew.
            ProviderContext context = new ProviderContext(
                    clock,
                    () -> TimeUnit.MILLISECONDS.toNanos(400 * ticks.incrementAndGet()),
                    () -> 0.5,
                    schedule,
                    Runnable::run,
                    event -> {});
            provider =
                    new LiveProvider("api_token", store, Rig.INTAKE, Placement.bearer()::form, POLICY, context, null);
            provider.open();
        }

        @FunctionalInterface
        private interface Question {
            Token ask() throws TokenUnavailableException;
        }

        private int number(Token token) {
            int number = Integer.parseInt(token.reveal().substring("token-".length()));
            Integer same = versions.putIfAbsent(token.generation(), number);
            assertThat(number).as("version %d", token.generation()).isEqualTo(same == null ? number : same);
            return number;
        }

        /** The answer, which is this number or a later one; null once the provider is closed. */
        private @Nullable Token answer(Question question, int atLeast) {
            boolean over = closed;
            try {
                Token token = question.ask();
                assertThat(over).as("closed before it was asked").isFalse();
                assertThat(number(token)).as("the number").isGreaterThanOrEqualTo(atLeast);
                certain.accumulateAndGet(number(token), Math::max);
                return token;
            } catch (TokenUnavailableException e) {
                assertThat(e.reason()).isEqualTo(Reason.CLOSED);
                assertThat(closing).as("closed").isTrue();
                return null;
            }
        }

        private @Nullable Token get() {
            return answer(provider::get, certain.get());
        }

        private void set() {
            int number = store.number.incrementAndGet();
            store.changed.run();
            certain.accumulateAndGet(closing ? 0 : number, Math::max);
        }

        private void reject(Token token) {
            boolean over = closed;
            boolean outdated = number(token) < certain.get();
            boolean another = provider.invalidate(token);
            if (another) {
                assertThat(over).as("closed before it was rejected").isFalse();
                Token next = get();
                assertThat(next == null ? Long.MAX_VALUE : next.generation()).isGreaterThan(token.generation());
            } else {
                assertThat(outdated && !closing).as("another was there").isFalse();
            }
        }

        private void close() {
            closing = true;
            provider.close();
            closed = true;
        }

        /** Does a few things of a thread's choice. */
        void run(SplittableRandom random) {
            Token seen = null;
            for (int i = 0; i < STEPS; i++) {
                Token next = null;
                switch (random.nextInt(seen == null ? 9 : 13)) {
                    case 0, 1, 2 -> next = get();
                    case 3, 4 -> next = answer(provider::refresh, store.number.get());
                    case 5, 6 -> set();
                    case 7 -> store.number.incrementAndGet();
                    case 8 -> {
                        if (random.nextBoolean()) {
                            close();
                        }
                    }
                    default -> reject(seen);
                }
                if (seen != null && next != null) {
                    assertThat(next.generation()).isGreaterThanOrEqualTo(seen.generation());
                }
                seen = next == null ? seen : next;
            }
        }

        /** Nothing has stuck. */
        void last() {
            set();
            assertThat(get() == null).isEqualTo(closing);
            close();
            assertThat(get()).isNull();
            assertThat(store.askedTwice).as("two fetches at a time").isFalse();
        }
    }

    @Test
    void provider_usedAndClosedByManyAtOnce_eachSeesWhatOneThreadCouldHave() throws Exception {
        List<Rig.Running<Void>> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            SplittableRandom random = new SplittableRandom(i);
            threads.add(Rig.start(() -> rounds(random)));
        }

        for (Rig.Running<Void> thread : threads) {
            thread.answer().get();
        }
        assertThat(failure.get()).isNull();
    }

    private @Nullable Void rounds(SplittableRandom random) throws Exception {
        try {
            for (int round = 0; round < ROUNDS && failure.get() == null; round++) {
                begin.await(30, TimeUnit.SECONDS);
                race().run(random);
                end.await(30, TimeUnit.SECONDS);
            }
        } catch (BrokenBarrierException e) {
            // Another thread has failed.
        } catch (Throwable t) {
            failure.compareAndSet(null, t);
            begin.reset();
            end.reset();
        }
        return null;
    }
}
