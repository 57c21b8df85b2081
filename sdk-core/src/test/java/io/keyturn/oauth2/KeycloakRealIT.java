package io.keyturn.oauth2;

import static io.keyturn.config.Written.map;
import static io.keyturn.oauth2.TokenServiceRig.write;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jwt.SignedJWT;
import io.keyturn.Canary;
import io.keyturn.CountedCalls;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.Status;
import io.keyturn.event.TokenEvent;
import io.keyturn.provider.RefreshPolicy;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import okhttp3.Credentials;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Against Keycloak with the realms of {@code it/keycloak}: {@code eval "$(it/keycloak.sh start)"; mvn -Preal verify}. The
 * API accepts a token if Keycloak says that it is active. {@code KEYTURN_KEYCLOAK_TIME}, such as {@code 3m}, is how long the
 * agent works for its tokens of 20 s; 30 s where it is not set. {@code KEYCLOAK_CONTROL}, with {@code freeze}, {@code kill}
 * and {@code start} behind it, is how the shell ends it and has it back; {@code KEYTURN_OUTAGE} is how long it is frozen
 * first (15s).
 */
@EnabledIfEnvironmentVariable(named = "KEYCLOAK_URL", matches = ".+")
@Timeout(600)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class KeycloakRealIT {
    private static final String URL = String.valueOf(System.getenv("KEYCLOAK_URL"));
    private static final String REALM = URL + "/realms/keyturn/protocol/openid-connect";
    private static final String WORKLOAD = URL + "/realms/workload/protocol/openid-connect";
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final MediaType JSON_TYPE = MediaType.get("application/json");

    // The realms of it/keycloak, which are there for this alone.
    private static final String AGENT_SECRET = "ktn_it_C_3Vj7Hs9KwQ2nX5d";
    private static final String REFRESH_SECRET = "ktn_it_D_6Tb1Mf8LzR4pY9c";
    private static final String API_SECRET = "ktn_it_E_2Wn5Gk7JvP8mS4x";
    private static final String POD_SECRET = "ktn_it_F_9Rx4Bd6NyT3kZ1h";

    private static final String TOKEN_TYPE = "urn:ietf:params:oauth:token-type:";
    private static final String ASSERTION_OF =
            "&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=";

    /** Time enough for a machine that does other things, too. */
    private static final Duration PATIENT = Duration.ofSeconds(60);

    /** On a machine that does other things, Keycloak takes minutes to start. */
    private static final Duration START = Duration.ofSeconds(330);

    /** What the agent waits at most between two tries, and time enough for the second of them. */
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(5).plus(PATIENT);

    private static final Duration WORK = setting("KEYTURN_KEYCLOAK_TIME", "30s");
    private static final Duration OUTAGE = setting("KEYTURN_OUTAGE", "15s");
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    @RegisterExtension
    final Canary canary = new Canary(AGENT_SECRET);

    @RegisterExtension
    final Canary podCanary = new Canary(POD_SECRET);

    @TempDir
    Path folder;

    private final OkHttpClient http =
            new OkHttpClient.Builder().callTimeout(TIMEOUT).readTimeout(TIMEOUT).build();
    private final RecordingServer api = RecordingServer.start();
    private final Queue<TokenEvent> events = new ConcurrentLinkedQueue<>();
    private final ScheduledExecutorService platform = Executors.newSingleThreadScheduledExecutor();

    /** As whom the API asks whether a token is active: Keycloak tells that only to a client in the token's audience. */
    private volatile String introspecting = Credentials.basic("agent", AGENT_SECRET);

    private TokenAgent agent;

    private static Duration setting(String name, String usual) {
        String time = System.getenv(name);
        return Duration.parse("PT" + (time == null || time.isEmpty() ? usual : time));
    }

    @BeforeEach
    void guard() throws IOException {
        api.on("/me", request -> accepted(request, introspecting, ""));
        api.on("/exchanged", request -> accepted(request, Credentials.basic("api", API_SECRET), ""));
        // Nobody has a secret there: the API asks with the workload's assertion, too.
        api.on("/workload", request -> accepted(request, "", ASSERTION_OF + projected()));
        // Whatever another test has done.
        admin("PUT", "/keyturn/clients/agent", "{\"clientId\":\"agent\",\"secret\":\"" + AGENT_SECRET + "\"}");
    }

    @AfterEach
    void close() {
        if (agent != null) {
            agent.close();
        }
        platform.shutdownNow();
        api.close();
    }

    // --- Keycloak ---

    private JsonNode post(String url, String authorization, String form) throws IOException {
        Request.Builder request = new Request.Builder()
                .url(url)
                .post(RequestBody.create(form.getBytes(UTF_8), MediaType.get("application/x-www-form-urlencoded")));
        if (!authorization.isEmpty()) {
            request.header("Authorization", authorization);
        }
        try (Response response = http.newCall(request.build()).execute()) {
            String body = response.body().string();
            if (!response.isSuccessful()) {
                throw new IOException(url + " answered " + response.code());
            }
            return body.isEmpty() ? JSON.createObjectNode() : JSON.readTree(body);
        }
    }

    private JsonNode admin(String method, String path, String body) throws IOException {
        String password = System.getenv("KEYCLOAK_ADMIN_PASSWORD");
        String form = "grant_type=password&client_id=admin-cli&username=" + System.getenv("KEYCLOAK_ADMIN")
                + "&password=" + password;
        String token = post(URL + "/realms/master/protocol/openid-connect/token", "", form)
                .get("access_token")
                .asText();
        Request request = new Request.Builder()
                .url(URL + "/admin/realms" + path)
                .header("Authorization", "Bearer " + token)
                .method(method, RequestBody.create(body.getBytes(UTF_8), JSON_TYPE))
                .build();
        try (Response response = http.newCall(request).execute()) {
            String answer = response.body().string();
            assertThat(response.isSuccessful()).as(method + " " + path).isTrue();
            return answer.isEmpty() ? JSON.createObjectNode() : JSON.readTree(answer);
        }
    }

    private boolean isActive(String token) throws IOException {
        return isActive(token, introspecting, "");
    }

    private boolean isActive(String token, String authorization, String more) throws IOException {
        return post(REALM + "/token/introspect", authorization, "token=" + token + more)
                .get("active")
                .asBoolean();
    }

    private Answer accepted(Seen request, String authorization, String more) {
        List<String> header = request.header("Authorization");
        try {
            boolean active =
                    header.size() == 1 && isActive(header.get(0).substring("Bearer ".length()), authorization, more);
            return Answer.of(active ? 200 : 401, "");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String projected() {
        try {
            return Files.readString(folder.resolve("idp"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    // --- the agent ---

    private static Map<String, Object> oauth2(Object... keysAndValues) {
        Map<String, Object> keys = map("token_url", REALM + "/token");
        keys.putAll(map(keysAndValues));
        return map("oauth2", keys);
    }

    private Map<String, Object> inFile(String name) {
        return map("file", folder.resolve(name).toString());
    }

    private TokenAgent.Builder builder() {
        return TokenAgent.builder()
                .startTimeout(PATIENT)
                .listener(canary.listener())
                .listener(podCanary.listener())
                .listener(events::add);
    }

    private TokenAgent start(Map<String, Object> source) throws TokenUnavailableException {
        agent = builder()
                .token(
                        "t",
                        TokenSources.configured(source),
                        t -> t.endpoint(api.url("/")).check("GET /me"))
                .start();
        return agent;
    }

    private int statusOf(OkHttpClient client, String path) throws IOException {
        Request request = new Request.Builder().url(api.url(path)).build();
        try (Response response = client.newCall(request).execute()) {
            return response.code();
        }
    }

    private int status() throws IOException {
        return statusOf(agent.install(http), "/me");
    }

    private Map<String, Integer> work(Duration time, Map<String, String> pathsByToken)
            throws IOException, InterruptedException {
        long begun = System.nanoTime();
        return work(() -> System.nanoTime() - begun >= time.toNanos(), pathsByToken);
    }

    /** Makes requests until it is time to end; none may fail. By token, how many versions of it they carried. */
    private Map<String, Integer> work(BooleanSupplier ends, Map<String, String> pathsByToken)
            throws IOException, InterruptedException {
        OkHttpClient client = agent.install(http);
        api.forget();
        Map<String, Set<String>> carried = new LinkedHashMap<>();
        List<String> failures = new ArrayList<>();
        long begun = System.nanoTime();
        int requests = 0;
        while (!ends.getAsBoolean()) {
            for (Map.Entry<String, String> each : pathsByToken.entrySet()) {
                requests++;
                try {
                    int status = statusOf(client, each.getValue());
                    if (status != 200) {
                        failures.add("request " + requests + " to " + each.getValue() + ": " + status);
                    }
                } catch (IOException e) {
                    failures.add("request " + requests + " to " + each.getValue() + ": " + canary.saw(e));
                }
                String fingerprint = agent.provider(each.getKey()).get().fingerprint();
                carried.computeIfAbsent(each.getKey(), token -> new HashSet<>()).add(fingerprint);
            }
            // A program does other things, too, and Keycloak shall not be what is measured here.
            TimeUnit.MILLISECONDS.sleep(50);
        }
        assertThat(failures).isEmpty();
        assertThat(requests).isGreaterThan((int) TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begun));
        assertThat(api.seen())
                .filteredOn(seen -> pathsByToken.containsValue(seen.path()))
                .as("each was accepted at once")
                .hasSize(requests);
        Map<String, Integer> versions = new LinkedHashMap<>();
        carried.forEach((token, fingerprints) -> versions.put(token, fingerprints.size()));
        return versions;
    }

    private Step step(CheckReport report, String name) {
        canary.saw("report", report).saw("json", report.toJson());
        podCanary.saw("report", report);
        return report.token("t").orElseThrow().step(name).orElseThrow();
    }

    // --- the long work ---

    /** What a platform does: writes a token of its own identity provider to a file. */
    private void projectPod() {
        try {
            JsonNode answer =
                    post(WORKLOAD + "/token", Credentials.basic("pod", POD_SECRET), "grant_type=client_credentials");
            write(folder.resolve("idp"), answer.get("access_token").asText());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void projectEvery(Duration period, AtomicInteger times) {
        Runnable replace = () -> {
            try {
                projectPod();
                times.incrementAndGet();
            } catch (UncheckedIOException e) {
                // Then the next one comes in time.
                canary.saw(e);
            }
        };
        replace.run();
        var unused = platform.scheduleAtFixedRate(replace, period.toMillis(), period.toMillis(), TimeUnit.MILLISECONDS);
    }

    /**
     * A client with a secret, and two without any: a workload that proves itself by its platform's token, and one that
     * exchanges that token, too. It is replaced ten times at least.
     */
    @Test
    void work_tokensOfTwentySeconds_noRequestFails() throws Exception {
        Duration share = WORK.dividedBy(11);
        Duration period = share.compareTo(Duration.ofSeconds(15)) < 0 ? share : Duration.ofSeconds(15);
        AtomicInteger replaced = new AtomicInteger(-1);
        projectEvery(period, replaced);
        agent = builder()
                .token(
                        "secret",
                        TokenSources.configured(oauth2(
                                "client_id",
                                "agent",
                                "client_secret",
                                AGENT_SECRET,
                                "scope",
                                "write",
                                "introspect_url",
                                REALM + "/token/introspect")),
                        t -> t.endpoint(api.url("/me")).check("GET /me"))
                .token(
                        "workload",
                        TokenSources.configured(oauth2(
                                "client_assertion", inFile("idp"), "introspect_url", REALM + "/token/introspect")),
                        t -> t.endpoint(api.url("/workload")).check("GET /workload"))
                .token(
                        "exchanged",
                        TokenSources.configured(oauth2(
                                "grant", "token_exchange",
                                "client_assertion", inFile("idp"),
                                "subject_token", inFile("idp"),
                                "scope", "api",
                                "params", map("requested_token_type", TOKEN_TYPE + "access_token"))),
                        t -> t.endpoint(api.url("/exchanged")).check("GET /exchanged"))
                .start();
        assertThat(agent.provider("secret").get().scopes().orElseThrow()).containsExactlyInAnyOrder("read", "write");
        assertThat(agent.provider("exchanged").get().scopes().orElseThrow()).contains("api");

        Map<String, Integer> tokens =
                work(WORK, Map.of("secret", "/me", "workload", "/workload", "exchanged", "/exchanged"));

        // Each is fetched anew at 75 to 85 per cent of 20 s, which are 15 to 17 s.
        int least = (int) (WORK.toSeconds() / 20) + 1;
        int most = (int) (WORK.toSeconds() / 14) + 2;
        assertThat(tokens)
                .hasSize(3)
                .allSatisfy((token, versions) -> assertThat(versions).isBetween(least, most));
        assertThat(replaced).hasValueGreaterThanOrEqualTo(10);
        assertThat(events)
                .noneMatch(TokenEvent.RefreshFailed.class::isInstance)
                .noneMatch(TokenEvent.Rejected.class::isInstance);
        CheckReport report = agent.check();
        canary.saw("report", report).saw("json", report.toJson());
        podCanary.saw("report", report).saw("json", report.toJson());
        assertThat(report.exitCode()).as("%s", report).isZero();
    }

    // --- a client with a secret ---

    @Test
    void revoked_there_isSaidByTheCheckAndRecoveredFrom() throws Exception {
        start(oauth2(
                "client_id",
                "agent",
                "client_secret",
                AGENT_SECRET,
                "auth",
                "post",
                "introspect_url",
                REALM + "/token/introspect"));
        assertThat(status()).isEqualTo(200);
        String revoked = agent.provider("t").get().reveal();
        assertThat(isActive(revoked)).isTrue();
        assertThat(step(agent.check(), "resolve").status()).isEqualTo(Status.PASS);

        post(REALM + "/revoke", Credentials.basic("agent", AGENT_SECRET), "token=" + revoked);

        assertThat(isActive(revoked)).isFalse();
        CheckReport report = agent.check();
        assertThat(step(report, "resolve")).returns(Status.FAIL, Step::status).returns("revoked", Step::reason);
        assertThat(report.exitCode()).isEqualTo(1);

        assertThat(status()).isEqualTo(200);
        assertThat(agent.provider("t").get().reveal()).isNotEqualTo(revoked);
        assertThat(step(agent.check(), "resolve").status()).isEqualTo(Status.PASS);
    }

    @Test
    void secretRotatedThere_isRecoveredFromWithoutAFailedRequest() throws Exception {
        write(folder.resolve("secret"), AGENT_SECRET);
        start(oauth2("client_id", "agent", "client_secret", inFile("secret")));

        String rotated = admin("POST", "/keyturn/clients/agent/client-secret", "")
                .get("value")
                .asText();
        introspecting = Credentials.basic("agent", rotated);
        TokenUnavailableException e = canary.caught(
                TokenUnavailableException.class, () -> agent.provider("t").refresh());
        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e).hasMessageContaining("refuses the client (401 unauthorized_client)");
        assertThat(e.fix()).contains("client_secret (file " + folder.resolve("secret") + ")");
        assertThat(step(agent.check(), "resolve"))
                .returns(Status.WARN, Step::status)
                .returns("degraded", Step::reason);
        String before = agent.provider("t").get().reveal();
        write(folder.resolve("secret"), rotated);

        // While the one before still serves.
        await().atMost(Duration.ofSeconds(10))
                .until(() -> !agent.provider("t").get().reveal().equals(before));
        work(Duration.ofSeconds(5), Map.of("t", "/me"));
        assertThat(step(agent.check(), "resolve").status()).isEqualTo(Status.PASS);
    }

    // --- refresh tokens ---

    @Test
    void refreshToken_rotatedThere_isSavedEachTimeAndServesTheNextAgent() throws Exception {
        introspecting = Credentials.basic("agent-refresh", REFRESH_SECRET);
        JsonNode login = post(
                REALM + "/token", Credentials.basic("agent-refresh", REFRESH_SECRET), "grant_type=client_credentials");
        Path file = folder.resolve("refresh");
        write(file, login.get("refresh_token").asText());
        Map<String, Object> saved = inFile("refresh");
        saved.put("save", "true");
        Map<String, Object> source = oauth2(
                "grant",
                "refresh_token",
                "client_id",
                "agent-refresh",
                "client_secret",
                REFRESH_SECRET,
                "refresh_token",
                saved);
        Set<String> stored = new HashSet<>();
        for (int i = 0; i < 3; i++) {
            start(source);
            stored.add(Files.readString(file));
            agent.provider("t").refresh();
            stored.add(Files.readString(file));
            assertThat(status()).isEqualTo(200);
            agent.close();
        }
        assertThat(stored).hasSize(6).doesNotContain(login.get("refresh_token").asText());

        // A session that somebody has ended.
        post(
                REALM + "/revoke",
                Credentials.basic("agent-refresh", REFRESH_SECRET),
                "token=" + Files.readString(file) + "&token_type_hint=refresh_token");
        TokenUnavailableException e = canary.caught(TokenUnavailableException.class, () -> start(source));
        assertThat(e.reason()).isEqualTo(Reason.REVOKED);
    }

    // --- a key ---

    @Test
    void privateKey_bothKinds_areTakenAndAChangeIsFollowed() throws Exception {
        KeyPair rsa = Jwts.keys("RSA", 2048);
        KeyPair curve = Jwts.keys("EC", 256);
        JWKSet keys = new JWKSet(List.of(
                new RSAKey.Builder((RSAPublicKey) rsa.getPublic())
                        .keyID("r1")
                        .keyUse(KeyUse.SIGNATURE)
                        .algorithm(JWSAlgorithm.RS256)
                        .build(),
                new ECKey.Builder(Curve.P_256, (ECPublicKey) curve.getPublic())
                        .keyID("e1")
                        .keyUse(KeyUse.SIGNATURE)
                        .algorithm(JWSAlgorithm.ES256)
                        .build()));
        Map<String, Object> client = new LinkedHashMap<>();
        client.put("clientId", "agent-key");
        client.put("attributes", Map.of("use.jwks.string", "true", "jwks.string", keys.toString()));
        admin("PUT", "/keyturn/clients/agent-key", JSON.writeValueAsString(client));
        Path file = folder.resolve("key.pem");
        write(file, Jwts.pem(rsa.getPrivate()));
        Map<String, Object> source = oauth2("client_id", "agent-key", "private_key", inFile("key.pem"));

        start(source);
        String first = agent.provider("t").get().reveal();
        write(file, Jwts.pem(curve.getPrivate()));
        String second = agent.provider("t").refresh().reveal();

        assertThat(second).isNotEqualTo(first);
        assertThat(events).noneMatch(TokenEvent.RefreshFailed.class::isInstance);
    }

    // --- workload identity: no secret at all ---

    @Test
    void workload_jwtBearer_isTaken() throws Exception {
        projectPod();

        start(oauth2("grant", "jwt_bearer", "assertion", inFile("idp"), "client_assertion", inFile("idp")));

        assertThat(statusOf(agent.install(http), "/workload")).isEqualTo(200);
    }

    /** The exchange that Keycloak offers to all: of a token of the realm's own. */
    @Test
    void workload_tokenOfTheSameRealm_isExchangedForAnotherAudience() throws Exception {
        projectPod();
        agent = builder()
                .token(
                        "exchanged",
                        TokenSources.configured(oauth2(
                                "grant",
                                "token_exchange",
                                "client_assertion",
                                inFile("idp"),
                                "subject_token",
                                oauth2("client_assertion", inFile("idp")),
                                "subject_token_type",
                                TOKEN_TYPE + "access_token",
                                "scope",
                                "api",
                                "audience",
                                "api")),
                        t -> t.endpoint(api.url("/exchanged")))
                .start();

        assertThat(statusOf(agent.install(http), "/exchanged")).isEqualTo(200);
    }

    @Test
    void workload_assertionThatHasExpired_isWaitedForAndNotSent() throws Exception {
        admin("PUT", "/workload", "{\"accessTokenLifespan\": 2}");
        try {
            projectPod();
        } finally {
            admin("PUT", "/workload", "{\"accessTokenLifespan\": 60}");
        }
        Instant ended = Instant.now().plusSeconds(3);
        await().atMost(PATIENT).until(() -> Instant.now().isAfter(ended));
        platform.execute(() -> {
            await().atMost(PATIENT).until(() -> events.stream().anyMatch(TokenEvent.RefreshFailed.class::isInstance));
            projectPod();
        });

        start(oauth2("client_assertion", inFile("idp")));

        TokenEvent.RefreshFailed failed = events.stream()
                .filter(TokenEvent.RefreshFailed.class::isInstance)
                .map(TokenEvent.RefreshFailed.class::cast)
                .findFirst()
                .orElseThrow();
        assertThat(failed.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(failed.message()).contains("expired at", "so it was not sent");
    }

    // --- an outage ---

    private void keycloak(String command) throws IOException, InterruptedException {
        Path said = folder.resolve("keycloak-" + command);
        Process process = new ProcessBuilder("bash", "-c", System.getenv("KEYCLOAK_CONTROL") + " " + command)
                .redirectErrorStream(true)
                .redirectOutput(said.toFile())
                .start();
        assertThat(process.waitFor(START.toSeconds(), TimeUnit.SECONDS))
                .as(command + " ends")
                .isTrue();
        assertThat(process.exitValue()).as(command + ": see " + said).isZero();
    }

    /** What an API does that need not ask: the token itself says how long it lives. */
    private static Answer unexpired(Seen request) {
        List<String> header = request.header("Authorization");
        try {
            boolean good = header.size() == 1
                    && SignedJWT.parse(header.get(0).substring("Bearer ".length()))
                            .getJWTClaimsSet()
                            .getExpirationTime()
                            .toInstant()
                            .isAfter(Instant.now());
            return Answer.of(good ? 200 : 401, "");
        } catch (ParseException e) {
            return Answer.of(401, "");
        }
    }

    /** The last of all: Keycloak has nothing on a disk, so what comes back is what the realm files say. */
    @Test
    @Order(Integer.MAX_VALUE)
    @Timeout(1200)
    void outage_frozenThenKilled_theTokenServesUntilItIsBack() throws Exception {
        assumeTrue(System.getenv("KEYCLOAK_CONTROL") != null, "KEYCLOAK_CONTROL");
        // So that the token outlives the outage, however long Keycloak takes to start.
        admin(
                "PUT",
                "/keyturn/clients/agent",
                "{\"clientId\":\"agent\",\"attributes\":{\"access.token.lifespan\":\"1200\"}}");
        api.on("/alive", KeycloakRealIT::unexpired);
        api.on("/checked", KeycloakRealIT::unexpired);
        AtomicBoolean over = new AtomicBoolean();
        CountedCalls calls = new CountedCalls(URI.create(URL).getPort());
        agent = builder()
                .token(
                        "t",
                        TokenSources.configured(oauth2("client_id", "agent", "client_secret", AGENT_SECRET)),
                        t -> t.endpoint(api.url("/"))
                                .check("GET /checked")
                                .refresh(RefreshPolicy.defaults().withEvery(Duration.ofSeconds(2))))
                .httpClient(new OkHttpClient.Builder().eventListener(calls).build())
                .start();
        Future<Map<String, Integer>> working = platform.submit(() -> work(over::get, Map.of("t", "/alive")));

        Instant frozen = Instant.now();
        keycloak("freeze");
        long frozenCalls;
        Instant killed;
        try {
            await().pollInterval(Duration.ofMillis(100))
                    .atMost(OUTAGE.plus(PATIENT))
                    .until(() -> Instant.now().isAfter(frozen.plus(OUTAGE)) && failures() > 0);
            assertThat(step(agent.check(), "resolve"))
                    .returns(Status.WARN, Step::status)
                    .returns("degraded", Step::reason)
                    .extracting(Step::detail, STRING)
                    // Which of two limits of some ten seconds ends a call is chance where the machine is busy.
                    .containsPattern("(is unreachable \\(no answer in time\\)|did not answer within 10000 ms) since ");
        } finally {
            frozenCalls = calls.inTheMinuteFrom(frozen);
            keycloak("kill");
            killed = Instant.now();
            keycloak("start");
        }
        // A call that nobody answers takes ten seconds; one that finds nobody takes none, and is soon made again.
        assertThat(frozenCalls).as("of a frozen one").isBetween(1L, 10L);
        assertThat(calls.inTheMinuteFrom(killed)).as("of a dead one").isLessThanOrEqualTo(10);

        String before = agent.provider("t").get().fingerprint();
        await().atMost(LONGEST_WAIT)
                .until(() -> !agent.provider("t").get().fingerprint().equals(before));
        assertThat(step(agent.check(), "resolve").status()).isEqualTo(Status.PASS);
        over.set(true);
        working.get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
        assertThat(events).noneMatch(TokenEvent.Rejected.class::isInstance);
    }

    private long failures() {
        return events.stream()
                .filter(TokenEvent.RefreshFailed.class::isInstance)
                .count();
    }
}
