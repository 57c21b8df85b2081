package io.keyturn.aws;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.config.ConfigException;
import io.keyturn.token.Reason;
import io.keyturn.yaml.YamlConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An agent whose tokens are in Secrets Manager, as its configuration says. */
@Timeout(60)
class AgentTest {
    private static final String ONE = "one-" + Canary.WORD;
    private static final String TWO = "two-" + Canary.WORD;

    @RegisterExtension
    final Canary canary = new Canary();

    @RegisterExtension
    final AwsLogin login = new AwsLogin();

    private final Set<String> accepted = ConcurrentHashMap.newKeySet();
    private final List<AutoCloseable> open = new ArrayList<>();
    private FakeSecretsManager aws;
    private RecordingServer api;

    @BeforeEach
    void start() throws Exception {
        aws = FakeSecretsManager.start();
        open.add(aws);
        api = RecordingServer.start();
        open.add(api);
        api.on("/", seen -> {
            String sent = String.join("", seen.header("Authorization")).replace("Bearer ", "");
            return accepted.contains(sent) ? Answer.ok("ok") : Answer.of(401, "");
        });
    }

    @AfterEach
    void close() throws Exception {
        for (int i = open.size() - 1; i >= 0; i--) {
            open.get(i).close();
        }
    }

    private TokenAgent agent(String yaml) throws Exception {
        TokenAgent agent =
                YamlConfig.parse(yaml, "agent.yaml").listener(canary.listener()).start();
        open.add(agent);
        return agent;
    }

    private String yaml(String every) {
        return """
            agent:
              api_token:
                aws_secrets_manager: {secret_id: prod/agent, region: eu-central-1, endpoint: "%s"}
              endpoint: %s
              check: GET /
              refresh: {every: %s}
            """.formatted(aws.url(), api.url("/"), every);
    }

    private int call(OkHttpClient http) throws Exception {
        try (Response response =
                http.newCall(new Request.Builder().url(api.url("/")).build()).execute()) {
            return response.code();
        }
    }

    @Test
    void run_labelMoves_noRequestFailsAndThePendingIsNeverSent() throws Exception {
        aws.has("11111111-1", ONE, "AWSCURRENT");
        accepted.add(ONE);
        TokenAgent agent = agent(yaml("50ms"));
        OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();
        assertThat(call(http)).isEqualTo(200);

        aws.has("22222222-2", TWO, "AWSPENDING");
        accepted.add(TWO);
        assertThat(call(http)).isEqualTo(200);
        assertThat(agent.provider("api_token").get().reveal()).isEqualTo(ONE);
        aws.moveTo("22222222-2");

        await().until(() -> agent.provider("api_token").get().reveal().equals(TWO));
        accepted.remove(ONE);
        assertThat(call(http)).isEqualTo(200);
        CheckReport report = agent.check();
        canary.saw("report", report).saw("json", report.toJson());
        assertThat(report.ok()).isTrue();
        assertThat(report.toString()).contains("aws_secrets_manager prod/agent in eu-central-1, version 22222222");
        assertThat(report.toJson()).contains("\"version\":\"22222222-2\"");
    }

    /** The label has moved, and the API has not heard of the new token yet. */
    @Test
    void run_currentRefused_previousServesWithoutAFailedRequestAndIsLeftWhenRefused() throws Exception {
        aws.has("11111111-1", ONE, "AWSCURRENT").has("22222222-2", TWO);
        aws.moveTo("22222222-2");
        accepted.add(ONE);
        TokenAgent agent = agent(yaml("1h"));
        OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();

        assertThat(call(http)).isEqualTo(200);
        assertThat(agent.provider("api_token").get().reveal()).isEqualTo(ONE);
        assertThat(agent.check().toString()).contains("AWSPREVIOUS, since the API refused AWSCURRENT");

        accepted.add(TWO);
        accepted.remove(ONE);
        assertThat(call(http)).isEqualTo(200);
        assertThat(agent.provider("api_token").get().reveal()).isEqualTo(TWO);
    }

    @Test
    void run_bothRefused_endsAfterOneTryOfEach() throws Exception {
        aws.has("11111111-1", ONE, "AWSCURRENT").has("22222222-2", TWO);
        aws.moveTo("22222222-2");
        TokenAgent agent = agent(yaml("1h"));
        OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();

        for (int i = 0; i < 10; i++) {
            assertThat(call(http)).isEqualTo(401);
        }

        assertThat(agent.provider("api_token").get().reveal()).isEqualTo(TWO);
        assertThat(aws.calls().stream().filter("GetSecretValue AWSPREVIOUS"::equals))
                .hasSize(1);
    }

    @Test
    void run_storeGone_tokenServesAndTheCheckSaysSinceWhen() throws Exception {
        aws.has("11111111-1", ONE, "AWSCURRENT");
        accepted.add(ONE);
        TokenAgent agent = agent(yaml("50ms"));
        OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();

        aws.close();

        await().until(() -> agent.check().toString().contains("is unreachable"));
        assertThat(agent.check().toString())
                .contains("aws_secrets_manager " + aws.url()
                        + " is unreachable (nobody accepts connections there) since ")
                .contains("the last good token serves");
        assertThat(agent.check().toJson()).contains("\"reason\":\"degraded\"");
        assertThat(call(http)).isEqualTo(200);
    }

    @Test
    void start_fiftyTokens_oneClientAndNoThreadOfTheSdk() throws Exception {
        aws.has("11111111-1", ONE, "AWSCURRENT");
        StringBuilder yaml = new StringBuilder("agent:\n  tokens:\n");
        for (int i = 0; i < 50; i++) {
            yaml.append("    t")
                    .append(i)
                    .append(":\n      aws_secrets_manager: {secret_id: prod/agent, region: eu-central-1,")
                    .append(" endpoint: \"")
                    .append(aws.url())
                    .append("\"}\n");
        }

        TokenAgent agent = agent(yaml.toString());

        assertThat(agent.provider("t49").get().reveal()).isEqualTo(ONE);
        assertThat(aws.calls()).hasSize(100);
        assertThat(Thread.getAllStackTraces().keySet().stream()
                        .map(Thread::getName)
                        .filter(name -> name.startsWith("sdk-") || name.contains("idle-connection"))
                        .collect(Collectors.toSet()))
                .isEmpty();
    }

    /** This machine itself is never reached through a proxy, so the address is another: nobody looks its name up. */
    @Test
    void start_agentHasAProxy_secretIsAskedForThroughIt() throws Exception {
        aws.has("11111111-1", ONE, "AWSCURRENT");

        TokenAgent agent = agent("""
                agent:
                  http: {proxy: "http://127.0.0.1:%d"}
                  api_token:
                    aws_secrets_manager: {secret_id: prod/agent, region: eu-central-1, endpoint: "http://store.invalid"}
                  allow: [insecure_http]
                """.formatted(aws.port()));

        assertThat(agent.provider("api_token").get().reveal()).isEqualTo(ONE);
        assertThat(aws.requests().get(0).getHeaders().get("Host")).isEqualTo("store.invalid");
    }

    // --- the configuration ---

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        {region: eu-central-1}                                 | 'secret_id' is missing
        {secret_id: 'a b'}                                     | secret_id: must be the name of a secret
        {secret_id: ''}                                        | secret_id: must be the name of a secret
        {secret_id: a, stage: AWSPENDING}                      | stage: must not be AWSPENDING
        {secret_id: a, stage: ''}                              | stage: must be a staging label
        {secret_id: a, key: ' '}                               | key: must be a field of the secret's JSON
        {secret_id: a, region: 'EU west'}                      | region: must be a region
        {secret_id: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf', region: us-east-1} | region: must be eu-west-1
        {secret_id: a, endpoint: 'http://store.example'}       | endpoint: must be https://
        {secret_id: a, endpoint: 'ftp://store.example'}        | endpoint: must be a URL
        {secret_id: a, secretid: b}                            | unknown key 'secretid', did you mean 'secret_id'?
        prod/agent                                             | must be a map with the key secret_id
        """)
    void validate_wrongSettings_saidAtTheirPlace(String settings, String message) {
        ConfigException e = canary.caught(
                ConfigException.class,
                () -> agent("agent:\n  api_token:\n    aws_secrets_manager: " + settings + "\n"));

        assertThat(e.problems()).hasSize(1);
        assertThat(e.problems().get(0).reason()).isEqualTo(Reason.INVALID);
        assertThat(e).hasMessageContaining("agent.yaml:3:").hasMessageContaining(message);
    }
}
