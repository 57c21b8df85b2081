package io.keyturn.source;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The events of a watcher's folders, and which folders these are. Folders are registered with the {@link WatchService} one
 * after the other: the service has one thread for that, and if it is held up, no more than one of ours should be.
 *
 * <p>Where there is no service, whoever waits for an event waits in vain, and files are found by looking at them.
 */
final class FolderEvents implements Runnable {
    private static final Logger log = LoggerFactory.getLogger(FileWatcher.class);

    private final ReentrantLock lock;
    private final Condition ended;
    private final Executor files;
    private final long pollNanos;
    private final Consumer<WatchedFolder> heard;

    private final Map<WatchedFolder, Signature> wanted = new LinkedHashMap<>();
    private final Set<WatchKey> over = new LinkedHashSet<>();
    private @Nullable WatchService service;
    private boolean busy;
    private boolean closed;
    private boolean saidThatItPolls;

    /**
     * Events of no folder yet.
     *
     * @param lock the watcher's
     * @param files registers folders, which may block
     * @param pollNanos how often files are looked at where there are no events
     * @param heard is told of a folder whose events are heard from now on, and not those before
     */
    FolderEvents(ReentrantLock lock, Executor files, long pollNanos, Consumer<WatchedFolder> heard) {
        this.lock = lock;
        this.ended = lock.newCondition();
        this.files = files;
        this.pollNanos = pollNanos;
        this.heard = heard;
    }

    /** Begins, with what was wanted before; on a thread that may wait for the system. */
    void open(Disk disk) {
        try {
            WatchService events = disk.events();
            lock.lock();
            try {
                service = events;
            } finally {
                lock.unlock();
            }
            catchUp();
        } catch (IOException | RuntimeException e) {
            sayThatItPolls(e);
        }
    }

    /** What happened in a folder; null if nothing has in this time, or it is over. */
    @Nullable
    WatchKey await(long nanos) throws InterruptedException {
        WatchService events;
        lock.lockInterruptibly();
        try {
            long rest = nanos;
            while (service == null && !closed && rest > 0) {
                rest = ended.awaitNanos(rest);
            }
            events = closed ? null : service;
        } finally {
            lock.unlock();
        }
        try {
            return events == null ? null : events.poll(nanos, TimeUnit.NANOSECONDS);
        } catch (ClosedWatchServiceException e) {
            return null;
        }
    }

    /** Ends the waiting; {@link #close} has to follow, where one may wait for the system. */
    void end() {
        lock.lock();
        try {
            closed = true;
            wanted.clear();
            over.clear();
            ended.signalAll();
        } finally {
            lock.unlock();
        }
    }

    void close() {
        try {
            WatchService events = service();
            if (events != null) {
                events.close();
            }
        } catch (IOException e) {
            log.debug("the watch service did not close: {}", e.getClass().getName());
        }
    }

    private @Nullable WatchService service() {
        lock.lock();
        try {
            return service;
        } finally {
            lock.unlock();
        }
    }

    /** Wants to hear of a folder, which has been looked at; {@link #catchUp} has to follow. */
    void want(WatchedFolder folder, Signature now) {
        lock.lock();
        try {
            boolean known = folder.isHeard() && folder.heard.isOfSameFile(now);
            if (!folder.gone && !closed && now.exists() && !known) {
                wanted.put(folder, now);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Wants to hear no more of a folder; {@link #catchUp} has to follow. */
    void forget(WatchedFolder folder) {
        lock.lock();
        try {
            wanted.remove(folder);
            if (folder.key != null && !closed) {
                over.add(folder.key);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Does what is wanted, unless it is being done. */
    void catchUp() {
        lock.lock();
        try {
            if (busy || service == null || closed || (wanted.isEmpty() && over.isEmpty())) {
                return;
            }
            busy = true;
        } finally {
            lock.unlock();
        }
        try {
            files.execute(this);
        } catch (Throwable t) {
            // The agent is closing, or there is no thread to be had: whoever wants something next tries again.
            stop();
        }
    }

    private void stop() {
        lock.lock();
        try {
            busy = false;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void run() {
        for (Runnable step = next(); step != null; step = next()) {
            FileWatcher.guarded(step);
        }
    }

    private @Nullable Runnable next() {
        lock.lock();
        try {
            WatchService events = service;
            if (events != null && !closed) {
                for (WatchKey key : over) {
                    over.remove(key);
                    return key::cancel;
                }
                for (Map.Entry<WatchedFolder, Signature> each : wanted.entrySet()) {
                    wanted.remove(each.getKey());
                    return () -> register(events, each.getKey(), each.getValue());
                }
            }
            busy = false;
            return null;
        } finally {
            lock.unlock();
        }
    }

    private void register(WatchService events, WatchedFolder folder, Signature seen) {
        WatchKey key;
        try {
            key = folder.path.register(
                    events,
                    StandardWatchEventKinds.ENTRY_CREATE,
                    StandardWatchEventKinds.ENTRY_MODIFY,
                    StandardWatchEventKinds.ENTRY_DELETE);
        } catch (NoSuchFileException | NotDirectoryException | ClosedWatchServiceException e) {
            // The poll finds it once it is there, unless the watching has ended.
            return;
        } catch (IOException | UnsupportedOperationException e) {
            sayThatItPolls(e);
            return;
        }
        if (isNoted(folder, seen, key)) {
            // What happened before this moment was not heard.
            heard.accept(folder);
        }
    }

    private boolean isNoted(WatchedFolder folder, Signature seen, WatchKey key) {
        lock.lock();
        try {
            // A key that is over may be the one of a folder that is wanted again.
            over.remove(key);
            if (folder.gone) {
                over.add(key);
                return false;
            }
            if (folder.key != null && folder.key != key) {
                over.add(folder.key);
            }
            folder.key = key;
            folder.heard = seen;
            return true;
        } finally {
            lock.unlock();
        }
    }

    private void sayThatItPolls(Exception why) {
        lock.lock();
        try {
            if (saidThatItPolls) {
                return;
            }
            saidThatItPolls = true;
        } finally {
            lock.unlock();
        }
        log.info(
                "file events are not to be had ({}); files are looked at every {} ms",
                why.getClass().getName(),
                TimeUnit.NANOSECONDS.toMillis(pollNanos));
    }
}
