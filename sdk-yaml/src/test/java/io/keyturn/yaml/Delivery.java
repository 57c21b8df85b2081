package io.keyturn.yaml;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;

/** A way in which a new token comes to where the agent reads it. For one thread. */
@FunctionalInterface
interface Delivery {
    /** Gets everything ready. What is returned makes the token the current one. */
    Step prepare(String token) throws IOException;

    /** What remains to be done. */
    @FunctionalInterface
    interface Step {
        void run() throws IOException;
    }

    /** Another file is moved over the token's. */
    static Delivery rename(Path file) {
        Path other = file.resolveSibling("." + file.getFileName() + ".new");
        return token -> {
            write(other, token);
            return () -> Files.move(other, file, ATOMIC_MOVE);
        };
    }

    /** The file is truncated and written, as a shell's {@code >} does. */
    static Delivery rewrite(Path file) {
        return token -> () -> write(file, token);
    }

    /** What Kubernetes does: {@code token} is a link through the link {@code ..data}, which is replaced. */
    static Delivery dataSwap(Path folder) throws IOException {
        AtomicLong count = new AtomicLong();
        Path data = folder.resolve("..data");
        Files.createSymbolicLink(folder.resolve("token"), Path.of("..data", "token"));
        return token -> {
            Path before = Files.exists(data) ? data.toRealPath() : null;
            Path after = Files.createDirectory(folder.resolve("..v" + count.incrementAndGet()));
            write(after.resolve("token"), token);
            Path next = Files.createSymbolicLink(folder.resolve("..data_tmp"), after.getFileName());
            return () -> {
                Files.move(next, data, ATOMIC_MOVE);
                if (before != null) {
                    Files.delete(before.resolve("token"));
                    Files.delete(before);
                }
            };
        };
    }

    /** A text with the token in it is edited: in turn as editors save that replace a file, and as those that rewrite it. */
    static Delivery edit(Path file, UnaryOperator<String> text) {
        AtomicLong count = new AtomicLong();
        Delivery replacing = rename(file);
        Delivery rewriting = rewrite(file);
        return token -> (count.getAndIncrement() % 2 == 0 ? replacing : rewriting).prepare(text.apply(token));
    }

    private static void write(Path file, String text) throws IOException {
        try (SeekableByteChannel channel = Files.newByteChannel(
                file,
                Set.of(CREATE, WRITE, TRUNCATE_EXISTING),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            channel.write(ByteBuffer.wrap((text + "\n").getBytes(UTF_8)));
        }
    }
}
