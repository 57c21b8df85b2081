package io.keyturn.yaml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.keyturn.Canary;
import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A file as a person writes it, through to the tokens it gives or the errors that person reads. */
class AgentFileTest {
    private static final String SEED = "agent:\n  api_token: ${AGENT_API_TOKEN}\n";

    private static TokenAgent.Builder file(String text, Map<String, String> variables) {
        return YamlConfig.parse(text, "agent.yaml").environment(variables::get);
    }

    private static List<String> errors(String text, Map<String, String> variables) {
        ConfigException e = catchThrowableOfType(
                ConfigException.class, () -> file(text, variables).start().close());
        assertThat(e).as("the agent must not start").isNotNull();
        return e.problems().stream().map(Problem::toString).toList();
    }

    @Test
    void start_seedFileWithVariable_givesTheToken() throws Exception {
        try (TokenAgent agent = file(SEED, Map.of("AGENT_API_TOKEN", "t1")).start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("t1");
        }
    }

    @Test
    void start_seedFileWithoutVariable_saysWhereAndWhich() {
        assertThat(errors(SEED, Map.of()))
                .containsExactly("agent.yaml:2:14 agent.api_token: environment variable AGENT_API_TOKEN is not set");
    }

    @Test
    void start_emptyVariableWhereATokenIsWanted_namesTheVariable() {
        assertThat(errors(SEED, Map.of("AGENT_API_TOKEN", "")))
                .singleElement()
                .asString()
                .startsWith("agent.yaml:2:14 agent.api_token: ")
                .contains("AGENT_API_TOKEN")
                .contains("empty");
    }

    @Test
    void start_misspeltKey_suggestsTheKeyThatWasMeant() {
        String text = """
            agent:
              name: ci-agent

              tokens:
                api_token:
                  value: t1
                  endpiont: https://api.example.com
            """;

        assertThat(errors(text, Map.of()))
                .containsExactly(
                        "agent.yaml:7:7 agent.tokens.api_token: unknown key 'endpiont', did you mean 'endpoint'?");
    }

    @Test
    void start_severalMistakes_areAllToldInTheOrderOfTheFile() {
        String text = """
            agent:
              start_timeout: 5
              tokens:
                first:
                  value: ${FIRST}
                  endpoint: http://api.example.com
                  send_as: {header: Host}
                second:
                  env: SECOND
                  allow: [everything]
                  rotate: {every: 12h}
              tokns: {}
            """;

        assertThat(errors(text, Map.of()))
                .extracting(error -> error.substring(0, error.indexOf(' ')))
                .containsExactly(
                        "agent.yaml:2:18",
                        "agent.yaml:5:14",
                        "agent.yaml:6:17",
                        "agent.yaml:7:25",
                        "agent.yaml:9:12",
                        "agent.yaml:10:15",
                        "agent.yaml:11:7",
                        "agent.yaml:12:3");
    }

    @ParameterizedTest
    @CsvSource({
        "vault,{path: secret/agent},needs keyturn-vault on the class path",
        "aws_secrets_manager,{secret_id: agent},needs keyturn-aws on the class path",
    })
    void start_sourceOfAModuleThatIsNotThere_namesTheModule(String key, String value, String expected) {
        String text = "agent:\n  api_token:\n    " + key + ": " + value + "\n";

        assertThat(errors(text, Map.of()))
                .singleElement()
                .asString()
                .startsWith("agent.yaml:3:")
                .contains("'" + key + "'")
                .contains(expected);
    }

    @ParameterizedTest
    @CsvSource({"0123", "1e10", "NO", "12:30:45", "._", "2024-02-30", "0x1F", "true"})
    void start_unquotedToken_isTheTextThatWasWritten(String written) throws Exception {
        try (TokenAgent agent =
                file("agent:\n  api_token: " + written + "\n", Map.of()).start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo(written);
        }
    }

    @Test
    void start_variableThatHoldsAReference_isInert() throws Exception {
        try (TokenAgent agent =
                file(SEED, Map.of("AGENT_API_TOKEN", "${OTHER}", "OTHER", "no")).start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("${OTHER}");
        }
    }

    @Test
    void start_variableThatHoldsYaml_failsAsATokenAndChangesNothing() {
        String value = Canary.WORD + "\nadmin: true";
        CheckReport report = file(SEED, Map.of("AGENT_API_TOKEN", value)).check(Duration.ofSeconds(5), Set.of());

        assertThat(report.exitCode()).isEqualTo(1);
        assertThat(report.toString()).contains("index " + Canary.WORD.length()).doesNotContain("admin");
        Canary.assertNotIn(new IllegalStateException(report.toString() + report.toJson()));
    }

    @Test
    void start_optionalTokenOptedOut_isAbsentAndTheAgentStarts() throws Exception {
        String text = "agent:\n  api_token: ${AGENT_API_TOKEN:-}\n  required: false\n";

        try (TokenAgent agent = file(text, Map.of()).start()) {
            assertThat(agent.check().exitCode()).isZero();
        }
    }

    @Test
    void start_fileReference_isReadUnderTheRulesOfTokenFiles(@TempDir Path folder) throws Exception {
        Path secret = folder.resolve("secret");
        Files.writeString(secret, "t1\n");
        Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-r--r--"));
        Path config = folder.resolve("agent.yaml");
        Files.writeString(config, "agent:\n  api_token: ${file:secret}\n");

        CheckReport refused = YamlConfig.load(config).check(Duration.ofSeconds(5), Set.of());
        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.toString()).contains("world_read");

        Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));
        try (TokenAgent agent = YamlConfig.load(config).start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("t1");
        }
    }

    @Test
    void start_fileReferenceOutsideTheFence_isRefused(@TempDir Path folder) throws Exception {
        Path outside = Files.createDirectory(folder.resolve("outside")).resolve("secret");
        Files.writeString(outside, "t1");
        Files.setPosixFilePermissions(outside, PosixFilePermissions.fromString("rw-------"));
        Path inside = Files.createDirectory(folder.resolve("inside"));
        Path config = inside.resolve("agent.yaml");

        Files.writeString(config, "agent:\n  api_token: ${file:../outside/secret}\n");
        CheckReport refused = YamlConfig.load(config).check(Duration.ofSeconds(5), Set.of());
        assertThat(refused.exitCode()).isEqualTo(2);
        assertThat(refused.toString()).contains("file_roots");

        Files.writeString(config, "agent:\n  api_token: ${file:../outside/secret}\n  file_roots: ../outside\n");
        try (TokenAgent agent = YamlConfig.load(config).start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("t1");
        }
    }

    @Test
    void validate_unsetVariables_areNeedsWhereverTheyStand() {
        String text = "agent:\n  api_token: ${AGENT_API_TOKEN}\n  endpoint: ${API_URL}\n  check: GET /me\n";

        CheckReport report = file(text, Map.of()).validate();

        assertThat(report.errors()).isEmpty();
        assertThat(report.exitCode()).isZero();
        assertThat(report.needs()).extracting(Need::name).containsExactly("AGENT_API_TOKEN", "API_URL");
        assertThat(report.needs())
                .extracting(need -> need.at().toString())
                .containsExactly("agent.yaml:2:14 agent.api_token", "agent.yaml:3:13 agent.endpoint");
    }

    @Test
    void load_onlyReads_variablesAreLookedAtWhenTheAgentStarts() {
        YamlConfig.parse(SEED, "agent.yaml").environment(name -> {
            throw new AssertionError("load must not look at variables");
        });
    }
}
