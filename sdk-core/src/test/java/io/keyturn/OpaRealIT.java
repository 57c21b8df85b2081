package io.keyturn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.Status;
import io.keyturn.event.TokenEvent.Denied;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Against Open Policy Agent, with the policy that the README shows, as {@code it/opa.sh start} runs it: {@code eval
 * "$(it/opa.sh start)"; mvn -Preal verify}.
 */
@EnabledIfEnvironmentVariable(named = "OPA_URL", matches = ".+")
@Timeout(120)
class OpaRealIT {
    private static final String URL = variable("OPA_URL");
    private static final Pattern REGO = Pattern.compile("(?m)^```rego\n(?s:(.*?))^```$");

    /** Time enough for a machine that does other things, too. */
    private static final Duration PATIENT = Duration.ofSeconds(10);

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Queue<Denied> denied = new ConcurrentLinkedQueue<>();
    private TokenAgent agent;
    private ServerProcess opa;

    private static String variable(String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalStateException(name + " is not set: eval \"$(it/opa.sh start)\"");
        }
        return value;
    }

    @AfterEach
    void close() {
        if (agent != null) {
            agent.close();
        }
        if (opa != null) {
            opa.close();
        }
    }

    private TokenAgent start(Consumer<PolicyOptions> policy, Consumer<TokenOptions> options) throws IOException {
        agent = TokenAgent.builder()
                .name("ci-agent")
                .token("api_token", TokenSources.value(canary.token()), options)
                .policy(p -> policy.accept(p.timeout(PATIENT)))
                .listener(canary.listener())
                .listener(event -> {
                    if (event instanceof Denied one) {
                        denied.add(one);
                    }
                })
                .start();
        return agent;
    }

    private boolean isAllowed(String method, String url) throws IOException {
        try {
            assertThat(agent.authorize(method, URI.create(url)).headers()).containsKey("Authorization");
            return true;
        } catch (TokenDeniedException e) {
            canary.saw(e);
            assertThat(e.reason()).isEqualTo(Reason.POLICY);
            return false;
        }
    }

    @ParameterizedTest
    @CsvSource({
        "GET,    https://api.example.com/v1/me,        true",
        "HEAD,   https://api.example.com/v1/me,        true",
        "POST,   https://api.example.com/v1/builds/7,  true",
        "POST,   https://api.example.com/v1/me,        false",
        "DELETE, https://api.example.com/v1/builds/7,  false",
        "GET,    https://api.example.org/v1/me,        false"
    })
    void readmesPolicy_request_isAllowedOrDenied(String method, String url, boolean allowed) throws Exception {
        start(p -> p.opa(URL), t -> t.endpoint("https://api.example.com", "https://api.example.org"));

        assertThat(isAllowed(method, url)).isEqualTo(allowed);

        await().atMost(PATIENT).until(() -> denied.size() == (allowed ? 0 : 1));
        assertThat(denied).allSatisfy(event -> {
            assertThat(event.reason()).isEqualTo(Reason.POLICY);
            assertThat(event.url()).isEqualTo(url);
        });
    }

    @Test
    void readmesPolicy_anotherAgent_isDenied() throws Exception {
        agent = TokenAgent.builder()
                .name("another")
                .token("api_token", TokenSources.value(canary.token()), t -> t.endpoint("https://api.example.com"))
                .policy(p -> p.opa(URL).timeout(PATIENT))
                .start();

        assertThat(isAllowed("GET", "https://api.example.com/v1/me")).isFalse();
    }

    @Test
    void rule_thatThereIsNot_deniesAndTellsWhatToLookAt() throws Exception {
        start(p -> p.opa(URL + "ed"), t -> t.endpoint("https://api.example.com"));

        TokenDeniedException e = canary.caught(
                TokenDeniedException.class, () -> agent.authorize("GET", URI.create("https://api.example.com/v1/me")));

        assertThat(e).hasMessageContaining("has no result for");
        assertThat(e.fix()).contains("/v1/data/PACKAGE/RULE");
    }

    @Test
    void rule_thatIsAPackage_deniesAndTellsWhatToLookAt() throws Exception {
        start(p -> p.opa(URL.replaceAll("/allow$", "")), t -> t.endpoint("https://api.example.com"));

        TokenDeniedException e = canary.caught(
                TokenDeniedException.class, () -> agent.authorize("GET", URI.create("https://api.example.com/v1/me")));

        assertThat(e).hasMessageContaining("answers neither true nor false");
    }

    @Test
    void check_deniedByThePolicy_fails() throws Exception {
        start(p -> p.opa(URL), t -> t.endpoint("http://127.0.0.1:1").check("GET /v1/me"));

        CheckReport report = agent.check();

        canary.saw("report", report);
        assertThat(report.token("api_token").orElseThrow().step("policy"))
                .get()
                .returns(Status.FAIL, Step::status)
                .returns("policy", Step::reason);
        assertThat(report.exitCode()).isEqualTo(1);
    }

    // --- it restarts ---

    private Path policy() throws IOException {
        Matcher block = REGO.matcher(Files.readString(Path.of("..", "README.md")));
        assertThat(block.find()).as("the README shows a policy").isTrue();
        // The test's API is on this machine.
        String policy = block.group(1).replace("\"api.example.com\"", "\"127.0.0.1\"");
        return Files.writeString(folder.resolve("policy.rego"), policy);
    }

    private void startOpa(int port) throws IOException {
        opa = new ServerProcess(
                folder.resolve("opa.log"),
                List.of(
                        variable("OPA_BIN"),
                        "run",
                        "--server",
                        "--skip-version-check",
                        "--log-level",
                        "error",
                        "--addr",
                        "127.0.0.1:" + port,
                        policy().toString()));
        opa.start();
        OkHttpClient http = new OkHttpClient();
        Request health = new Request.Builder()
                .url("http://127.0.0.1:" + port + "/health")
                .build();
        await().atMost(Duration.ofSeconds(60)).until(() -> {
            try (Response response = http.newCall(health).execute()) {
                return response.isSuccessful();
            } catch (IOException e) {
                return false;
            }
        });
    }

    /** The status of a request through OkHttp, or the reason for which it was not sent. */
    private static Object outcome(OkHttpClient http, String url) {
        try (Response response =
                http.newCall(new Request.Builder().url(url).build()).execute()) {
            return response.code();
        } catch (TokenDeniedException e) {
            return e.reason();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void restart_ofThePolicy_deniesMeanwhileAndAllowsAfterwards() throws Exception {
        int port = ServerProcess.freePort();
        startOpa(port);
        try (RecordingServer api = RecordingServer.start()) {
            start(
                    p -> p.opa("http://127.0.0.1:" + port + "/v1/data/agent/allow")
                            .cache(Duration.ZERO),
                    t -> t.endpoint(api.url("/")));
            OkHttpClient http = agent.install(new OkHttpClient());
            String url = api.url("/v1/me");
            assertThat(outcome(http, url)).isEqualTo(200);

            opa.kill();
            api.forget();
            for (int i = 0; i < 10; i++) {
                assertThat(outcome(http, url)).isEqualTo(Reason.POLICY_UNREACHABLE);
            }
            assertThat(api.seen()).isEmpty();
            assertThat(agent.check().exitCode()).isEqualTo(3);

            startOpa(port);
            await().atMost(PATIENT).until(() -> outcome(http, url).equals(200));
            // And from then on without fail, over connections of its own.
            for (int i = 0; i < 20; i++) {
                assertThat(outcome(http, url)).isEqualTo(200);
            }
            assertThat(agent.check().token("api_token").orElseThrow().step("policy"))
                    .get()
                    .returns(Status.PASS, Step::status);
        }
    }

    @Test
    void restart_ofThePolicy_isNotNoticedWhileAllowsAreRemembered() throws Exception {
        int port = ServerProcess.freePort();
        startOpa(port);
        try (RecordingServer api = RecordingServer.start()) {
            start(p -> p.opa("http://127.0.0.1:" + port + "/v1/data/agent/allow"), t -> t.endpoint(api.url("/")));
            OkHttpClient http = agent.install(new OkHttpClient());
            assertThat(outcome(http, api.url("/v1/me"))).isEqualTo(200);

            opa.kill();

            assertThat(outcome(http, api.url("/v1/me"))).isEqualTo(200);
            assertThat(outcome(http, api.url("/v1/you"))).isEqualTo(Reason.POLICY_UNREACHABLE);
        }
    }
}
