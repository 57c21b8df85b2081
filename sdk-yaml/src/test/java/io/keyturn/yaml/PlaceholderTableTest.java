package io.keyturn.yaml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.keyturn.Canary;
import io.keyturn.config.ConfigException;
import io.keyturn.config.References;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The grammar, case by case: see {@code placeholders.tsv}. */
class PlaceholderTableTest {
    private static final List<String[]> ROWS = Table.resource("placeholders.tsv");

    private static final Map<String, String> VARIABLES = Map.ofEntries(
            Map.entry("SET", "value"),
            Map.entry("EMPTY", ""),
            Map.entry("A1", "one"),
            Map.entry("_", "under"),
            Map.entry("lower", "low"),
            Map.entry("env", "word"),
            Map.entry("file", "word"),
            Map.entry("odd.name", "odd"),
            Map.entry("A-b", "dash"),
            Map.entry("LIKE", "${SET}"),
            Map.entry("LIKE_ANGLE", "$<SET>"),
            Map.entry("LIKE_UNSET", "${UNSET}"),
            Map.entry("DOLLARS", "a$$b"),
            Map.entry("DOLLAR", "$"),
            Map.entry("CLOSERS", "}>"),
            Map.entry("HALF", "${"),
            Map.entry("LINES", "x\nadmin: true"));

    private static final Map<String, String> FILES = Map.of(
            "/there", "content",
            "/empty", "",
            "/like", "${SET}",
            "token", "relative",
            "/a-b+c?d", "odd",
            "C:\\x y", "windows",
            "/a$$b", "dollars");

    private static final References REFERENCES = new References() {
        @Override
        public String variable(String name) {
            return VARIABLES.get(name);
        }

        @Override
        public String file(String path) throws TokenException {
            if (path.equals("/unsafe")) {
                throw new TokenException(Reason.UNSAFE_FILE, "file /unsafe can be read by others", "chmod 600 /unsafe");
            }
            return FILES.get(path);
        }
    };

    @ParameterizedTest(name = "{0}")
    @MethodSource("texts")
    void expand_caseOfTheTable_givesWhatItSays(String id, String text, JsonNode expected) {
        assertThat(outcome(() -> Placeholders.expand(text, VARIABLES::get))).isEqualTo(expected);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("configs")
    void template_caseOfTheTable_givesWhatItSays(String id, String text, JsonNode expected) {
        assertThat(outcome(() -> Placeholders.template(text).expand(REFERENCES)))
                .isEqualTo(expected);
    }

    /** The rows with every value replaced by a secret: whatever comes of them, no error tells it. */
    @ParameterizedTest(name = "{0}")
    @MethodSource("configs")
    void template_everyValueSecret_isInNoError(String id, String text, JsonNode expected) {
        References secrets = new References() {
            @Override
            public @Nullable String variable(String name) {
                return secret(VARIABLES.get(name));
            }

            @Override
            public @Nullable String file(String path) throws TokenException {
                return secret(REFERENCES.file(path));
            }
        };
        ConfigException e = catchThrowableOfType(
                ConfigException.class, () -> Placeholders.template(text).expand(secrets));
        if (e != null) {
            Canary.assertNotIn(e);
        }
    }

    private static @Nullable String secret(@Nullable String value) {
        return value == null || value.isEmpty() ? value : Canary.WORD;
    }

    @Test
    void table_ids_areUnique() {
        assertThat(ROWS).hasSizeGreaterThan(150).doesNotHaveDuplicates();
        assertThat(ROWS.stream().map(row -> row[0])).doesNotHaveDuplicates();
    }

    static Stream<Arguments> texts() {
        return rows("text");
    }

    static Stream<Arguments> configs() {
        return rows("config");
    }

    private static Stream<Arguments> rows(String where) {
        return ROWS.stream()
                .filter(row -> row[1].equals(where) || row[1].equals("both"))
                .map(row -> Arguments.of(row[0], Table.json(row[2]).textValue(), Table.json(row[3])));
    }

    private static JsonNode outcome(Supplier<String> expansion) {
        JsonNodeFactory json = JsonNodeFactory.instance;
        try {
            return json.textNode(expansion.get());
        } catch (ConfigException e) {
            var problems = json.arrayNode();
            e.problems().forEach(problem -> {
                var cells = problems.addArray().add(problem.reason().name()).add(problem.message());
                if (problem.fix() != null) {
                    cells.add(problem.fix());
                }
            });
            return problems;
        }
    }
}
