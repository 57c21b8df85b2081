package io.keyturn.source;

import java.nio.file.Path;
import java.util.List;

/** A file that is watched, as it was when it was last looked at. What is not final is guarded by the watcher's lock. */
final class WatchedFile implements Watch {
    final Path file;
    final Runnable changed;

    Signature seen;
    List<Path> way = List.of();
    Lane lane;
    /** Where it stands in its lane. */
    int index;

    /** An event was about it or a link on its way: whatever its signature says, it has changed. */
    boolean told;
    /** What was seen was so young that another change may have left it as it is. */
    boolean young;
    /** It was told without having been looked at. */
    boolean unseen;
    /** Its way led to places of which nothing had been heard until it was followed. */
    boolean further;
    /** Its way has not been followed since it changed. */
    boolean behind;
    /** A thread looks at it, and it may hang. */
    boolean looking;
    /** Something happened while it was looked at. */
    boolean missed;
    /** Its change is being told, and another one is not told meanwhile. */
    boolean calling;
    /** It has changed while that was being told. */
    boolean again;

    boolean ended;

    WatchedFile(Path file, Runnable changed, Signature seen, Lane lane) {
        this.file = file;
        this.changed = changed;
        this.seen = seen;
        this.young = seen.isYoung();
        this.lane = lane;
    }

    @Override
    public void close() {
        // It may move to another lane, and never to another watcher's.
        lane.watcher.end(this);
    }
}
