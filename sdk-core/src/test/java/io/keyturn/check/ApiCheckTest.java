package io.keyturn.check;

import static io.keyturn.check.Reports.assertStep;
import static io.keyturn.check.Reports.step;
import static io.keyturn.source.TokenSources.env;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.TokenAgent;
import io.keyturn.TokenOptions;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.http.Placement;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Stream;
import okhttp3.Cache;
import okhttp3.Cookie;
import okhttp3.CookieJar;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The rows of the check's table that an API's answer, or its silence, decides. */
@Timeout(60)
class ApiCheckTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    @RegisterExtension
    final Canary canary = new Canary();

    private final RecordingServer server = RecordingServer.start();

    @AfterEach
    void closeServer() {
        server.close();
    }

    private TokenAgent.Builder builder() {
        return TokenAgent.builder().name("ci").environment(Map.of("AGENT_API_TOKEN", canary.token())::get);
    }

    private TokenAgent.Builder with(Consumer<TokenOptions> options) {
        return builder().token("api_token", env("AGENT_API_TOKEN"), options);
    }

    private CheckReport check(TokenAgent.Builder builder) {
        return Reports.seen(builder.check(LIMIT, Set.of()), canary);
    }

    private CheckReport check(CheckRequest request) {
        return check(with(t -> t.endpoint(server.url("/")).check(request)));
    }

    private CheckReport check(String request) {
        return check(CheckRequest.parse(request));
    }

    private static CheckRequest request(Set<Integer> expected, Set<Integer> refused, String identity) {
        return new CheckRequest("GET", "/me", expected, refused, identity);
    }

    /** An API that knows the token, and whom it belongs to. */
    private RecordingServer guarded(String body) {
        return server.on(
                "/me",
                request -> request.header("Authorization").equals(List.of("Bearer " + canary.token()))
                        ? Answer.ok(body).with("Content-Type", "application/json")
                        : Answer.of(401, "who are you?"));
    }

    // --- it works ---

    @Test
    void check_guardedApi_passesAllTheWay() {
        guarded("{}");

        CheckReport report = check("GET /me");

        assertThat(report.ok()).isTrue();
        assertThat(report.exitCode()).isZero();
        assertThat(report.status()).isEqualTo(Status.PASS);
        assertThat(report.tokens().get(0).steps())
                .extracting(Step::status)
                .containsOnly(Status.PASS)
                .hasSize(7);
        assertThat(step(report, "authenticate").detail()).isEqualTo("GET /me: 200");
        assertThat(step(report, "authenticate").httpStatus()).isEqualTo(200);
        assertThat(step(report, "anonymous").detail()).isEqualTo("without the token: 401");
        assertThat(step(report, "reach").detail()).matches("127\\.0\\.0\\.1:" + server.port() + ": TCP [0-9]+ ms");
        assertThat(server.seen("/me")).hasSize(2);
    }

    @Test
    void check_runningAgent_provesWhatItHandsOut() throws Exception {
        guarded("{}");
        try (TokenAgent agent =
                with(t -> t.endpoint(server.url("/")).check("GET /me")).start()) {
            assertThat(Reports.seen(agent.check(), canary).exitCode()).isZero();
        }
    }

    @Test
    void check_anyPlacement_isSentAsTheTokenIs() {
        server.on("/me", request -> {
            boolean key = request.header("X-Api-Key").equals(List.of("Token " + canary.token()));
            return Answer.of(key ? 200 : 403, "");
        });

        CheckReport report = check(with(t -> t.endpoint(server.url("/"))
                .sendAs(Placement.header("X-Api-Key", "Token "))
                .check("GET /me")));

        assertThat(report.exitCode()).isZero();
    }

    @Test
    void check_absoluteTarget_isAskedThere() {
        guarded("{}");
        assertThat(check("GET " + server.url("/me") + "?full=1").exitCode()).isZero();
        assertThat(server.seen("/me").get(0).target().getQuery()).isEqualTo("full=1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"GET", "HEAD", "OPTIONS"})
    void check_safeMethods_areSentAsTheyAre(String method) {
        guarded("{}");
        assertThat(check(method + " /me").exitCode()).isZero();
        assertThat(server.seen("/me")).extracting(Seen::method).containsExactly(method, method);
    }

    @ParameterizedTest
    @ValueSource(strings = {"POST", "PUT", "PATCH", "DELETE", "REPORT"})
    void check_unsafeMethodAllowed_isSentWithAnEmptyBody(String method) {
        guarded("{}");

        CheckReport report = check(
                with(t -> t.endpoint(server.url("/")).allow("unsafe_check").check(method + " /me")));

        assertThat(report.exitCode()).as(report.toString()).isZero();
        assertThat(server.seen("/me")).hasSize(2).allSatisfy(request -> {
            assertThat(request.method()).isEqualTo(method);
            assertThat(request.body()).isEmpty();
        });
    }

    // --- it does not ---

    @ParameterizedTest
    @CsvSource({
        "401, unauthenticated, unauthenticated (401)",
        "403, not_permitted, not permitted (403)",
        "404, unexpected_status, unexpected status (404)",
        "400, unexpected_status, unexpected status (400)"
    })
    void check_refusal_failsWithItsWords(int status, String reason, String words) {
        server.on("/me", Answer.of(status, "you sent " + canary.token()));

        CheckReport report = check("GET /me");

        assertStep(report, "reach", Status.PASS, null);
        assertStep(report, "authenticate", Status.FAIL, reason);
        assertStep(report, "anonymous", Status.SKIP, "not_reached");
        assertThat(step(report, "authenticate").detail()).startsWith("GET /me: " + words);
        assertThat(step(report, "authenticate").httpStatus()).isEqualTo(status);
        assertThat(report.exitCode()).isEqualTo(1);
        assertThat(report.toString()).contains(words).contains("fix: ");
        assertThat(server.seen("/me")).hasSize(1);
    }

    @Test
    void check_401_asksNoSourceAgain() {
        server.on("/me", Answer.of(401, ""));
        AtomicInteger asked = new AtomicInteger();

        check(builder()
                .token(
                        "api_token",
                        TokenSources.of("accounts db", () -> {
                            asked.incrementAndGet();
                            return TokenDocument.of(canary.token());
                        }),
                        t -> t.endpoint(server.url("/")).check("GET /me")));

        assertThat(asked).hasValue(1);
        assertThat(server.seen("/me")).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {301, 302, 303, 307, 308})
    void check_redirect_failsAndIsNotFollowed(int status) {
        try (RecordingServer stranger = RecordingServer.start()) {
            server.on("/me", Answer.redirect(status, stranger.url("/login") + "?next=" + canary.token()));

            CheckReport report = check("GET /me");

            assertStep(report, "authenticate", Status.FAIL, "redirected");
            assertThat(step(report, "authenticate").detail())
                    .isEqualTo("GET /me: redirected (" + status + ") to " + stranger.url("/login"));
            assertThat(report.exitCode()).isEqualTo(1);
            assertThat(stranger.seen()).isEmpty();
            assertThat(server.seen()).hasSize(1);
        }
    }

    @Test
    void check_redirectWithinTheEndpoint_failsToo() {
        server.on("/me", Answer.redirect(302, "/login"));
        CheckReport report = check("GET /me");
        assertStep(report, "authenticate", Status.FAIL, "redirected");
        assertThat(server.seen("/login")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "::::", "http://[", "https://[1:2:3:4:5:6:7:8:9]/", "/login/%s", "https://%s.example.com/"})
    void check_redirectThatIsOddOrEchoes_tellsNoMoreThanItMay(String location) {
        server.on("/me", Answer.redirect(302, String.format(location, canary.token())));
        assertStep(check("GET /me"), "authenticate", Status.FAIL, "redirected");
    }

    @Test
    void check_expectedStatus_passesWhateverItIs() {
        server.on("/me", request -> Answer.of(request.header("Authorization").isEmpty() ? 403 : 404, ""));
        assertThat(check(request(Set.of(200, 404), Set.of(403), null)).exitCode())
                .isZero();
    }

    @Test
    void check_2xxThatIsNotExpected_fails() {
        guarded("{}");
        CheckReport report = check(request(Set.of(204), Set.of(401), null));
        assertStep(report, "authenticate", Status.FAIL, "unexpected_status");
        assertThat(step(report, "authenticate").fix()).contains("expect: [200]");
    }

    @Test
    void check_deniedByARule_failsWithoutBeingSent() {
        CheckReport report =
                check(with(t -> t.endpoint(server.url("/")).check("GET /me").policy((token, to) -> {
                    throw new TokenDeniedException(Reason.DESTINATION, "not at night", "wait");
                })));

        assertStep(report, "authenticate", Status.FAIL, "destination");
        assertThat(step(report, "authenticate").detail()).isEqualTo("not at night");
        assertThat(report.exitCode()).isEqualTo(1);
        assertThat(server.seen()).isEmpty();
    }

    // --- it cannot be told ---

    @ParameterizedTest
    @CsvSource({
        "429, rate_limited, rate limited (429)",
        "500, server_error, server error (500)",
        "502, server_error, server error (502)",
        "503, server_error, server error (503)"
    })
    void check_apiIsBusyOrBroken_isUnknown(int status, String reason, String words) {
        server.on("/me", Answer.of(status, canary.token()));

        CheckReport report = check("GET /me");

        assertStep(report, "authenticate", Status.UNKNOWN, reason);
        assertThat(step(report, "authenticate").detail()).contains(words);
        assertThat(report.status()).isEqualTo(Status.UNKNOWN);
        assertThat(report.exitCode()).isEqualTo(3);
        assertThat(report.ok()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "1", "2147483648", "-1", "Wed, 21 Oct 2015 07:28:00 GMT"})
    void check_retryAfter_isNotObeyedAndBreaksNothing(String value) {
        server.on("/me", Answer.of(503, "").with("Retry-After", value));

        assertStep(check("GET /me"), "authenticate", Status.UNKNOWN, "server_error");

        assertThat(server.seen("/me")).hasSize(1);
    }

    private void assertUnreachable(CheckReport report, String why) {
        assertStep(report, "resolve", Status.PASS, null);
        assertStep(report, "reach", Status.UNKNOWN, "unreachable");
        assertStep(report, "authenticate", Status.SKIP, "not_reached");
        assertThat(step(report, "reach").detail()).startsWith("unreachable: ").contains(why);
        assertThat(report.exitCode()).isEqualTo(3);
    }

    @Test
    void check_unknownHost_isUnreachable() {
        OkHttpClient client = new OkHttpClient.Builder()
                .dns(host -> {
                    throw new UnknownHostException(host);
                })
                .build();
        CheckReport report = check(
                with(t -> t.endpoint("https://api.invalid").check("GET /me")).httpClient(client));
        assertUnreachable(report, "api.invalid:443: DNS does not know the host");
    }

    @Test
    void check_connectionRefused_isUnreachable() throws IOException {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        assertUnreachable(
                check(with(t -> t.endpoint("http://127.0.0.1:" + port).check("GET /me"))),
                "nobody accepts connections there");
        assertUnreachable(check(with(t -> t.endpoint("http://127.0.0.1:" + port))), "nobody accepts connections there");
    }

    @Test
    void check_untrustedCertificate_isUnreachableAndSaysWhatToDo() {
        try (RecordingServer tls = RecordingServer.startTls()) {
            CheckReport report = check(with(t -> t.endpoint(tls.url("/")).check("GET /me")));
            assertUnreachable(report, "TLS failed: ");
            assertThat(step(report, "reach").fix()).contains("trust");
            assertThat(tls.seen()).isEmpty();
        }
    }

    @Test
    void check_certificateOfAnotherHost_isUnreachable() {
        OkHttpClient client = RecordingServer.trustedBy(new OkHttpClient.Builder())
                .dns(host -> List.of(InetAddress.getLoopbackAddress()))
                .build();
        try (RecordingServer tls = RecordingServer.startTls()) {
            CheckReport report =
                    check(with(t -> t.endpoint(tls.url("api.example.com", "/")).check("GET /me"))
                            .httpClient(client));
            assertUnreachable(report, "api.example.com not verified");
            assertThat(tls.seen()).isEmpty();
        }
    }

    @Test
    void check_trustedCertificate_tellsTheWayAndItsEnd() {
        OkHttpClient client =
                RecordingServer.trustedBy(new OkHttpClient.Builder()).build();
        try (RecordingServer tls = RecordingServer.startTls()) {
            CheckReport report =
                    check(with(t -> t.endpoint(tls.url("localhost", "/")).check("GET /me"))
                            .httpClient(client));
            assertThat(step(report, "reach").detail())
                    .matches("localhost:\\d+: DNS \\d+ ms, TCP \\d+ ms, TLS \\d+ ms, certificate until 20\\S+Z");
        }
    }

    @Test
    void check_serverHangs_endsInTimeAndIsUnreachable() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        server.on("/me", request -> {
            awaitQuietly(gate);
            return Answer.ok("");
        });

        CheckReport report = Reports.seen(
                with(t -> t.endpoint(server.url("/")).check("GET /me")).check(Duration.ofMillis(1500), Set.of()),
                canary);
        gate.countDown();

        assertUnreachable(report, "no answer in time");
    }

    private static void awaitQuietly(CountDownLatch gate) {
        try {
            gate.await(60, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void check_connectionBreaks_isUnreachable() throws Exception {
        try (ServerSocket rude = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Thread thread = new Thread(() -> {
                try {
                    while (true) {
                        rude.accept().close();
                    }
                } catch (IOException e) {
                    // closed: the test is over
                }
            });
            thread.setDaemon(true);
            thread.start();
            assertUnreachable(
                    check(with(t -> t.endpoint("http://127.0.0.1:" + rude.getLocalPort())
                            .check("GET /me"))),
                    "the connection broke");
        }
    }

    @Test
    void check_programsClientThrows_isUnreachableWithoutItsMessage() {
        OkHttpClient client = new OkHttpClient.Builder()
                .addInterceptor(chain -> {
                    throw new IllegalStateException(canary.token());
                })
                .build();
        CheckReport report =
                check(with(t -> t.endpoint(server.url("/")).check("GET /me")).httpClient(client));
        assertUnreachable(report, "the HTTP client failed with java.lang.IllegalStateException");
    }

    // --- it proves nothing ---

    @Test
    void check_apiAnswersWithoutTheToken_provesNothing() {
        CheckReport report = check("GET /health");

        assertStep(report, "authenticate", Status.PASS, null);
        assertStep(report, "anonymous", Status.WARN, "proves_nothing");
        assertThat(step(report, "anonymous").detail()).isEqualTo("proves nothing: without the token the answer is 200");
        assertThat(step(report, "anonymous").fix()).isEqualTo("check a path that only the token can read");
        assertThat(report.toString()).contains("proves nothing");
        assertThat(report.exitCode()).isZero();
        assertThat(report.asStrict().exitCode()).isEqualTo(1);
        assertThat(server.seen("/health").get(0).header("Authorization")).hasSize(1);
        assertThat(server.seen("/health").get(1).header("Authorization")).isEmpty();
    }

    @Test
    void check_apiRefusesInAnotherWay_saysHowToNameIt() {
        server.on("/me", request -> Answer.of(request.header("Authorization").isEmpty() ? 404 : 200, ""));

        CheckReport report = check("GET /me");

        assertStep(report, "anonymous", Status.WARN, "proves_nothing");
        assertThat(step(report, "anonymous").fix()).contains("anonymous: [404]");
        assertThat(check(request(Set.of(200), Set.of(404), null)).status()).isEqualTo(Status.PASS);
    }

    @Test
    void check_anonymousOff_isNotTried() {
        CheckReport report = check(request(Set.of(200), Set.of(), null));

        assertStep(report, "anonymous", Status.SKIP, "off");
        assertThat(report.exitCode()).isZero();
        assertThat(report.asStrict().exitCode()).isZero();
        assertThat(server.seen()).hasSize(1);
    }

    @Test
    void check_noCheck_reachesTheEndpointWithoutTheToken() {
        CheckReport report = check(with(t -> t.endpoint(server.url("/v1"))));

        assertStep(report, "reach", Status.PASS, null);
        assertStep(report, "authenticate", Status.WARN, "no_check");
        assertThat(report.exitCode()).isZero();
        assertThat(report.asStrict().exitCode()).isEqualTo(1);
        assertThat(server.only().method()).isEqualTo("HEAD");
        assertThat(server.only().holds(canary.token())).isFalse();
    }

    @Test
    void check_noEndpoint_warns() {
        CheckReport report = check(with(t -> {}));

        assertStep(report, "reach", Status.WARN, "no_endpoint");
        assertStep(report, "authenticate", Status.SKIP, "not_reached");
        assertThat(step(report, "reach").detail()).contains("no endpoint is declared");
        assertThat(report.exitCode()).isZero();
        assertThat(report.asStrict().exitCode()).isEqualTo(1);
    }

    // --- nothing is carried along ---

    @Test
    void check_cookiesAndCacheOfTheProgramsClient_areNotUsed(@TempDir File folder) throws Exception {
        List<Cookie> kept = new CopyOnWriteArrayList<>();
        CookieJar jar = new CookieJar() {
            @Override
            public void saveFromResponse(HttpUrl url, List<Cookie> cookies) {
                kept.addAll(cookies);
            }

            @Override
            public List<Cookie> loadForRequest(HttpUrl url) {
                return List.of(new Cookie.Builder()
                        .name("session")
                        .value("s1")
                        .domain(url.host())
                        .build());
            }
        };
        server.on(
                "/me",
                request -> Answer.of(request.header("Authorization").isEmpty() ? 401 : 200, "")
                        .with("Set-Cookie", "session=s2")
                        .with("Cache-Control", "max-age=3600"));
        try (Cache cache = new Cache(folder, 1 << 20)) {
            OkHttpClient client =
                    new OkHttpClient.Builder().cookieJar(jar).cache(cache).build();
            TokenAgent.Builder builder = with(t ->
                            t.endpoint(server.url("/")).allow("cache").check("GET /me"))
                    .httpClient(client);

            assertThat(check(builder).exitCode()).isZero();
            assertThat(check(builder).exitCode()).isZero();

            assertThat(cache.size()).isZero();
        }
        assertThat(server.seen("/me"))
                .hasSize(4)
                .allSatisfy(request -> assertThat(request.header("Cookie")).isEmpty());
        assertThat(kept).isEmpty();
    }

    @Test
    void check_connectionsOfTheProgramsClient_areNotUsed() {
        guarded("{}");
        OkHttpClient client = new OkHttpClient();
        TokenAgent.Builder builder =
                with(t -> t.endpoint(server.url("/")).check("GET /me")).httpClient(client);
        for (int i = 0; i < 2; i++) {
            assertThat(step(check(builder), "reach").detail())
                    .matches("127\\.0\\.0\\.1:" + server.port() + ": TCP [0-9]+ ms");
        }
        assertThat(client.connectionPool().connectionCount()).isZero();
    }

    @Test
    void check_authenticatorOfTheProgramsClient_isNotAsked() {
        server.on("/me", Answer.of(401, ""));
        AtomicInteger asked = new AtomicInteger();
        OkHttpClient client = new OkHttpClient.Builder()
                .authenticator((route, response) -> {
                    asked.incrementAndGet();
                    return null;
                })
                .build();

        check(with(t -> t.endpoint(server.url("/")).check("GET /me")).httpClient(client));

        assertThat(asked).hasValue(0);
    }

    @Test
    void check_tokenWithBearerPrefix_warnsAndSendsItOnce() {
        guarded("{}");

        CheckReport report = check(builder()
                .environment(name -> "Bearer " + canary.token())
                .token("api_token", env("X"), t -> t.endpoint(server.url("/")).check("GET /me")));

        assertStep(report, "resolve", Status.WARN, "prefixed");
        assertStep(report, "authenticate", Status.PASS, null);
        assertThat(report.exitCode()).isZero();
        assertThat(report.asStrict().exitCode()).isEqualTo(1);
    }

    // --- whom it belongs to ---

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"login\": \"ci-agent\"}        | /login      | ci-agent",
                "{\"user\": {\"ids\": [7, 42]}}   | /user/ids/1 | 42",
                "{\"id\": 12345678901234567890}   | /id         | 12345678901234567890",
                "{\"login\": \"Zoë Ünal\"}        | /login      | Zoë Ünal"
            })
    void check_identity_isNamed(String body, String pointer, String name) {
        guarded(body);

        CheckReport report = check(request(Set.of(200), Set.of(401), pointer));

        assertThat(report.tokens().get(0).identity()).isEqualTo(name);
        assertThat(step(report, "authenticate").detail()).isEqualTo("GET /me: 200, as " + name);
        assertThat(report.status()).isEqualTo(Status.PASS);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "<html>",
                "{\"login\": ",
                "{\"name\": \"ci\"}",
                "{\"login\": null}",
                "{\"login\": true}",
                "{\"login\": \"\"}",
                "{\"login\": {\"name\": \"ci\"}}",
                "{\"login\": [\"ci\"]}",
                "{\"login\": \"a\\nb\"}",
                "{\"login\": \"\\u001b[31mred\"}",
                "{\"login\": \"\\u009b31mred\"}",
                "{\"login\": \"\\u202egnp\"}",
                "[]"
            })
    void check_nobodyNamed_passesAndSaysSo(String body) {
        guarded(body);

        CheckReport report = check(request(Set.of(200), Set.of(401), "/login"));

        assertThat(report.tokens().get(0).identity()).isNull();
        assertThat(step(report, "authenticate").detail()).isEqualTo("GET /me: 200; the answer names nobody at /login");
        assertThat(report.status()).isEqualTo(Status.PASS);
    }

    @Test
    void check_identityOf100Characters_isTheLongest() {
        guarded("{\"login\": \"" + "x".repeat(101) + "\", \"short\": \"" + "x".repeat(100) + "\"}");
        assertThat(check(request(Set.of(200), Set.of(401), "/login"))
                        .tokens()
                        .get(0)
                        .identity())
                .isNull();
        assertThat(check(request(Set.of(200), Set.of(401), "/short"))
                        .tokens()
                        .get(0)
                        .identity())
                .hasSize(100);
    }

    static Stream<String> echoes() {
        return Stream.of(
                Canary.TOKEN,
                "Bearer " + Canary.TOKEN,
                "you are " + Canary.TOKEN.substring(3, 11) + "…",
                Canary.TOKEN.substring(0, 8));
    }

    @ParameterizedTest
    @MethodSource("echoes")
    void check_apiEchoesTheTokenAsIdentity_isNotShown(String echo) {
        guarded("{\"login\": \"" + echo + "\"}");

        CheckReport report = check(request(Set.of(200), Set.of(401), "/login"));

        assertThat(report.tokens().get(0).identity()).isNull();
        assertThat(step(report, "authenticate").detail()).contains("not shown, since it repeats a part of the token");
        assertThat(report.status()).isEqualTo(Status.PASS);
    }

    @Test
    void check_apiEchoesWhatWasSentAsBasic_isNotShown() {
        String sent = Base64.getEncoder().encodeToString(("ci:" + canary.token()).getBytes(StandardCharsets.UTF_8));
        server.on(
                "/me",
                request -> request.header("Authorization").equals(List.of("Basic " + sent))
                        ? Answer.ok("{\"login\": \"" + sent + "\"}")
                        : Answer.of(401, ""));

        CheckReport report = check(with(t -> t.endpoint(server.url("/"))
                .sendAs(Placement.basic("ci"))
                .check(request(Set.of(200), Set.of(401), "/login"))));

        assertThat(report.tokens().get(0).identity()).isNull();
        assertThat(report.exitCode()).isZero();
    }

    @Test
    void check_refusedAnswerNamesSomebody_isNotRead() {
        server.on("/me", Answer.of(403, "{\"login\": \"admin\"}"));
        CheckReport report = check(request(Set.of(200), Set.of(401), "/login"));
        assertThat(report.tokens().get(0).identity()).isNull();
        assertThat(step(report, "authenticate").detail())
                .doesNotContain("admin")
                .doesNotContain("nobody");
    }

    @Test
    void check_answerHangsAfterItsStatus_passesWithoutIdentity() {
        guarded("{\"login\": \"" + "x".repeat(3 << 20) + "\"}");
        CheckReport report = check(request(Set.of(200), Set.of(401), "/login"));
        assertThat(report.tokens().get(0).identity()).isNull();
        assertThat(report.status()).isEqualTo(Status.PASS);
    }
}
