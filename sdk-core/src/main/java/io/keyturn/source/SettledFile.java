package io.keyturn.source;

import io.keyturn.token.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A file that is read again and again, and may be written meanwhile. What is read was all of it once.
 *
 * <p>Java cannot look at an open file. So it is looked at, read, and looked at again: where the second look shows another
 * file, or one that was written meanwhile, everything is done anew. That leaves the writer who has only come half way:
 *
 * <ul>
 *   <li>Another file than the one read before, put in its place by a rename, is taken at once.
 *   <li>The same file, written in place, is taken when two reads at least 50 ms apart have found the same, and not
 *       nothing, with the same size and times. Another one that is put in its place meanwhile is not kept waiting.
 *   <li>What was taken before is taken again at once, as long as it is there.
 *   <li>The first file of all, or the first after there was none, is taken at once unless it was written in the last
 *       50 ms.
 * </ul>
 *
 * <p>A writer that pauses for longer in the middle cannot be told from one that is done. A read takes at most about two
 * seconds; it ends when its thread is interrupted. For one reader at a time, on any thread.
 */
public final class SettledFile {
    static final Duration QUIET = Duration.ofMillis(50);
    private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(2);
    /** How often it is seen whether the file that is being waited for has given way to another. */
    private static final long GLANCE_NANOS = TimeUnit.MILLISECONDS.toNanos(2);

    /** So long is waited for the content of a file that has been emptied. */
    private static final long EMPTY_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    /** Of a file that is replaced all the time one of a few tries succeeds, and each is short. */
    private static final int TRIES_AT_ONCE = 100;

    /** A link whose target is just being replaced has one again at the next try; one that dangles never has. */
    private static final int LINK_TRIES = 5;

    /** What a file must be for its content to be used. */
    @FunctionalInterface
    interface Rule {
        /** Throws if it is not; answers what a person should know of one that is, or null. */
        @Nullable
        String remark(FileLook look) throws IOException;
    }

    /**
     * What was read, and how the file looked then.
     *
     * @param remark what the rule has to say of it, or null
     * @param begunMillis when that began; how old the content was then counts, since a thread may stop at any place
     */
    @SuppressWarnings("ArrayRecordComponent") // handed on once, and never compared
    record Content(byte[] bytes, FileLook look, @Nullable String remark, long begunMillis) {
        private Signature signature() {
            return look.signature();
        }

        private boolean isSame(Content other) {
            return signature().equals(other.signature()) && Arrays.equals(bytes, other.bytes);
        }
    }

    /**
     * What was handed out last: how the file looked then and, of its content, which is not kept, enough to tell it from
     * another.
     */
    record Taken(Signature signature, int contentHash) {
        private static Taken of(Content content) {
            return new Taken(content.signature(), Arrays.hashCode(content.bytes));
        }
    }

    private final Path file;
    private final int mostBytes;
    private final Rule rule;
    private final long quietNanos;
    /** Null if nothing was, or there is no such file any more. */
    private volatile @Nullable Taken taken;

    /**
     * A file that has not been read yet. It must be a regular one.
     *
     * @param mostBytes no more than one byte more than that is read, which tells that there is more
     */
    public SettledFile(Path file, int mostBytes) {
        this(file, mostBytes, look -> regular(file, look));
    }

    SettledFile(Path file, int mostBytes, Rule rule) {
        this(file, mostBytes, rule, QUIET, null);
    }

    /** A file of which this was {@linkplain #taken() taken} before, if anything was. */
    SettledFile(Path file, int mostBytes, Rule rule, Duration quiet, @Nullable Taken before) {
        this.file = file;
        this.mostBytes = mostBytes;
        this.rule = rule;
        this.quietNanos = quiet.toNanos();
        this.taken = before;
    }

    /** For one who reads it again later, and does not keep this until then. */
    @Nullable
    Taken taken() {
        return taken;
    }

    private static @Nullable String regular(Path file, FileLook look) throws SourceException {
        if (!look.isRegular()) {
            String what = look.isDirectory() ? " is a directory" : " is not a regular file";
            throw new SourceException(Reason.UNSAFE_FILE, "file " + file + what, null);
        }
        return null;
    }

    /**
     * Reads it.
     *
     * @throws SourceException if it is not there or no regular file, could not be read, was written all the time, or the
     *     thread was interrupted
     */
    public byte[] read() throws SourceException {
        try {
            return content().bytes;
        } catch (SourceException e) {
            throw e;
        } catch (NoSuchFileException e) {
            throw new SourceException(Reason.ABSENT, "file " + file + " does not exist", null);
        } catch (AccessDeniedException e) {
            throw new SourceException(
                    Reason.UNREACHABLE, "file " + file + " could not be read: permission denied", null);
        } catch (IOException e) {
            throw new SourceException(Reason.UNREACHABLE, "file " + file + " could not be read", null);
        }
    }

    /**
     * What stands in it.
     *
     * @throws NoSuchFileException if there is no such file
     */
    Content content() throws IOException {
        long begun = System.nanoTime();
        Content before = null;
        long beforeAt = begun;
        int dangling = 0;
        for (int tries = 0; ; tries++) {
            Content found = null;
            try {
                found = readOnce();
            } catch (NoSuchFileException e) {
                if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
                    taken = null;
                    throw e;
                }
                dangling += Files.isSymbolicLink(file) ? 1 : 0;
                if (dangling == LINK_TRIES) {
                    String why = "file " + file + " is a link to a file that does not exist";
                    throw new SourceException(Reason.ABSENT, why, null);
                }
            }
            long now = System.nanoTime();
            if (found != null) {
                boolean same = before != null && before.isSame(found);
                if (isTakenAtOnce(found, before)
                        || (same && now - beforeAt >= (found.bytes.length == 0 ? EMPTY_NANOS : quietNanos))) {
                    taken = Taken.of(found);
                    return found;
                }
                if (!same) {
                    before = found;
                    beforeAt = now;
                }
            }
            if (now - begun >= LONGEST_NANOS) {
                throw new SourceException(
                        Reason.UNREACHABLE, "file " + file + " is written faster than it can be read", null);
            }
            if (found != null) {
                awaitQuiet(found.signature());
            } else if (tries >= TRIES_AT_ONCE) {
                pause(TimeUnit.MILLISECONDS.toNanos(1));
            }
        }
    }

    /** Whether nobody can be in the middle of writing it. */
    private boolean isTakenAtOnce(Content found, @Nullable Content before) {
        Signature now = found.signature();
        Taken last = taken;
        if (quietNanos == 0 || (before != null && !now.isOfSameFile(before.signature()))) {
            return true;
        }
        if (last == null) {
            return before == null && isQuiet(found, now.modified());
        }
        if (!now.isOfSameFile(last.signature)) {
            return true;
        }
        // The same times may be those of a later writing, as long as the clock that set them has not moved on. Whatever
        // wrote then, what was taken already may be taken again.
        return now.equals(last.signature)
                && (last.contentHash == Arrays.hashCode(found.bytes)
                        || isQuiet(found, Math.max(now.modified(), now.changed())));
    }

    private boolean isQuiet(Content found, long sinceNanos) {
        return TimeUnit.MILLISECONDS.toNanos(found.begunMillis) - sinceNanos >= quietNanos;
    }

    /** Null if the file was replaced or written meanwhile. */
    private @Nullable Content readOnce() throws IOException {
        long begun = System.currentTimeMillis();
        FileLook before = FileLook.at(file);
        String remark = rule.remark(before);
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(mostBytes + 1);
        }
        // The rule holds for all that was seen of it, so what looks the same needs no second judgement.
        return FileLook.at(file).equals(before) ? new Content(bytes, before, remark, begun) : null;
    }

    /** Waits until it may have settled; not so long if another file has taken its place, since that one need not. */
    private void awaitQuiet(Signature seen) throws SourceException {
        long begun = System.nanoTime();
        long most = Math.min(quietNanos, LONGEST_NANOS);
        long rest = most;
        while (rest > 0 && isInPlace(seen)) {
            pause(Math.min(rest, GLANCE_NANOS));
            rest = most - (System.nanoTime() - begun);
        }
    }

    private boolean isInPlace(Signature seen) {
        try {
            return FileLook.at(file).signature().isOfSameFile(seen);
        } catch (IOException e) {
            // It is about to be another, or none.
            return false;
        }
    }

    private void pause(long nanos) throws SourceException {
        try {
            TimeUnit.NANOSECONDS.sleep(nanos);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new SourceException(Reason.UNREACHABLE, "file " + file + ": the reading was interrupted", null);
        }
    }
}
