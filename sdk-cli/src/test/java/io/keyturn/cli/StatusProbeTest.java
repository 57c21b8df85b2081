package io.keyturn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.AgentStatus;
import io.keyturn.AgentStatus.Phase;
import io.keyturn.Canary;
import io.keyturn.TokenAgent;
import io.keyturn.cli.Cli.Ended;
import io.keyturn.provider.TokenStatus;
import io.keyturn.provider.TokenStatus.State;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSources;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a probe is told of a running agent. */
@Timeout(60)
class StatusProbeTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Cli cli = new Cli(canary);

    private static TokenStatus token(State state) {
        boolean usable = state == State.FRESH || state == State.STALE;
        return new TokenStatus(
                "api_token",
                state,
                usable ? "3f9a1c2b44d0" : null,
                1,
                "file /run/secrets/token",
                null,
                null,
                state == State.STALE ? "file /run/secrets/token does not exist" : null);
    }

    private String file(Phase phase, State state, Duration age) {
        AgentStatus status = new AgentStatus(
                "ci-agent", Instant.now().minus(age), phase, List.of(token(state)), Set.of("api_token"), null);
        return Cli.write(folder, "status.json", status.toJson()).toString();
    }

    // --- what it says ---

    @ParameterizedTest
    @CsvSource({
        "RUNNING, FRESH, 0, 0, pass, is usable",
        "RUNNING, STALE, 0, 0, warn, 'is usable, and degraded'",
        "RUNNING, EXPIRED, 0, 1, fail, is not usable without api_token",
        "RUNNING, ABSENT, 0, 1, fail, is not usable without api_token",
        "STARTING, FRESH, 0, 1, fail, is starting",
        "CLOSED, FRESH, 0, 1, fail, is closed",
        "RUNNING, FRESH, 29, 0, pass, is usable",
        "RUNNING, FRESH, 31, 3, unknown, has told nothing since",
        "RUNNING, FRESH, -31, 3, unknown, has told nothing since",
        "CLOSED, ABSENT, 31, 3, unknown, has told nothing since"
    })
    void status_ofAnAgent_tellsWhetherItIsUsable(
            Phase phase, State state, int age, int exit, String word, String words) {
        String file = file(phase, state, Duration.ofSeconds(age));

        Ended text = cli.run("status", file);
        assertThat(text.exit()).isEqualTo(exit);
        assertThat(text.out())
                .contains("\n" + word + ": agent ci-agent (1 token) ")
                .contains(words);
        assertThat(text.err()).isEmpty();

        Ended json = cli.run("status", file, "--json");
        assertThat(json.exit()).isEqualTo(exit);
        assertThat(json.json().get("schema").asInt()).isEqualTo(1);
        assertThat(json.json().get("ok").asBoolean()).isEqualTo(exit == 0);
        assertThat(json.json().get("status").asText()).isEqualTo(word);
        assertThat(json.json().get("errors")).isEmpty();
        assertThat(json.json().get("tokens").get(0).get("state").asText()).isEqualToIgnoringCase(state.name());
        assertThat(json.err()).isEmpty();
    }

    @Test
    void maxAge_isHeeded() {
        String file = file(Phase.RUNNING, State.FRESH, Duration.ofMinutes(5));

        assertThat(cli.run("status", file, "--max-age", "10m").exit()).isZero();
        assertThat(cli.run("status", "--max-age=4m", file).exit()).isEqualTo(3);
    }

    @Test
    void status_whileAnAgentLives_followsIt() throws Exception {
        Path status = folder.resolve("live.json");
        PushedSource source = TokenSources.pushed();
        source.set(canary.token());
        try (TokenAgent agent = TokenAgent.builder()
                .statusFile(status)
                .token("api_token", source)
                .start()) {
            String before = agent.provider("api_token").get().fingerprint();
            Ended first = cli.run("status", status.toString());
            assertThat(first.exit()).isZero();
            assertThat(first.out()).contains("api_token#" + before + "  fresh");

            source.set("another-" + canary.token());
            String after = agent.provider("api_token").get().fingerprint();
            Awaitility.await()
                    .atMost(Duration.ofSeconds(5))
                    .until(() -> cli.run("status", status.toString()).out().contains("api_token#" + after));
        }

        assertThat(cli.run("status", status.toString()).exit()).isEqualTo(1);
    }

    // --- what is none ---

    private void isNone(String file, String words) {
        Ended text = cli.run("status", file);
        assertThat(text.exit()).isEqualTo(2);
        assertThat(text.out()).startsWith(file + ": " + words);
        assertThat(text.err()).isEmpty();

        Ended json = cli.run("status", file, "--json");
        assertThat(json.exit()).isEqualTo(2);
        assertThat(json.json().get("ok").asBoolean()).isFalse();
        assertThat(json.json().get("errors").get(0).get("message").asText()).startsWith(words);
    }

    @Test
    void file_isNotThere_is2() {
        isNone(folder.resolve("nowhere").toString(), "the file does not exist");
        isNone(folder.resolve("no/where").toString(), "the file does not exist");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{}", "agent:\n  api_token: TOKEN\n", "{\"token\": \"TOKEN\"}", "TOKEN", "\0"})
    void file_holdsSomethingElse_is2AndNothingOfItIsTold(String content) {
        isNone(
                Cli.write(folder, "other", content.replace("TOKEN", canary.token()))
                        .toString(),
                "is not the status of an agent");
    }

    @Test
    void file_isACheckReport_is2() {
        String report = cli.with("A", canary.token())
                .run("check", "--env", "A", "--json")
                .out();
        isNone(Cli.write(folder, "report.json", report).toString(), "is not the status of an agent");
    }

    @Test
    @Timeout(10)
    void file_isNoFile_is2AtOnce() throws Exception {
        Path pipe = folder.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        isNone(pipe.toString(), "is no regular file");
        isNone("/dev/zero", "is no regular file");
        isNone(folder.toString(), "is no regular file");
        isNone(
                Files.createSymbolicLink(folder.resolve("loop"), folder.resolve("loop"))
                        .toString(),
                "the file does not exist");
    }

    @Test
    void file_isNoPath_is2() {
        assertThat(cli.run("status", "a\0b").exit()).isEqualTo(2);
    }

    @Test
    void status_controlCharactersInAFile_areNotPrinted() {
        AgentStatus status =
                new AgentStatus("a\u001B]0;x\u0007", Instant.now(), Phase.RUNNING, List.of(), Set.of(), null);
        String file = Cli.write(folder, "status.json", status.toJson()).toString();

        Ended ended = cli.run("status", file);

        assertThat(ended.exit()).isZero();
        assertThat(ended.out()).doesNotContain("\u001B").doesNotContain("\u0007");
        assertThat(cli.run("status", file, "--json").out()).doesNotContain("\u001B");
    }
}
