package io.keyturn.yaml;

import static java.util.function.Function.identity;
import static java.util.stream.Collectors.toMap;
import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.fasterxml.jackson.databind.JsonNode;
import io.keyturn.config.ConfigException;
import io.keyturn.config.References;
import io.keyturn.config.Settings;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.events.ScalarEvent;

/**
 * The cases of other systems, from the folder that {@code KEYTURN_CONFORMANCE} names. Where our grammar differs on
 * purpose the case stands in {@code conformance-differences.tsv}, with the reason.
 */
class ConformanceTest {
    private static final String FOLDER = "KEYTURN_CONFORMANCE";

    private static final Map<String, String[]> DIFFERENCES =
            Table.resource("conformance-differences.tsv").stream().collect(toMap(row -> row[0], identity()));

    /** What each operator does to a variable that is unset, empty and set: a word, the value, nothing or an error. */
    private static final Map<String, List<String>> OPERATORS = Map.of(
            ":-", List.of("word", "word", "value"),
            "-", List.of("word", "", "value"),
            ":?", List.of("error", "error", "value"),
            "?", List.of("error", "", "value"),
            ":+", List.of("", "", "word"),
            "+", List.of("", "word", "word"));

    /** One case of another system. */
    private record Case(String id, String input, Map<String, String> variables, String kind, JsonNode expected) {
        static Case of(String[] row) {
            Map<String, String> variables = new HashMap<>();
            Table.json(row[4])
                    .properties()
                    .forEach(entry ->
                            variables.put(entry.getKey(), entry.getValue().textValue()));
            return new Case(row[0], Table.json(row[3]).textValue(), variables, row[6], Table.json(row[7]));
        }
    }

    @TestFactory
    Stream<DynamicTest> expand_caseOfAnotherSystem_agreesOrIsListed() throws IOException {
        return cases().stream()
                .map(c -> dynamicTest(c.id(), () -> {
                    String[] difference = DIFFERENCES.get(c.id());
                    if (difference == null) {
                        assertThat(agrees(c)).as(c + " gives " + outcome(c)).isTrue();
                    } else {
                        assertThat(agrees(c))
                                .as("a listed difference that is none: " + c)
                                .isFalse();
                        assertThat(outcome(c))
                                .isEqualTo(Table.json(difference[1]).textValue());
                    }
                }));
    }

    @Test
    void differences_ids_areCasesThatExist() throws IOException {
        assertThat(cases().stream().map(Case::id)).containsAll(DIFFERENCES.keySet());
    }

    @Test
    void differences_reasons_areGiven() {
        assertThat(DIFFERENCES.values()).allMatch(row -> row.length == 3 && !row[2].isBlank());
    }

    private static List<Case> cases() throws IOException {
        String folder = System.getenv(FOLDER);
        assumeTrue(folder != null, FOLDER + " is not set");
        List<Case> cases = new ArrayList<>();
        try (Stream<Path> files = Files.list(Path.of(folder))) {
            files.filter(file -> file.toString().endsWith(".tsv"))
                    .sorted()
                    .forEach(file -> Table.file(file).stream()
                            .filter(row -> !row[0].equals("id"))
                            .map(Case::of)
                            .forEach(cases::add));
        }
        assertThat(cases).isNotEmpty();
        return cases;
    }

    private static boolean agrees(Case c) {
        return switch (c.kind()) {
            case "string" -> outcome(c).equals(c.expected().textValue());
            // Of their messages only what the text's author wrote can be in ours.
            case "error" -> outcome(c).startsWith("error: ") && outcome(c).endsWith(saidIn(c.expected()));
            case "value" -> outcome(c).equals(c.expected().asText());
            case "operator" -> operatorAgrees(c);
            case "variables" -> asked(c).equals(keys(c.expected()));
            case "yaml-after" -> outcome(c).equals(scalars(c.expected().textValue()));
            default -> throw new AssertionError("a kind that this test does not know: " + c);
        };
    }

    /** What becomes of a case here: the text, or that it is an error. */
    private static String outcome(Case c) {
        try {
            return c.kind().equals("yaml-after") ? expandYaml(c) : Placeholders.expand(c.input(), c.variables()::get);
        } catch (ConfigException e) {
            return "error: " + e.problems().get(0).message();
        }
    }

    private static String saidIn(JsonNode expected) {
        String message = expected.asText("");
        if (expected.isNull() || message.equals("Invalid template")) {
            return "";
        }
        String said = message.substring(message.lastIndexOf(": ") + 1).strip();
        return ": " + said;
    }

    private static boolean operatorAgrees(Case c) {
        String operator = c.expected().textValue();
        String name = c.input().substring(0, c.input().indexOf(operator));
        String word = c.input().substring(name.length() + operator.length());
        List<String> outcomes = Stream.of(Map.<String, String>of(), Map.of(name, ""), Map.of(name, "VALUE"))
                .map(variables -> outcome(new Case(c.id(), "${" + c.input() + "}", variables, "string", c.expected())))
                .map(text -> text.startsWith("error") ? "error" : text.equals(word) ? "word" : text)
                .map(text -> text.equals("VALUE") ? "value" : text)
                .toList();
        return outcomes.equals(OPERATORS.get(operator));
    }

    /** The variables that a text refers to: those it asks for while none is set. */
    private static Set<String> asked(Case c) {
        Set<String> names = new LinkedHashSet<>();
        try {
            Placeholders.expand(c.input(), name -> {
                names.add(name);
                return null;
            });
        } catch (ConfigException e) {
            // That one is required is not the question.
        }
        return names;
    }

    private static Set<String> keys(JsonNode object) {
        return object.properties().stream().map(Map.Entry::getKey).collect(toSet());
    }

    private static String expandYaml(Case c) {
        Settings settings = YamlText.of(c.input(), c.id()).settings().open(new References() {
            @Override
            public String variable(String name) {
                return c.variables().get(name);
            }

            @Override
            public String file(String path) {
                return null;
            }
        });
        String key = settings.keys().iterator().next();
        return key + ": " + settings.get(key).orElseThrow().text();
    }

    /** The key and the value of a text as YAML has them, before anything makes numbers of them. */
    private static String scalars(String yaml) {
        try {
            List<String> scalars = StreamSupport.stream(
                            new Yaml().parse(new StringReader(yaml)).spliterator(), false)
                    .filter(ScalarEvent.class::isInstance)
                    .map(event -> ((ScalarEvent) event).getValue())
                    .toList();
            return String.join(": ", scalars);
        } catch (YAMLException e) {
            return "not YAML";
        }
    }
}
