package io.keyturn.source;

import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What tells, without reading a file, that it is another or was written: its place on its device, its size, and the times
 * of change of its content and of its inode. A writer can set the first of these times back, and not the second.
 *
 * @param device where it lies; -1 where the system does not tell
 * @param inode its number there; -1 where the system does not tell
 * @param modified nanoseconds since 1970
 * @param changed nanoseconds since 1970; the same as {@code modified} where the system does not tell
 */
record Signature(long device, long inode, long size, long modified, long changed) {
    /** There is no such file, or it cannot be looked at. */
    static final Signature NONE = new Signature(-1, -1, -1, 0, 0);

    private static final long YOUNG = TimeUnit.MILLISECONDS.toNanos(10);

    /** Of attributes of the view {@code unix}. */
    static Signature of(Map<String, Object> seen) {
        return new Signature(
                number(seen.get("dev")),
                number(seen.get("ino")),
                number(seen.get("size")),
                nanos(Objects.requireNonNull((FileTime) seen.get("lastModifiedTime"))),
                nanos(Objects.requireNonNull((FileTime) seen.get("ctime"))));
    }

    /** Where the system tells less, as Windows does. */
    static Signature of(BasicFileAttributes seen) {
        long modified = nanos(seen.lastModifiedTime());
        return new Signature(-1, -1, seen.size(), modified, modified);
    }

    private static long number(@Nullable Object attribute) {
        return ((Number) Objects.requireNonNull(attribute)).longValue();
    }

    private static long nanos(FileTime time) {
        return time.to(TimeUnit.NANOSECONDS);
    }

    boolean exists() {
        return size >= 0;
    }

    /** Whether both are of one file, written or not; where that cannot be known, they count as such. */
    boolean isOfSameFile(Signature other) {
        return device == other.device && inode == other.inode;
    }

    /**
     * Whether it changed so lately that another change may get the same times: most systems count them in ticks of up to
     * 10 ms.
     */
    boolean isYoung() {
        long now = TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis());
        return exists() && Math.abs(now - Math.max(modified, changed)) < YOUNG;
    }
}
