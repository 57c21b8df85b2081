package io.keyturn.source;

import io.keyturn.config.References;
import io.keyturn.token.Reason;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * References of a configuration. A file is read only inside the fence: whoever can write one line of a configuration
 * should not thereby read every file of the machine.
 */
final class FencedReferences implements References {
    private static final List<Path> ALWAYS = List.of(Path.of("/run/secrets"), Path.of("/var/run/secrets"));

    private final SourceContext context;
    private final List<Path> roots;
    private final boolean open;

    /** Each file that was asked for. */
    private final Map<Path, SecretFile> files = new ConcurrentHashMap<>();

    private final List<FileWatches> watches = new CopyOnWriteArrayList<>();

    FencedReferences(SourceContext context, List<Path> roots, boolean open) {
        this.context = context;
        this.roots = roots;
        this.open = open;
    }

    /** The same references for one text that an agent reads again and again. */
    FencedReferences in(SourceContext agent) {
        return new FencedReferences(agent, roots, open);
    }

    @Override
    public @Nullable String variable(String name) {
        return context.variables().apply(name);
    }

    @Override
    public @Nullable String file(String path) throws SourceException {
        Path file = resolve(path);
        boolean inside = Stream.of(List.of(context.folder()), roots, ALWAYS)
                .flatMap(List::stream)
                .anyMatch(root -> file.startsWith(root.toAbsolutePath().normalize()));
        if (!inside) {
            throw new SourceException(
                    Reason.INVALID,
                    "file " + path + " lies outside the folders that ${file:…} may read",
                    "name its folder in agent.file_roots");
        }
        if (!open) {
            return null;
        }
        SecretFile secret = files.computeIfAbsent(file, asked -> new SecretFile(asked, context.allow()));
        // Before it is read, so that nothing happens unseen between.
        watches.forEach(each -> each.add(file));
        Optional<SecretFile.Content> content = secret.read();
        return content.isEmpty() ? null : content.get().text(file);
    }

    private Path resolve(String path) throws SourceException {
        try {
            return context.folder().toAbsolutePath().resolve(path).normalize();
        } catch (InvalidPathException e) {
            throw new SourceException(Reason.INVALID, "${file:…} holds what is no path", null);
        }
    }

    /** Tells of changes of the files that were asked for, and of those that will be: which they are may depend on them. */
    Watch watch(Runnable changed) {
        FileWatches all = new FileWatches(context.files(), changed);
        watches.add(all);
        files.keySet().forEach(all::add);
        return () -> {
            watches.remove(all);
            all.close();
        };
    }

    /** What was read before makes no difference, nor for whom: a configuration is read many times. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof FencedReferences that
                && context.variables().equals(that.context.variables())
                && context.allow().equals(that.context.allow())
                && context.folder().equals(that.context.folder())
                && roots.equals(that.roots)
                && open == that.open;
    }

    @Override
    public int hashCode() {
        return context.folder().hashCode();
    }

    /** The watches of several files, which may become more. */
    private static final class FileWatches implements Watch {
        private final FileWatcher files;
        private final Runnable changed;
        private final Map<Path, Watch> watches = new ConcurrentHashMap<>();
        private volatile boolean closed;

        FileWatches(FileWatcher files, Runnable changed) {
            this.files = files;
            this.changed = changed;
        }

        void add(Path file) {
            if (watches.containsKey(file)) {
                return;
            }
            Watch watch = files.watch(file, changed);
            if (watches.putIfAbsent(file, watch) != null) {
                watch.close();
            }
            if (closed) {
                close();
            }
        }

        @Override
        public void close() {
            closed = true;
            watches.values().forEach(Watch::close);
        }
    }
}
