package io.keyturn;

import static io.keyturn.source.TokenSources.env;
import static io.keyturn.source.TokenSources.file;
import static io.keyturn.source.TokenSources.firstOf;
import static io.keyturn.source.TokenSources.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Problem;
import io.keyturn.provider.RefreshPolicy;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class TokenAgentStartTest {
    /** Longer than any test may take: whatever waits for it fails. */
    private static final Duration TOO_LONG = Duration.ofHours(1);

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private TokenAgent.Builder builder() {
        return TokenAgent.builder().environment(Map.of("AGENT_API_TOKEN", canary.token())::get);
    }

    /** As a careful writer does it: complete before it has its name, and for the owner alone. */
    private void write(Path file, String text) throws IOException {
        Path unnamed = Files.createTempFile(
                folder,
                "token",
                ".tmp",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(unnamed, text);
        Files.move(unnamed, file, StandardCopyOption.ATOMIC_MOVE);
    }

    // --- a token that is there ---

    @Test
    void start_tokenThere_isHandedOut() throws Exception {
        try (TokenAgent agent =
                builder().token("api_token", env("AGENT_API_TOKEN")).start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo(canary.token());
            assertThat(agent.provider("api_token")).isSameAs(agent.provider("api_token"));
        }
    }

    /** There may be thousands of tokens; each is kept once, as it was opened. */
    @Test
    void start_configurationNotReadAgain_whatTokensWereMadeOfIsNotKept() throws Exception {
        List<WeakReference<Object>> made = new ArrayList<>();
        try (TokenAgent agent = startedAndForgotten(made)) {
            Awaitility.await().until(() -> {
                System.gc();
                return made.stream().allMatch(each -> each.refersTo(null));
            });
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo(canary.token());
        }
    }

    private TokenAgent startedAndForgotten(List<WeakReference<Object>> made) throws TokenUnavailableException {
        TokenSource written = env("AGENT_API_TOKEN");
        made.add(new WeakReference<>(written));
        return builder()
                .token("api_token", written)
                // The first one's options, which are the same, are those of both.
                .token("other", written, options -> made.add(new WeakReference<>(options)))
                .start();
    }

    @Test
    void start_tokenThere_sourceIsAskedOnce() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        TokenSource source = TokenSources.of("accounts db", () -> {
            asked.incrementAndGet();
            return TokenDocument.of("token-1");
        });
        try (TokenAgent agent = builder().token("api_token", source).start()) {
            agent.provider("api_token").get();
        }
        assertThat(asked).hasValue(1);
    }

    @Test
    void start_severalTokens_areAskedAtTheSameTime() throws Exception {
        CyclicBarrier together = new CyclicBarrier(3);
        TokenSource source = TokenSources.of("accounts db", () -> {
            together.await(30, TimeUnit.SECONDS);
            return TokenDocument.of("token-1");
        });

        try (TokenAgent agent = builder()
                .token("one", source)
                .token("two", source, TokenOptions::optional)
                .token("three", source)
                .startTimeout(TOO_LONG)
                .start()) {
            assertThat(agent.provider("two").get().reveal()).isEqualTo("token-1");
        }
    }

    // --- a token that is not there yet ---

    @Test
    void start_fileAppearsLater_waitsForIt() throws Exception {
        Path token = folder.resolve("token");
        FutureTask<Void> writer = new FutureTask<>(() -> {
            write(token, "token-1\n");
            return null;
        });

        try (TokenAgent agent = builder()
                .token("api_token", file(token))
                .startTimeout(Duration.ofSeconds(30))
                .listener(event -> writer.run()) // the first event is that the file is not there
                .start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("token-1");
        }
        writer.get(30, TimeUnit.SECONDS);
    }

    @Test
    void start_fileHalfWritten_waitsForTheRest() throws Exception {
        Path token = folder.resolve("token");
        write(token, "{\"token\": \"abc");
        AtomicInteger asked = new AtomicInteger();
        TokenSource both = firstOf(
                TokenSources.of("counter", () -> {
                    if (asked.incrementAndGet() == 2) {
                        write(token, "{\"token\": \"abcdef\"}");
                    }
                    return null;
                }),
                file(token));

        try (TokenAgent agent = builder()
                .token("api_token", both)
                .startTimeout(Duration.ofSeconds(30))
                .start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("abcdef");
        }
    }

    @Test
    void start_fileAbsent_isTriedUntilTheTimeIsOver() {
        AtomicInteger asked = new AtomicInteger();
        TokenSource absent = firstOf(
                TokenSources.of("counter", () -> {
                    asked.incrementAndGet();
                    return null;
                }),
                file(folder.resolve("token")));

        TokenUnavailableException e = canary.caught(
                TokenUnavailableException.class,
                () -> builder()
                        .token("api_token", absent)
                        .startTimeout(Duration.ofMillis(2500))
                        .start());

        assertThat(e)
                .hasMessage("no token 'api_token': counter has no token; file " + folder.resolve("token")
                        + " does not exist");
        assertThat(e.reason()).isEqualTo(Reason.ABSENT);
        assertThat(asked.get()).as("at once, and again with growing pauses").isBetween(2, 3);
    }

    @Test
    void start_severalAbsent_tellsAll() {
        TokenUnavailableException e = canary.caught(
                TokenUnavailableException.class,
                () -> builder()
                        .token("one", file("/nowhere/one"))
                        .token("there", value("token-1"))
                        .token("two", file("/nowhere/two"))
                        .startTimeout(Duration.ofMillis(500))
                        .start());

        assertThat(e).hasMessage("no token 'one': file /nowhere/one does not exist");
        assertThat(e.getSuppressed())
                .singleElement()
                .satisfies(other -> assertThat(other).hasMessage("no token 'two': file /nowhere/two does not exist"));
    }

    @Test
    void start_sourceHangs_failsWhenTheTimeIsOver() {
        CountDownLatch gate = new CountDownLatch(1);
        TokenSource hanging = TokenSources.of("accounts db", () -> {
            gate.await(60, TimeUnit.SECONDS);
            return null;
        });

        assertThatThrownBy(() -> builder()
                        .token("api_token", hanging)
                        .startTimeout(Duration.ofMillis(200))
                        .start())
                .isInstanceOf(TokenUnavailableException.class)
                .hasMessageContaining("accounts db did not answer within");
        gate.countDown();
    }

    @Test
    void start_firstSourceAbsentAndVariableUnset_theFileIsWaitedFor() {
        assertThatThrownBy(() -> builder()
                        .token("api_token", firstOf(file("/nowhere/token"), env("NOT_SET")))
                        .startTimeout(Duration.ofMillis(200))
                        .start())
                .isInstanceOf(TokenUnavailableException.class)
                .hasMessage("no token 'api_token': file /nowhere/token does not exist;"
                        + " environment variable NOT_SET is not set");
    }

    @Test
    void start_threadInterruptedBetweenTries_failsAndKeepsTheFlag() throws Exception {
        assertInterruptible(file("/nowhere/token"));
    }

    @Test
    void start_threadInterruptedWhileASourceHangs_failsAndKeepsTheFlag() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        assertInterruptible(TokenSources.of("accounts db", () -> {
            gate.await(60, TimeUnit.SECONDS);
            return null;
        }));
        gate.countDown();
    }

    private void assertInterruptible(TokenSource source) throws Exception {
        FutureTask<Boolean> start = new FutureTask<>(() -> {
            assertThatThrownBy(() -> builder()
                            .token(
                                    "api_token",
                                    source,
                                    t -> t.refresh(RefreshPolicy.defaults().withTimeout(TOO_LONG)))
                            .startTimeout(TOO_LONG)
                            .start())
                    .isInstanceOf(TokenUnavailableException.class);
            return Thread.currentThread().isInterrupted();
        });
        Thread thread = new Thread(start);
        thread.start();
        Awaitility.await().until(() -> switch (thread.getState()) {
            case WAITING, TIMED_WAITING -> true;
            default -> false;
        });

        thread.interrupt();

        assertThat(start.get(30, TimeUnit.SECONDS)).isTrue();
    }

    // --- a token that cannot come ---

    @Test
    void start_variablesUnset_areAllToldAtOnceAndNobodyIsAsked() {
        AtomicInteger asked = new AtomicInteger();
        TokenSource source = TokenSources.of("accounts db", () -> {
            asked.incrementAndGet();
            return null;
        });

        ConfigException e = canary.caught(
                ConfigException.class,
                () -> builder()
                        .token("waits", source)
                        .token("one", env("NOT_SET"))
                        .token("there", env("AGENT_API_TOKEN"))
                        .token("two", firstOf(env("NOT_SET_EITHER"), env("NOR_THIS")))
                        .token("three", env("OPTIONAL"), TokenOptions::optional)
                        .startTimeout(TOO_LONG)
                        .start());

        assertThat(e).hasMessage("""
                        tokens.one: environment variable NOT_SET is not set
                        tokens.two: environment variable NOT_SET_EITHER is not set
                        tokens.two: environment variable NOR_THIS is not set""");
        assertThat(e.problems()).extracting(Problem::reason).containsOnly(Reason.UNSET);
        assertThat(asked).hasValue(0);
    }

    @Test
    void start_variableEmpty_isToldAtOnce() {
        assertThatThrownBy(() -> TokenAgent.builder()
                        .environment(name -> "")
                        .token("api_token", env("EMPTY"))
                        .startTimeout(TOO_LONG)
                        .start())
                .isInstanceOf(ConfigException.class)
                .hasMessage("tokens.api_token: environment variable EMPTY is empty");
    }

    @Test
    void start_firstVariableUnsetSecondSet_starts() throws Exception {
        try (TokenAgent agent = builder()
                .token("api_token", firstOf(env("NOT_SET"), env("AGENT_API_TOKEN")))
                .start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo(canary.token());
        }
    }

    @Test
    void start_unsafeFile_failsAtOnceAndAnotherTokenIsNotWaitedFor() throws Exception {
        Path open = folder.resolve("open");
        write(open, canary.token());
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rw-rw-rw-"));

        TokenUnavailableException e = canary.caught(
                TokenUnavailableException.class,
                () -> builder()
                        .token("absent", file("/nowhere/token"))
                        .token("api_token", file(open))
                        .startTimeout(TOO_LONG)
                        .start());

        assertThat(e.getSuppressed())
                .singleElement()
                .isInstanceOfSatisfying(
                        TokenUnavailableException.class,
                        other -> assertThat(other.reason()).isEqualTo(Reason.UNSAFE_FILE));
    }

    @Test
    void start_refusedByARule_failsAtOnce() {
        TokenUnavailableException e = canary.caught(
                TokenUnavailableException.class,
                () -> builder()
                        .token("api_token", env("AGENT_API_TOKEN"), t -> t.requireScopes("write"))
                        .startTimeout(TOO_LONG)
                        .start());

        assertThat(e.reason()).isEqualTo(Reason.SCOPE);
    }

    @Test
    void start_fails_leavesNoThread() {
        var before = Thread.getAllStackTraces().keySet();
        assertThatThrownBy(() -> builder()
                        .token("api_token", file("/nowhere/token"))
                        .startTimeout(Duration.ofMillis(50))
                        .start())
                .isInstanceOf(TokenUnavailableException.class);

        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(Thread.getAllStackTraces().keySet())
                        .filteredOn(thread -> thread.getName().startsWith("keyturn-") && !before.contains(thread))
                        .isEmpty());
    }

    // --- a token that may be missing ---

    @Test
    void start_optionalAbsent_startsAndTheTokenMayComeLater() throws Exception {
        Path token = folder.resolve("token");
        try (TokenAgent agent = builder()
                .token("api_token", file(token), TokenOptions::optional)
                .startTimeout(TOO_LONG)
                .start()) {
            assertThatThrownBy(agent.provider("api_token")::get).isInstanceOf(TokenUnavailableException.class);
            write(token, "token-1");
            assertThat(agent.provider("api_token").refresh().reveal()).isEqualTo("token-1");
        }
    }

    @Test
    void start_optionalSourceHangs_isNotWaitedFor() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        TokenSource hanging = TokenSources.of("accounts db", () -> {
            gate.await(60, TimeUnit.SECONDS);
            return null;
        });
        try (TokenAgent agent = builder()
                .token("slow", hanging, TokenOptions::optional)
                .token("api_token", env("AGENT_API_TOKEN"))
                .startTimeout(TOO_LONG)
                .start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo(canary.token());
        }
        gate.countDown();
    }

    @Test
    void start_optionalFails_isToldAsAnEvent() throws Exception {
        try (TokenAgent agent = builder()
                .token(
                        "api_token",
                        () -> {
                            throw new SourceException(Reason.UNREACHABLE, "fake store is down", null);
                        },
                        TokenOptions::optional)
                .listener(event -> canary.saw("event", event))
                .start()) {
            assertThatThrownBy(agent.provider("api_token")::get).hasMessageContaining("fake store is down");
        }
    }
}
