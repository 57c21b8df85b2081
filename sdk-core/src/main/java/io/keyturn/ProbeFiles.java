package io.keyturn;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenListener;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What probes of other processes see of an agent: a file with its status, and one that is there only while it is usable.
 * They are written when something changes, and every 10 s; that they cannot be written is told once and harms nobody.
 * Both may be read by every user: they hold no secret, and a probe is seldom the agent's own user.
 */
final class ProbeFiles implements TokenListener {
    private static final Logger log = LoggerFactory.getLogger(TokenAgent.class);
    static final Duration BEAT = Duration.ofSeconds(10);

    private static final String FOR_ALL = "rw-r--r--";

    /** How long a start waits for a folder that hangs, and a close, which is to end soon. */
    private static final long START_MILLIS = 5_000;

    private static final long CLOSE_MILLIS = 1_000;

    private final @Nullable Path statusFile;
    private final @Nullable Path readyFile;
    private final Supplier<AgentStatus> status;
    private final AgentThreads threads;
    private final Duration beat;
    private final AtomicInteger wanted = new AtomicInteger();

    /** Only those who write wait for it: a thread of the pool, and the one that starts or closes. */
    private final ReentrantLock writing = new ReentrantLock();

    /** The files that could not be written when that was last tried. Used by who holds the lock. */
    private final Set<Path> failing = new HashSet<>();

    /** Whether the last status was written; what comes after it may be another agent's. Used by who holds the lock. */
    private boolean isLastWritten;

    private volatile boolean begun;

    /**
     * No file is written yet.
     *
     * @param statusFile null for none
     * @param readyFile null for none
     * @param status tells how the agent stands, and asks nobody
     * @param beat how often they are written though nothing has changed
     */
    ProbeFiles(
            @Nullable Path statusFile,
            @Nullable Path readyFile,
            Supplier<AgentStatus> status,
            AgentThreads threads,
            Duration beat) {
        this.statusFile = statusFile;
        this.readyFile = readyFile;
        this.status = status;
        this.threads = threads;
        this.beat = beat;
    }

    /** Removes what an earlier run has left behind, since from here on anything may fail. */
    static void clear(@Nullable Path readyFile) {
        if (readyFile != null) {
            try {
                remove(readyFile);
            } catch (IOException | RuntimeException e) {
                log.warn("the ready file cannot be removed: {}", reason(e));
            }
        }
    }

    /** Begins to tell how the agent stands, from the start on. */
    void begin() {
        if (statusFile == null && readyFile == null) {
            return;
        }
        begun = true;
        threads.events().tellFirst(this);
        changed();
        threads.later(beat, this::again);
    }

    private void again() {
        changed();
        threads.later(beat, this::again);
    }

    /** Of what happens only that counts which a status tells: not each request that is denied. */
    @Override
    public void onEvent(TokenEvent event) {
        boolean isOfRequest = event instanceof TokenEvent.Denied
                || event instanceof TokenEvent.Overridden
                || event instanceof TokenEvent.Rejected;
        if (!isOfRequest) {
            changed();
        }
    }

    private void changed() {
        if (wanted.getAndIncrement() > 0) {
            // Whoever is at it writes once more.
            return;
        }
        try {
            threads.files().execute(this::update);
        } catch (RejectedExecutionException e) {
            log.debug("the agent is closed, and its last status has been written");
        }
    }

    private void update() {
        int seen = wanted.get();
        while (seen > 0) {
            write();
            seen = wanted.addAndGet(-seen);
        }
    }

    /** Tells that the agent has been started; whoever started it finds the files there. */
    void started() {
        writeWithin(START_MILLIS);
    }

    /** Writes for the last time: the status must say that the agent is closed. */
    void closed() {
        writeWithin(CLOSE_MILLIS);
    }

    /** Writes on a thread of its own: the pool may be busy or closed, and a folder may hang. */
    private void writeWithin(long millis) {
        if (!begun) {
            return;
        }
        Thread thread = DaemonThreads.named("keyturn-files").newThread(this::write);
        thread.start();
        try {
            TimeUnit.MILLISECONDS.timedJoin(thread, millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Writes how the agent stands when it is this one's turn, so that nothing older comes after it. */
    private void write() {
        writing.lock();
        try {
            AgentStatus now = status.get();
            if (isLastWritten) {
                return;
            }
            isLastWritten = now.phase() == AgentStatus.Phase.CLOSED;
            if (readyFile != null) {
                attempt(readyFile, () -> ready(readyFile, now.ok()));
            }
            if (statusFile != null) {
                attempt(statusFile, () -> replace(statusFile, now.toJson() + "\n"));
            }
        } catch (Throwable t) {
            // Of an error, too: the next change is written again.
            log.warn("writing the agent's status failed with {}", t.getClass().getName());
        } finally {
            writing.unlock();
        }
    }

    @FunctionalInterface
    private interface Attempt {
        void run() throws IOException;
    }

    private void attempt(Path file, Attempt attempt) {
        try {
            attempt.run();
            failing.remove(file);
        } catch (IOException | RuntimeException e) {
            if (failing.add(file)) {
                log.warn("{} cannot be written: {}; it is tried again", file, reason(e));
            }
        }
    }

    private static String reason(Exception e) {
        if (e instanceof NoSuchFileException) {
            return "its folder does not exist";
        }
        if (e instanceof AccessDeniedException) {
            return "permission denied";
        }
        String known = e instanceof FileSystemException system ? system.getReason() : e.getMessage();
        return known == null ? e.getClass().getName() : known;
    }

    private static void ready(Path file, boolean isReady) throws IOException {
        if (!isReady) {
            remove(file);
        } else if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            replace(file, "");
        }
    }

    private static void remove(Path file) throws IOException {
        if (Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new FileSystemException(file.toString(), null, "is a folder");
        }
        Files.deleteIfExists(file);
    }

    /** Nobody sees a part of the text: it is complete before it has its name. */
    private static void replace(Path file, String text) throws IOException {
        Path unnamed = file.resolveSibling("." + file.getFileName() + ".keyturn");
        Files.deleteIfExists(unnamed);
        try {
            Files.createFile(unnamed);
            if (unnamed.getFileSystem().supportedFileAttributeViews().contains("posix")) {
                Files.setPosixFilePermissions(unnamed, PosixFilePermissions.fromString(FOR_ALL));
            }
            // Not by a channel, which an interrupt closes: the last status is written while threads end.
            try (OutputStream out = new FileOutputStream(unnamed.toFile())) {
                out.write(text.getBytes(UTF_8));
            }
            Files.move(unnamed, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (FileAlreadyExistsException e) {
            throw new IOException("another process writes the same file", e);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(unnamed);
            throw e;
        }
    }
}
