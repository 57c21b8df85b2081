package io.keyturn.yaml;

import static java.nio.charset.StandardCharsets.UTF_16;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.keyturn.Canary;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.token.Reason;
import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is refused, where, and in which words; each input holds a secret that must not come out again. */
class YamlTextTest {
    private static final String SECRET = Canary.WORD;
    private static final String QUOTES = " must stand in quotes";
    private static final String NOTHING = "there is nothing in it";
    private static final String NO_MAP = "must be a map, such as 'agent:' with keys below it";
    private static final String COLON = "a colon cannot stand here; a text with a colon and a space in it" + QUOTES
            + ", and a key needs a space behind its colon";
    private static final String TAB = "a tab cannot stand here; YAML indents with spaces";
    private static final String TAG = "a tag cannot stand here; a text that begins with !" + QUOTES;
    private static final String ALIAS = "an alias can only stand for a text; a text that begins with *" + QUOTES;
    private static final String ANCHOR = "a text that begins with &" + QUOTES;
    private static final String CHARACTER = "a text that begins with this character" + QUOTES;
    private static final String BLOCK =
            "after | or > only a digit, + or - can follow; a text that begins with one" + QUOTES;
    private static final String ESCAPE =
            "in double quotes a backslash begins an escape; write \\\\, or use single quotes";
    private static final String OPEN_QUOTE = "the quote that begins here is not closed";
    private static final String FOLLOWS =
            "nothing can follow here; if it is part of the text before it, all of that" + QUOTES;
    private static final String INDENT =
            "the line does not fit to those above it; keys of one map begin in the same column";
    private static final String NO_VALUE = "a key without a value; a reference is written ${NAME}";
    private static final String KEY_IS_TEXT = "a key must be text; a reference is written ${NAME}";
    private static final String KEY_FITS = "a key stands on one line, and has no tabs and at most 128 characters";
    private static final String BARE = "in [ ] and { } a reference" + QUOTES + ", \"${NAME}\", or be written $<NAME>";

    static Stream<Arguments> refused() {
        return Stream.of(
                        whole(),
                        characters(),
                        keys(),
                        tabs(),
                        quotes(),
                        firstCharacters(),
                        tagsAndAliases(),
                        brackets(),
                        indentation(),
                        directives())
                .flatMap(List::stream);
    }

    private static List<Arguments> whole() {
        return List.of(
                refused("empty", "", "1:1: " + NOTHING),
                refused("blank", " \n\n", "1:1: " + NOTHING),
                refused("only comments", "# " + SECRET + "\n", "1:1: " + NOTHING),
                refused("an empty document", "---\n", "2:1: " + NOTHING),
                refused("only a byte order mark", "\uFEFF", "1:1: " + NOTHING),
                refused("a list", "- " + SECRET + "\n", "1:1: " + NO_MAP),
                refused("a list in brackets", "\n [" + SECRET + "]\n", "2:2: " + NO_MAP),
                refused("a text", SECRET + "\n", "1:1: " + NO_MAP),
                refused("a quoted text", "'" + SECRET + "'\n", "1:1: " + NO_MAP),
                refused("an alias", "*" + SECRET + "\n", "1:1: " + NO_MAP),
                refused(
                        "two documents",
                        "agent: a\n---\nagent: " + SECRET + "\n",
                        "2:1: a second document begins here; there must be only one"),
                refused(
                        "a second document that is empty",
                        "agent: " + SECRET + "\n---\n",
                        "2:1: a second document begins here; there must be only one"),
                refused(
                        "text behind the document's end",
                        "agent: a\n...\n" + SECRET + "\n",
                        "3:1: is not valid YAML here"));
    }

    private static List<Arguments> characters() {
        return List.of(
                refused(
                        "NUL",
                        "agent:\n  token: " + SECRET + "\0\n",
                        "2:32: a control character, U+0000, cannot stand here"),
                refused("bell", "a: é\u0007" + SECRET, "1:5: a control character, U+0007, cannot stand here"),
                refused("escape", "# \u001B[31m" + SECRET, "1:3: a control character, U+001B, cannot stand here"),
                refused(
                        "half a character",
                        "a: \uD83D" + SECRET,
                        "1:4: a control character, U+D83D, cannot stand here"),
                refused(
                        "behind a wide character",
                        "a: \uD83D\uDD11\0",
                        "1:5: a control character, U+0000, cannot stand here"),
                refused(
                        "behind Windows' line breaks",
                        "a: b\r\nc: \0",
                        "2:4: a control character, U+0000, cannot stand here"),
                refused(
                        "two byte order marks",
                        "\uFEFF\uFEFFa: " + SECRET,
                        "1:1: a second byte order mark cannot stand here"));
    }

    private static List<Arguments> keys() {
        return List.of(
                refused(
                        "a repeated key",
                        "agent:\n  name: " + SECRET + "\n  x: y\n  name: " + SECRET + "\n",
                        "4:3 agent: the key 'name' was given before, in line 2"),
                refused(
                        "a key that is repeated in quotes",
                        "agent: {name: a, \"name\": " + SECRET + "}\n",
                        "1:18 agent: the key 'name' was given before, in line 1"),
                refused("a list as a key", "? [" + SECRET + "]\n: b\n", "1:3: " + KEY_IS_TEXT),
                refused("a list as a short key", "[" + SECRET + "]: b\n", "1:1: " + KEY_IS_TEXT),
                refused("two braces, as for a template", "a: {{ " + SECRET + " }}\n", "1:5 a: " + KEY_IS_TEXT),
                refused("a key of many lines", "? |\n  " + SECRET + "\n  b\n: c\n", "1:3: " + KEY_FITS),
                refused("a key with an escaped line break", "a:\n  \"" + SECRET + "\\nb\": c\n", "2:3 a: " + KEY_FITS),
                refused("a long key", SECRET.repeat(6) + ": b\n", "1:1: " + KEY_FITS),
                refused("a key in braces without a value", "a: {" + SECRET + "}\n", "1:5 a: " + NO_VALUE),
                refused(
                        "no space behind a colon",
                        "agent:\n  x: y\n  api_token:" + SECRET + "\n",
                        "3:3 agent: a key must be followed by a colon and a space"),
                refused(
                        "no space behind the first colon",
                        "agent:\n  api_token:" + SECRET + "\n  x: y\n",
                        "3:4: " + COLON));
    }

    private static List<Arguments> tabs() {
        return List.of(
                refused("a tab before the first key", "agent:\n\ttoken: " + SECRET + "\n", "2:1 agent: " + TAB),
                refused("a tab before a later key", "agent:\n  a: b\n\ttoken: " + SECRET + "\n", "3:1 agent: " + TAB),
                refused("a tab behind spaces", "agent:\n  a: b\n  \ttoken: " + SECRET + "\n", "3:3 agent: " + TAB),
                refused("a tab behind a colon", "token:\t" + SECRET + "\n", "1:7 token: " + TAB));
    }

    private static List<Arguments> quotes() {
        return List.of(
                refused(
                        "an open double quote",
                        "agent:\n  token: \"" + SECRET + "\n",
                        "2:10 agent.token: " + OPEN_QUOTE),
                refused(
                        "an open single quote",
                        "agent:\n  token: '" + SECRET + "\n  b: c\n",
                        "2:10 agent.token: " + OPEN_QUOTE),
                refused(
                        "a quote open to the document's end",
                        "token: \"" + SECRET + "\n---\n",
                        "1:8 token: " + OPEN_QUOTE),
                refused("an unknown escape", "token: \"\\q" + SECRET + "\"\n", "1:10 token: " + ESCAPE),
                refused("an escape cut short", "token: \"\\xg" + SECRET + "\"\n", "1:11 token: " + ESCAPE),
                refused(
                        "an escape beyond all characters",
                        "token: \"\\U00FFFFFF" + SECRET + "\"\n",
                        "1:11 token: " + ESCAPE),
                // SnakeYAML lets a NumberFormatException out here.
                refused(
                        "an escape beyond all numbers",
                        "token: \"\\UFFFFFFFF" + SECRET + "\"\n",
                        "1:6 token: is not valid YAML behind this place"),
                refused("text behind a quote", "token: \"a\" " + SECRET + "\n", "1:12: " + FOLLOWS),
                refused("text at a quote", "token: 'a'" + SECRET + "\n", "1:11: " + FOLLOWS),
                refused("a colon in a text", "agent:\n  token: a: " + SECRET + "\n", "2:11 agent: " + COLON));
    }

    private static List<Arguments> firstCharacters() {
        return List.of(
                refused("@", "token: @" + SECRET + "\n", "1:8 token: " + CHARACTER),
                refused("a backtick", "token: `" + SECRET + "\n", "1:8 token: " + CHARACTER),
                refused("%", "token: %" + SECRET + "\n", "1:8 token: " + CHARACTER),
                refused("|", "token: |" + SECRET + "\n", "1:9 token: " + BLOCK),
                refused(">", "token: >" + SECRET + "\n", "1:9 token: " + BLOCK),
                refused(
                        "a dash",
                        "token: - " + SECRET + "\n",
                        "1:8 token: a list item cannot stand here; a text that begins" + " with a dash and a space"
                                + QUOTES),
                refused(
                        "a question mark",
                        "token: ? " + SECRET + "\n",
                        "1:8 token: a text that begins with a question mark and a space" + QUOTES),
                refused("a comma", "token: ," + SECRET + "\n", "1:8 token: a value is missing here"));
    }

    private static List<Arguments> tagsAndAliases() {
        return List.of(
                refused(
                        "a tag that runs code",
                        "token: !!javax.script.ScriptEngineManager [" + SECRET + "]\n",
                        "1:8 token: " + TAG),
                refused("a tag of text", "token: !!str " + SECRET + "\n", "1:8 token: " + TAG),
                refused("a tag without a name", "token: ! " + SECRET + "\n", "1:8 token: " + TAG),
                refused("a tag of one's own", "token: !a " + SECRET + "\n", "1:8 token: " + TAG),
                refused("a secret that looks like a tag", "token: !" + SECRET + "\n", "1:8 token: " + TAG),
                refused("a tag in full", "token: !<tag:yaml.org,2002:str> " + SECRET + "\n", "1:8 token: " + TAG),
                refused("a tag with an unknown handle", "token: !" + SECRET + "!b c\n", "1:8 token: " + TAG),
                refused("a tag that is none", "token: !a{" + SECRET + "\n", "1:8 token: " + TAG),
                refused("a tag of a map", "agent: !!map\n  token: " + SECRET + "\n", "1:8 agent: " + TAG),
                refused("a tag of a key", "!!str token: " + SECRET + "\n", "1:1: " + TAG),
                refused("a tag behind an anchor", "token: &a !!str " + SECRET + "\n", "1:8 token: " + TAG),
                refused("a secret that looks like an alias", "token: *" + SECRET + "\n", "1:8 token: " + ALIAS),
                refused(
                        "an alias that is none",
                        "token: */" + SECRET + "\n",
                        "1:8 token: a text that begins with *" + QUOTES),
                refused("a secret that looks like an anchor", "token: &" + SECRET + "\n", "1:8 token: " + ANCHOR),
                refused("an anchor that is none", "token: &/" + SECRET + "\n", "1:8 token: " + ANCHOR),
                refused("an alias to a list", "a: &" + SECRET + " [b]\nc: *" + SECRET + "\n", "2:4 c: " + ALIAS),
                refused("an alias to a map", "a: &x {b: " + SECRET + "}\nc: *x\n", "2:4 c: " + ALIAS),
                refused(
                        "an alias to a list that had a text's anchor",
                        "a: &x " + SECRET + "\nb: &x [c]\nd: *x\n",
                        "3:4 d: " + ALIAS),
                refused("a recursive alias", "a: &x [*x]\n", "1:8 a[0]: " + ALIAS),
                refused("a merge", "a: &x {b: c}\nd:\n  <<: *x\n", "3:7 d.<<: " + ALIAS));
    }

    private static List<Arguments> brackets() {
        return List.of(
                refused(
                        "an open [",
                        "a: [" + SECRET + "\n",
                        "2:1 a: a comma is missing here, or a ] for the [ of line 1"),
                refused(
                        "an open {",
                        "a:\n  {b: " + SECRET + "\nc: d\n",
                        "3:2 a: a comma is missing here, or a } for the { of line 2"),
                refused(
                        "a missing comma",
                        "a: ['b' '" + SECRET + "']\n",
                        "1:9 a: a comma is missing here, or a ] for the [ of line 1"),
                refused("a missing item", "a: [, " + SECRET + "]\n", "1:5 a: a value is missing here"),
                refused("a bare reference in a list", "a: [${A}, " + SECRET + "]\n", "1:5 a: " + BARE),
                refused("a bare reference in a map", "a: {b: ${A:-" + SECRET + "}}\n", "1:8 a: " + BARE),
                refused("text behind a list", "a: [b] " + SECRET + "\n", "1:8: " + FOLLOWS));
    }

    private static List<Arguments> indentation() {
        return List.of(
                refused("between two levels", "agent:\n    a: b\n  c: " + SECRET + "\n", "3:3: " + INDENT),
                refused("deeper than its neighbours", "agent:\n  a: b\n    c: " + SECRET + "\n", "3:6 agent: " + COLON),
                refused("a list item between keys", "agent:\n  a: b\n  - " + SECRET + "\n", "3:3 agent: " + INDENT));
    }

    private static List<Arguments> directives() {
        return List.of(
                refused("an unknown directive", "%FOO " + SECRET + "\na: b\n", "2:1: is not valid YAML here"),
                refused("another YAML", "%YAML 2.0\n---\na: " + SECRET + "\n", "1:1: is not valid YAML here"),
                refused("a long version", "%YAML 99999999999.1\n---\na: b\n", "1:18: is not valid YAML here"),
                refused("a tag by a handle", "%TAG !e! tag:e,2000:\n---\na: !e!b " + SECRET + "\n", "3:4 a: " + TAG));
    }

    private static Arguments refused(String what, String text, String problem) {
        return Arguments.of(what, text, problem);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refused")
    void settings_whatIsNotAllowed_isToldAtItsPlaceWithoutTheText(String what, String text, String problem) {
        ConfigException thrown = refusal(text);

        assertThat(thrown.problems().get(0)).hasToString("agent.yaml:" + problem);
        assertThat(thrown.problems()).allMatch(p -> p.reason() == Reason.INVALID);
        Canary.assertNotIn(thrown);
    }

    @Test
    void settings_severalThings_areToldTogetherInOrder() {
        String text = "agent:\n  a: *x\n  b: !!int 5\n  a: c\n  d: {E}\n  e: \"\n";

        assertThat(refusal(text).problems())
                .map(Problem::toString)
                .containsExactly(
                        "agent.yaml:2:6 agent.a: " + ALIAS,
                        "agent.yaml:3:6 agent.b: " + TAG,
                        "agent.yaml:4:3 agent: the key 'a' was given before, in line 2",
                        "agent.yaml:5:7 agent.d: " + NO_VALUE,
                        "agent.yaml:6:6 agent.e: " + OPEN_QUOTE);
    }

    @Test
    void settings_repeatedKey_isToldBeforeWhatStandsBelowIt() {
        assertThat(refusal("a: b\na: {E}\n").problems())
                .map(Problem::toString)
                .containsExactly(
                        "agent.yaml:2:1: the key 'a' was given before, in line 1", "agent.yaml:2:5 a: " + NO_VALUE);
    }

    @Test
    void settings_keyThatCannotBeOne_isToldOnce() {
        assertThat(refusal("a: {{A}}\n").problems()).hasSize(1);
        assertThat(refusal("[a]: b\n[a]: c\n").problems()).hasSize(2);
    }

    @Test
    void settings_manyThings_endsSomewhere() {
        assertThat(refusal("a: [" + "*x, ".repeat(1000) + "]\n").problems()).hasSize(20);
    }

    @Test
    void settings_message_hasALineForEachProblem() {
        assertThat(refusal("a: *x\nb: !c d\n")).hasMessage("agent.yaml:1:4 a: " + ALIAS + "\nagent.yaml:2:4 b: " + TAG);
    }

    // --- bytes ---

    @Test
    void settings_byteOrderMark_isNoPartOfTheText() {
        Settings settings =
                YamlText.of("\uFEFFagent: a\n".getBytes(UTF_8), "agent.yaml").settings();

        assertThat(settings.keys()).containsExactly("agent");
        assertThat(settings.get("agent").orElseThrow().at()).hasToString("agent.yaml:1:8 agent");
    }

    @ParameterizedTest
    @ValueSource(ints = {0x80, 0xFF, 0xC0, 0xE2, 0xF5})
    void settings_bytesThatAreNotUtf8_areToldAtTheirPlace(int bad) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(("agent:\n  é: " + SECRET).getBytes(UTF_8));
        bytes.write(bad);
        bytes.writeBytes(SECRET.getBytes(UTF_8));

        ConfigException thrown = refusal(bytes.toByteArray());

        assertThat(thrown).hasMessage("agent.yaml:2:28: is not UTF-8 here");
        Canary.assertNotIn(thrown);
    }

    @Test
    void settings_bytesThatEndInTheMiddleOfACharacter_areToldAtTheirPlace() {
        assertThat(refusal(new byte[] {'a', ':', ' ', (byte) 0xE2, (byte) 0x82}))
                .hasMessage("agent.yaml:1:4: is not UTF-8 here");
    }

    @Test
    void settings_utf16_isNamed() {
        String windows = "\uFEFFagent: " + SECRET;

        assertThat(refusal(windows.getBytes(UTF_16LE))).hasMessage("agent.yaml:1:1: is UTF-16; save the file as UTF-8");
        assertThat(refusal(SECRET.getBytes(UTF_16))).hasMessage("agent.yaml:1:1: is UTF-16; save the file as UTF-8");
    }

    private static ConfigException refusal(String text) {
        ConfigException thrown = catchThrowableOfType(
                ConfigException.class, () -> YamlText.of(text, "agent.yaml").settings());
        assertThat(thrown).as("nothing was refused").isNotNull();
        return thrown;
    }

    private static ConfigException refusal(byte[] bytes) {
        return catchThrowableOfType(
                ConfigException.class, () -> YamlText.of(bytes, "agent.yaml").settings());
    }
}
