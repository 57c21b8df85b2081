package io.keyturn.yaml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.keyturn.config.ConfigException;
import io.keyturn.config.References;
import io.keyturn.config.Settings;
import io.keyturn.token.Reason;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a text becomes: texts as they were written, each with its place. */
class YamlSettingsTest {
    private static final References ENVIRONMENT = new References() {
        @Override
        public String variable(String name) {
            return name.equals("SET") ? "value: [of] ${SET}" : null;
        }

        @Override
        public String file(String path) {
            return path.equals("token") ? "content" : null;
        }
    };

    // --- texts ---

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0123",
                "0x1F",
                "0o17",
                "1e10",
                "1_000",
                "NO",
                "yes",
                "on",
                "true",
                "null",
                "~",
                "12:30:45",
                "._",
                ".inf",
                ".",
                "2024-02-30",
                "2024-01-01T00:00:00Z",
                "=",
                "<<",
                "a#b",
                "a:b",
                "https://example.com",
                "-5s",
                "1.0",
                "${",
                "a b",
                "é€"
            })
    void text_unquoted_isAsItWasWritten(String written) {
        String escaped = written.replace("$", "$$");

        assertThat(value("token: " + escaped + "\n").text()).isEqualTo(written);
    }

    @Test
    void text_quotes_areNoPartOfIt() {
        assertThat(value("token: \"a\\tb \\u00e9\"\n").text()).isEqualTo("a\tb é");
        assertThat(value("token: 'it''s \\n'\n").text()).isEqualTo("it's \\n");
        assertThat(value("token: \"\"\n").text()).isEmpty();
        assertThat(value("token: '@abc'\n").text()).isEqualTo("@abc");
    }

    @Test
    void text_blockScalars_keepOrFoldLines() {
        assertThat(value("token: |\n  a\n  b\n").text()).isEqualTo("a\nb\n");
        assertThat(value("token: |-\n  a\n").text()).isEqualTo("a");
        assertThat(value("token: >-\n  a\n  b\n").text()).isEqualTo("a b");
    }

    @Test
    void text_comment_isNoPartOfIt() {
        assertThat(value("# ${UNSET}\ntoken: a # ${\n").text()).isEqualTo("a");
        assertThat(value("token: # a\n").text()).isEmpty();
    }

    @Test
    void text_aliasToAText_isThatText() {
        Settings settings = read("a: &x ${SET}\nb: *x\n*x : c\n");

        assertThat(settings.get("b").orElseThrow().text()).isEqualTo("value: [of] ${SET}");
        assertThat(settings.get("b").orElseThrow().at()).hasToString("agent.yaml:2:4 b");
        assertThat(settings.keys()).containsExactly("a", "b", "${SET}");
    }

    @Test
    void text_anchorGivenAgain_isTheLaterText() {
        assertThat(read("a: &x b\nc: &x d\ne: *x\n").get("e").orElseThrow().text())
                .isEqualTo("d");
    }

    // --- references in texts ---

    @Test
    void text_references_areFilledInAfterParsing() {
        assertThat(value("token: ${SET}\n").text()).isEqualTo("value: [of] ${SET}");
        assertThat(value("token: \"${SET}\"\n").text()).isEqualTo("value: [of] ${SET}");
        assertThat(value("token: |\n  ${SET}\n").text()).isEqualTo("value: [of] ${SET}\n");
        assertThat(value("token: ${file:token}\n").text()).isEqualTo("content");
        assertThat(read("a: [\"${SET}\", $<SET>]\n").texts("a"))
                .containsExactly("value: [of] ${SET}", "value: [of] ${SET}");
    }

    @Test
    void keys_references_areLeftAlone() {
        assertThat(read("${SET}: a\n'${': b\n").keys()).containsExactly("${SET}", "${");
    }

    @Test
    void text_unsetVariable_isToldAtTheValue() {
        Settings settings = read("agent:\n  api_token: ${AGENT_API_TOKEN}\n");

        settings.get("agent").orElseThrow().text("api_token");

        assertThat(settings.problems()).singleElement().satisfies(problem -> {
            assertThat(problem.reason()).isEqualTo(Reason.UNSET);
            assertThat(problem)
                    .hasToString("agent.yaml:2:14 agent.api_token: environment variable AGENT_API_TOKEN is not set");
        });
    }

    @Test
    void text_malformedReference_isToldAtTheValue() {
        ConfigException thrown = catchThrowableOfType(
                ConfigException.class, () -> value("token: ${A:-x #y}\n").text());

        assertThat(thrown)
                .hasMessageStartingWith("agent.yaml:1:8 token: a '}' is missing for the '${' at character 1")
                .hasMessageContaining("where ' #' is part of the value, the value must stand in quotes");
    }

    @Test
    void settings_readOnly_asksForNothing() {
        // Neither is looked at before somebody reads it.
        assertThat(read("a: ${UNSET}\nb: ${\nc: ${file:/none}\n").keys()).containsExactly("a", "b", "c");
    }

    // --- places ---

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "token: a                         ; 1:8 token",
                "token:    'a'                    ; 1:11 token",
                "token: \"a\"                     ; 1:8 token",
                "token:\\n  a                     ; 2:3 token",
                "token: |\\n  a                   ; 1:8 token",
                "token:                           ; 1:7 token",
                "token:    # none                 ; 1:7 token",
                "token: ''                        ; 1:8 token",
                "token: &x a                      ; 1:8 token",
                "\\n# c\\n\\ntoken: a             ; 4:8 token",
                "x: 'é\uD83D\uDD11'\\r\\ntoken: a ; 2:8 token",
                "{x: é\uD83D\uDD11, token: a}     ; 1:16 token",
                "token: [a]                       ; 1:8 token",
                "token:\\n- a                     ; 2:1 token",
                "token: {a: b}                    ; 1:8 token",
                "token:\\n  a: b                  ; 2:3 token",
                "---\\ntoken: a                   ; 2:8 token"
            })
    void at_value_isWhereItWasWritten(String text, String place) {
        assertThat(value(text.replace("\\n", "\n").replace("\\r", "\r")).at()).hasToString("agent.yaml:" + place);
    }

    @Test
    void at_paths_nameKeysAndItems() {
        Settings agent = read("agent:\n  endpoints: [a, b]\n  tokens:\n    - - x\n      - deep: y\n")
                .get("agent")
                .orElseThrow();
        List<Settings> rows = agent.get("tokens").orElseThrow().items();
        List<Settings> cells = rows.get(0).items();

        assertThat(agent.at()).hasToString("agent.yaml:2:3 agent");
        assertThat(agent.get("endpoints").orElseThrow().items().get(1).at())
                .hasToString("agent.yaml:2:18 agent.endpoints[1]");
        assertThat(cells.get(0).at()).hasToString("agent.yaml:4:9 agent.tokens[0][0]");
        assertThat(cells.get(1).get("deep").orElseThrow().at()).hasToString("agent.yaml:5:15 agent.tokens[0][1].deep");
    }

    @Test
    void at_unknownKey_isTheKeyUnderItsParent() {
        Settings settings = read("agent:\n  tokens:\n    api_token:\n      env: A\n\n\n      endpiont: https://a\n");
        Settings token = settings.get("agent")
                .flatMap(a -> a.get("tokens"))
                .flatMap(t -> t.get("api_token"))
                .orElseThrow();

        token.get("endpoint");
        token.get("env");

        assertThat(catchThrowableOfType(ConfigException.class, settings::finish))
                .hasMessage("agent.yaml:7:7 agent.tokens.api_token: unknown key 'endpiont', did you mean 'endpoint'?");
    }

    @Test
    void at_origin_isTheNameThatWasGiven() {
        Settings settings = YamlText.of("a: b\n", "../etc/my agent.yml").settings();

        assertThat(settings.get("a").orElseThrow().at()).hasToString("../etc/my agent.yml:1:4 a");
    }

    // --- structure ---

    @Test
    void settings_structure_isKept() {
        Settings settings = read("a: b\nc: [d, {e: f}]\ng: {}\nh: []\ni: {j: }\n");

        assertThat(settings.isMap()).isTrue();
        assertThat(settings.keys()).containsExactly("a", "c", "g", "h", "i");
        assertThat(settings.get("a").orElseThrow().isText()).isTrue();
        assertThat(settings.get("c").orElseThrow().items()).hasSize(2);
        assertThat(settings.get("g").orElseThrow().isMap()).isTrue();
        assertThat(settings.get("h").orElseThrow().items()).isEmpty();
        assertThat(settings.get("i").orElseThrow().text("j", "x")).isEmpty();
    }

    @Test
    void settings_endMarker_isAllowed() {
        assertThat(read("a: b\n...\n# c\n").keys()).containsExactly("a");
        assertThat(read("%YAML 1.2\n---\na: b\n").keys()).containsExactly("a");
    }

    private static Settings read(String text) {
        return YamlText.of(text, "agent.yaml").settings().open(ENVIRONMENT);
    }

    private static Settings value(String text) {
        return read(text).get("token").orElseThrow();
    }
}
