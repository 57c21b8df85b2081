package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.map;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.keyturn.Canary;
import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.event.TokenEvent;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.yaml.YamlConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import mockwebserver3.Dispatcher;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Against a real server: Vault or OpenBao, unsealed, at {@code VAULT_ADDR} with a {@code VAULT_TOKEN} that may do
 * everything, such as {@code it/openbao.sh start} runs: {@code eval "$(it/openbao.sh start)"; mvn -Preal verify}. What is
 * made there has names of its own and is taken away again. To seal and unseal it needs {@code VAULT_UNSEAL_KEY}.
 */
@EnabledIfEnvironmentVariable(named = "VAULT_ADDR", matches = ".+")
@EnabledIfEnvironmentVariable(named = "VAULT_TOKEN", matches = ".+")
@Timeout(180)
class VaultRealIT {
    private static final String ADDRESS = String.valueOf(System.getenv("VAULT_ADDR"));
    private static final String ROOT = String.valueOf(System.getenv("VAULT_TOKEN"));
    private static final VaultAdmin VAULT = new VaultAdmin(ADDRESS, ROOT);
    private static final Duration PATIENT = Duration.ofSeconds(20);

    /** A poll of one second, the second beside it that is allowed, and what a loaded machine takes. */
    private static final Duration SOON = Duration.ofMillis(2500);

    private static final AtomicInteger NUMBERS = new AtomicInteger();

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final Canary root = new Canary(ROOT);

    @TempDir
    Path folder;

    private final OkHttpClient http =
            new OkHttpClient.Builder().readTimeout(5, TimeUnit.SECONDS).build();
    private final String name = "ktn" + System.nanoTime() + "x" + NUMBERS.incrementAndGet();
    private final List<String> made = new ArrayList<>();
    private final List<TokenAgent> agents = new ArrayList<>();
    private final Queue<TokenEvent> events = new ConcurrentLinkedQueue<>();
    private final Map<String, String> variables = new ConcurrentHashMap<>();
    private final MockWebServer api = new MockWebServer();
    private final Set<String> accepted = ConcurrentHashMap.newKeySet();
    private final Queue<String> refused = new ConcurrentLinkedQueue<>();

    @BeforeEach
    void start() throws IOException {
        variables.put("VAULT_ADDR", ADDRESS);
        variables.put("VAULT_TOKEN", ROOT);
        api.setDispatcher(new Dispatcher() {
            @Override
            public MockResponse dispatch(RecordedRequest request) {
                String sent = String.valueOf(request.getHeaders().get("Authorization"));
                boolean good = accepted.contains(sent.replaceFirst("^Bearer ", ""));
                // The check asks once without a token, too, which must be refused.
                if (!good && request.getHeaders().get("Authorization") != null) {
                    refused.add("401");
                }
                return new MockResponse.Builder().code(good ? 200 : 401).build();
            }
        });
        api.start();
    }

    @AfterEach
    void cleanUp() throws IOException {
        agents.forEach(TokenAgent::close);
        api.close();
        unseal();
        for (int i = made.size() - 1; i >= 0; i--) {
            VAULT.call("DELETE", made.get(i), Map.of());
        }
    }

    // --- the server, as its administrator ---

    private String mount(int version) throws IOException {
        String path = name + "v" + version;
        VAULT.done("POST", "sys/mounts/" + path, "type", "kv", "options", map("version", String.valueOf(version)));
        made.add("sys/mounts/" + path);
        return path;
    }

    /** HashiCorp's answers 400 for a moment after the mount. */
    private void write(String mount, String value) {
        await().atMost(PATIENT)
                .until(() -> VAULT.call("POST", mount + "/data/agent", map("data", map("token", value)))
                                .status()
                        == 200);
    }

    private String policy(String rules) throws IOException {
        VAULT.done("POST", "sys/policies/acl/" + name, "policy", rules);
        made.add("sys/policies/acl/" + name);
        return name;
    }

    private static String may(String path, String... what) {
        return "path \"" + path + "\" { capabilities = [\"" + String.join("\", \"", what) + "\"] }\n";
    }

    private String approle(String policy, String ttl, String max) throws IOException {
        VAULT.done("POST", "sys/auth/" + name, "type", "approle");
        made.add("sys/auth/" + name);
        VAULT.done(
                "POST",
                "auth/" + name + "/role/agent",
                "token_policies",
                List.of(policy),
                "token_ttl",
                ttl,
                "token_max_ttl",
                max);
        variables.put(
                "ROLE_ID",
                VAULT.done("GET", "auth/" + name + "/role/agent/role-id")
                        .at("/data/role_id")
                        .asText());
        return "approle: {role_id: \"${ROLE_ID}\", secret_id: {env: SECRET_ID}, mount: " + name;
    }

    private String secretId() throws IOException {
        return VAULT.done("POST", "auth/" + name + "/role/agent/secret-id")
                .at("/data/secret_id")
                .asText();
    }

    private String givenToken(String policy, String ttl, String max) throws IOException {
        return VAULT.done(
                        "POST",
                        "auth/token/create",
                        "policies",
                        List.of(policy),
                        "ttl",
                        ttl,
                        "explicit_max_ttl",
                        max,
                        "no_parent",
                        true)
                .at("/auth/client_token")
                .asText();
    }

    private void unseal() throws IOException {
        String key = System.getenv("VAULT_UNSEAL_KEY");
        if (key != null && !key.isEmpty()) {
            VAULT.call("PUT", "sys/unseal", map("key", key));
        }
    }

    // --- the agent ---

    private TokenAgent.Builder configured(String source) throws IOException {
        String yaml = "agent:\n"
                + "  http: {call_timeout: 2s, connect_timeout: 2s}\n"
                + "  tokens:\n"
                + "    api_token:\n"
                + "      vault: " + source + "\n"
                + "      endpoint: http://127.0.0.1:" + api.getPort() + "\n"
                + "      check: GET /\n"
                + "      refresh: {every: 1s}\n";
        return YamlConfig.parse(yaml, "agent.yaml")
                .environment(variables::get)
                .listener(canary.listener())
                .listener(root.listener())
                .listener(events::add);
    }

    private TokenAgent agent(String source) throws IOException {
        TokenAgent agent = configured(source).start();
        agents.add(agent);
        return agent;
    }

    private String value(int number) {
        String value = "value" + number + Canary.WORD;
        accepted.add(value);
        return value;
    }

    private static String current(TokenAgent agent) {
        try {
            return agent.provider("api_token").get().reveal();
        } catch (IOException e) {
            return "none";
        }
    }

    private int status(TokenAgent agent) throws IOException {
        OkHttpClient client = agent.install(http);
        try (Response response = client.newCall(new Request.Builder()
                        .url("http://127.0.0.1:" + api.getPort() + "/")
                        .build())
                .execute()) {
            return response.code();
        }
    }

    private Step resolved(TokenAgent agent) {
        CheckReport report = agent.check();
        canary.saw("check", report).saw("json", report.toJson());
        root.saw("check", report).saw("json", report.toJson());
        return report.tokens().get(0).step("resolve").orElseThrow();
    }

    private TokenUnavailableException refusedStart(String source) throws IOException {
        TokenAgent.Builder agent = configured(source);
        TokenUnavailableException e = root.saw(canary.caught(TokenUnavailableException.class, agent::start));
        return e;
    }

    private void awaitFailure(Reason reason) {
        await().atMost(PATIENT)
                .untilAsserted(() -> assertThat(events)
                        .anySatisfy(event -> assertThat(event)
                                .isInstanceOfSatisfying(
                                        TokenEvent.RefreshFailed.class,
                                        failed -> assertThat(failed.reason()).isEqualTo(reason))));
    }

    // --- what it has ---

    @Test
    void kv2_valueChanged_isUsedWithinAPollWithoutAFailedRequest() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        TokenAgent agent = agent("{path: " + kv + "/agent}");
        assertThat(current(agent)).isEqualTo(value(1));

        for (int i = 2; i <= 4; i++) {
            String next = value(i);
            write(kv, next);
            await().atMost(SOON).pollInterval(Duration.ofMillis(20)).until(() -> {
                assertThat(status(agent)).isEqualTo(200);
                return current(agent).equals(next);
            });
        }

        assertThat(refused).isEmpty();
        assertThat(resolved(agent).detail()).isEqualTo("vault " + kv + "/agent#token at " + ADDRESS + ", version 4");
        assertThat(agent.check().tokens().get(0).version()).isEqualTo("4");
    }

    @Test
    void kv2_leastPrivilege_reads() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        variables.put(
                "VAULT_TOKEN",
                givenToken(
                        policy(may(kv + "/data/agent", "read") + may(kv + "/metadata/agent", "read")), "60s", "120s"));

        TokenAgent agent = agent("{path: " + kv + "/agent}");

        assertThat(current(agent)).isEqualTo(value(1));
        write(kv, value(2));
        await().atMost(SOON).until(() -> current(agent).equals(value(2)));
    }

    @Test
    void kv2_withoutMetadata_readsTheValueEachTime() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        variables.put("VAULT_TOKEN", givenToken(policy(may(kv + "/data/agent", "read")), "60s", "120s"));

        TokenAgent agent = agent("{path: " + kv + "/agent}");

        write(kv, value(2));
        await().atMost(SOON).until(() -> current(agent).equals(value(2)));
    }

    @Test
    void kv2_deletedVersion_isRevokedAndTheTokenServes() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        TokenAgent agent = agent("{path: " + kv + "/agent}");

        VAULT.done("DELETE", kv + "/data/agent");
        awaitFailure(Reason.REVOKED);

        assertThat(current(agent)).isEqualTo(value(1));
        Step step = resolved(agent);
        assertThat(step.reason()).isEqualTo("degraded");
        assertThat(step.detail()).contains("version 1 was deleted at ", " since ");
        assertThat(refusedStart("{path: " + kv + "/agent}").reason()).isEqualTo(Reason.REVOKED);

        VAULT.done("POST", kv + "/undelete/agent", "versions", List.of(1));
        await().atMost(PATIENT).until(() -> resolved(agent).reason() == null);
        VAULT.done("PUT", kv + "/destroy/agent", "versions", List.of(1));
        assertThat(refusedStart("{path: " + kv + "/agent}").why()).contains("version 1 was destroyed");
    }

    @Test
    void kv2_deletionAhead_isTheTokensEnd() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        VAULT.done("POST", kv + "/metadata/agent", "delete_version_after", "1h");
        write(kv, value(2));

        TokenAgent agent = agent("{path: " + kv + "/agent}");

        assertThat(current(agent)).isEqualTo(value(2));
        assertThat(agent.provider("api_token").get().expiresAt()).isPresent();
    }

    @Test
    void kv2_pinnedVersion_stays() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        write(kv, value(2));

        assertThat(current(agent("{path: " + kv + "/agent, version: 1}"))).isEqualTo(value(1));
        assertThat(refusedStart("{path: " + kv + "/agent, version: 7}").reason())
                .isEqualTo(Reason.ABSENT);
    }

    @Test
    void kv1_valueChanged_isUsed() throws Exception {
        String kv = mount(1);
        VAULT.done("POST", kv + "/agent", "token", value(1));
        variables.put("VAULT_TOKEN", givenToken(policy(may(kv + "/agent", "read")), "60s", "120s"));
        TokenAgent agent = agent("{path: " + kv + "/agent}");

        VAULT.done("POST", kv + "/agent", "token", value(2));

        await().atMost(SOON).until(() -> current(agent).equals(value(2)));
        assertThat(refused).isEmpty();
    }

    @Test
    void nothing_there_isAbsentAndWaitedFor() throws Exception {
        String kv = mount(2);
        write(kv, value(1));

        assertThat(refusedStart("{path: " + kv + "/none}").reason()).isEqualTo(Reason.ABSENT);
        assertThat(refusedStart("{path: " + kv + "/agent, key: other}").why())
                .contains("has no such field, but 1 other");
    }

    // --- who may read it ---

    @Test
    void path_denied_isNotPermittedAndTellsThePolicy() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        variables.put("VAULT_TOKEN", givenToken(policy(may(kv + "/data/other", "read")), "60s", "120s"));

        TokenUnavailableException e = refusedStart("{path: " + kv + "/agent}");

        assertThat(e.reason()).isEqualTo(Reason.NOT_PERMITTED);
        assertThat(e.attempts().get(0).fix()).contains("path \"" + kv + "/data/agent\"");
    }

    @Test
    void token_bad_isLoginRefused() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        variables.put("VAULT_TOKEN", "s.not" + Canary.WORD);

        assertThat(refusedStart("{path: " + kv + "/agent}").reason()).isEqualTo(Reason.LOGIN_REFUSED);
    }

    @Test
    void token_withShortMaxTtl_isRenewedUntilItsEndAndThenReplacedByTheSink() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        String policy = policy(may(kv + "/data/agent", "read") + may(kv + "/metadata/agent", "read"));
        Path sink = folder.resolve("vault-token");
        sink(sink, givenToken(policy, "4s", "9s"));
        TokenAgent agent = agent("{path: " + kv + "/agent, auth: {token: {file: " + sink + "}}}");

        // Longer than it would live without a renewal, and shorter than it may live.
        await().pollDelay(Duration.ofSeconds(6)).atMost(PATIENT).until(() -> true);
        assertThat(events).noneMatch(TokenEvent.RefreshFailed.class::isInstance);
        awaitFailure(Reason.LOGIN_REFUSED);
        assertThat(current(agent)).isEqualTo(value(1));

        sink(sink, givenToken(policy, "60s", "120s"));
        write(kv, value(2));
        await().atMost(PATIENT).until(() -> current(agent).equals(value(2)));
    }

    private static void sink(Path file, String token) throws IOException {
        Path part = Files.createTempFile(
                file.getParent(),
                "part",
                "",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(part, token);
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    @Test
    void approle_pastItsMaxTtl_logsInAgainWithoutAFailure() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        String policy = policy(may(kv + "/data/agent", "read") + may(kv + "/metadata/agent", "read"));
        String auth = approle(policy, "3s", "6s");
        variables.put("SECRET_ID", secretId());
        TokenAgent agent = agent("{path: " + kv + "/agent, auth: {" + auth + "}}}");

        await().pollDelay(Duration.ofSeconds(10)).atMost(PATIENT).until(() -> true);
        write(kv, value(2));
        await().atMost(SOON).until(() -> current(agent).equals(value(2)));

        assertThat(events).noneMatch(TokenEvent.RefreshFailed.class::isInstance);
    }

    @Test
    void approle_loginRevoked_logsInAgainWithoutAFailure() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        String auth = approle(policy(may(kv + "/*", "read")), "60s", "120s");
        variables.put("SECRET_ID", secretId());
        TokenAgent agent = agent("{path: " + kv + "/agent, auth: {" + auth + "}}}");

        VAULT.done("PUT", "sys/leases/revoke-prefix/auth/" + name);
        write(kv, value(2));

        await().atMost(SOON).until(() -> current(agent).equals(value(2)));
        assertThat(events).noneMatch(TokenEvent.RefreshFailed.class::isInstance);
    }

    @Test
    void approle_badSecretId_isLoginRefused() throws Exception {
        String kv = mount(2);
        String auth = approle(policy(may(kv + "/*", "read")), "60s", "120s");
        variables.put("SECRET_ID", "not" + Canary.WORD);

        assertThat(refusedStart("{path: " + kv + "/agent, auth: {" + auth + "}}}")
                        .reason())
                .isEqualTo(Reason.LOGIN_REFUSED);
    }

    @Test
    void approle_batchTokens_areReplacedInTime() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        String auth = approle(policy(may(kv + "/*", "read")), "3s", "3s");
        VAULT.done("POST", "auth/" + name + "/role/agent", "token_type", "batch");
        variables.put("SECRET_ID", secretId());
        TokenAgent agent = agent("{path: " + kv + "/agent, auth: {" + auth + "}}}");

        await().pollDelay(Duration.ofSeconds(5)).atMost(PATIENT).until(() -> true);
        write(kv, value(2));

        await().atMost(SOON).until(() -> current(agent).equals(value(2)));
        assertThat(events).noneMatch(TokenEvent.RefreshFailed.class::isInstance);
    }

    private String wrappedSecretId() throws IOException {
        return VAULT.call("POST", "auth/" + name + "/role/agent/secret-id", Map.of(), "X-Vault-Wrap-TTL", "60s")
                .body()
                .at("/wrap_info/token")
                .asText();
    }

    @Test
    void wrappedSecretId_isOpenedOnceAndTheLoginIsKeptAlive() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        String auth = approle(policy(may(kv + "/*", "read")), "3s", "60s");
        VAULT.done("POST", "auth/" + name + "/role/agent", "secret_id_num_uses", 1);
        variables.put("SECRET_ID", wrappedSecretId());
        String source = "{path: " + kv + "/agent, auth: {" + auth + ", wrapped: true}}}";
        CheckReport look = configured(source).check(PATIENT, Set.of());
        canary.saw("check", look);
        assertThat(look.tokens().get(0).step("resolve").orElseThrow().reason()).isEqualTo("held_by_agent");
        events.clear();

        TokenAgent agent = agent(source);
        await().pollDelay(Duration.ofSeconds(6)).atMost(PATIENT).until(() -> true);
        write(kv, value(2));

        await().atMost(SOON).until(() -> current(agent).equals(value(2)));
        assertThat(events).noneMatch(TokenEvent.RefreshFailed.class::isInstance);
        TokenUnavailableException second = refusedStart(source);
        assertThat(second.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(second.why()).contains("somebody has opened it before");
    }

    @Test
    void wrappedSecretId_madeElsewhere_isNotOpened() throws Exception {
        String kv = mount(2);
        String auth = approle(policy(may(kv + "/*", "read")), "3s", "60s");
        String other = VAULT.call("POST", "sys/wrapping/wrap", map("secret_id", "x"), "X-Vault-Wrap-TTL", "60s")
                .body()
                .at("/wrap_info/token")
                .asText();
        variables.put("SECRET_ID", other);

        assertThat(refusedStart("{path: " + kv + "/agent, auth: {" + auth + ", wrapped: true}}}")
                        .why())
                .contains("was not made below auth/" + name + "/role/");
        assertThat(VAULT.call("POST", "sys/wrapping/lookup", map("token", other))
                        .status())
                .as("it is still closed")
                .isEqualTo(200);
    }

    @Test
    void look_ownLogin_isRevoked() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        String auth = approle(policy(may(kv + "/*", "read")), "600s", "600s");
        variables.put("SECRET_ID", secretId());
        int before = logins();

        CheckReport report =
                configured("{path: " + kv + "/agent, auth: {" + auth + "}}}").check(PATIENT, Set.of());
        canary.saw("check", report);

        assertThat(report.ok()).isTrue();
        assertThat(logins()).isEqualTo(before);
    }

    private int logins() throws IOException {
        VaultAdmin.Answer answer = VAULT.call("LIST", "auth/token/accessors", Map.of());
        return answer.body().at("/data/keys").size();
    }

    @Test
    void namespace_isAsked() throws Exception {
        boolean there = VAULT.call("POST", "sys/namespaces/" + name, Map.of()).isGood();
        assumeTrue(there, "namespaces");
        made.add("sys/namespaces/" + name);
        String[] inside = {"X-Vault-Namespace", name};
        VAULT.call("POST", "sys/mounts/nkv", map("type", "kv", "options", map("version", "2")), inside);
        VAULT.call("POST", "nkv/data/agent", map("data", map("token", value(1))), inside);

        TokenAgent agent = agent("{path: nkv/agent, namespace: " + name + "}");

        assertThat(current(agent)).isEqualTo(value(1));
        assertThat(refusedStart("{path: nkv/agent, namespace: none" + name + "}")
                        .reason())
                .isEqualTo(Reason.ABSENT);
        VAULT.call("DELETE", "sys/mounts/nkv", Map.of(), inside);
    }

    // --- a secret that is made for the one who asks ---

    @Test
    void dynamicSecret_isRenewedAndReplaced() throws Exception {
        AtomicInteger users = new AtomicInteger();
        AtomicInteger gone = new AtomicInteger();
        try (MockWebServer broker = new MockWebServer()) {
            broker.setDispatcher(new Dispatcher() {
                @Override
                public MockResponse dispatch(RecordedRequest request) {
                    String path = request.getUrl().encodedPath();
                    boolean user = path.startsWith("/api/users/");
                    users.addAndGet(user && request.getMethod().equals("PUT") ? 1 : 0);
                    gone.addAndGet(user && request.getMethod().equals("DELETE") ? 1 : 0);
                    int status = request.getMethod().equals("DELETE") ? 204 : 201;
                    return new MockResponse.Builder().code(status).build();
                }
            });
            broker.start();
            boolean there = VAULT.call("POST", "sys/mounts/" + name, map("type", "rabbitmq"))
                    .isGood();
            assumeTrue(there, "the rabbitmq engine");
            made.add("sys/mounts/" + name);
            String uri = "http://127.0.0.1:" + broker.getPort();
            VAULT.done(
                    "POST",
                    name + "/config/connection",
                    "connection_uri",
                    uri,
                    "username",
                    "u",
                    "password",
                    "p",
                    "verify_connection",
                    false);
            VAULT.done("POST", name + "/config/lease", "ttl", 4, "max_ttl", 7);
            VAULT.done("POST", name + "/roles/agent", "vhosts", "{\"/\":{\"read\":\".*\"}}");
            String source = "{path: " + name + "/creds/agent, key: password}";

            CheckReport look = configured(source).check(PATIENT, Set.of());
            root.saw("check", look);
            assertThat(users).hasValue(1);
            await().atMost(PATIENT)
                    .untilAsserted(() -> assertThat(gone).as("taken back").hasValue(1));

            TokenAgent agent = agent(source);
            Canary password = new Canary(current(agent));
            password.saw("check", agent.check());
            await().pollDelay(Duration.ofSeconds(12)).atMost(PATIENT).until(() -> true);

            assertThat(current(agent)).isNotEqualTo(password.token());
            assertThat(events).noneMatch(TokenEvent.RefreshFailed.class::isInstance);
            assertThat(users).as("renewed, and not made anew each time").hasValueBetween(3, 6);
            password.assertUnseen();
        }
    }

    // --- it is not well ---

    @Test
    void sealed_isSaidAndTheTokenServes() throws Exception {
        assumeTrue(System.getenv("VAULT_UNSEAL_KEY") != null, "VAULT_UNSEAL_KEY");
        String kv = mount(2);
        write(kv, value(1));
        TokenAgent agent = agent("{path: " + kv + "/agent}");

        VAULT.done("PUT", "sys/seal");
        awaitFailure(Reason.SEALED);

        Step step = resolved(agent);
        assertThat(step.reason()).isEqualTo("degraded");
        assertThat(step.detail()).contains("is sealed (503)", " since ");
        assertThat(status(agent)).isEqualTo(200);

        unseal();
        write(kv, value(2));
        await().atMost(PATIENT).until(() -> current(agent).equals(value(2)));
        assertThat(refused).isEmpty();
    }

    // --- as a program writes it ---

    @Test
    void configured_byAProgram_isTheSame() throws Exception {
        String kv = mount(2);
        write(kv, value(1));
        Map<String, Object> vault = new HashMap<>(Map.of("address", ADDRESS, "path", kv + "/agent"));
        vault.put("auth", Map.of("token", Map.of("env", "VAULT_TOKEN")));
        TokenAgent agent = TokenAgent.builder()
                .environment(variables::get)
                .listener(canary.listener())
                .token("api_token", TokenSources.configured(Map.of("vault", vault)))
                .start();
        agents.add(agent);

        assertThat(current(agent)).isEqualTo(value(1));
    }
}
