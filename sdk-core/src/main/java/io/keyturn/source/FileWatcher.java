package io.keyturn.source;

import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks after the files of an agent: one thread and one {@link java.nio.file.WatchService}, however many they are.
 *
 * <p>A file is watched by the name it was given, through every link on the way: a Kubernetes secret changes when the link
 * {@code ..data} is replaced, in a folder where the token's own name never moves. Events make it quick. What makes it
 * sure is that every file is also looked at once a poll: on file systems that send no events, when a folder was replaced
 * under its name, or when the system's limit of watches is reached.
 *
 * <p>Whether the content is another is for the reader to see. A file counts as changed when an event is about it, or when
 * its size, its times or its place on the device are others than before; more often rather than never.
 *
 * <p>A file system may hang. So whoever listens does nothing but listen: who hears of a change gives that part to another
 * thread of the executor first, and then does at once what is to be done about the change, since to wake somebody else for
 * it would take longer than all the rest. Whatever else has to do with a file is done on the executor, and by one thread
 * a device. Safe for any number of threads.
 */
public final class FileWatcher implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(FileWatcher.class);
    /** So long one who stood in for the first listener stays, as changes often come in groups. */
    private static final long STAND_IN_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    private static final String FAILED = "watching files failed with {}, and goes on";
    private static final FileWatcher NONE = none(new Disk());

    private final long pollNanos;
    private final LongSupplier nanos;
    private final Executor files;
    private final ThreadFactory threads;
    private final Disk disk;

    /** Held only over memory: no file is ever looked at under it. */
    private final ReentrantLock lock = new ReentrantLock();

    private final Map<Long, Lane> lanes = new HashMap<>();
    private final Map<Path, WatchedFolder> folders = new HashMap<>();
    private final FolderEvents events;
    /** Who waits for an event, or is about to. */
    private final Set<Thread> listening = new HashSet<>(2);
    /** Somebody will listen as soon as the executor has a thread for it. */
    private boolean standInComes;

    private @Nullable Thread thread;
    private long roundAt;
    private boolean closed;

    /**
     * A watcher that watches nothing yet, and has no thread until it does.
     *
     * @param poll how often files are looked at beside their events
     * @param nanos a clock for how long something takes, as {@link System#nanoTime}
     * @param files runs looks at files and what is to be done about a change, both of which may block; it needs several
     *     threads, and none of them may be needed for what a change waits for
     * @param threads makes the one thread
     */
    public FileWatcher(Duration poll, LongSupplier nanos, Executor files, ThreadFactory threads) {
        this(poll, nanos, files, threads, new Disk());
    }

    FileWatcher(Duration poll, LongSupplier nanos, Executor files, ThreadFactory threads, Disk disk) {
        this.pollNanos = poll.toNanos();
        this.nanos = nanos;
        this.files = files;
        this.threads = threads;
        this.disk = disk;
        this.events = new FolderEvents(lock, files, pollNanos, this::lookAtAll);
    }

    /** Watches nothing: for sources that no agent has opened. */
    public static FileWatcher none() {
        return NONE;
    }

    private static FileWatcher none(Disk disk) {
        FileWatcher none = new FileWatcher(Duration.ofDays(1), System::nanoTime, Runnable::run, Thread::new, disk);
        none.close();
        return none;
    }

    /**
     * Watches a file, which need not be there.
     *
     * @param changed is called after each change from the way the file is now, on a thread of the executor, never twice at
     *     a time; more often rather than never. What it throws is logged by its class. A call may be under way while the
     *     watch is closed; none begins after that
     */
    public Watch watch(Path file, Runnable changed) {
        if (isClosed()) {
            return Watch.none();
        }
        Path absolute = file.toAbsolutePath();
        // How the file looks now is seen here, so that what changes from now on is a change.
        Signature seen = disk.look(absolute);
        long device = device(absolute, seen);
        List<Looker> begun = new ArrayList<>(1);
        Thread first = null;
        WatchedFile watched;
        lock.lock();
        try {
            if (closed) {
                return Watch.none();
            }
            Lane lane = lanes.computeIfAbsent(device, number -> new Lane(this));
            watched = new WatchedFile(absolute, changed, seen, lane);
            lane.add(watched);
            lane.hurry(watched);
            begin(lane, begun);
            if (thread == null) {
                first = threads.newThread(this::listenAlways);
                thread = first;
                roundAt = nanos.getAsLong() + pollNanos;
            }
        } finally {
            lock.unlock();
        }
        if (first != null) {
            first.start();
        }
        begun.forEach(this::execute);
        return watched;
    }

    /** Of a file that is not there, the device of the nearest folder: that is what may hang. */
    private long device(Path file, Signature seen) {
        Signature there = seen;
        Path at = file.getParent();
        while (!there.exists() && at != null) {
            there = disk.look(at);
            at = at.getParent();
        }
        return there.device();
    }

    void end(WatchedFile file) {
        lock.lock();
        try {
            if (file.ended) {
                return;
            }
            file.ended = true;
            file.lane.remove(file);
            follow(file, List.of());
            forgetIfEmpty(file.lane);
        } finally {
            lock.unlock();
        }
        events.catchUp();
    }

    /** Ends the watching; a call that is under way is not waited for. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            lanes.clear();
            folders.clear();
            events.end();
            // Only those who listen: one who does something about a change is not waited for.
            listening.forEach(Thread::interrupt);
        } finally {
            lock.unlock();
        }
    }

    private boolean isClosed() {
        lock.lock();
        try {
            return closed;
        } finally {
            lock.unlock();
        }
    }

    // --- listening ---

    private void listenAlways() {
        events.open(disk);
        while (!isClosed()) {
            var unused = listen(Long.MAX_VALUE);
        }
        events.close();
    }

    /** Listens as long as the first one has something else to do, and a little longer. */
    private void standIn() {
        lock.lock();
        try {
            standInComes = false;
        } finally {
            lock.unlock();
        }
        boolean needed = true;
        while (needed) {
            needed = listen(STAND_IN_NANOS) || isUnheard();
        }
        if (isClosed()) {
            events.close();
        }
    }

    private boolean isUnheard() {
        lock.lock();
        try {
            return listening.isEmpty() && !closed;
        } finally {
            lock.unlock();
        }
    }

    /** Waits for an event or the next round, and does what is then to be done. Answers whether there was an event. */
    private boolean listen(long most) {
        WatchKey key = null;
        long rest = comeToListen();
        try {
            key = rest <= 0 ? null : events.await(Math.min(rest, most));
        } catch (InterruptedException e) {
            log.trace("it ends, or somebody meant what this thread did before");
        }
        List<Looker> begun = new ArrayList<>();
        boolean alone = leaveOffListening(key, begun);
        if (begun.isEmpty()) {
            return key != null;
        }
        // What a round finds can wait for the executor, and so can what is on other devices.
        Looker mine = key != null && (!alone || bringStandIn()) ? begun.remove(0) : null;
        begun.forEach(this::execute);
        if (mine != null) {
            guarded(mine);
        }
        return key != null;
    }

    private long comeToListen() {
        lock.lock();
        try {
            if (closed) {
                return 0;
            }
            listening.add(Thread.currentThread());
            return roundAt - nanos.getAsLong();
        } finally {
            lock.unlock();
        }
    }

    /** Notes what was heard, and begins a round if one is due. Answers whether nobody else listens, or is about to. */
    private boolean leaveOffListening(@Nullable WatchKey key, List<Looker> begun) {
        lock.lock();
        try {
            listening.remove(Thread.currentThread());
            // It was not meant for what this thread does next.
            var unused = Thread.interrupted();
            if (closed) {
                return false;
            }
            if (key != null) {
                hear(key, begun);
            }
            if (roundAt - nanos.getAsLong() <= 0) {
                roundAt = nanos.getAsLong() + pollNanos;
                beginRound(begun);
            }
            return listening.isEmpty() && !standInComes;
        } finally {
            lock.unlock();
        }
    }

    /** Sees to it that somebody else listens; false if there is no thread for that. */
    private boolean bringStandIn() {
        lock.lock();
        try {
            standInComes = true;
        } finally {
            lock.unlock();
        }
        try {
            files.execute(this::standIn);
            return true;
        } catch (Throwable t) {
            lock.lock();
            try {
                standInComes = false;
            } finally {
                lock.unlock();
            }
            return false;
        }
    }

    /** Whatever happens about one file, the others are still looked after. */
    static void guarded(Runnable step) {
        try {
            step.run();
        } catch (Throwable t) {
            log.warn(FAILED, t.getClass().getName());
        }
    }

    private void hear(WatchKey key, List<Looker> begun) {
        List<WatchEvent<?>> heard = key.pollEvents();
        boolean all = !key.reset();
        WatchedFolder folder = folders.get((Path) key.watchable());
        if (folder == null) {
            return;
        }
        for (WatchEvent<?> event : heard) {
            if (event.context() instanceof Path name) {
                folder.files(name).forEach(file -> {
                    file.told = true;
                    hurry(file, begun);
                });
            } else {
                all |= event.kind() == StandardWatchEventKinds.OVERFLOW;
            }
        }
        if (all) {
            // Something is not known, or the folder has gone: its way is looked at anew. What was told and not looked
            // at since, or is too young, a look could not tell: that counts as changed.
            folder.files().forEach(file -> {
                file.told |= file.unseen || file.young;
                hurry(file, begun);
            });
        }
    }

    private void beginRound(List<Looker> begun) {
        long now = nanos.getAsLong();
        for (Lane lane : lanes.values()) {
            Looker before = lane.looker;
            if (before != null && !lane.hasLost && now - before.since >= pollNanos) {
                // It hangs. Whatever hangs with it will hang the next one, too; but it may be this one file alone.
                before.lost = true;
                before.hung = before.at;
                if (before.hung != null) {
                    before.hung.looking = true;
                }
                lane.hasLost = true;
                lane.looker = null;
            }
            lane.beginRound();
            begin(lane, begun);
        }
    }

    // --- looking, on the executor ---

    /** Looks at the files of a lane as long as there are any to be looked at. */
    final class Looker implements Runnable {
        private final Lane lane;
        private long since;
        /** Another one has taken over. */
        private volatile boolean lost;
        /** The file that is being compared. */
        private volatile @Nullable WatchedFile at;
        /** The one of which that took so long. */
        private @Nullable WatchedFile hung;

        private Looker(Lane lane) {
            this.lane = lane;
            this.since = nanos.getAsLong();
        }

        @Override
        public void run() {
            WatchedFile changed = null;
            for (Step step = next(this); step != null; step = changed == null ? next(this) : null) {
                changed = taken(step);
            }
            // Others go on, since what is done now may take its time.
            passOn(this);
            if (changed != null) {
                call(changed);
            }
        }
    }

    private static @Nullable WatchedFile taken(Step step) {
        try {
            return step.take();
        } catch (Throwable t) {
            log.warn(FAILED, t.getClass().getName());
            return null;
        }
    }

    @FunctionalInterface
    private interface Step {
        /** Does it; answers a file whose change is to be told now. */
        @Nullable
        WatchedFile take();
    }

    private void hurry(WatchedFile file, List<Looker> begun) {
        file.lane.hurry(file);
        begin(file.lane, begun);
    }

    /** Has a lane looked at, unless it is or there is nothing to be looked at; the lookers are to be executed. */
    private void begin(Lane lane, List<Looker> begun) {
        if (lane.looker == null && !lane.isIdle()) {
            lane.looker = new Looker(lane);
            begun.add(lane.looker);
        }
    }

    private void execute(Looker looker) {
        try {
            files.execute(looker);
        } catch (Throwable t) {
            // The agent is closing, or there is no thread to be had: the next poll tries again.
            lock.lock();
            try {
                leave(looker);
            } finally {
                lock.unlock();
            }
        }
    }

    private @Nullable Step next(Looker me) {
        lock.lock();
        try {
            Lane lane = me.lane;
            if (me.lost || closed) {
                return null;
            }
            me.since = nanos.getAsLong();
            WatchedFile urgent = lane.nextUrgent();
            WatchedFolder folder = urgent == null ? lane.nextFolder() : null;
            if (urgent == null && folder == null) {
                List<WatchedFile> some = lane.nextFiles();
                if (!some.isEmpty()) {
                    List<Signature> before =
                            some.stream().map(file -> file.seen).toList();
                    return () -> compare(me, some, before);
                }
                // Those of which more is to be known were put before all others.
                urgent = lane.nextUrgent();
            }
            if (urgent != null) {
                return urgent.told && !lane.hasLost ? tell(urgent) : look(urgent);
            }
            if (folder != null) {
                folder.looking = true;
                return () -> {
                    try {
                        listenTo(folder);
                    } finally {
                        folder.looking = false;
                    }
                    return null;
                };
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    private void leave(Looker me) {
        if (me.lost) {
            me.lane.hasLost = false;
            if (me.hung != null) {
                me.hung.looking = false;
                if (me.hung.missed && !me.hung.ended) {
                    me.hung.missed = false;
                    me.lane.hurry(me.hung);
                }
            }
        } else if (me.lane.looker == me) {
            me.lane.looker = null;
        }
        forgetIfEmpty(me.lane);
    }

    /** Leaves the lane, and what is left of it to somebody else. */
    private void passOn(Looker me) {
        List<Looker> begun = new ArrayList<>(1);
        lock.lock();
        try {
            leave(me);
            if (!closed) {
                begin(me.lane, begun);
            }
        } finally {
            lock.unlock();
        }
        begun.forEach(this::execute);
    }

    /** Compares files with what was seen of them; those that differ are looked at as if an event had been about them. */
    private @Nullable WatchedFile compare(Looker me, List<WatchedFile> some, List<Signature> before) {
        List<WatchedFile> others = new ArrayList<>();
        for (int i = 0; i < some.size() && !me.lost; i++) {
            WatchedFile file = some.get(i);
            me.at = file;
            try {
                if (!disk.look(file.file).equals(before.get(i))) {
                    others.add(file);
                }
            } catch (Throwable t) {
                log.warn(FAILED, t.getClass().getName());
            }
        }
        me.at = null;
        List<Looker> begun = new ArrayList<>(1);
        lock.lock();
        try {
            others.stream().filter(file -> !file.ended && !closed).forEach(file -> hurry(file, begun));
        } finally {
            lock.unlock();
        }
        begun.forEach(this::execute);
        return null;
    }

    /**
     * Tells a change at once, and has the file looked at when that is done. Not on a device that hangs, where whoever is told
     * would hang in the end: one thread for each file, and not one for all of them.
     */
    private Step tell(WatchedFile file) {
        file.told = false;
        file.unseen = true;
        file.behind = true;
        if (file.calling) {
            file.again = true;
            return () -> null;
        }
        file.calling = true;
        return () -> file;
    }

    private Step look(WatchedFile file) {
        boolean told = file.told;
        Signature before = file.seen;
        file.told = false;
        file.looking = true;
        return () -> {
            Signature now = before;
            boolean followed = false;
            try {
                now = lookAlong(file);
                followed = true;
            } catch (Throwable t) {
                // It stays as it was; the next poll looks again.
                log.warn(FAILED, t.getClass().getName());
            }
            return looked(file, now, told, followed);
        };
    }

    /** Follows the way to a file as it is now, and looks where it leads. */
    private Signature lookAlong(WatchedFile file) {
        List<Path> way = disk.way(file.file);
        List<WatchedFolder> unheard;
        lock.lock();
        try {
            unheard = follow(file, way);
        } finally {
            lock.unlock();
        }
        unheard.forEach(this::listenTo);
        return disk.look(file.file);
    }

    /** Notes how a file looks now. Answers it if that is to be told, which is then this thread's to do. */
    private @Nullable WatchedFile looked(WatchedFile file, Signature now, boolean told, boolean followed) {
        boolean youngNow = now.isYoung();
        List<Looker> begun = new ArrayList<>(1);
        lock.lock();
        try {
            file.looking = false;
            if (file.ended || closed) {
                return null;
            }
            boolean differs = !now.equals(file.seen);
            boolean another = differs && !file.unseen;
            // What it was told for is no news any more; but whether more came meanwhile cannot be seen.
            boolean grown = file.young && !file.unseen && !differs && !youngNow;
            file.young = file.unseen || (youngNow && (told || another || file.young));
            // Between the two another link may have been replaced that nobody listened to yet.
            boolean overtaken = file.unseen && file.further;
            file.further = false;
            file.unseen = false;
            // It may have got there on another way than the one that was followed.
            file.behind = !followed || another;
            file.seen = now;
            if (now.exists() && differs) {
                move(file, now.device());
            }
            if (file.missed) {
                file.missed = false;
                hurry(file, begun);
            }
            // Of what was young another change may have gone unseen: that is told once, as soon as it cannot any more.
            if (!told && !another && !grown && !overtaken) {
                return null;
            }
            if (file.calling) {
                file.again = true;
                return null;
            }
            file.calling = true;
            return file;
        } finally {
            lock.unlock();
            begun.forEach(this::execute);
        }
    }

    private void call(WatchedFile file) {
        List<Looker> begun = new ArrayList<>(1);
        try {
            guarded(file.changed);
        } finally {
            called(file, begun);
        }
        begun.forEach(this::execute);
    }

    private void called(WatchedFile file, List<Looker> begun) {
        lock.lock();
        try {
            file.calling = false;
            if ((file.again || file.behind) && !file.ended && !closed) {
                // In its turn: one file that is written all the time does not keep a thread.
                file.told |= file.again;
                file.again = false;
                hurry(file, begun);
            }
        } finally {
            lock.unlock();
        }
    }

    // --- where files stand ---

    /** Puts a file into the lane of its device. */
    private void move(WatchedFile file, long device) {
        Lane from = file.lane;
        Lane to = lanes.computeIfAbsent(device, number -> new Lane(this));
        if (from != to) {
            from.remove(file);
            to.add(file);
            forgetIfEmpty(from);
        }
    }

    private void forgetIfEmpty(Lane lane) {
        if (lane.isEmpty() && lane.looker == null && !lane.hasLost) {
            lanes.values().remove(lane);
        }
    }

    /** Puts a file into the folders of its way, and takes it out of others; answers those of which nothing is heard. */
    private List<WatchedFolder> follow(WatchedFile file, List<Path> way) {
        List<WatchedFolder> unheard = new ArrayList<>(1);
        if (file.ended && !way.isEmpty()) {
            return unheard;
        }
        for (Path step : way) {
            Path parent = step.getParent();
            if (parent != null) {
                WatchedFolder folder = folders.computeIfAbsent(parent, path -> new WatchedFolder(path, file.lane));
                folder.lane.folders.add(folder);
                folder.add(step, file);
                if (!folder.isHeard()) {
                    unheard.add(folder);
                }
            }
        }
        if (!file.way.equals(way)) {
            file.further |= !file.way.isEmpty() && !file.way.containsAll(way);
            file.way.stream().filter(step -> !way.contains(step)).forEach(step -> leave(file, step));
            file.way = way;
        }
        return unheard;
    }

    private void leave(WatchedFile file, Path step) {
        WatchedFolder folder = folders.get(step.getParent());
        if (folder == null) {
            return;
        }
        folder.remove(step, file);
        if (folder.isEmpty()) {
            folder.gone = true;
            folders.remove(folder.path);
            folder.lane.folders.remove(folder);
            forgetIfEmpty(folder.lane);
            events.forget(folder);
        }
    }

    /** Hears of a folder's events, if that is another one than is heard of already. */
    private void listenTo(WatchedFolder folder) {
        // Looked at here, since what hangs here would otherwise hang the system's own thread for all events.
        events.want(folder, disk.look(folder.path));
        events.catchUp();
    }

    private void lookAtAll(WatchedFolder folder) {
        List<Looker> begun = new ArrayList<>();
        lock.lock();
        try {
            folder.files().forEach(file -> hurry(file, begun));
        } finally {
            lock.unlock();
        }
        begun.forEach(this::execute);
    }
}
