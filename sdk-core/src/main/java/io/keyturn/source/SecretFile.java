package io.keyturn.source;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileStore;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A file that may hold a secret: regular, at most 64 KiB, writable by nobody else, and readable by nobody else unless the
 * user allows it or the file lies on a read-only mount in memory, where Kubernetes and Swarm put secrets that every user
 * of a container is meant to read. It is read as a {@link SettledFile}.
 */
final class SecretFile {
    static final int MOST_BYTES = 64 * 1024;

    private final Path file;
    private final Set<String> allow;
    private final SettledFile settled;

    /**
     * What was read.
     *
     * @param bytes what stands in it
     * @param modified when it was last changed
     * @param note what a person should know of its rights, or null
     */
    @SuppressWarnings("ArrayRecordComponent") // handed on once, and never compared
    record Content(byte[] bytes, Instant modified, @Nullable String note) {
        Optional<String> remark() {
            return Optional.ofNullable(note);
        }

        /** The text in it as it may stand in a configuration. */
        String text(Path file) throws SourceException {
            try {
                return TokenDocument.decode(bytes);
            } catch (TokenException e) {
                throw Form.from("file " + file, e);
            }
        }
    }

    /**
     * A file that has not been read yet.
     *
     * @param allow the user's relaxations: {@code group_read}, {@code world_read}
     */
    SecretFile(Path file, Set<String> allow) {
        this(file, allow, SettledFile.QUIET, null);
    }

    /** One of which this was {@linkplain #taken() taken} before, if anything was. */
    SecretFile(Path file, Set<String> allow, SettledFile.@Nullable Taken before) {
        this(file, allow, SettledFile.QUIET, before);
    }

    /** One that takes every content at once which this long has not been written. */
    SecretFile(Path file, Set<String> allow, Duration quiet) {
        this(file, allow, quiet, null);
    }

    private SecretFile(Path file, Set<String> allow, Duration quiet, SettledFile.@Nullable Taken before) {
        this.file = file;
        this.allow = allow;
        this.settled = new SettledFile(file, MOST_BYTES, this::remark, quiet, before);
    }

    /** See {@link SettledFile#taken()}. */
    SettledFile.@Nullable Taken taken() {
        return settled.taken();
    }

    /**
     * Reads it.
     *
     * @return empty if there is no such file
     * @throws SourceException if it may not be used, or could not be read
     */
    Optional<Content> read() throws SourceException {
        try {
            SettledFile.Content content = settled.content();
            if (content.bytes().length > MOST_BYTES) {
                throw tooLarge(file);
            }
            return Optional.of(new Content(content.bytes(), content.look().modified(), content.remark()));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (AccessDeniedException e) {
            throw refused(file, "could not be read: permission denied", null);
        } catch (FileSystemException e) {
            throw refused(
                    file, e.getReason() == null ? "could not be read" : "could not be read: " + e.getReason(), null);
        } catch (SourceException e) {
            throw e;
        } catch (IOException e) {
            throw new SourceException(Reason.UNREACHABLE, "file " + file + " could not be read", null);
        }
    }

    /**
     * Replaces a file, or makes it: complete and on the disk before it has its name, and for its owner's eyes alone. A link
     * stays, and what it leads to is replaced: where the link lies need not be where things last.
     *
     * @throws SourceException if that cannot be done; what stood in it before then still does
     */
    static void replace(Path file, Secret value) throws SourceException {
        Path target = file.toAbsolutePath();
        Path unnamed = unnamed(target);
        try {
            if (Files.isSymbolicLink(target)) {
                target = target.toRealPath();
                unnamed = unnamed(target);
            }
            Files.deleteIfExists(unnamed);
            try (FileChannel channel = FileChannel.open(
                    unnamed, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), forOwner(target))) {
                ByteBuffer bytes = ByteBuffer.wrap(value.reveal().getBytes(US_ASCII));
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                channel.force(true);
            }
            Files.move(unnamed, target, StandardCopyOption.ATOMIC_MOVE);
            keepName(target);
        } catch (IOException | RuntimeException e) {
            delete(unnamed);
            String why = e instanceof AccessDeniedException
                    ? "permission denied"
                    : e instanceof NoSuchFileException
                            ? "its folder does not exist"
                            : e instanceof FileSystemException system && system.getReason() != null
                                    ? system.getReason()
                                    : e.getClass().getSimpleName();
            throw new SourceException(
                    Reason.UNSAFE_FILE,
                    "file " + file + " cannot be written: " + why,
                    "let this program's user write in " + target.getParent());
        }
    }

    private static Path unnamed(Path target) {
        return target.resolveSibling("." + target.getFileName() + ".keyturn");
    }

    /** So that the new name, too, outlives a loss of power. */
    private static void keepName(Path file) {
        Path folder = file.getParent();
        if (folder != null) {
            try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                channel.force(true);
            } catch (IOException e) {
                // A system that opens no folders (Windows) has no better way.
            }
        }
    }

    private static FileAttribute<?>[] forOwner(Path file) {
        return file.getFileSystem().supportedFileAttributeViews().contains("posix")
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
                }
                : new FileAttribute<?>[0];
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // Why it could not be written is what is told.
        }
    }

    /** What to remark of a file that may be used. */
    private @Nullable String remark(FileLook seen) throws IOException {
        if (!seen.isRegular()) {
            throw refused(file, seen.isDirectory() ? "is a directory" : "is not a regular file", null);
        }
        if (seen.signature().size() > MOST_BYTES) {
            throw tooLarge(file);
        }
        Set<PosixFilePermission> rights = seen.rights();
        if (rights == null) {
            return "rights not checked: this file system does not tell them";
        }
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
