package io.keyturn.source;

import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.Supplier;
import okhttp3.OkHttpClient;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What an agent is for all of its sources: its environment and clock, its own calls, and what several sources share. Safe
 * for any number of threads.
 */
public final class SourceHost implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(SourceHost.class);

    private static final long MOST_CLOSE_MILLIS = 1_000;

    private final Function<String, @Nullable String> variables;
    private final Clock clock;
    private final FileWatcher files;
    private final AgentCalls calls;
    private final BiConsumer<Duration, Runnable> timer;
    private final boolean onlyLooks;
    private final Map<Object, AutoCloseable> shared = new ConcurrentHashMap<>();
    private volatile @Nullable Map<String, TokenSourceFactory> factories;
    private volatile boolean closed;

    /**
     * An agent that is open.
     *
     * @param client makes the connections of the agent's own calls
     * @param timer does something later, where blocking is allowed
     * @param onlyLooks whether nothing may be used up, and what was opened is to be closed
     */
    public SourceHost(
            Function<String, @Nullable String> variables,
            Clock clock,
            FileWatcher files,
            OkHttpClient client,
            BiConsumer<Duration, Runnable> timer,
            boolean onlyLooks) {
        this.variables = variables;
        this.clock = clock;
        this.files = files;
        this.calls = new AgentCalls(() -> client);
        this.timer = timer;
        this.onlyLooks = onlyLooks;
    }

    private SourceHost(Function<String, @Nullable String> variables, Clock clock) {
        this.variables = variables;
        this.clock = clock;
        this.files = FileWatcher.none();
        this.calls = new AgentCalls(OkHttpClient::new);
        this.timer = (delay, task) -> {};
        this.onlyLooks = true;
    }

    /** For whoever reads a configuration: nothing is watched, and nothing is done later. */
    public static SourceHost reading(Function<String, @Nullable String> variables, Clock clock) {
        return new SourceHost(variables, clock);
    }

    Function<String, @Nullable String> variables() {
        return variables;
    }

    Clock clock() {
        return clock;
    }

    FileWatcher files() {
        return files;
    }

    AgentCalls calls() {
        return calls;
    }

    boolean onlyLooks() {
        return onlyLooks;
    }

    /** Which sources there are beside those that come with the language; looked for once, and not for one that has no need. */
    Map<String, TokenSourceFactory> factories() {
        Map<String, TokenSourceFactory> known = factories;
        if (known == null) {
            known = SourceFactories.load();
            factories = known;
        }
        return known;
    }

    void later(Duration delay, Runnable task) {
        timer.accept(delay, () -> {
            if (!closed) {
                task.run();
            }
        });
    }

    /** The key's class stands for the type. */
    @SuppressWarnings("unchecked")
    <T extends AutoCloseable> T shared(Object key, Supplier<T> make) {
        T one = (T) shared.computeIfAbsent(key, absent -> make.get());
        if (closed && shared.remove(key, one)) {
            end(one);
        }
        return one;
    }

    /** Ends what the sources share, for which their services have a moment, and the calls under way. */
    @Override
    public void close() {
        closed = true;
        if (!shared.isEmpty()) {
            // What was only looked at is given back, and a service that hangs must not hold who closes.
            Thread ending = new Thread(this::endShared, "keyturn-close");
            ending.setDaemon(true);
            ending.start();
            try {
                ending.join(MOST_CLOSE_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        calls.close();
    }

    private void endShared() {
        shared.keySet().forEach(key -> {
            AutoCloseable one = shared.remove(key);
            if (one != null) {
                end(one);
            }
        });
    }

    private static void end(AutoCloseable one) {
        try {
            one.close();
        } catch (Exception e) {
            // A module's own; its message may hold anything.
            log.warn(
                    "{} could not be closed: {}",
                    one.getClass().getName(),
                    e.getClass().getName());
        }
    }
}
