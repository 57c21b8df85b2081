package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.UTF_16;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.keyturn.Canary;
import io.keyturn.cli.Cli.Ended;
import java.io.ByteArrayOutputStream;
import java.io.FilterInputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** With {@code --json} standard output is one document, whatever happens. */
class DocumentTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Cli cli = new Cli(canary);

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "\n",
                "not: yours",
                "agent:",
                "agent: 1",
                "agent: [",
                "agent: {api_token: {file: nowhere}}",
                "agent:\n  api_token: ${UNSET}\n  api_token: ${UNSET}",
                "agent:\n  api_token: ${UNSET\n",
                "agent:\n  api_token: ${UNSET}\n  endpoint: \"${UNSET}\"\n",
                "agent:\n  api_token: ${A}\n  vault: {path: a/b}\n",
                "agent:\n  name: \"Zoë \\u2603 \\\" \\\\\"\n  api_token: ${A}\n",
                "\tagent:",
                "agent: &a [*a]",
                "--- a\n--- b\n",
                "\u0007"
            })
    void json_anyConfiguration_isOneDocument(String yaml) {
        String file = Cli.write(folder, "agent.yaml", yaml).toString();
        cli.with("A", canary.token());
        for (String command : List.of("check", "validate", "explain")) {
            Ended ended = cli.run(command, file, "--json");

            JsonNode document = ended.json();
            assertThat(document.get("schema").asInt()).isEqualTo(1);
            assertThat(document.get("ok").asBoolean()).isEqualTo(ended.exit() == 0);
            assertThat(document.get("status").asText()).isIn("pass", "warn", "fail", "unknown");
            assertThat(document.get("errors").isArray()
                            && document.get("tokens").isArray())
                    .isTrue();
            assertThat(ended.out()).endsWith("}\n");
            assertThat(ended.err()).isEmpty();
        }
    }

    @Test
    void json_unreadable_isOneDocument() {
        assertThat(cli.run("check", folder.toString(), "--json").json().get("errors"))
                .hasSize(1);
        assertThat(cli.run("check", "/proc/self/mem", "--json").json().get("errors"))
                .hasSize(1);
    }

    @Test
    void json_defect_isOneDocumentAndTellsNothingOfTheMessage() {
        InputStream defect = new FilterInputStream(InputStream.nullInputStream()) {
            @Override
            public int read(byte[] buffer, int from, int length) {
                throw new IllegalStateException(canary.token());
            }
        };

        Ended ended = cli.reading(defect).run("validate", "-", "--json");

        assertThat(ended.exit()).isEqualTo(3);
        assertThat(ended.json().get("ok").asBoolean()).isFalse();
        assertThat(ended.err()).contains("java.lang.IllegalStateException", "at " + DocumentTest.class.getName());
    }

    @Test
    void json_anyStream_isUtf8() throws Exception {
        String file = Cli.write(folder, "agent.yaml", "agent:\n  name: Zoë\n  api_token: ${A}\n")
                .toString();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PrintStream wide = new PrintStream(out, true, UTF_16);

        int exit = HealthCheck.run(
                new String[] {"validate", file, "--json"},
                Map.<String, String>of()::get,
                InputStream.nullInputStream(),
                wide,
                wide);

        assertThat(exit).isZero();
        assertThat(new ObjectMapper().readTree(out.toString(UTF_8)).get("agent").asText())
                .isEqualTo("Zoë");
    }

    @Test
    void json_manyRunsAtOnce_doNotMix() {
        cli.with("A", canary.token());
        List<Integer> names = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            names.add(i);
        }
        assertThat(names.parallelStream().allMatch(i -> {
                    String file = Cli.write(
                                    folder, "a" + i + ".yaml", "agent:\n  name: a" + i + "\n  api_token: ${A}\n")
                            .toString();
                    return cli.run("check", file, "--json")
                            .json()
                            .get("agent")
                            .asText()
                            .equals("a" + i);
                }))
                .isTrue();
    }
}
