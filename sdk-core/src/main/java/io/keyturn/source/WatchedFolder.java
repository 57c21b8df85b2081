package io.keyturn.source;

import java.nio.file.Path;
import java.nio.file.WatchKey;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A folder in which something on the way to files stands, by the names that matter. Guarded by the watcher's lock. */
final class WatchedFolder {
    final Path path;
    final Lane lane;
    private final Map<Path, Collection<WatchedFile>> names = new HashMap<>(2);

    /** The folder whose events are heard; another one may stand under its name by now. */
    Signature heard = Signature.NONE;

    @Nullable
    WatchKey key;

    /** A thread looks at it, and it may hang. */
    volatile boolean looking;

    /** Nothing in it matters any more. */
    boolean gone;

    WatchedFolder(Path path, Lane lane) {
        this.path = path;
        this.lane = lane;
    }

    boolean isHeard() {
        return key != null && key.isValid();
    }

    void add(Path name, WatchedFile file) {
        Collection<WatchedFile> there = names.get(name);
        if (there == null) {
            names.put(name, List.of(file));
        } else if (there.size() > 1) {
            there.add(file);
        } else if (!there.contains(file)) {
            Set<WatchedFile> more = new LinkedHashSet<>(there);
            more.add(file);
            names.put(name, more);
        }
    }

    void remove(Path name, WatchedFile file) {
        Collection<WatchedFile> there = names.get(name);
        if (there != null && there.size() > 1) {
            there.remove(file);
            if (there.size() == 1) {
                names.put(name, List.copyOf(there));
            }
        } else if (there != null && there.contains(file)) {
            names.remove(name);
        }
    }

    boolean isEmpty() {
        return names.isEmpty();
    }

    Collection<WatchedFile> files(Path name) {
        return names.getOrDefault(name, List.of());
    }

    List<WatchedFile> files() {
        List<WatchedFile> all = new ArrayList<>();
        names.values().forEach(all::addAll);
        return all;
    }
}
