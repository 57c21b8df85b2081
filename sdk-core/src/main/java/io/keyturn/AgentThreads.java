package io.keyturn;

import io.keyturn.event.TokenListener;
import io.keyturn.provider.ProviderContext;
import io.keyturn.provider.Schedule;
import io.keyturn.source.FileWatcher;
import io.keyturn.source.TokenSource;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * The threads of an agent, for any number of tokens: one that knows when something is due, one that watches files, one
 * that tells listeners; and two small pools for what may block, files apart from the network, so that a store that hangs
 * stops no file and a mount that hangs no store. All are daemons and begin when they are needed.
 */
final class AgentThreads implements AutoCloseable {
    private static final int MOST_FILES = 8;
    private static final int MOST_FETCHES = 16;
    private static final long IDLE_SECONDS = 10;

    private final Clock clock;
    private final LongSupplier nanos = System::nanoTime;
    private final ScheduledThreadPoolExecutor timer;
    private final ExecutorService files = pool("keyturn-files", MOST_FILES);
    private final ExecutorService network = pool("keyturn-fetch", MOST_FETCHES);
    private final FileWatcher watcher;
    private final Schedule schedule;
    private final EventQueue events;
    private final ProviderContext ofFiles;
    private final ProviderContext ofNetwork;

    /**
     * Threads that have nothing to do yet.
     *
     * @param poll how often files are looked at beside their events, and how soon a step of the clock is noticed
     */
    AgentThreads(Clock clock, Duration poll, List<TokenListener> listeners) {
        this.clock = clock;
        this.timer = timer();
        this.watcher = new FileWatcher(poll, nanos, files, DaemonThreads.named("keyturn-watch"));
        this.schedule =
                new Schedule(clock, nanos, poll, (delay, task) -> timer.schedule(task, delay, TimeUnit.NANOSECONDS));
        this.events = new EventQueue(listeners);
        this.ofFiles = context(files);
        this.ofNetwork = context(network);
    }

    private static ScheduledThreadPoolExecutor timer() {
        // What is planned once it is closed is not done, and nobody needs to hear of that.
        ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(
                1, DaemonThreads.named("keyturn-schedule"), new ThreadPoolExecutor.DiscardPolicy());
        timer.setRemoveOnCancelPolicy(true);
        timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        return timer;
    }

    private static ExecutorService pool(String name, int most) {
        ThreadPoolExecutor threads = new ThreadPoolExecutor(
                most, most, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), DaemonThreads.named(name));
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }

    private ProviderContext context(ExecutorService fetches) {
        return new ProviderContext(
                clock, nanos, () -> ThreadLocalRandom.current().nextDouble(), schedule, fetches, events);
    }

    /** What a provider of this source needs. */
    ProviderContext context(TokenSource source) {
        return source.isLocal() ? ofFiles : ofNetwork;
    }

    LongSupplier nanos() {
        return nanos;
    }

    FileWatcher watcher() {
        return watcher;
    }

    EventQueue events() {
        return events;
    }

    /** For what reads files and may block. */
    ExecutorService files() {
        return files;
    }

    /** Does something on the {@link #files} later. */
    void later(Duration delay, Runnable task) {
        var unused = timer.schedule(() -> files.execute(task), delay.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Does something later where waiting for the network is allowed. */
    void laterOnNetwork(Duration delay, Runnable task) {
        var unused = timer.schedule(() -> network.execute(task), delay.toNanos(), TimeUnit.NANOSECONDS);
    }

    @Override
    public void close() {
        watcher.close();
        timer.shutdownNow();
        files.shutdownNow();
        network.shutdownNow();
        events.close();
    }
}
