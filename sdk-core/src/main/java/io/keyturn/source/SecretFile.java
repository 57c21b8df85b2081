package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileStore;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A file that may hold a secret: regular, at most 64 KiB, writable by nobody else, and readable by nobody else unless the
 * user allows it or the file lies on a read-only mount in memory, where Kubernetes and Swarm put secrets that every user
 * of a container is meant to read.
 *
 * <p>Java cannot look at an open file. So it is looked at, read, and looked at again: where the second look shows
 * another file, or one that was written meanwhile, everything is done anew.
 *
 * @param bytes what stands in it
 * @param modified when it was last changed
 * @param note what a person should know of its rights, or null
 */
@SuppressWarnings("ArrayRecordComponent") // handed on once, and never compared
record SecretFile(byte[] bytes, Instant modified, @Nullable String note) {
    static final int MOST_BYTES = 64 * 1024;

    /** Each try is short, and even of a file that is replaced all the time one of a few succeeds. */
    private static final int TRIES = 1_000;

    /** A link whose target is just being replaced has one again at the next try; one that dangles never has. */
    private static final int LINK_TRIES = 5;

    Optional<String> remark() {
        return Optional.ofNullable(note);
    }

    /** The text in it as it may stand in a configuration. */
    String text(Path file) throws SourceException {
        try {
            return TokenDocument.decode(bytes);
        } catch (TokenException e) {
            throw Documents.from("file " + file, e);
        }
    }

    /**
     * Reads a file.
     *
     * @param allow the user's relaxations: {@code group_read}, {@code world_read}
     * @return empty if there is no such file
     * @throws SourceException if it may not be used, or could not be read
     */
    static Optional<SecretFile> read(Path file, Set<String> allow) throws SourceException {
        int dangling = 0;
        for (int i = 0; i < TRIES && dangling < LINK_TRIES; i++) {
            try {
                Optional<SecretFile> content = readOnce(file, allow);
                if (content.isPresent()) {
                    return content;
                }
            } catch (NoSuchFileException e) {
                if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
                    return Optional.empty();
                }
                dangling += Files.isSymbolicLink(file) ? 1 : 0;
            } catch (AccessDeniedException e) {
                throw refused(file, "could not be read: permission denied", null);
            } catch (FileSystemException e) {
                throw refused(
                        file,
                        e.getReason() == null ? "could not be read" : "could not be read: " + e.getReason(),
                        null);
            } catch (SourceException e) {
                throw e;
            } catch (IOException e) {
                throw new SourceException(Reason.UNREACHABLE, "file " + file + " could not be read", null);
            }
        }
        throw dangling == LINK_TRIES
                ? new SourceException(Reason.ABSENT, "file " + file + " is a link to a file that does not exist", null)
                : new SourceException(
                        Reason.UNREACHABLE, "file " + file + " is replaced faster than it can be read", null);
    }

    /** Empty if the file was replaced or written meanwhile. */
    private static Optional<SecretFile> readOnce(Path file, Set<String> allow) throws IOException {
        BasicFileAttributes before = look(file);
        String note = requireSafe(file, before, allow);
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(MOST_BYTES + 1);
        }
        BasicFileAttributes after = look(file);
        if (!isSame(before, after)) {
            return Optional.empty();
        }
        requireSafe(file, after, allow);
        if (bytes.length > MOST_BYTES) {
            throw tooLarge(file);
        }
        return Optional.of(new SecretFile(bytes, after.lastModifiedTime().toInstant(), note));
    }

    private static boolean isSame(BasicFileAttributes before, BasicFileAttributes after) {
        return Objects.equals(before.fileKey(), after.fileKey())
                && before.size() == after.size()
                && before.lastModifiedTime().equals(after.lastModifiedTime());
    }

    private static BasicFileAttributes look(Path file) throws IOException {
        boolean posix = file.getFileSystem().supportedFileAttributeViews().contains("posix");
        return posix
                ? Files.readAttributes(file, PosixFileAttributes.class)
                : Files.readAttributes(file, BasicFileAttributes.class);
    }

    /** What to remark of a file that may be used. */
    private static @Nullable String requireSafe(Path file, BasicFileAttributes seen, Set<String> allow)
            throws IOException {
        if (!seen.isRegularFile()) {
            throw refused(file, seen.isDirectory() ? "is a directory" : "is not a regular file", null);
        }
        if (seen.size() > MOST_BYTES) {
            throw tooLarge(file);
        }
        if (!(seen instanceof PosixFileAttributes posix)) {
            return "rights not checked: this file system does not tell them";
        }
        Set<PosixFilePermission> rights = posix.permissions();
        if (rights.contains(PosixFilePermission.GROUP_WRITE) || rights.contains(PosixFilePermission.OTHERS_WRITE)) {
            throw refused(file, "can be written by others", "chmod go-w " + file);
        }
        boolean world = rights.contains(PosixFilePermission.OTHERS_READ);
        boolean group = rights.contains(PosixFilePermission.GROUP_READ);
        boolean allowed = world
                ? allow.contains("world_read")
                : !group || allow.contains("group_read") || allow.contains("world_read");
        if (allowed) {
            return null;
        }
        if (isReadOnlyMemory(file)) {
            return "readable by others, on a read-only mount in memory";
        }
        throw refused(
                file,
                world
                        ? "can be read by every user, which needs allow: [world_read]"
                        : "can be read by its group, which needs allow: [group_read]",
                "chmod go-r " + file);
    }

    private static boolean isReadOnlyMemory(Path file) throws IOException {
        FileStore store = Files.getFileStore(file);
        return store.isReadOnly()
                && (store.type().equals("tmpfs") || store.type().equals("ramfs"));
    }

    private static SourceException tooLarge(Path file) {
        return new SourceException(Reason.MALFORMED, "file " + file + " is larger than 64 KiB: not a token", null);
    }

    private static SourceException refused(Path file, String why, @Nullable String fix) {
        return new SourceException(Reason.UNSAFE_FILE, "file " + file + " " + why, fix);
    }
}
