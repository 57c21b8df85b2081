package io.keyturn.examples;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.examples.LoopbackApi.Seen;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.util.List;
import org.junit.jupiter.api.function.ThrowingConsumer;

/** Where a story is played: the API it is about, a stranger, and somebody who reads all that is printed. */
final class Stage implements AutoCloseable {
    /** No longer piece of a token may be seen where none belongs. */
    private static final int PIECE = 8;

    final LoopbackApi api = LoopbackApi.start();
    final LoopbackApi stranger = LoopbackApi.start();

    Stage() throws IOException {}

    /** Plays a story, and answers what it printed, in which there is no piece of any token. */
    String play(ThrowingConsumer<LoopbackApi> story) throws Throwable {
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        try (PrintStream both = new PrintStream(printed, true, UTF_8)) {
            System.setOut(both);
            System.setErr(both);
            story.accept(api);
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
        String text = printed.toString(UTF_8);
        assertNoTokenIn(text);
        return text;
    }

    /** The tokens that came with the requests to this path, as their numbers in the order of their issue. */
    List<Integer> tokensSeenAt(String path) {
        return api.seen().stream()
                .filter(seen -> seen.path().equals(path))
                .map(seen -> seen.authorization().orElse("Bearer none"))
                .map(header -> api.issued().indexOf(header.replaceFirst("^Bearer ", "")) + 1)
                .toList();
    }

    /** The stranger was called, and whatever it was sent, no token was in it. */
    void assertStrangerSawNoToken() {
        assertThat(stranger.seen()).isNotEmpty();
        stranger.seen().stream()
                .map(Seen::headers)
                .forEach(headers -> assertNoTokenIn(headers.entrySet().toString()));
    }

    private void assertNoTokenIn(String text) {
        for (String token : api.issued()) {
            for (int at = 0; at + PIECE <= token.length(); at++) {
                assertThat(text).doesNotContain(token.substring(at, at + PIECE));
            }
        }
    }

    @Override
    public void close() {
        api.close();
        stranger.close();
    }
}
