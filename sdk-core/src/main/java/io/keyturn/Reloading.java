package io.keyturn;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SettledFile;
import io.keyturn.source.SourceException;
import io.keyturn.source.Watch;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Reads the configuration again when its file, or one that it names, changes, and puts it in force if it is right. One
 * reading at a time; a change during one leads to another.
 */
final class Reloading implements AutoCloseable {
    private static final Duration FIRST_PAUSE = Duration.ofSeconds(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMinutes(5);

    private final Origin origin;
    private final AgentPlan plan;
    private final OpenTokens tokens;
    private final SettledFile file;
    private final AtomicInteger wanted = new AtomicInteger();
    private List<Watch> watches = List.of();
    private Set<Path> watched = Set.of();
    private Duration pause = FIRST_PAUSE;
    private volatile boolean closed;

    /**
     * Where a configuration comes from.
     *
     * @param parser makes settings of what stands in the file
     */
    record Origin(Path file, Function<byte[], Settings> parser) {
        private static final int MOST_BYTES = 256 * 1024;

        /** The file, for one who reads it again and again. */
        SettledFile settled() {
            return new SettledFile(file, MOST_BYTES);
        }

        Settings settings(SettledFile settled) throws SourceException {
            return parser.apply(settled.read());
        }
    }

    Reloading(Origin origin, AgentPlan plan, OpenTokens tokens) {
        this.origin = origin;
        this.plan = plan;
        this.tokens = tokens;
        this.file = origin.settled();
    }

    /** Begins to watch; what was changed since the configuration was read for the start is found, too. */
    void open() {
        tokens.threads().files().execute(this::changed);
    }

    private void changed() {
        int seen = wanted.incrementAndGet();
        if (seen > 1) {
            // Whoever is at it reads once more.
            return;
        }
        while (seen > 0) {
            read();
            seen = wanted.addAndGet(-seen);
        }
    }

    private void read() {
        if (closed) {
            return;
        }
        try {
            watch(tokens.files());
            AgentConfiguration next = plan.read(origin.settings(file));
            watch(next.files());
            if (!next.problems().isEmpty()) {
                throw new ConfigException(next.problems());
            }
            tokens.become(next);
            pause = FIRST_PAUSE;
        } catch (ConfigException e) {
            tokens.keep(text(e.problems()));
        } catch (SourceException e) {
            tokens.keep(String.valueOf(e.getMessage()));
        } catch (TokenUnavailableException e) {
            // The configuration is right, and a token in it may still come.
            tokens.keep(e.getMessage() + "; it is tried again");
            tokens.threads().later(pause, this::changed);
            pause = pause.multipliedBy(2).compareTo(LONGEST_PAUSE) < 0 ? pause.multipliedBy(2) : LONGEST_PAUSE;
        } catch (RuntimeException | Error e) {
            // Whatever it was, the next change is read; only the class is told, since a message may quote the file.
            tokens.keep("reading the configuration failed with " + e.getClass().getName());
        }
    }

    private static String text(List<Problem> problems) {
        return problems.stream().map(Problem::toString).collect(Collectors.joining("; "));
    }

    /** Watches the configuration's own file and these. What is watched anew may have changed before, and is read again. */
    private void watch(Set<Path> files) {
        Set<Path> wanting = new LinkedHashSet<>(files);
        wanting.add(origin.file);
        if (wanting.equals(watched)) {
            return;
        }
        List<Watch> before = watches;
        List<Watch> now = new ArrayList<>();
        wanting.forEach(file -> now.add(tokens.threads().watcher().watch(file, this::changed)));
        watches = now;
        watched = wanting;
        before.forEach(Watch::close);
        wanted.incrementAndGet();
    }

    @Override
    public void close() {
        closed = true;
    }
}
