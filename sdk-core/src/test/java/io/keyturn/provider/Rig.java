package io.keyturn.provider;

import io.keyturn.ManualClock;
import io.keyturn.event.TokenEvent;
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

/** What a live provider needs around it: a manual clock, threads, and somebody who writes its events down. */
final class Rig implements AfterEachCallback {
    static final Duration LONG = Duration.ofSeconds(20);

    final ManualClock clock = new ManualClock();
    final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private final List<AutoCloseable> open = new ArrayList<>();
    final ExecutorService fetches = Executors.newCachedThreadPool(Rig::daemon);

    LiveProvider provider(TokenSource source) {
        return provider(source, LONG);
    }

    LiveProvider provider(TokenSource source, Duration timeout) {
        return provider(source, timeout, clock, clock::nanos);
    }

    LiveProvider provider(TokenSource source, Duration timeout, Clock wall, LongSupplier nanos) {
        return provider(
                source,
                (document, generation) -> Token.of("api_token", document, generation, null),
                timeout,
                wall,
                nanos);
    }

    LiveProvider provider(TokenSource source, Intake intake) {
        return provider(source, intake, LONG, clock, clock::nanos);
    }

    private LiveProvider provider(TokenSource source, Intake intake, Duration timeout, Clock wall, LongSupplier nanos) {
        LiveProvider provider = new LiveProvider(
                "api_token",
                source,
                intake,
                Placement.bearer()::form,
                timeout,
                new ProviderContext(wall, nanos, fetches, events::add));
        provider.open();
        open.add(provider);
        return provider;
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
