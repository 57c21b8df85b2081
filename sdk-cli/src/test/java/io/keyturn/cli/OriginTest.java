package io.keyturn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.cli.Cli.Ended;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Where the configuration comes from. That ./agent.yaml is the default of defaults is for {@link RunnableJarIT}. */
class OriginTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Cli cli = new Cli(canary);

    private static String named(String name) {
        return "agent:\n  name: " + name + "\n  api_token: ${AGENT_API_TOKEN}\n";
    }

    private static String agent(Ended ended) {
        return ended.json().get("agent").asText();
    }

    @Test
    void config_variable_isTheDefault() {
        cli.with(
                "KEYTURN_CONFIG",
                Cli.write(folder, "a.yaml", named("of-the-variable")).toString());

        for (String command : new String[] {"check", "validate", "explain"}) {
            assertThat(agent(cli.run(command, "--json"))).isEqualTo("of-the-variable");
        }
    }

    @Test
    void config_argument_winsOverTheVariable() {
        cli.with(
                "KEYTURN_CONFIG",
                Cli.write(folder, "a.yaml", named("of-the-variable")).toString());
        String other = Cli.write(folder, "b.yaml", named("of-the-argument")).toString();

        assertThat(agent(cli.run("validate", "--json", other))).isEqualTo("of-the-argument");
        assertThat(agent(cli.run("validate", other, "--json"))).isEqualTo("of-the-argument");
    }

    @Test
    void config_emptyVariable_isAsUnset() {
        assertThat(cli.with("KEYTURN_CONFIG", "").run("check").out()).startsWith("agent.yaml: the file does not exist");
    }

    @Test
    void config_nowhere_saysWhatToDo() {
        Ended ended = cli.run("check");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out())
                .startsWith("agent.yaml: the file does not exist")
                .contains("KEYTURN_CONFIG")
                .contains("keyturn check --env VARIABLE");
        assertThat(cli.run("check", "--json")
                        .json()
                        .get("errors")
                        .get(0)
                        .get("file")
                        .asText())
                .isEqualTo("agent.yaml");
    }

    @Test
    void config_namedFileAbsent_isNotTheDefaultsAdvice() {
        Ended ended = cli.run("check", folder.resolve("absent.yaml").toString());

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out()).contains("absent.yaml: the file does not exist").doesNotContain("KEYTURN_CONFIG");
    }

    @Test
    void config_folder_is2() {
        assertThat(cli.run("check", folder.toString()).exit()).isEqualTo(2);
        assertThat(cli.run("check", "no\0path").exit()).isEqualTo(2);
    }

    // --- standard input ---

    @Test
    void config_dash_isStandardInput() {
        Ended ended = cli.reading(named("of-the-input")).run("validate", "-", "--json");

        assertThat(ended.exit()).isZero();
        assertThat(agent(ended)).isEqualTo("of-the-input");
    }

    @Test
    void config_dashWithError_namesStandardInput() {
        Ended ended = cli.reading("agent:\n  api_tokken: x\n").run("check", "-");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out()).startsWith("<stdin>:2:3 agent").contains("did you mean 'api_token'?");
    }

    @Test
    void config_dashRelativePath_isOfTheWorkingDirectory() {
        String there = Path.of("").toAbsolutePath().resolve("no-such-token").toString();

        Ended ended =
                cli.reading("agent:\n  api_token: {file: no-such-token}\n").run("check", "-");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out()).contains(there);
    }

    @Test
    void config_dashNotUtf8_is2() {
        InputStream latin1 = new ByteArrayInputStream(new byte[] {'a', ':', ' ', (byte) 0xE9, '\n'});

        Ended ended = cli.reading(latin1).run("check", "-");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out()).startsWith("<stdin>: is not UTF-8");
    }

    @Test
    void config_dashTooLong_is2() {
        Ended ended =
                cli.reading("# " + "é".repeat(200_000) + "\n" + named("a")).run("check", "-");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out()).contains("larger than 256 KiB");
    }

    @Test
    void config_dashBroken_is2() {
        InputStream broken = new FilterInputStream(InputStream.nullInputStream()) {
            @Override
            public int read(byte[] buffer, int from, int length) throws IOException {
                throw new IOException(canary.token());
            }
        };

        Ended ended = cli.reading(broken).run("check", "-", "--json");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.json().get("errors").get(0).get("message").asText()).isEqualTo("cannot be read");
    }

    // --- the command line itself ---

    @Test
    void direct_env_isATokenWithItsProof() {
        try (RecordingServer api = RecordingServer.start()) {
            api.on("/v1/me", seen -> seen.holds("Bearer " + canary.token()) ? Answer.ok("") : Answer.of(401, ""));

            Ended ended = cli.with("MY_TOKEN", canary.token())
                    .run(
                            "check",
                            "--env",
                            "MY_TOKEN",
                            "--endpoint",
                            api.url("/v1"),
                            "--request",
                            "GET /v1/me",
                            "--json");

            assertThat(ended.exit()).isZero();
            assertThat(ended.step("authenticate")).isEqualTo("pass");
            assertThat(ended.step("anonymous")).isEqualTo("pass");
        }
    }

    @Test
    void direct_wins_overTheDefaultConfig() {
        cli.with("KEYTURN_CONFIG", folder.resolve("absent.yaml").toString()).with("MY_TOKEN", canary.token());

        assertThat(cli.run("check", "--env", "MY_TOKEN").exit()).isZero();
        assertThat(cli.run("check", "--env", "MY_TOKEN", "--strict").exit()).isEqualTo(1);
    }

    @Test
    void direct_wrongOptions_areShownAtTheOption() {
        cli.with("MY_TOKEN", canary.token());

        Ended ended = cli.run(
                "check", "--env", "MY_TOKEN", "--endpoint", "http://api.example.com", "--request", "fetch it, please");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out())
                .contains("--endpoint: must be https")
                .contains("--request: must be a method and a target");
    }

    @Test
    void direct_unset_is2() {
        Ended ended = cli.run("check", "--env", "NOT_SET");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out()).startsWith("--env: environment variable NOT_SET is not set");
    }
}
