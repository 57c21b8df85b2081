package io.keyturn.test;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.token.TokenException;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.Base64;
import java.util.Collections;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import org.jspecify.annotations.Nullable;

/**
 * Looks for a secret, and for any eight characters of it in a row, as they are, in hexadecimal and in base64, in what it is
 * handed and in what is printed meanwhile. Safe for any number of threads.
 */
final class Eavesdropper implements AutoCloseable {
    private static final int PIECE = 8;

    private final String secret;
    private final Set<String> pieces = new HashSet<>();
    /** Where it was seen. What stood there is not kept. */
    private final Set<String> places = new ConcurrentSkipListSet<>();

    private final Printed out = new Printed(System.out);
    private final Printed err = new Printed(System.err);

    /** Begins to listen; what is printed still goes where it went. */
    Eavesdropper(String secret) {
        this.secret = secret;
        for (int i = 0; i + PIECE <= secret.length(); i++) {
            byte[] piece = secret.substring(i, i + PIECE).getBytes(UTF_8);
            pieces.add(new String(piece, UTF_8));
            pieces.add(HexFormat.of().formatHex(piece));
            for (int before = 0; before < 3; before++) {
                pieces.add(base64(piece, before));
            }
        }
        System.setOut(new PrintStream(out, true, UTF_8));
        System.setErr(new PrintStream(err, true, UTF_8));
    }

    /** The characters of base64 that are the same whatever stands around these bytes, so many bytes after a third. */
    private static String base64(byte[] piece, int before) {
        byte[] shifted = new byte[before + piece.length];
        System.arraycopy(piece, 0, shifted, before, piece.length);
        String encoded = Base64.getEncoder().withoutPadding().encodeToString(shifted);
        return encoded.substring((before * 8 + 5) / 6, shifted.length * 8 / 6);
    }

    String secret() {
        return secret;
    }

    /** A text, and whose it is. */
    void hear(String where, @Nullable Object text) {
        String told = String.valueOf(text);
        if (pieces.stream().anyMatch(told::contains)) {
            places.add(where);
        }
    }

    /** All that an exception tells: itself, what it carries, its causes and what it suppressed. */
    void hear(String where, Throwable thrown) {
        hear(where, thrown, Collections.newSetFromMap(new IdentityHashMap<>()));
    }

    private void hear(String where, Throwable thrown, Set<Throwable> heard) {
        if (!heard.add(thrown)) {
            return;
        }
        String whose = where + ", " + thrown.getClass().getName();
        hear(whose + ": toString", thrown.toString());
        hear(whose + ": message", thrown.getMessage());
        if (thrown instanceof TokenException e) {
            hear(whose + ": fix", e.fix());
        }
        if (thrown instanceof TokenUnavailableException e) {
            e.attempts().forEach(attempt -> hear(where, attempt, heard));
        }
        if (thrown.getCause() != null) {
            hear(where + ", a cause", thrown.getCause(), heard);
        }
        for (Throwable suppressed : thrown.getSuppressed()) {
            hear(where + ", suppressed", suppressed, heard);
        }
    }

    /** Fails if the secret was told anywhere. */
    void assertNothing() {
        System.out.flush();
        System.err.flush();
        hear("standard output or error", out.toString(UTF_8));
        hear("standard output or error", err.toString(UTF_8));
        Thread.getAllStackTraces().keySet().forEach(thread -> hear("a thread's name", thread.getName()));
        if (!places.isEmpty()) {
            throw new AssertionError(
                    "the secret, or eight characters of it, was told:\n" + String.join("\n", new TreeSet<>(places)));
        }
    }

    @Override
    public void close() {
        System.out.flush();
        System.err.flush();
        System.setOut(out.before);
        System.setErr(err.before);
    }

    /** Keeps what is printed, and passes it on when it is flushed, which a stream does by itself after each text. */
    private static final class Printed extends ByteArrayOutputStream {
        private final PrintStream before;
        private int passedOn;

        Printed(PrintStream before) {
            this.before = before;
        }

        @Override
        public void flush() {
            before.write(buf, passedOn, count - passedOn);
            before.flush();
            passedOn = count;
        }
    }
}
