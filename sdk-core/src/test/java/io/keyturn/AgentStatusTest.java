package io.keyturn;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.AgentStatus.Phase;
import io.keyturn.check.Status;
import io.keyturn.provider.TokenStatus;
import io.keyturn.provider.TokenStatus.State;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class AgentStatusTest {
    private static final Instant AT = Instant.parse("2026-11-25T02:00:00Z");

    @RegisterExtension
    final Canary canary = new Canary();

    private static TokenStatus token(String name, State state) {
        boolean usable = state == State.FRESH || state == State.STALE;
        return new TokenStatus(
                name,
                state,
                usable ? "3f9a1c2b44d0" : null,
                state == State.ABSENT ? 0 : 7,
                state == State.ABSENT ? null : "file /run/secrets/token",
                state == State.ABSENT ? null : AT.plusSeconds(60),
                AT.plusSeconds(30),
                state == State.FRESH ? null : "file /run/secrets/token: \"gone\"");
    }

    private static AgentStatus status(Phase phase, TokenStatus... tokens) {
        return new AgentStatus("ci-agent", AT, phase, List.of(tokens), Set.of("api_token"), null);
    }

    private static AgentStatus parsed(String json) {
        return AgentStatus.parse(json.getBytes(UTF_8)).orElseThrow();
    }

    // --- in a word ---

    @ParameterizedTest
    @CsvSource({
        "FRESH, true, PASS",
        "STALE, true, WARN",
        "EXPIRED, false, FAIL",
        "ABSENT, false, FAIL",
    })
    void ok_requiredToken_isWhetherItIsHandedOut(State state, boolean ok, Status word) {
        AgentStatus status = status(Phase.RUNNING, token("api_token", state));

        assertThat(status.ok()).isEqualTo(ok);
        assertThat(status.status()).isEqualTo(word);
    }

    @ParameterizedTest
    @EnumSource(State.class)
    void ok_optionalToken_isFineWhateverItIs(State state) {
        AgentStatus status = status(Phase.RUNNING, token("api_token", State.FRESH), token("other", state));

        assertThat(status.ok()).isTrue();
        assertThat(status.status()).isEqualTo(state == State.FRESH ? Status.PASS : Status.WARN);
    }

    @ParameterizedTest
    @EnumSource(
            value = Phase.class,
            names = {"STARTING", "CLOSED", "SILENT"})
    void ok_notRunning_isNot(Phase phase) {
        AgentStatus status = status(phase, token("api_token", State.FRESH));

        assertThat(status.ok()).isFalse();
        assertThat(status.status()).isEqualTo(phase == Phase.SILENT ? Status.UNKNOWN : Status.FAIL);
    }

    @Test
    void status_configurationOutdated_warns() {
        AgentStatus status = new AgentStatus(
                "a",
                AT,
                Phase.RUNNING,
                List.of(token("api_token", State.FRESH)),
                Set.of("api_token"),
                "agent.yaml:2:3");

        assertThat(status.ok()).isTrue();
        assertThat(status.status()).isEqualTo(Status.WARN);
        assertThat(status.toString()).endsWith("cannot be used: agent.yaml:2:3, at 2026-11-25T02:00:00Z");
    }

    // --- later ---

    @ParameterizedTest
    @CsvSource({"0, RUNNING", "30, RUNNING", "31, SILENT", "-30, RUNNING", "-31, SILENT", "99999999999, SILENT"})
    void asOf_olderThanTheLimit_tellsNothing(long seconds, Phase phase) {
        AgentStatus read = status(Phase.RUNNING, token("api_token", State.FRESH))
                .asOf(AT.plusSeconds(seconds), Duration.ofSeconds(30));

        assertThat(read.phase()).isEqualTo(phase);
        assertThat(read.at()).isEqualTo(AT);
        assertThat(read.tokens()).hasSize(1);
    }

    // --- as a document ---

    @Test
    void json_everything_isReadAgain() {
        List<TokenStatus> tokens = new ArrayList<>();
        for (State state : State.values()) {
            tokens.add(token("t." + state, state));
        }
        for (Phase phase : Phase.values()) {
            AgentStatus status = new AgentStatus(
                    "Zoë \"☃\" \n", AT, phase, tokens, Set.of("t.FRESH", "t.ABSENT"), "agent.yaml:2:3: \\ no");

            assertThat(parsed(status.toJson())).isEqualTo(status);
            assertThat(status.toJson()).doesNotContain("\n");
        }
    }

    @Test
    void json_unknown_isNotThere() {
        TokenStatus nothing = new TokenStatus("api_token", State.ABSENT, null, 0, null, null, null, null);
        AgentStatus status = new AgentStatus("a", AT, Phase.STARTING, List.of(nothing), Set.of(), null);

        assertThat(status.toJson())
                .isEqualTo("{\"schema\":1,\"agent\":\"a\",\"at\":\"2026-11-25T02:00:00Z\",\"phase\":\"starting\","
                        + "\"ok\":false,\"status\":\"fail\",\"errors\":[],\"tokens\":[{\"name\":\"api_token\","
                        + "\"required\":false,\"state\":\"absent\",\"ok\":true,\"status\":\"warn\"}]}");
        assertThat(parsed(status.toJson())).isEqualTo(status);
    }

    @Test
    void parse_keysOfALaterVersion_areLeftOut() {
        String json = status(Phase.RUNNING, token("api_token", State.FRESH)).toJson();
        String later = json.replaceFirst("\\{", "{\"news\":[1,{\"a\":null}],\"more\":1.5,")
                .replaceFirst("\\{\"name\"", "{\"news\":{},\"name\"");

        assertThat(parsed(later)).isEqualTo(parsed(json));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "1",
                "{}",
                "{\"token\": \"abc\"}",
                "{\"schema\":1,\"agent\":\"a\",\"ok\":true,\"status\":\"pass\",\"errors\":[],\"tokens\":[],\"needs\":[]}",
                "{\"schema\":2,\"agent\":\"a\",\"at\":\"2026-11-25T02:00:00Z\",\"phase\":\"running\",\"tokens\":[]}",
                "{\"schema\":1,\"agent\":\"a\",\"at\":\"soon\",\"phase\":\"running\",\"tokens\":[]}",
                "{\"schema\":1,\"agent\":\"a\",\"at\":\"2026-11-25T02:00:00Z\",\"phase\":\"dancing\",\"tokens\":[]}",
                "{\"schema\":1,\"agent\":\"a\",\"at\":\"2026-11-25T02:00:00Z\",\"phase\":\"running\",\"tokens\":[1]}",
                "{\"schema\":1,\"agent\":\"a\",\"at\":\"2026-11-25T02:00:00Z\",\"phase\":\"running\",\"tokens\":[{}]}",
                "{\"schema\":1,\"agent\":7,\"at\":\"2026-11-25T02:00:00Z\",\"phase\":\"running\",\"tokens\":[]}",
                "{\"schema\":1,\"schema\":1,\"agent\":\"a\",\"at\":\"2026-11-25T02:00:00Z\",\"phase\":\"running\",\"tokens\":[]}",
                "{\"schema\":1,\"agent\":\"a\",\"at\":\"2026-11-25T02:00:00Z\",\"phase\":\"running\",\"tokens\":[]} {}",
                "{\"schema\":1,\"agent\":\"a\",\"at\":\"2026-11-25T02:00:00Z\",\"phase\":\"running\",\"tokens\":[",
                "<html>"
            })
    void parse_anythingElse_isEmpty(String text) {
        assertThat(AgentStatus.parse(text.getBytes(UTF_8))).isEmpty();
    }

    @Test
    void parse_cutAnywhereOrAllZeros_isEmpty() {
        byte[] json =
                status(Phase.RUNNING, token("api_token", State.STALE)).toJson().getBytes(UTF_8);
        for (int length = 0; length < json.length; length++) {
            assertThat(AgentStatus.parse(java.util.Arrays.copyOf(json, length))).isEmpty();
        }
        assertThat(AgentStatus.parse(new byte[100])).isEmpty();
        assertThat(AgentStatus.parse("[".repeat(100_000).getBytes(UTF_8))).isEmpty();
    }

    // --- for people ---

    @Test
    void toString_severalTokens_theLastLineSaysWhatMattersMost() {
        AgentStatus status = status(Phase.RUNNING, token("api_token", State.EXPIRED), token("other", State.STALE));

        assertThat(status.toString().lines())
                .containsExactly(
                        "  fail     api_token  expired, from file /run/secrets/token, ends at 2026-11-25T02:01:00Z, asked"
                                + " again at 2026-11-25T02:00:30Z: file /run/secrets/token: \"gone\"",
                        "  warn     other#3f9a1c2b44d0  stale (optional), from file /run/secrets/token, ends at"
                                + " 2026-11-25T02:01:00Z, asked again at 2026-11-25T02:00:30Z: file /run/secrets/token:"
                                + " \"gone\"",
                        "fail: agent ci-agent (2 tokens) is not usable without api_token, at 2026-11-25T02:00:00Z");
    }

    @Test
    void toString_controlCharactersOfAFile_areNotPrinted() {
        AgentStatus status = new AgentStatus("a\u001B[2J\nb", AT, Phase.CLOSED, List.of(), Set.of(), null);

        assertThat(status.toString()).isEqualTo("fail: agent a?[2J?b (0 tokens) is closed");
    }

    // --- of an agent ---

    @Test
    void status_runningAgent_asksNobody() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        CountDownLatch over = new CountDownLatch(1);
        try (TokenAgent agent = TokenAgent.builder()
                .name("ci-agent")
                .token("api_token", TokenSources.of("accounts db", () -> {
                    asked.incrementAndGet();
                    return TokenDocument.of(canary.token());
                }))
                .token(
                        "hangs",
                        TokenSources.of("hanging db", () -> {
                            over.await();
                            return TokenDocument.of(canary.token());
                        }),
                        TokenOptions::optional)
                .start()) {
            for (int i = 0; i < 100; i++) {
                AgentStatus status = agent.status();
                assertThat(status.ok()).isTrue();
                assertThat(status.status()).isEqualTo(Status.WARN);
            }
            AgentStatus status = agent.status();
            canary.saw("status", status.toString()).saw("json", status.toJson());
            assertThat(status.agent()).isEqualTo("ci-agent");
            assertThat(status.required()).containsExactly("api_token");
            assertThat(status.token("api_token").orElseThrow().fingerprint())
                    .isEqualTo(agent.provider("api_token").get().fingerprint());
            assertThat(status.token("hangs").orElseThrow().state()).isEqualTo(State.ABSENT);
            assertThat(status.token("nobody")).isEmpty();
            assertThat(asked).hasValue(1);
        } finally {
            over.countDown();
        }
    }

    @Test
    void status_closedAgent_isClosed() throws Exception {
        PushedSource source = TokenSources.pushed();
        source.set(canary.token());
        TokenAgent agent = TokenAgent.builder().token("api_token", source).start();
        assertThat(agent.status().phase()).isEqualTo(Phase.RUNNING);

        agent.close();

        assertThat(agent.status().phase()).isEqualTo(Phase.CLOSED);
        assertThat(agent.status().ok()).isFalse();
        assertThat(agent.status().token("api_token").orElseThrow().fingerprint())
                .isNull();
    }
}
