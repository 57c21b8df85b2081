package io.keyturn.yaml;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.keyturn.Canary;
import io.keyturn.config.ConfigException;
import io.keyturn.config.References;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlaceholdersTest {
    /** Ten thousand references are to take 50 ms; a machine that also does other things gets more. */
    private static final Duration SOON = Duration.ofSeconds(2);

    private static final int REFERENCES = 10_000;

    // --- without a reference ---

    @ParameterizedTest
    @ValueSource(strings = {"", "abc", "{a} <b> #{c}", "two\nlines"})
    void expand_textWithoutDollar_answersTheSameInstance(String text) {
        assertThat(Placeholders.expand(text, name -> "x")).isSameAs(text);
    }

    @Test
    void expand_singleReference_answersTheValueItself() {
        String value = "value";

        assertThat(Placeholders.expand("${A}", name -> value)).isSameAs(value);
    }

    @Test
    void template_textWithoutDollar_answersTheSameInstance() {
        String text = "abc";

        assertThat(Placeholders.template(text).expand(new Asked())).isSameAs(text);
    }

    // --- what is asked for ---

    @Test
    void expand_wordsThatAreNotUsed_areNotAskedFor() {
        List<String> asked = new ArrayList<>();

        Placeholders.expand("${A:-${B}} ${C:+${D}} ${A:?${E}} ${A+${F}}", name -> {
            asked.add(name);
            return name.equals("A") || name.equals("F") ? name : null;
        });

        assertThat(asked).containsExactly("A", "C", "A", "A", "F");
    }

    @Test
    void template_wordsThatAreNotUsed_areNotAskedFor() {
        Asked asked = new Asked();

        Placeholders.template("${A:-${file:/f}}${file:/g:+${file:/h}}${file:/none:-${B}}")
                .expand(asked);

        assertThat(asked.all).containsExactly("A", "file /g", "file /h", "file /none", "B");
    }

    @Test
    void template_expandedAgain_asksAgain() {
        Asked asked = new Asked();
        var template = Placeholders.template("${A}");

        template.expand(asked);
        template.expand(asked);

        assertThat(asked.all).containsExactly("A", "A");
    }

    @Test
    void template_malformed_isToldWhenItIsExpanded() {
        var template = Placeholders.template("${");

        assertThat(catchThrowableOfType(ConfigException.class, () -> template.expand(new Asked())))
                .hasMessageContaining("at character 1");
    }

    @Test
    void template_severalThingsWrong_reportsEachWithItsReason() {
        ConfigException thrown = catchThrowableOfType(
                ConfigException.class,
                () -> Placeholders.template("${UNSET}${file:/none}${file:/unsafe:-x}${")
                        .expand(new Asked()));

        assertThat(thrown.problems())
                .extracting(problem -> problem.reason())
                .containsExactly(Reason.UNSET, Reason.ABSENT, Reason.UNSAFE_FILE, Reason.INVALID);
        assertThat(thrown.problems()).allMatch(problem -> problem.at().path().isEmpty());
        assertThat(thrown.problems().get(2).fix()).isEqualTo("chmod 600 /unsafe");
    }

    // --- no value in what is told ---

    @ParameterizedTest
    @ValueSource(
            strings = {
                "${A} ${",
                "${A}${UNSET}",
                "${UNSET:-${A}}${}",
                "${A:+${UNSET}}",
                "${A:?x}${UNSET:?y}",
                "${API_TOKEN:" + Canary.WORD + "}",
                "${env:API_TOKEN-" + Canary.WORD + "}",
                "${env:API_TOKEN:" + Canary.WORD + "}",
                "${API_TOKEN=" + Canary.WORD + "}",
                "${API_TOKEN:=" + Canary.WORD + "}",
                "${API_TOKEN:-" + Canary.WORD,
                "abc${" + Canary.WORD,
                "abc${" + Canary.WORD + "!",
                "abc$<" + Canary.WORD + "!",
                "abc${ " + Canary.WORD + "}",
                "${env:" + Canary.WORD + "\n}"
            })
    void expand_whatFails_tellsNoValue(String text) {
        Throwable thrown = catchThrowableOfType(
                ConfigException.class, () -> Placeholders.expand(text, name -> name.equals("A") ? Canary.WORD : null));

        Canary.assertNotIn(thrown);
    }

    // --- time ---

    @Test
    void expand_tenThousandReferences_isQuick() {
        String text = "a ${A} $<B> ".repeat(REFERENCES / 2);

        String expanded = assertTimeoutPreemptively(SOON, () -> Placeholders.expand(text, name -> name + "$"));

        assertThat(expanded).isEqualTo("a A$ B$ ".repeat(REFERENCES / 2));
    }

    @Test
    void expand_tenThousandUnsetVariables_reportsEach() {
        String text =
                IntStream.range(0, REFERENCES).mapToObj(i -> "${V" + i + "}").collect(joining());

        ConfigException thrown = assertTimeoutPreemptively(
                SOON, () -> catchThrowableOfType(ConfigException.class, () -> Placeholders.expand(text, name -> null)));

        assertThat(thrown.problems()).hasSize(REFERENCES);
    }

    @Test
    void expand_tenThousandUnusedWords_isQuick() {
        String word = "${A:-${B:-${C:-${D:-${E:-${F:-${G:-${H}}}}}}}}";

        assertTimeoutPreemptively(
                SOON, () -> Placeholders.expand(word.repeat(REFERENCES / 8), name -> name.equals("A") ? "" : "x"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"${A:-", "$<A:-", "${A:-{", "${", "$$", "$<", "{", "${A:-$$", "${env:", "${env:A:-", "${A:?"})
    void expand_oneOpeningOverAndOver_isQuick(String opening) {
        String text = opening.repeat(100_000);

        assertTimeoutPreemptively(SOON, () -> outcome(text, Map.of()));
    }

    // --- any text ---

    @Test
    void expand_randomTexts_throwNothingButConfigException() {
        Random random = new Random(4);
        Map<String, String> variables = Map.of("a", "x", "b", "", "A", "${B}");

        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
            for (int i = 0; i < 40_000; i++) {
                outcome(random(random), variables);
            }
        });
    }

    @Test
    void expand_escapedRandomTexts_givesThemBack() {
        Random random = new Random(5);
        for (int i = 0; i < 20_000; i++) {
            String text = random(random);

            assertThat(Placeholders.expand(text.replace("$", "$$"), name -> "x"))
                    .isEqualTo(text);
        }
    }

    @Test
    void expand_randomValues_areInert() {
        Random random = new Random(6);
        for (int i = 0; i < 20_000; i++) {
            String value = random(random);

            assertThat(Placeholders.expand("<${A:-x}|${N:-$<A>}>", name -> name.equals("A") ? value : null))
                    .isEqualTo("<" + (value.isEmpty() ? "x" : value) + "|" + value + ">");
        }
    }

    /** A word that is used and the same word alone mean the same. */
    @Test
    void expand_randomWords_meanWhatTheyMeanAlone() {
        Random random = new Random(7);
        Map<String, String> variables = Map.of("a", "x", "b", "", "A", "${B}");
        int compared = 0;
        for (int i = 0; i < 40_000; i++) {
            String word = random(random);
            String alone = outcome(word, variables);
            if (alone != null && word.chars().noneMatch(c -> c == '{' || c == '}' || c == '>')) {
                assertThat(outcome("${N-" + word + "}", variables)).isEqualTo(alone);
                assertThat(outcome("$<N-" + word + ">", variables)).isEqualTo(alone);
                compared++;
            }
        }
        assertThat(compared).isPositive();
    }

    private static String outcome(String text, Map<String, String> variables) {
        try {
            return Placeholders.expand(text, variables::get);
        } catch (ConfigException e) {
            assertThat(e.problems()).isNotEmpty();
            return null;
        }
    }

    private static String random(Random random) {
        String alphabet = "$$$${{}}<>::-?+aabB1 \n\0é";
        return random.ints(random.nextInt(24), 0, alphabet.length())
                .mapToObj(i -> String.valueOf(alphabet.charAt(i)))
                .collect(joining());
    }

    /** References that write down what they are asked for. Of a name only A has a value, of a path only /g and /h. */
    private static final class Asked implements References {
        final List<String> all = new ArrayList<>();

        @Override
        public String variable(String name) {
            all.add(name);
            return name.equals("UNSET") ? null : name;
        }

        @Override
        public String file(String path) throws TokenException {
            all.add("file " + path);
            if (path.equals("/unsafe")) {
                throw new TokenException(Reason.UNSAFE_FILE, "file /unsafe can be read by others", "chmod 600 /unsafe");
            }
            return path.equals("/none") ? null : path;
        }
    }
}
