package io.keyturn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.cli.Cli.Ended;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The two lines with which everybody begins. */
class SeedTest {
    private static final String SEED = "agent:\n  api_token: ${AGENT_API_TOKEN}\n";

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Cli cli = new Cli(canary);

    @Test
    void check_seedWithVariable_warnsThatNoEndpointIsDeclared() {
        String file = Cli.write(folder, "agent.yaml", SEED).toString();

        Ended ended = cli.with("AGENT_API_TOKEN", canary.token()).run("check", file);

        assertThat(ended.exit()).isZero();
        assertThat(ended.out())
                .containsPattern("warn +reach +no endpoint is declared")
                .contains("fix: ");
        assertThat(ended.err()).isEmpty();
    }

    @Test
    void check_seedWithoutVariable_saysWhereItIsMissed() {
        String file = Cli.write(folder, "agent.yaml", SEED).toString();

        Ended ended = cli.run("check", file);

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out().lines().findFirst())
                .contains(file + ":2:14 agent.api_token: environment variable AGENT_API_TOKEN is not set");
    }

    @Test
    void validate_seedWithoutVariable_listsItAsANeed() {
        Ended ended = cli.run("validate", Cli.write(folder, "agent.yaml", SEED).toString());

        assertThat(ended.exit()).isZero();
        assertThat(ended.out()).containsPattern("needs +env +AGENT_API_TOKEN");
    }

    @Test
    void validate_json_listsTheNeeds() {
        Ended ended = cli.run(
                "validate", "--json", Cli.write(folder, "agent.yaml", SEED).toString());

        assertThat(ended.json().get("needs").get(0).get("kind").asText()).isEqualTo("env");
        assertThat(ended.json().get("needs").get(0).get("name").asText()).isEqualTo("AGENT_API_TOKEN");
        assertThat(ended.json().get("ok").asBoolean()).isTrue();
    }

    @Test
    void explain_firstOf_tellsWhichWasChosenAndWhyTheOthersWereNot() {
        String yaml = "agent:\n  api_token:\n    first_of: [{env: A}, {env: B}, {env: C}]\n";

        Ended ended = cli.with("B", canary.token())
                .run("explain", "--json", Cli.write(folder, "agent.yaml", yaml).toString());

        assertThat(ended.exit()).isZero();
        assertThat(ended.json().get("tokens").get(0).get("sources"))
                .extracting(source -> source.get("chosen").asBoolean())
                .containsExactly(false, true, false);
    }
}
