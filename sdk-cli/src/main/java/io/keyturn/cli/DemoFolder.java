package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;

/** A folder for a few files, gone when it is closed, and when the process is interrupted before. */
final class DemoFolder implements AutoCloseable {
    private final Path folder;
    private final Thread atExit = new Thread(this::delete);

    private DemoFolder(Path folder) {
        this.folder = folder;
        Runtime.getRuntime().addShutdownHook(atExit);
    }

    /**
     * Makes one where files may be written, which in a container may be only the memory that processes share.
     *
     * @throws IOException if that is nowhere
     */
    static DemoFolder create() throws IOException {
        IOException failure = new IOException();
        for (String place : List.of(System.getProperty("java.io.tmpdir", "/tmp"), "/dev/shm", "")) {
            try {
                return new DemoFolder(Files.createTempDirectory(Path.of(place), "keyturn-demo-"));
            } catch (IOException e) {
                failure = e;
            }
        }
        throw failure;
    }

    Path file(String name) {
        return folder.resolve(name);
    }

    /** Writes a file that nobody else may read. */
    Path write(String name, String text) throws IOException {
        Path file = file(name);
        Files.deleteIfExists(file);
        Files.createFile(file, onlyOwner());
        return Files.writeString(file, text, UTF_8);
    }

    /** The same as careful programs do it: the text is complete before it has its name. */
    Path replace(String name, String text) throws IOException {
        return Files.move(write(name + ".new", text), file(name), StandardCopyOption.ATOMIC_MOVE);
    }

    private static FileAttribute<?>[] onlyOwner() {
        boolean posix = FileSystems.getDefault().supportedFileAttributeViews().contains("posix");
        return posix
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
                }
                : new FileAttribute<?>[0];
    }

    private void delete() {
        try {
            List<Path> files = new ArrayList<>();
            try (DirectoryStream<Path> all = Files.newDirectoryStream(folder)) {
                all.forEach(files::add);
            }
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            // Nothing more can be done; it is told where somebody still hears it.
        }
    }

    Path path() {
        return folder;
    }

    @Override
    public void close() {
        delete();
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException e) {
            // The process is ending, and the hook does the same.
        }
    }
}
