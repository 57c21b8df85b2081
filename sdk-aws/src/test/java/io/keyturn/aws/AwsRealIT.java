package io.keyturn.aws;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenEvent.RefreshFailed;
import io.keyturn.source.SourceContext;
import io.keyturn.token.Reason;
import io.keyturn.yaml.YamlConfig;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.extension.RegisterExtension;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.secretsmanager.SecretsManagerClient;

/**
 * Against Secrets Manager as moto plays it, or another that {@code AWS_ENDPOINT_URL} names: {@code eval "$(it/moto.sh
 * start)"; mvn -Preal verify}. Each test has a secret of its own, and deletes it.
 */
@EnabledIfEnvironmentVariable(named = "AWS_ENDPOINT_URL", matches = ".+")
@Timeout(300)
class AwsRealIT {
    private static final String ONE = "one-" + Canary.WORD;
    private static final String TWO = "two-" + Canary.WORD;
    private static final String V1 = UUID.randomUUID().toString();
    private static final String V2 = UUID.randomUUID().toString();

    @RegisterExtension
    final Canary canary = new Canary();

    private final String name = "keyturn/" + UUID.randomUUID();
    private final Set<String> accepted = ConcurrentHashMap.newKeySet();
    private final Queue<String> sent = new ConcurrentLinkedQueue<>();
    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private final List<AutoCloseable> open = new ArrayList<>();
    private SecretsManagerClient aws;
    private RecordingServer api;

    @BeforeEach
    void start() {
        aws = SecretsManagerClient.builder()
                .httpClient(new AgentHttp(SourceContext.ofProcess(), true))
                .build();
        api = RecordingServer.start();
        api.on("/", seen -> {
            String token = String.join("", seen.header("Authorization")).replace("Bearer ", "");
            sent.add(token);
            return accepted.contains(token) ? Answer.ok("ok") : Answer.of(401, "");
        });
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
        api.close();
        aws.deleteSecret(request -> request.secretId(name).forceDeleteWithoutRecovery(true));
        aws.close();
        canary.saw("events", events);
    }

    private TokenAgent agent(String key) throws Exception {
        String yaml = """
                agent:
                  start_timeout: 30s
                  api_token:
                    aws_secrets_manager: {secret_id: "%s"%s}
                  endpoint: %s
                  check: GET /
                  refresh: {every: 1s}
                """.formatted(name, key.isEmpty() ? "" : ", key: " + key, api.url("/"));
        TokenAgent agent =
                YamlConfig.parse(yaml, "agent.yaml").listener(events::add).start();
        open.add(agent);
        return agent;
    }

    private int call(OkHttpClient http) {
        try (Response response =
                http.newCall(new Request.Builder().url(api.url("/")).build()).execute()) {
            return response.code();
        } catch (Exception e) {
            canary.saw(e);
            return -1;
        }
    }

    private String current(TokenAgent agent) throws Exception {
        return agent.provider("api_token").get().reveal();
    }

    private String report(TokenAgent agent) {
        CheckReport report = agent.check();
        canary.saw("json", report.toJson()).saw("report", report);
        return report + report.toJson();
    }

    private void create(String value) {
        aws.createSecret(request -> request.name(name).secretString(value).clientRequestToken(V1));
    }

    /** The third step of a rotation, and the last. */
    private void finish() {
        aws.updateSecretVersionStage(request -> request.secretId(name)
                .versionStage("AWSCURRENT")
                .moveToVersionId(V2)
                .removeFromVersionId(V1));
    }

    private void pend(String value) {
        aws.putSecretValue(request -> request.secretId(name)
                .secretString(value)
                .clientRequestToken(V2)
                .versionStages("AWSPENDING"));
    }

    @Test
    void rotation_createTestFinish_usedWithinAPollAndASecondWithoutAFailedRequest() throws Exception {
        create("{\"api_token\": \"" + ONE + "\"}");
        accepted.addAll(Set.of(ONE, TWO));
        TokenAgent agent = agent("api_token");
        OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();
        assertThat(call(http)).isEqualTo(200);

        pend("{\"api_token\": \"" + TWO + "\"}");
        long until = System.nanoTime() + Duration.ofSeconds(3).toNanos();
        while (System.nanoTime() - until < 0) {
            assertThat(call(http)).isEqualTo(200);
        }
        assertThat(sent).containsOnly(ONE);

        finish();
        long moved = System.nanoTime();
        while (!current(agent).equals(TWO)) {
            assertThat(call(http)).isEqualTo(200);
            assertThat(Duration.ofNanos(System.nanoTime() - moved)).isLessThan(Duration.ofMillis(2100));
        }
        accepted.remove(ONE);
        assertThat(call(http)).isEqualTo(200);
        assertThat(report(agent))
                .contains("aws_secrets_manager " + name + "#api_token")
                .contains("version " + V2.substring(0, 8));
    }

    @Test
    void rotation_apiHasNotHeardOfIt_previousServes() throws Exception {
        create(ONE);
        pend(TWO);
        finish();
        accepted.add(ONE);
        TokenAgent agent = agent("");
        OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();

        assertThat(call(http)).isEqualTo(200);
        assertThat(sent).containsExactly(TWO, ONE);
        accepted.add(TWO);
        accepted.remove(ONE);
        assertThat(call(http)).isEqualTo(200);
        assertThat(current(agent)).isEqualTo(TWO);
    }

    @Test
    void deletion_pendingThenRestored_tokenServesAndTheCheckSaysWhy() throws Exception {
        create(ONE);
        accepted.add(ONE);
        TokenAgent agent = agent("");
        OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();

        aws.deleteSecret(request -> request.secretId(name).recoveryWindowInDays(7L));
        await().atMost(10, TimeUnit.SECONDS).until(() -> report(agent).contains("is about to be deleted"));
        assertThat(report(agent)).contains("degraded").contains("restore-secret");
        assertThat(call(http)).isEqualTo(200);

        aws.restoreSecret(request -> request.secretId(name));
        await().atMost(30, TimeUnit.SECONDS).until(() -> !report(agent).contains("degraded"));
        assertThat(call(http)).isEqualTo(200);
    }

    @Test
    void start_secretThatComesLater_waitedFor() throws Exception {
        CompletableFuture<TokenAgent> starting = CompletableFuture.supplyAsync(() -> {
            try {
                return agent("");
            } catch (Exception e) {
                throw new IllegalStateException(canary.saw(e));
            }
        });
        await().atMost(30, TimeUnit.SECONDS).until(() -> events.stream().anyMatch(RefreshFailed.class::isInstance));

        create(ONE);

        assertThat(current(starting.get(30, TimeUnit.SECONDS))).isEqualTo(ONE);
        assertThat(events)
                .first()
                .isInstanceOfSatisfying(
                        RefreshFailed.class,
                        failed -> assertThat(failed.reason()).isEqualTo(Reason.ABSENT));
    }

    @Test
    void start_binarySecret_isItsText() throws Exception {
        aws.createSecret(request -> request.name(name)
                .secretBinary(SdkBytes.fromByteArray((ONE + "\n").getBytes(UTF_8)))
                .clientRequestToken(V1));

        assertThat(current(agent(""))).isEqualTo(ONE);
    }
}
