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

/** A folder in which something on the way to files stands, by the places that matter. Guarded by the watcher's lock. */
final class WatchedFolder {
    final Path path;
    final Lane lane;
    /** Places on the way to one file and no other, as most are. They are the file's own paths, so they are kept once. */
    private final Map<Path, WatchedFile> ofOne = new HashMap<>(2);
    /** Places on the way to several files, such as Kubernetes' link {@code ..data}. */
    private final Map<Path, Set<WatchedFile>> ofSeveral = new HashMap<>(2);

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

    void add(Path place, WatchedFile file) {
        Set<WatchedFile> several = ofSeveral.get(place);
        if (several != null) {
            several.add(file);
            return;
        }
        WatchedFile one = ofOne.putIfAbsent(place, file);
        if (one != null && !one.equals(file)) {
            ofOne.remove(place);
            ofSeveral.put(place, new LinkedHashSet<>(List.of(one, file)));
        }
    }

    void remove(Path place, WatchedFile file) {
        Set<WatchedFile> several = ofSeveral.get(place);
        if (several == null) {
            ofOne.remove(place, file);
            return;
        }
        several.remove(file);
        if (several.size() == 1) {
            ofSeveral.remove(place);
            ofOne.put(place, several.iterator().next());
        }
    }

    boolean isEmpty() {
        return ofOne.isEmpty() && ofSeveral.isEmpty();
    }

    /** The files on whose way something of this name stands. */
    Collection<WatchedFile> files(Path name) {
        Path place = path.resolve(name);
        WatchedFile one = ofOne.get(place);
        return one == null ? ofSeveral.getOrDefault(place, Set.of()) : List.of(one);
    }

    List<WatchedFile> files() {
        List<WatchedFile> all = new ArrayList<>(ofOne.values());
        ofSeveral.values().forEach(all::addAll);
        return all;
    }
}
