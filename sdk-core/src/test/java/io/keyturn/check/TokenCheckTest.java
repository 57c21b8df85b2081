package io.keyturn.check;

import static io.keyturn.check.Reports.assertStep;
import static io.keyturn.check.Reports.step;
import static io.keyturn.source.TokenSources.env;
import static io.keyturn.source.TokenSources.file;
import static io.keyturn.source.TokenSources.firstOf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.TokenOptions;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.config.Problem;
import io.keyturn.policy.Destination;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The rows of the check's table that the token itself decides. */
@Timeout(60)
class TokenCheckTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final ManualClock clock = new ManualClock();

    private TokenAgent.Builder builder() {
        return TokenAgent.builder().clock(clock).environment(Map.of("AGENT_API_TOKEN", canary.token())::get);
    }

    private CheckReport check(TokenAgent.Builder builder) {
        return Reports.seen(builder.check(LIMIT, Set.of()), canary);
    }

    private CheckReport check(TokenSource source) {
        return check(builder().token("api_token", source));
    }

    private CheckReport check(TokenSource source, Consumer<TokenOptions> options) {
        return check(builder().token("api_token", source, options));
    }

    private static TokenSource documents(TokenDocument document) {
        return TokenSources.of("accounts db", () -> document);
    }

    private Path write(String text, String rights) throws IOException {
        Path file = Files.createFile(folder.resolve("token"));
        Files.writeString(file, text);
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(rights));
    }

    // --- not there ---

    @Test
    void check_variableUnset_failsWithItsPlace() {
        CheckReport report = check(env("NOT_SET"));

        assertStep(report, "resolve", Status.FAIL, "unset");
        assertThat(report.exitCode()).isEqualTo(2);
        assertThat(report.errors())
                .containsExactly(new Problem(
                        report.errors().get(0).at(), Reason.UNSET, "environment variable NOT_SET is not set", null));
        assertThat(report.toString()).startsWith("tokens.api_token: environment variable NOT_SET is not set\n");
    }

    @Test
    void check_fileAbsent_failsWithItsPlace() {
        CheckReport report = check(file("/nowhere/token"));

        assertStep(report, "resolve", Status.FAIL, "absent");
        assertThat(report.exitCode()).isEqualTo(2);
        assertThat(report.toString()).startsWith("tokens.api_token: file /nowhere/token does not exist\n");
    }

    @Test
    void check_noneOfSeveral_tellsEach() {
        CheckReport report = check(firstOf(env("NOT_SET"), file("/nowhere/token")));

        assertThat(step(report, "resolve").detail())
                .isEqualTo("environment variable NOT_SET is not set; file /nowhere/token does not exist");
        assertThat(report.exitCode()).isEqualTo(2);
    }

    @Test
    void check_optionalUnsetOrAbsent_warnsHoweverStrict() {
        for (TokenSource source : new TokenSource[] {env("NOT_SET"), file("/nowhere/token")}) {
            CheckReport report = check(source, TokenOptions::optional);

            assertThat(step(report, "resolve").status()).isEqualTo(Status.WARN);
            assertThat(report.errors()).isEmpty();
            assertThat(report.status()).isEqualTo(Status.WARN);
            assertThat(report.exitCode()).isZero();
            assertThat(report.asStrict().exitCode()).isZero();
            assertThat(report.asStrict().toString()).contains("\nwarn: ");
        }
    }

    @Test
    void check_tokenNotThere_isNotWaitedFor() {
        AtomicInteger asked = new AtomicInteger();
        check(TokenSources.of("accounts db", () -> {
            asked.incrementAndGet();
            return null;
        }));
        assertThat(asked).hasValue(1);
    }

    // --- must not be used ---

    private static void assertRefused(CheckReport report, String step, String reason) {
        assertStep(report, step, Status.FAIL, reason);
        assertThat(report.exitCode()).isEqualTo(1);
        assertThat(report.errors()).isEmpty();
        assertThat(report.tokens().get(0).fingerprint()).isNull();
        assertStep(report, "reach", Status.SKIP, "not_reached");
        if (!step.equals("resolve")) {
            assertStep(report, "resolve", Status.PASS, null);
        }
    }

    @ParameterizedTest
    @CsvSource({"rw-rw----, chmod go-w", "rw----rw-, chmod go-w", "rw-r--r--, world_read", "rw-r-----, group_read"})
    void check_fileOpenToOthers_isRefused(String rights, String words) throws Exception {
        CheckReport report = check(file(write(canary.token(), rights)));

        assertRefused(report, "resolve", "unsafe_file");
        assertThat(step(report, "resolve").detail() + " | "
                        + step(report, "resolve").fix())
                .contains(words);
    }

    @Test
    void check_fileHoldsNoToken_isRefused() throws Exception {
        assertRefused(check(file(write("<html>" + canary.token(), "rw-------"))), "resolve", "malformed");
    }

    @Test
    void check_expired_isRefused() {
        CheckReport report = check(documents(TokenDocument.of(canary.token()).withExpiresAt(clock.instant())));

        assertRefused(report, "expiry", "expired");
        assertThat(step(report, "expiry").detail())
                .isEqualTo("accounts db has a token that expired at 2026-11-24T12:00:00Z");
    }

    @Test
    void check_scopeMissingForbiddenOrUnknown_isRefused() {
        TokenSource read = documents(TokenDocument.of(canary.token()).withScopes(Set.of("read")));

        assertRefused(check(read, t -> t.requireScopes("write")), "scopes", "scope");
        assertRefused(check(read, t -> t.forbidScopes("read")), "scopes", "scope");
        assertRefused(check(env("AGENT_API_TOKEN"), t -> t.requireScopes("read")), "scopes", "scope");
        assertThat(check(env("AGENT_API_TOKEN"), t -> t.requireScopes("read").allow("unknown"))
                        .exitCode())
                .isZero();
    }

    @Test
    void check_leaked_isRefused() {
        String fingerprint =
                Token.of("api_token", TokenDocument.of(canary.token())).fingerprint();
        assertRefused(check(env("AGENT_API_TOKEN"), t -> t.denyFingerprints(fingerprint)), "resolve", "leaked");
    }

    @Test
    void check_policyThrowsAnything_isRefused() {
        TokenPolicy broken = new TokenPolicy() {
            @Override
            public void check(Token token, Destination to) {}

            @Override
            public void admit(Token token) {
                throw new IllegalStateException(token.reveal());
            }
        };

        CheckReport report = check(env("AGENT_API_TOKEN"), t -> t.policy(broken));

        assertRefused(report, "resolve", "destination");
        assertThat(step(report, "resolve").detail()).isEqualTo("a policy failed with java.lang.IllegalStateException");
    }

    @Test
    void check_livesTooLong_isRefused() {
        Instant now = clock.instant();
        TokenSource year = documents(
                TokenDocument.of(canary.token()).withIssuedAt(now).withExpiresAt(now.plus(Duration.ofDays(365))));

        assertRefused(check(year, t -> t.maxLifetime(Duration.ofDays(90))), "expiry", "lifetime");
        assertRefused(
                check(env("AGENT_API_TOKEN"), t -> t.maxLifetime(Duration.ofDays(90))), "expiry", "unknown_expiry");
    }

    // --- cannot be told ---

    @Test
    void check_sourceDown_isUnknown() {
        CheckReport report = check(() -> {
            throw new SourceException(Reason.UNREACHABLE, "the store is sealed", null);
        });

        assertStep(report, "resolve", Status.UNKNOWN, "unreachable");
        assertThat(report.exitCode()).isEqualTo(3);
    }

    @Test
    void check_sourceHangs_endsInTimeAndTheOtherTokenIsChecked() {
        CountDownLatch gate = new CountDownLatch(1);
        TokenSource hanging = TokenSources.of("dead mount", () -> {
            gate.await(60, TimeUnit.SECONDS);
            return null;
        });

        CheckReport report = Reports.seen(
                builder()
                        .token("slow", hanging)
                        .token("api_token", env("AGENT_API_TOKEN"))
                        .check(Duration.ofMillis(1500), Set.of()),
                canary);
        gate.countDown();

        assertThat(report.token("slow")
                        .orElseThrow()
                        .step("resolve")
                        .orElseThrow()
                        .detail())
                .isEqualTo("dead mount: no answer within 1500 ms");
        assertThat(report.token("api_token").orElseThrow().status()).isEqualTo(Status.WARN);
        assertThat(report.exitCode()).isEqualTo(3);
    }

    @Test
    void check_threadInterrupted_isUnknownAndKeepsTheFlag() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        TokenSource hanging = TokenSources.of("dead mount", () -> {
            gate.await(60, TimeUnit.SECONDS);
            return null;
        });
        AtomicReference<CheckReport> report = new AtomicReference<>();
        FutureTask<Boolean> checking = new FutureTask<>(() -> {
            report.set(check(hanging));
            return Thread.currentThread().isInterrupted();
        });
        Thread thread = new Thread(checking);
        thread.start();
        Awaitility.await().until(() -> thread.getState() == Thread.State.TIMED_WAITING);

        thread.interrupt();

        assertThat(checking.get(30, TimeUnit.SECONDS)).isTrue();
        assertThat(report.get().exitCode()).isEqualTo(3);
        gate.countDown();
    }

    @Test
    void check_sourceThrowsAnError_isUnknown() {
        CheckReport report = check(() -> {
            throw new NoClassDefFoundError(canary.token());
        });
        assertThat(report.exitCode()).isEqualTo(3);
    }

    // --- to be looked at ---

    @ParameterizedTest
    @CsvSource({
        "PT1000H, PT199H59M, WARN, in 8 days",
        "PT1000H, PT200H, PASS, in 8 days",
        "PT10H, PT1H59M, WARN, in 119 minutes",
        "PT10H, PT2H, PASS, in 2 hours",
        ", PT23H59M, WARN, in 23 hours",
        ", PT24H, PASS, in 24 hours",
        "PT10H, PT90S, WARN, in 90 s"
    })
    void check_endsSoon_warns(Duration lifetime, Duration left, Status status, String words) {
        Instant end = clock.instant().plus(left);
        TokenDocument document = TokenDocument.of(canary.token()).withExpiresAt(end);
        if (lifetime != null) {
            document = document.withIssuedAt(end.minus(lifetime));
        }

        CheckReport report = check(documents(document));

        assertStep(report, "expiry", status, status == Status.PASS ? null : "expires_soon");
        assertThat(step(report, "expiry").detail()).startsWith("ends at " + end + ", " + words + "; fetched anew at ");
        assertThat(report.tokens().get(0).expiresAt()).isEqualTo(end);
        assertThat(report.tokens().get(0).refreshAt()).isBefore(end);
        assertThat(report.exitCode()).isZero();
    }

    @Test
    void check_runningAgentWhoseSourceFails_isDegraded() throws Exception {
        AtomicReference<Exception> failure = new AtomicReference<>();
        TokenSource source = TokenSources.of("accounts db", () -> {
            if (failure.get() != null) {
                throw failure.get();
            }
            return TokenDocument.of(canary.token());
        });
        try (TokenAgent agent = builder().token("api_token", source).start()) {
            failure.set(new SourceException(Reason.UNREACHABLE, "accounts db is down", "start it"));
            assertThatThrownBy(agent.provider("api_token")::refresh).isInstanceOf(TokenUnavailableException.class);

            CheckReport report = Reports.seen(agent.check(), canary);

            assertStep(report, "resolve", Status.WARN, "degraded");
            assertThat(step(report, "resolve").detail())
                    .isEqualTo("accounts db is down since " + clock.instant() + "; the last good token serves");
            assertThat(step(report, "resolve").fix()).isEqualTo("start it");
            assertThat(report.tokens().get(0).fingerprint()).isNotNull();
            assertThat(report.exitCode()).isZero();
            assertThat(report.asStrict().exitCode()).isEqualTo(1);

            failure.set(null);
            agent.provider("api_token").refresh();
            assertStep(agent.check(), "resolve", Status.PASS, null);
        }
    }

    @Test
    void check_whatIsKnown_isTold() {
        TokenDocument document = TokenDocument.of(canary.token())
                .withScopes(Set.of("read"))
                .withVersion("v7")
                .withExpiresAt(clock.instant().plus(Duration.ofDays(30)));

        TokenCheck token = check(documents(document), t -> t.endpoint("https://api.invalid/v1"))
                .tokens()
                .get(0);

        assertThat(token.name()).isEqualTo("api_token");
        assertThat(token.fingerprint()).hasSize(12);
        assertThat(token.version()).isEqualTo("v7");
        assertThat(token.source()).isEqualTo("accounts db");
        assertThat(token.scopes()).containsExactly("read");
        assertThat(token.endpoints()).containsExactly("https://api.invalid/v1");
    }

    // --- several ---

    @Test
    void check_severalTokens_theWorstDecides() {
        try (RecordingServer server = RecordingServer.start()) {
            server.on("/401", Answer.of(401, "")).on("/500", Answer.of(500, ""));
            TokenAgent.Builder busy = withToken(builder(), "busy", server, "/500");
            assertThat(check(busy).exitCode()).isEqualTo(3);
            TokenAgent.Builder busyAndWrong =
                    withToken(withToken(builder(), "busy", server, "/500"), "wrong", server, "/401");
            assertThat(check(busyAndWrong).exitCode()).isEqualTo(1);
            assertThat(check(busyAndWrong.token("unset", env("NOT_SET"))).exitCode())
                    .isEqualTo(2);
            assertThat(check(withToken(builder(), "fine", server, "/")
                                    .token("optional", env("NOT_SET"), TokenOptions::optional))
                            .exitCode())
                    .isZero();
        }
    }

    private TokenAgent.Builder withToken(TokenAgent.Builder builder, String name, RecordingServer server, String path) {
        return builder.token(
                name, env("AGENT_API_TOKEN"), t -> t.endpoint(server.url(path)).check("GET " + path));
    }

    @Test
    void check_names_looksAtThoseAlone() {
        AtomicInteger asked = new AtomicInteger();
        TokenAgent.Builder builder = builder()
                .token("one", env("AGENT_API_TOKEN"))
                .token("two", TokenSources.of("accounts db", () -> {
                    asked.incrementAndGet();
                    return null;
                }))
                .token("three", env("AGENT_API_TOKEN"));

        CheckReport report = builder.check(LIMIT, Set.of("three", "one"));

        assertThat(report.tokens()).extracting(TokenCheck::name).containsExactly("one", "three");
        assertThat(asked).hasValue(0);
        assertThatThrownBy(() -> builder.check(LIMIT, Set.of("four")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("no token is named 'four'; known are: one, two, three");
    }
}
