package io.keyturn.oauth2;

import static io.keyturn.config.Written.map;
import static io.keyturn.oauth2.TokenServiceRig.issued;
import static io.keyturn.oauth2.TokenServiceRig.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.Status;
import io.keyturn.event.TokenEvent;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A token service and what an agent makes of it: at its start, while credentials are replaced, and in the check. */
@DisabledOnOs(OS.WINDOWS)
@Timeout(120)
class OAuth2AgentTest {
    private static final Duration SOON = Duration.ofSeconds(30);

    /** Longer than any test may take: whatever waits for it fails. */
    private static final Duration TOO_LONG = Duration.ofHours(1);

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final TokenServiceRig rig = new TokenServiceRig();
    private final Queue<TokenEvent> events = new ConcurrentLinkedQueue<>();
    private TokenAgent agent;

    @AfterEach
    void close() {
        if (agent != null) {
            agent.close();
        }
        rig.close();
    }

    private TokenAgent.Builder builder(Object... keysAndValues) {
        return TokenAgent.builder()
                .token("t", TokenSources.configured(map("oauth2", rig.oauth2(keysAndValues))))
                .listener(canary.listener())
                .listener(events::add);
    }

    private Map<String, Object> inFile(String name) {
        return map("file", folder.resolve(name).toString());
    }

    private String token() {
        try {
            return agent.provider("t").get().reveal();
        } catch (TokenUnavailableException e) {
            canary.saw(e);
            return e.reason().word();
        }
    }

    private static String parameter(Seen request, String name) {
        for (String pair : request.body().split("&", -1)) {
            if (pair.startsWith(name + "=")) {
                return URLDecoder.decode(pair.substring(name.length() + 1), StandardCharsets.UTF_8);
            }
        }
        return "";
    }

    // --- the start ---

    /** Starts on another thread, and waits until it has failed to find a token. */
    private FutureTask<TokenAgent> starting(TokenAgent.Builder builder) {
        FutureTask<TokenAgent> start = new FutureTask<>(builder.startTimeout(TOO_LONG)::start);
        new Thread(start).start();
        await().atMost(SOON).until(() -> events.stream().anyMatch(TokenEvent.RefreshFailed.class::isInstance));
        return start;
    }

    @Test
    void start_assertionNotThereYet_waitsForIt() throws Exception {
        rig.answers(200, issued("access-1"));
        FutureTask<TokenAgent> start = starting(builder("client_assertion", inFile("idp")));
        assertThat(rig.asked()).isEmpty();

        write(folder.resolve("idp"), canary.token());

        agent = start.get(60, TimeUnit.SECONDS);
        assertThat(token()).isEqualTo("access-1");
        assertThat(parameter(rig.asked().get(0), "client_assertion")).isEqualTo(canary.token());
    }

    @Test
    void start_assertionThatHasExpired_waitsForTheNextAndSendsOnlyThat() throws Exception {
        rig.answers(200, issued("access-1"));
        write(folder.resolve("idp"), Jwts.until(Instant.now().minusSeconds(5), "expired"));
        FutureTask<TokenAgent> start = starting(builder("client_assertion", inFile("idp")));

        write(folder.resolve("idp"), Jwts.until(Instant.now().plusSeconds(600), "living"));

        agent = start.get(60, TimeUnit.SECONDS);
        assertThat(token()).isEqualTo("access-1");
        assertThat(rig.asked()).allSatisfy(request -> assertThat(request.body()).doesNotContain("expired"));
    }

    @Test
    void start_wrongSecret_failsAtOnce() {
        rig.answers(401, "{\"error\":\"invalid_client\"}");

        TokenUnavailableException e = canary.caught(
                TokenUnavailableException.class,
                () -> builder("client_id", "agent", "client_secret", canary.token())
                        .startTimeout(TOO_LONG)
                        .start());

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(rig.asked()).hasSize(1);
    }

    @Test
    void check_assertionThatHasExpired_isTheStepWhereItIsResolved() throws Exception {
        write(folder.resolve("idp"), Jwts.until(Instant.now().minusSeconds(5), Canary.WORD));

        CheckReport report = builder("client_assertion", inFile("idp")).check(SOON, Set.of());

        canary.saw("report", report);
        Step step = report.token("t").orElseThrow().step("resolve").orElseThrow();
        assertThat(step.status()).isEqualTo(Status.FAIL);
        assertThat(step.reason()).isEqualTo("login_refused");
        assertThat(step.detail()).contains("expired at", "so it was not sent");
        assertThat(report.exitCode()).isEqualTo(1);
    }

    // --- credentials are replaced ---

    private void acceptOnly(String secret) {
        AtomicInteger number = new AtomicInteger();
        rig.answers(request -> parameter(request, "client_secret").equals(secret)
                ? Answer.ok(issued("access-" + secret.hashCode() + "-" + number.incrementAndGet()))
                : Answer.of(401, "{\"error\":\"invalid_client\"}"));
    }

    @Test
    void secretReplaced_afterARefusal_isTriedAtOnce() throws Exception {
        write(folder.resolve("secret"), canary.token());
        acceptOnly(canary.token());
        agent = builder("client_id", "agent", "client_secret", inFile("secret"), "auth", "post")
                .start();
        String before = token();

        acceptOnly("rotated");
        // Far into the backoff, where the next try would be minutes away.
        for (int i = 0; i < 6; i++) {
            canary.caught(
                    TokenUnavailableException.class, () -> agent.provider("t").refresh());
        }
        assertThat(token()).isEqualTo(before);
        Instant written = Instant.now();
        write(folder.resolve("secret"), "rotated");

        await().atMost(SOON).until(() -> !token().equals(before));
        assertThat(Duration.between(written, Instant.now())).isLessThan(Duration.ofSeconds(10));
        assertThat(token()).isEqualTo("access-" + "rotated".hashCode() + "-1");
    }

    /** A secret that tells of its change when the test says so. */
    private static final class ToldSecret implements TokenSource {
        private final List<Runnable> listeners = new CopyOnWriteArrayList<>();

        @Override
        public Optional<TokenDocument> fetch() {
            return Optional.of(TokenDocument.of("secret"));
        }

        @Override
        public Watch watch(Runnable changed) {
            listeners.add(changed);
            return () -> listeners.remove(changed);
        }
    }

    /** The change is told while the service is being asked with the old one: nobody waits for the next try. */
    @Test
    void watch_changeDuringAFetch_isToldIfTheFetchFails() throws Exception {
        ToldSecret secret = new ToldSecret();
        ClientProof client = new ClientProof.Password("agent", new Credential("client_secret", secret), false);
        Grant grant = new Grant(Grant.Type.CLIENT_CREDENTIALS, null, "", false);
        TokenRequest request = new TokenRequest(
                HttpUrl.get(rig.tokenUrl()), null, null, grant, client, List.of(), List.of(), List.of(), Map.of());
        OAuth2Source source = new OAuth2Source(request, rig.context());
        AtomicInteger told = new AtomicInteger();
        Watch watch = source.watch(told::incrementAndGet);

        rig.answers(asked -> {
            secret.listeners.forEach(Runnable::run);
            return Answer.ok(issued("access-1"));
        });
        source.fetch();
        secret.listeners.forEach(Runnable::run);
        assertThat(told).hasValue(0);

        rig.answers(asked -> {
            secret.listeners.forEach(Runnable::run);
            return Answer.of(401, "");
        });
        canary.caught(SourceException.class, source::fetch);
        assertThat(told).hasValue(1);

        rig.answers(401, "");
        canary.caught(SourceException.class, source::fetch);
        assertThat(told).hasValue(1);
        secret.listeners.forEach(Runnable::run);
        assertThat(told).hasValue(2);

        watch.close();
        assertThat(secret.listeners).isEmpty();
    }

    private interface Quiet {
        void run() throws IOException, InterruptedException;
    }

    private static void quietly(Quiet step) {
        try {
            step.run();
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void secretReplaced_whileATokenLives_asksNothing() throws Exception {
        write(folder.resolve("secret"), canary.token());
        rig.answers(200, issued("access-1", "expires_in", 3600));
        agent = builder("client_id", "agent", "client_secret", inFile("secret"), "auth", "post")
                .start();

        write(folder.resolve("secret"), "another");
        // Long enough for a change to be heard, which is what must have no consequence.
        await().during(Duration.ofSeconds(2))
                .atMost(SOON)
                .until(() -> rig.asked().size() == 1);
    }

    /** As Kubernetes and CI systems do it, ten times as fast: each lives a little longer than until its successor. */
    @Test
    void assertionReplacedTenTimes_shortTokens_noRequestFails() throws Exception {
        Map<String, Instant> assertions = new ConcurrentHashMap<>();
        Map<String, Instant> tokens = new ConcurrentHashMap<>();
        AtomicInteger number = new AtomicInteger();
        Set<String> sent = ConcurrentHashMap.newKeySet();
        Queue<String> refused = new ConcurrentLinkedQueue<>();
        rig.answers(request -> {
            String assertion = parameter(request, "client_assertion");
            Instant end = assertions.get(assertion);
            if (end == null || !Instant.now().isBefore(end)) {
                refused.add(String.valueOf(end));
                return Answer.of(400, "{\"error\":\"invalid_client\"}");
            }
            sent.add(assertion);
            String token = canary.token() + number.incrementAndGet();
            tokens.put(token, Instant.now().plusSeconds(2));
            return Answer.ok(issued(token, "expires_in", 2));
        });
        Path file = folder.resolve("idp");
        replace(file, 0, assertions);
        try (RecordingServer api = RecordingServer.start()) {
            api.on("/me", request -> {
                String header = request.header("Authorization").get(0);
                Instant end = tokens.get(header.substring("Bearer ".length()));
                // A request that was under way when its token ended is nobody's fault.
                return Answer.of(end != null && Instant.now().isBefore(end.plusMillis(500)) ? 200 : 401, "");
            });
            agent = TokenAgent.builder()
                    .token(
                            "t",
                            TokenSources.configured(map("oauth2", rig.oauth2("client_assertion", inFile("idp")))),
                            t -> t.endpoint(api.url("/")))
                    .listener(canary.listener())
                    .listener(events::add)
                    .start();
            OkHttpClient http = agent.install(new OkHttpClient());
            Request me = new Request.Builder().url(api.url("/me")).build();
            int requests = 0;
            Instant next = Instant.now().plusMillis(1500);
            for (int replaced = 0; replaced < 10; requests++) {
                try (Response response = http.newCall(me).execute()) {
                    assertThat(response.code()).as("request %d", requests).isEqualTo(200);
                }
                if (Instant.now().isAfter(next)) {
                    replace(file, ++replaced, assertions);
                    next = Instant.now().plusMillis(1500);
                }
            }
            assertThat(requests).isGreaterThan(50);
        }
        assertThat(refused).isEmpty();
        assertThat(events).noneMatch(TokenEvent.RefreshFailed.class::isInstance);
        assertThat(sent).hasSizeGreaterThanOrEqualTo(8);
    }

    private static void replace(Path file, int number, Map<String, Instant> assertions) throws IOException {
        Instant end = Instant.ofEpochSecond(Instant.now().getEpochSecond() + 10);
        String jwt = Jwts.until(end, "number-" + number);
        assertions.put(jwt, end);
        write(file, jwt);
    }

    // --- a token that is refused ---

    @Test
    void request_tokenRevoked_isSentAgainWithANewOne() throws Exception {
        AtomicInteger number = new AtomicInteger();
        rig.answers(request -> Answer.ok(issued("access-" + number.incrementAndGet(), "expires_in", 3600)));
        AtomicReference<String> good = new AtomicReference<>("Bearer access-1");
        rig.server.on(
                "/api", request -> Answer.of(request.header("Authorization").contains(good.get()) ? 200 : 401, ""));
        agent = TokenAgent.builder()
                .token(
                        "t",
                        TokenSources.configured(
                                map("oauth2", rig.oauth2("client_id", "agent", "client_secret", canary.token()))),
                        t -> t.endpoint(rig.server.url("/api")))
                .start();
        OkHttpClient http = agent.install(new OkHttpClient());
        Request request = new Request.Builder().url(rig.server.url("/api")).build();

        for (int i = 1; i <= 3; i++) {
            good.set("Bearer access-" + i);
            try (Response response = http.newCall(request).execute()) {
                assertThat(response.code()).isEqualTo(200);
            }
            assertThat(rig.asked()).hasSize(i);
        }
    }

    // --- whether it is active ---

    private CheckReport introspected(int status, String answer) throws Exception {
        rig.answers(200, issued(canary.token(), "expires_in", 3600));
        rig.server.on("/introspect", Answer.of(status, answer));
        agent = builder(
                        "client_id", "agent",
                        "client_secret", "introspecting",
                        "introspect_url", rig.server.url("/introspect"))
                .start();
        CheckReport report = agent.check();
        canary.saw("report", report).saw("json", report.toJson());
        return report;
    }

    private static Step resolve(CheckReport report) {
        return report.token("t").orElseThrow().step("resolve").orElseThrow();
    }

    @Test
    void check_activeToken_passes() throws Exception {
        CheckReport report = introspected(200, "{\"active\":true}");

        assertThat(resolve(report).status()).isEqualTo(Status.PASS);
        Seen asked = rig.server.seen("/introspect").get(0);
        assertThat(parameter(asked, "token")).isEqualTo(canary.token());
        assertThat(parameter(asked, "token_type_hint")).isEqualTo("access_token");
        assertThat(asked.header("Authorization")).hasSize(1);
    }

    @Test
    void check_tokenThatIsNotActive_isRevoked() throws Exception {
        CheckReport report = introspected(200, "{\"active\":false}");

        assertThat(resolve(report)).returns(Status.FAIL, Step::status).returns("revoked", Step::reason);
        assertThat(report.exitCode()).isEqualTo(1);
    }

    @Test
    void check_introspectionRefused_isUnknown() throws Exception {
        CheckReport report = introspected(401, "{\"error\":\"invalid_client\"}");

        assertThat(resolve(report)).returns(Status.UNKNOWN, Step::status).returns("login_refused", Step::reason);
        assertThat(resolve(report).detail()).contains(rig.server.url("/introspect") + " refuses the client");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"error\":\"" + Canary.TOKEN + "\"}", "{\"active\":null}", "{\"active\":\"true\"}"})
    void check_introspectionThatSaysNothing_isUnknown(String answer) throws Exception {
        CheckReport report = introspected(200, answer);

        assertThat(resolve(report)).returns(Status.UNKNOWN, Step::status).returns("malformed", Step::reason);
    }

    // --- a look ---

    private TokenAgent.Builder looking() {
        rig.answers(200, issued(canary.token(), "expires_in", 3600));
        return builder(
                "client_id", "agent",
                "client_secret", "looking",
                "auth", "post",
                "revoke_url", rig.server.url("/revoke"));
    }

    @Test
    void check_look_givesBackTheTokenThatWasIssuedForIt() {
        CheckReport report = looking().check(SOON, Set.of());

        canary.saw("report", report);
        assertThat(resolve(report).status()).isEqualTo(Status.PASS);
        assertThat(rig.asked()).hasSize(1);
        Seen revoked = rig.server.seen("/revoke").get(0);
        assertThat(rig.server.seen("/revoke")).hasSize(1);
        assertThat(revoked.body())
                .isEqualTo("token=" + URLEncoder.encode(canary.token(), StandardCharsets.UTF_8)
                        + "&token_type_hint=access_token&client_id=agent&client_secret=looking");
    }

    /** Who watches for days has had many, of which most have ended by themselves. */
    @Test
    void look_closed_givesBackWhatStillLives() throws Exception {
        AtomicInteger number = new AtomicInteger();
        rig.answers(request -> Answer.ok(issued(number.incrementAndGet() + "-" + canary.token(), "expires_in", 60)));
        rig.server.on("/revoke", Answer.ok(""));
        TokenSource source = rig.source(
                rig.looking(),
                "client_id",
                "agent",
                "client_secret",
                "looking",
                "revoke_url",
                rig.server.url("/revoke"));
        source.fetch();
        rig.clock.advance(Duration.ofSeconds(60));
        source.fetch();
        source.fetch();

        rig.endLook();

        assertThat(rig.server.seen("/revoke"))
                .extracting(seen -> seen.body().substring(0, "token=1".length()))
                .containsExactly("token=2", "token=3");
    }

    @Test
    void check_lookThatCannotGiveBack_endsAllTheSame() {
        CountDownLatch hanging = new CountDownLatch(1);
        rig.server.on("/revoke", request -> {
            quietly(hanging::await);
            return Answer.ok("");
        });
        TokenAgent.Builder builder = looking();

        long begun = System.nanoTime();
        TokenAgent watching = builder.watch();
        await().atMost(SOON).until(() -> rig.asked().size() == 1);
        await().atMost(SOON).until(() -> events.stream().anyMatch(TokenEvent.Resolved.class::isInstance));
        long closing = System.nanoTime();
        watching.close();

        assertThat(Duration.ofNanos(System.nanoTime() - closing)).isLessThan(Duration.ofSeconds(2));
        assertThat(begun).isLessThan(closing);
        hanging.countDown();
    }

    @Test
    void close_runningAgent_givesNothingBack() throws Exception {
        TokenAgent running = looking().start();
        running.provider("t").get();
        running.close();

        assertThat(rig.server.seen("/revoke")).isEmpty();
    }

    @Test
    void check_refreshToken_isSkippedAndNotRedeemed() throws Exception {
        write(folder.resolve("refresh"), canary.token());
        Map<String, Object> refresh = inFile("refresh");
        refresh.put("save", "true");

        CheckReport report = builder("grant", "refresh_token", "client_id", "app", "refresh_token", refresh)
                .check(SOON, Set.of());

        canary.saw("report", report);
        assertThat(resolve(report)).returns(Status.SKIP, Step::status).returns("held_by_agent", Step::reason);
        assertThat(rig.asked()).isEmpty();
    }

    // --- a service that cannot be reached ---

    @Test
    void outage_tokenLives_servesAndIsDegraded() throws Exception {
        rig.answers(200, issued(canary.token(), "expires_in", 3600));
        agent = builder("client_id", "agent", "client_secret", "x").start();
        rig.answers(request -> Answer.of(503, "").with("Retry-After", "60"));
        rig.server.forget();

        canary.caught(TokenUnavailableException.class, () -> agent.provider("t").refresh());

        assertThat(token()).isEqualTo(canary.token());
        CheckReport report = agent.check();
        canary.saw("report", report);
        assertThat(resolve(report)).returns(Status.WARN, Step::status).returns("degraded", Step::reason);
        assertThat(resolve(report).detail()).contains("is not available (503)", "since");
        assertThat(rig.asked()).hasSize(1);
    }
}
