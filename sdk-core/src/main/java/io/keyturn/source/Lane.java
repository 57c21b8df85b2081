package io.keyturn.source;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The files of one device, which are looked at one after the other: where the device hangs, one thread hangs with it, and
 * the other devices' files are looked at all the same. Guarded by the watcher's lock.
 *
 * <p>What events are about goes before what is only looked at because a poll is due.
 */
final class Lane {
    /** So many are looked at before what is urgent is asked for again. */
    private static final int AT_A_TIME = 32;

    final FileWatcher watcher;

    private final List<WatchedFile> files = new ArrayList<>();
    private final Set<WatchedFile> urgent = new LinkedHashSet<>();
    /** The folders in which files of this lane stand, or did when they were first found there. */
    final Set<WatchedFolder> folders = new LinkedHashSet<>();

    private final Deque<WatchedFolder> foldersOfRound = new ArrayDeque<>();
    /** The files before this one are still to be looked at in this round: going down, none is left out by a removal. */
    private int rest;

    /** Who is looking, if anybody is. */
    FileWatcher.@Nullable Looker looker;

    /** One who looked has not come back for so long that another took over. There is only ever one. */
    boolean hasLost;

    Lane(FileWatcher watcher) {
        this.watcher = watcher;
    }

    void add(WatchedFile file) {
        file.lane = this;
        file.index = files.size();
        files.add(file);
    }

    void remove(WatchedFile file) {
        urgent.remove(file);
        WatchedFile last = files.remove(files.size() - 1);
        if (last != file) {
            files.set(file.index, last);
            last.index = file.index;
        }
        rest = Math.min(rest, files.size());
    }

    void hurry(WatchedFile file) {
        if (file.looking) {
            file.missed = true;
        } else {
            urgent.add(file);
        }
    }

    /** Begins to look at everything, unless that is still being done. */
    void beginRound() {
        if (rest == 0 && foldersOfRound.isEmpty()) {
            rest = files.size();
            foldersOfRound.addAll(folders);
        }
    }

    boolean isIdle() {
        return urgent.isEmpty() && rest == 0 && foldersOfRound.isEmpty();
    }

    boolean isEmpty() {
        return files.isEmpty() && folders.isEmpty();
    }

    /** A file that an event was about. */
    @Nullable
    WatchedFile nextUrgent() {
        if (urgent.isEmpty()) {
            return null;
        }
        WatchedFile next = urgent.iterator().next();
        urgent.remove(next);
        return next;
    }

    /** A folder that this round has not come to; it may have gone since. */
    @Nullable
    WatchedFolder nextFolder() {
        WatchedFolder next = foldersOfRound.poll();
        while (next != null && next.looking) {
            next = foldersOfRound.poll();
        }
        return next;
    }

    /** Some files that this round has not come to. */
    List<WatchedFile> nextFiles() {
        List<WatchedFile> next = new ArrayList<>(AT_A_TIME);
        while (rest > 0 && next.size() < AT_A_TIME) {
            WatchedFile file = files.get(--rest);
            if (file.behind || file.young) {
                hurry(file);
            } else if (!file.looking) {
                next.add(file);
            }
        }
        return next;
    }
}
