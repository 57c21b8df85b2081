package io.keyturn.provider;

import io.keyturn.ManualClock;
import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenListener;
import io.keyturn.http.Placement;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Token;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * What a live provider needs around it: a manual clock with a schedule that goes by it, threads, and somebody who writes
 * its events down.
 */
final class Rig implements AfterEachCallback {
    static final Duration LONG = Duration.ofSeconds(20);
    static final Duration POLL = Duration.ofSeconds(1);
    static final RefreshPolicy POLICY = RefreshPolicy.defaults().withTimeout(LONG);
    static final Intake INTAKE = (name, document, generation) -> Token.of(name, document, generation, null);

    final ManualClock clock = new ManualClock();
    final ManualTimer timer = new ManualTimer(clock);
    final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    final ExecutorService fetches = Executors.newCachedThreadPool(Rig::daemon);
    private final List<AutoCloseable> open = new ArrayList<>();

    /** What chance says, always. */
    volatile double random = 0.5;

    LiveProvider provider(TokenSource source) {
        return provider(source, LONG);
    }

    LiveProvider provider(TokenSource source, Duration timeout) {
        return provider(source, timeout, clock, clock::nanos);
    }

    LiveProvider provider(TokenSource source, Duration timeout, Clock wall, LongSupplier nanos) {
        return opened(source, INTAKE, POLICY.withTimeout(timeout), context(wall, nanos, fetches, events::add));
    }

    LiveProvider provider(TokenSource source, Intake intake) {
        return opened(source, intake, POLICY, context(fetches));
    }

    /** One that fetches on whatever thread begins to, so that all has happened when a call returns. */
    LiveProvider atOnce(TokenSource source) {
        return atOnce(source, INTAKE, POLICY);
    }

    LiveProvider atOnce(TokenSource source, Intake intake, RefreshPolicy policy) {
        return opened(source, intake, policy, context(Runnable::run));
    }

    ProviderContext context(Executor executor) {
        return context(clock, clock::nanos, executor, events::add);
    }

    ProviderContext context(Clock wall, LongSupplier nanos, Executor executor, TokenListener listener) {
        Schedule schedule = new Schedule(wall, nanos, POLL, timer);
        return new ProviderContext(wall, nanos, () -> random, schedule, executor, listener);
    }

    LiveProvider opened(TokenSource source, Intake intake, RefreshPolicy policy, ProviderContext context) {
        return opened(source, intake, policy, context, null);
    }

    LiveProvider opened(
            TokenSource source, Intake intake, RefreshPolicy policy, ProviderContext context, LiveProvider before) {
        LiveProvider provider =
                new LiveProvider("api_token", source, intake, Placement.bearer()::form, policy, context, before);
        provider.open();
        open.add(provider);
        return provider;
    }

    /** Time goes by, and what is due happens when it is. */
    void advance(Duration time) {
        timer.advance(time);
    }

    /** Somebody sets the wall clock, and one poll later that is noticed. */
    void stepNoticed(Duration time) {
        clock.step(time);
        advance(POLL);
    }

    /** A thread of its own, which the test can look at. */
    static <T> Running<T> start(Callable<T> code) {
        FutureTask<T> task = new FutureTask<>(code);
        Thread thread = daemon(task);
        thread.start();
        return new Running<>(thread, task);
    }

    static <T> List<Running<T>> start(int many, Callable<T> code) {
        List<Running<T>> all = new ArrayList<>();
        for (int i = 0; i < many; i++) {
            all.add(start(code));
        }
        return all;
    }

    /** Returns once each of the threads waits for something, with or without a time limit. */
    static <T> void awaitWaiting(List<Running<T>> all) {
        Awaitility.await()
                .pollInterval(Duration.ofMillis(2))
                .until(() -> all.stream().allMatch(Running::isWaiting));
    }

    record Running<T>(Thread thread, Future<T> answer) {
        boolean isWaiting() {
            return switch (thread.getState()) {
                case WAITING, TIMED_WAITING -> true;
                default -> false;
            };
        }

        Running<T> awaitWaiting() {
            Rig.awaitWaiting(List.of(this));
            return this;
        }

        T get() throws Exception {
            try {
                return answer.get(30, TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                throw e.getCause() instanceof Exception cause ? cause : e;
            } catch (TimeoutException e) {
                throw new AssertionError("still waiting", e);
            }
        }
    }

    private static Thread daemon(Runnable task) {
        Thread thread = new Thread(task, "rig");
        thread.setDaemon(true);
        return thread;
    }

    @Override
    public void afterEach(ExtensionContext context) throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
        fetches.shutdownNow();
    }
}
