package io.keyturn.check;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.config.Template;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Is the configuration right, and what does it need: no source asked, no file opened, no network. */
@Timeout(60)
class ValidateTest {
    @TempDir
    Path folder;

    /** Fails the test by whatever asks it anything. */
    private static final TokenSource NEVER_ASKED = new TokenSource() {
        @Override
        public Optional<TokenDocument> fetch() {
            throw new AssertionError("asked");
        }

        @Override
        public Watch watch(Runnable changed) {
            throw new AssertionError("watched");
        }
    };

    private static Location line(int line, String path) {
        return new Location("agent.yaml", line, 3, path);
    }

    private static Settings text(int line, String path, Template text) {
        return Settings.text(line(line, path), text);
    }

    private static Settings map(int line, String path, Object... keysAndValues) {
        List<Settings.Entry> entries = new ArrayList<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            Settings value = (Settings) keysAndValues[i + 1];
            entries.add(new Settings.Entry((String) keysAndValues[i], value.at(), value));
        }
        return Settings.map(line(line, path), entries);
    }

    /** What {@code ${NAME}} is in YAML. */
    private static Template variable(String name) {
        return references -> {
            String value = references.variable(name);
            if (value == null) {
                throw new ConfigException(List.of(new Problem(
                        Location.of(""), Reason.UNSET, "environment variable " + name + " is not set", null)));
            }
            return value;
        };
    }

    /** What {@code ${file:PATH}} is in YAML. */
    private static Template file(String path) {
        return references -> {
            try {
                String content = references.file(path);
                if (content == null) {
                    throw new ConfigException(List.of(
                            new Problem(Location.of(""), Reason.ABSENT, "file " + path + " does not exist", null)));
                }
                return content;
            } catch (TokenException e) {
                throw new ConfigException(
                        List.of(new Problem(Location.of(""), e.reason(), String.valueOf(e.getMessage()), e.fix())));
            }
        };
    }

    private CheckReport validate(Settings agent) {
        return TokenAgent.builder()
                .environment(name -> null)
                .settings(map(1, "", "agent", agent), folder)
                .validate();
    }

    @Test
    void validate_programsToken_isNotAsked() {
        CheckReport report =
                TokenAgent.builder().token("api_token", NEVER_ASKED).validate();

        assertThat(report.exitCode()).isZero();
        assertThat(report.tokens()).singleElement().satisfies(token -> {
            assertThat(token.name()).isEqualTo("api_token");
            assertThat(token.steps()).extracting(Step::step).containsExactly("config");
        });
    }

    @Test
    void validate_variablesUnset_areNeedsWithTheirPlaces() {
        CheckReport report = validate(map(
                1,
                "agent",
                "api_token",
                text(2, "agent.api_token", variable("AGENT_API_TOKEN")),
                "endpoint",
                text(3, "agent.endpoint", variable("AGENT_ENDPOINT"))));

        assertThat(report.errors()).isEmpty();
        assertThat(report.exitCode()).isZero();
        assertThat(report.needs())
                .extracting(need -> need.kind() + " " + need.name() + " " + need.at())
                .containsExactly(
                        "env AGENT_API_TOKEN agent.yaml:2:3 agent.api_token",
                        "env AGENT_ENDPOINT agent.yaml:3:3 agent.endpoint");
        assertThat(report.tokens()).hasSize(1);
    }

    @Test
    void validate_filesAndFifos_areNeedsAndNotOpened() throws Exception {
        Path fifo = folder.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor(30, TimeUnit.SECONDS))
                .isTrue();

        CheckReport report = validate(map(
                1,
                "agent",
                "api_token",
                map(2, "agent.api_token", "file", text(2, "agent.api_token.file", references -> "fifo")),
                "fingerprint_key",
                text(3, "agent.fingerprint_key", file(fifo.toString())),
                "tokens",
                map(
                        4,
                        "agent.tokens",
                        "other",
                        map(5, "agent.tokens.other", "value", text(5, "agent.tokens.other.value", file("absent"))))));

        assertThat(report.errors()).isEmpty();
        assertThat(report.exitCode()).isZero();
        assertThat(report.needs())
                .extracting(need -> need.kind() + " " + need.name())
                .containsExactly("file " + folder.resolve("fifo"), "file " + fifo, "file absent");
    }

    @Test
    void validate_errorsAndNeeds_areBothTold() {
        CheckReport report = validate(map(
                1,
                "agent",
                "api_token",
                text(2, "agent.api_token", variable("AGENT_API_TOKEN")),
                "endpiont",
                text(3, "agent.endpiont", references -> "https://api.example.com")));

        assertThat(report.exitCode()).isEqualTo(2);
        assertThat(report.errors())
                .extracting(Problem::toString)
                .containsExactly("agent.yaml:3:3 agent.endpiont: unknown key 'endpiont', did you mean 'endpoint'?");
        assertThat(report.needs()).hasSize(1);
        assertThat(report.tokens()).isEmpty();
    }

    @Test
    void validate_text_listsTheNeeds() {
        CheckReport report =
                validate(map(1, "agent", "api_token", text(2, "agent.api_token", variable("AGENT_API_TOKEN"))));

        assertThat(report.toString()).isEqualTo("""
                        api_token
                          pass     config        agent.yaml:2:3 agent.api_token

                        needs env     AGENT_API_TOKEN  agent.yaml:2:3 agent.api_token

                        pass: 1 token
                        """);
    }
}
