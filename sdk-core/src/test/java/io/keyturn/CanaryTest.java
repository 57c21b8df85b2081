package io.keyturn;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import io.keyturn.event.TokenEvent;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import java.net.URLEncoder;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** A scanner that finds nothing is worth nothing: each form and each place is shown to be found. */
class CanaryTest {
    private static final String TOKEN = Canary.TOKEN;
    private final Canary canary = new Canary();

    static Stream<String> forms() {
        byte[] bytes = TOKEN.getBytes(UTF_8);
        Stream<String> written = Stream.of(
                TOKEN,
                "Authorization: Bearer " + TOKEN,
                HexFormat.of().formatHex(bytes),
                HexFormat.of().withUpperCase().formatHex(bytes),
                URLEncoder.encode(TOKEN, UTF_8),
                URLEncoder.encode(TOKEN, UTF_8).replace("%2B", "%2b").replace("%2F", "%2f"),
                HexFormat.of().formatHex(bytes).replaceAll("..", "%$0"),
                TOKEN.replace("/", "\\/"));
        Stream<String> aligned = IntStream.range(0, 6)
                .mapToObj(i -> "user:".substring(0, i) + TOKEN + "!".repeat(i % 4))
                .flatMap(text -> Stream.of(
                        Base64.getEncoder().encodeToString(text.getBytes(UTF_8)),
                        Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes(UTF_8))));
        return Stream.concat(written, aligned);
    }

    @ParameterizedTest
    @MethodSource("forms")
    void findings_eachForm_found(String text) {
        canary.saw("a report", "before " + text + " after");

        assertThat(canary.findings()).isNotEmpty().allMatch(finding -> finding.startsWith("a report has it "));
        assertThatThrownBy(canary::assertUnseen).isInstanceOf(AssertionError.class);
    }

    @Test
    void findings_anyEightCharacters_foundInEachForm() {
        for (int i = 0; i + 8 <= TOKEN.length(); i++) {
            String slice = TOKEN.substring(i, i + 8);
            byte[] bytes = slice.getBytes(UTF_8);
            for (String text : List.of(
                    slice,
                    HexFormat.of().formatHex(bytes),
                    HexFormat.of().formatHex(bytes).toUpperCase(Locale.ROOT),
                    URLEncoder.encode(slice, UTF_8),
                    Base64.getEncoder().encodeToString(("x" + slice + "y").getBytes(UTF_8)),
                    Base64.getUrlEncoder().encodeToString(("xyz:" + slice).getBytes(UTF_8)))) {
                assertThat(new Canary().saw("text", "-" + text + "-").findings())
                        .as(text)
                        .isNotEmpty();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "api_token#3f9a1c2b44d0 expires 2026-12-31T00:00:00Z",
                "agent.yaml:2:14 agent.api_token: environment variable AGENT_API_TOKEN is not set",
                "kT9xQ2v",
                "the quick brown fox jumps over the lazy dog: 0123456789abcdefABCDEF+/="
            })
    void findings_cleanText_nothing(String text) {
        canary.saw("text", text)
                .saw("text", Base64.getEncoder().encodeToString(text.getBytes(UTF_8)))
                .saw("text", HexFormat.of().formatHex(text.getBytes(UTF_8)));

        assertThat(canary.findings()).isEmpty();
        canary.assertUnseen();
    }

    static Stream<Throwable> exceptions() {
        RuntimeException suppressing = new RuntimeException("outer");
        suppressing.addSuppressed(new IllegalStateException("inner", new RuntimeException(TOKEN)));
        RuntimeException circle = new RuntimeException("a");
        RuntimeException other = new RuntimeException(TOKEN, circle);
        circle.initCause(other);
        return Stream.of(
                new RuntimeException(TOKEN),
                new RuntimeException("outer", new RuntimeException(TOKEN)),
                suppressing,
                circle,
                new SourceException(Reason.ABSENT, "x", TOKEN),
                new ConfigException(List.of(new Problem(Location.of("a." + TOKEN), Reason.INVALID, "x", null))),
                new ConfigException(List.of(new Problem(Location.of("a"), Reason.INVALID, "x", "say " + TOKEN))),
                new MyOwn());
    }

    @SuppressWarnings("OverrideThrowableToString") // as somebody else's exception may do
    private static final class MyOwn extends RuntimeException {
        private static final long serialVersionUID = 1L;

        @Override
        public String toString() {
            return "my own " + TOKEN;
        }
    }

    @ParameterizedTest
    @MethodSource("exceptions")
    void saw_exceptionThatTells_found(Throwable thrown) {
        assertThat(canary.saw(thrown)).isSameAs(thrown);

        assertThat(canary.findings()).isNotEmpty();
    }

    @Test
    void caught_rightType_answeredAndSearched() {
        IllegalStateException thrown = canary.caught(IllegalStateException.class, () -> {
            throw new IllegalStateException(TOKEN);
        });

        assertThat(thrown).hasMessage(TOKEN);
        assertThat(canary.findings()).isNotEmpty();
        assertThatThrownBy(() -> canary.caught(IllegalStateException.class, () -> {}))
                .isInstanceOf(AssertionError.class);
        assertThatThrownBy(() -> canary.caught(IllegalStateException.class, () -> {
                    throw new IllegalArgumentException("other");
                }))
                .isInstanceOf(AssertionError.class);
    }

    @Test
    void listener_eventThatTells_found() {
        canary.listener().onEvent(new TokenEvent.RefreshFailed(Instant.EPOCH, "t", Reason.ABSENT, TOKEN));

        assertThat(canary.findings()).containsExactly("event has it as it is");
    }

    @Test
    void listen_standardOutput_foundAndRestored() {
        assertHeard("standard output", () -> System.out.print("x" + TOKEN.substring(3, 11)));
    }

    @Test
    void listen_standardError_found() {
        assertHeard("standard error", () -> System.err.println(TOKEN));
    }

    @Test
    void listen_slf4jAtTrace_found() {
        assertHeard("log a.b", () -> LoggerFactory.getLogger("a.b").trace("got {}", TOKEN));
    }

    @Test
    void listen_slf4jException_found() {
        assertHeard("message", () -> LoggerFactory.getLogger("a.b").debug("no", new RuntimeException(TOKEN)));
    }

    @Test
    void listen_slf4jValues_found() {
        assertHeard(
                "log values",
                () -> LoggerFactory.getLogger("a.b")
                        .atInfo()
                        .addKeyValue("k", TOKEN)
                        .log("x"));
    }

    @Test
    void listen_javaLoggingFine_found() {
        assertHeard(
                "log okhttp3.x",
                () -> java.util.logging.Logger.getLogger("okhttp3.x").fine(TOKEN));
    }

    @Test
    void close_threadName_found() throws InterruptedException {
        CountDownLatch end = new CountDownLatch(1);
        Thread thread = new Thread(() -> awaitQuietly(end), "worker of " + TOKEN);
        thread.start();
        try {
            assertHeard("thread name", () -> {});
        } finally {
            end.countDown();
            thread.join();
        }
    }

    @Test
    void close_nothingSaid_passes() {
        try (Canary quiet = new Canary().listen()) {
            LoggerFactory.getLogger("a.b").info("nothing");
            quiet.saw("text", "nothing");
        }
    }

    @Test
    void close_saidAfterwards_notHeard() {
        Canary listening = new Canary().listen();
        listening.close();

        LoggerFactory.getLogger("a.b").error("{}", TOKEN);
        System.out.println(TOKEN);

        listening.assertUnseen();
    }

    private static void assertHeard(String where, Runnable emission) {
        var out = System.out;
        var err = System.err;
        Canary listening = new Canary().listen();
        emission.run();

        assertThatThrownBy(listening::close).isInstanceOf(AssertionError.class).hasMessageContaining(where + " has it");
        assertThat(System.out).isSameAs(out);
        assertThat(System.err).isSameAs(err);
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
