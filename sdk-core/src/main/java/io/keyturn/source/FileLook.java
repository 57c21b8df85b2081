package io.keyturn.source;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One look at a file, through links.
 *
 * @param modified when its content was last changed
 * @param rights who may do what with it; null where the file system does not tell
 */
record FileLook(
        Signature signature,
        boolean isRegular,
        boolean isDirectory,
        Instant modified,
        @Nullable Set<PosixFilePermission> rights) {
    private static final String ATTRIBUTES =
            "unix:dev,ino,size,lastModifiedTime,ctime,isRegularFile,isDirectory,permissions";

    static FileLook at(Path file) throws IOException {
        if (!file.getFileSystem().supportedFileAttributeViews().contains("unix")) {
            return new FileLook(Files.readAttributes(file, BasicFileAttributes.class));
        }
        return of(Files.readAttributes(file, ATTRIBUTES));
    }

    private FileLook(BasicFileAttributes seen) {
        this(
                Signature.of(seen),
                seen.isRegularFile(),
                seen.isDirectory(),
                seen.lastModifiedTime().toInstant(),
                null);
    }

    @SuppressWarnings("unchecked") // so it is specified
    private static FileLook of(Map<String, Object> seen) {
        return new FileLook(
                Signature.of(seen),
                Boolean.TRUE.equals(seen.get("isRegularFile")),
                Boolean.TRUE.equals(seen.get("isDirectory")),
                Objects.requireNonNull((FileTime) seen.get("lastModifiedTime")).toInstant(),
                (Set<PosixFilePermission>) seen.get("permissions"));
    }
}
