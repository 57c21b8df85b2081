package io.keyturn;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.Status;
import io.keyturn.http.Placement;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Token;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against nginx over TLS, as {@code it/nginx.sh start} runs it: {@code eval "$(it/nginx.sh start)"; mvn -Preal verify}. */
@EnabledIfEnvironmentVariable(named = "NGINX_URL", matches = ".+")
class NginxRealIT {
    private static final String WRONG = "ktn_nginx_wrong_7Qm2Xv9LrT4wZ8c1";
    private static final String API = variable("NGINX_URL");
    private static final String REDIRECT = variable("NGINX_REDIRECT_URL");
    private static final String FORBIDDEN = variable("NGINX_FORBIDDEN_URL");
    private static final String STRANGER = variable("NGINX_STRANGER_URL");
    private static final String RIGHT = variable("NGINX_TOKEN_A");
    private static final String RIGHT_TOO = variable("NGINX_TOKEN_B");

    private static OkHttpClient trusting;
    private final List<TokenAgent> agents = new ArrayList<>();

    private static String variable(String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalStateException(name + " is not set: eval \"$(it/nginx.sh start)\"");
        }
        return value;
    }

    @BeforeAll
    static void trust() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(Path.of(variable("NGINX_TRUSTSTORE")))) {
            store.load(in, variable("NGINX_TRUSTSTORE_PASSWORD").toCharArray());
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        X509TrustManager manager = (X509TrustManager) factory.getTrustManagers()[0];
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {manager}, null);
        trusting = new OkHttpClient.Builder()
                .sslSocketFactory(context.getSocketFactory(), manager)
                .build();
    }

    @AfterEach
    void close() {
        agents.forEach(TokenAgent::close);
    }

    private TokenAgent agent(TokenSource source, Placement placement, String endpoint) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token("api", source, t -> t.endpoint(endpoint).sendAs(placement))
                .start();
        agents.add(agent);
        return agent;
    }

    private static int status(TokenAgent agent, String url) throws IOException {
        try (Response response = agent.install(trusting)
                .newCall(new Request.Builder().url(url).build())
                .execute()) {
            return response.code();
        }
    }

    // --- attached ---

    static Placement placement(String path) {
        return switch (path) {
            case "/v1/me" -> Placement.bearer();
            case "/basic/me" -> Placement.basic("agent");
            case "/key/me" -> Placement.header("X-Api-Key");
            case "/query/me" -> Placement.query("api_key");
            default -> throw new IllegalArgumentException(path);
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/me", "/basic/me", "/key/me", "/query/me"})
    void attach_rightToken_isAcceptedAndWrongOneIsNot(String path) throws Exception {
        for (String token : List.of(RIGHT, RIGHT_TOO)) {
            assertThat(status(agent(TokenSources.value(token), placement(path), API), API + path))
                    .isEqualTo(200);
        }
        assertThat(status(agent(TokenSources.value(WRONG), placement(path), API), API + path))
                .isEqualTo(401);
        // Case matters: the site is not more lenient than the test believes.
        assertThat(status(agent(TokenSources.value(RIGHT.toLowerCase(Locale.ROOT)), placement(path), API), API + path))
                .isEqualTo(401);
    }

    @Test
    void attach_http2_isSpoken() throws Exception {
        TokenAgent agent = agent(TokenSources.value(RIGHT), Placement.bearer(), API);
        Request request = new Request.Builder().url(API + "/v1/me").build();
        try (Response response = agent.install(trusting).newCall(request).execute()) {
            assertThat(response.protocol()).isEqualTo(Protocol.HTTP_2);
            assertThat(response.body().string()).contains("ci-agent");
            assertThat(agent.sentWith(response)).map(Token::name).hasValue("api");
        }
    }

    @Test
    void unauthorized_tokenChanged_isSentOnceMore() throws Exception {
        PushedSource pushed = TokenSources.pushed();
        pushed.set(WRONG);
        TokenAgent agent = agent(pushed, Placement.bearer(), API);
        OkHttpClient client = agent.install(trusting)
                .newBuilder()
                .addNetworkInterceptor(chain -> {
                    Response response = chain.proceed(chain.request());
                    pushed.set(RIGHT);
                    return response;
                })
                .build();
        Request request = new Request.Builder().url(API + "/v1/me").build();
        try (Response response = client.newCall(request).execute()) {
            assertThat(response.code()).isEqualTo(200);
            assertThat(response.priorResponse().code()).isEqualTo(401);
        }
    }

    @Test
    void forbidden_isForbidden() throws Exception {
        assertThat(status(agent(TokenSources.value(RIGHT), Placement.bearer(), FORBIDDEN), FORBIDDEN + "/"))
                .isEqualTo(403);
    }

    // --- redirected ---

    private static List<String> log(String name) throws IOException {
        return Files.readAllLines(Path.of(variable("NGINX_DIR"), name), UTF_8);
    }

    static Stream<String> forms(String token) {
        return Stream.of(token, Base64.getEncoder().encodeToString(("agent:" + token).getBytes(UTF_8)));
    }

    @ParameterizedTest
    @CsvSource({
        "/302, /v1/me",
        "/301, /v1/me",
        "/303, /v1/me",
        "/307, /v1/me",
        "/308, /v1/me",
        "/port, /v1/me",
        "/scheme, /v1/me",
        "/there-and-back, /v1/me",
        "/302, /basic/me",
        "/port, /basic/me",
        "/scheme, /basic/me",
        "/there-and-back, /basic/me",
        "/302, /key/me",
        "/port, /key/me",
        "/scheme, /key/me",
        "/there-and-back, /key/me",
        "/302, /query/me",
        "/there-and-back, /query/me"
    })
    void redirect_toStranger_itsLogShowsNothingOfOurs(String path, String sentAs) throws Exception {
        int before = log("stranger.log").size();
        int beforeAtHome = log("redirect.log").size();

        assertThat(status(agent(TokenSources.value(RIGHT), placement(sentAs), REDIRECT), REDIRECT + path))
                .isEqualTo(200);

        await().until(() -> log("stranger.log").size() == before + 1);
        assertThat(log("stranger.log").get(before))
                .contains("authorization=\"-\" x-api-key=\"-\"")
                .doesNotContain("api_key=")
                .satisfies(line -> assertThat(forms(RIGHT)).noneMatch(line::contains));
        int hops = path.equals("/there-and-back") ? 2 : 1;
        await().until(() -> log("redirect.log").size() == beforeAtHome + hops);
        assertThat(log("redirect.log").subList(beforeAtHome, beforeAtHome + hops))
                .allSatisfy(line -> assertThat(forms(RIGHT)).anyMatch(line::contains));
    }

    @Test
    void stranger_calledFirst_seesNothing() throws Exception {
        int before = log("stranger.log").size();
        assertThat(status(agent(TokenSources.value(RIGHT), Placement.bearer(), REDIRECT), STRANGER + "/back"))
                .isEqualTo(200);
        await().until(() -> log("stranger.log").size() == before + 1);
        assertThat(log("stranger.log").get(before))
                .contains("authorization=\"-\"")
                .doesNotContain(RIGHT);
    }

    // --- proved ---

    private CheckReport check(String token, String endpoint, String request) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "api",
                        TokenSources.value(token),
                        t -> t.endpoint(endpoint).check(request))
                .httpClient(trusting)
                .start();
        agents.add(agent);
        CheckReport report = agent.check();
        assertThat(forms(token)).noneMatch(report.toString()::contains).noneMatch(report.toJson()::contains);
        return report;
    }

    private static Step step(CheckReport report, String name) {
        return report.token("api").orElseThrow().step(name).orElseThrow();
    }

    private static void assertStep(
            CheckReport report, String name, Status status, String reason, int httpStatus, String said) {
        Step step = step(report, name);
        assertThat(step.status()).isEqualTo(status);
        assertThat(step.reason()).isEqualTo(reason);
        assertThat(step.httpStatus()).isEqualTo(httpStatus);
        assertThat(step.detail()).contains(said);
        assertThat(report.toString()).contains(said);
    }

    @Test
    void check_rightToken_passes() throws Exception {
        CheckReport report = check(RIGHT, API, "GET /v1/me");
        assertStep(report, "authenticate", Status.PASS, null, 200, "200");
        assertStep(report, "anonymous", Status.PASS, null, 401, "401");
        assertThat(step(report, "reach").detail()).contains("TLS");
        assertThat(report.exitCode()).isZero();
        assertThat(report.ok()).isTrue();
    }

    @Test
    void check_wrongToken_isUnauthenticated() throws Exception {
        CheckReport report = check(WRONG, API, "GET /v1/me");
        assertStep(report, "authenticate", Status.FAIL, "unauthenticated", 401, "unauthenticated (401)");
        assertThat(report.exitCode()).isEqualTo(1);
    }

    @Test
    void check_forbidden_isNotPermitted() throws Exception {
        CheckReport report = check(RIGHT, FORBIDDEN, "GET /v1/me");
        assertStep(report, "authenticate", Status.FAIL, "not_permitted", 403, "not permitted (403)");
        assertThat(report.exitCode()).isEqualTo(1);
    }

    @Test
    void check_redirect_isRedirectedAndNotFollowed() throws Exception {
        int before = log("stranger.log").size();
        CheckReport report = check(RIGHT, REDIRECT, "GET /v1/me");
        assertStep(report, "authenticate", Status.FAIL, "redirected", 302, "redirected (302) to " + STRANGER);
        assertThat(report.exitCode()).isEqualTo(1);
        assertThat(log("stranger.log")).hasSize(before);
    }

    @Test
    void check_portClosed_isUnreachable() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        CheckReport report = check(RIGHT, "https://127.0.0.1:" + port, "GET /v1/me");
        assertStep(report, "reach", Status.UNKNOWN, "unreachable", 0, "unreachable");
        assertThat(report.exitCode()).isEqualTo(3);
    }

    @Test
    void check_pathThatAnswersAnybody_provesNothing() throws Exception {
        CheckReport report = check(RIGHT, API, "GET /health");
        assertStep(report, "anonymous", Status.WARN, "proves_nothing", 200, "proves nothing");
        assertThat(report.exitCode()).isZero();
        assertThat(report.asStrict().exitCode()).isEqualTo(1);
    }

    @Test
    void check_certificateNotTrusted_isUnreachable() throws Exception {
        TokenAgent agent = TokenAgent.builder()
                .token("api", TokenSources.value(RIGHT), t -> t.endpoint(API).check("GET /v1/me"))
                .start();
        agents.add(agent);
        CheckReport report = agent.check();
        assertStep(report, "reach", Status.UNKNOWN, "unreachable", 0, "TLS failed");
        assertThat(report.exitCode()).isEqualTo(3);
    }
}
