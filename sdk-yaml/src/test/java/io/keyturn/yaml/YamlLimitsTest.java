package io.keyturn.yaml;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.keyturn.Canary;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Texts that were made to cost much. */
class YamlLimitsTest {
    /** What a text may take is 200 ms; a machine that also does other things gets more. */
    private static final Duration SOON = Duration.ofSeconds(2);

    private static final Duration LATER = Duration.ofSeconds(10);
    private static final int MOST = 256 * 1024;
    private static final String TOO_LARGE = "agent.yaml: is larger than 256 KiB (262,144 bytes)";

    @Test
    void settings_textOfMostBytes_isRead() {
        String text = "a: " + "b".repeat(MOST - 3);

        assertThat(soon(text)).isNull();
    }

    @Test
    void settings_oneByteMore_isRefusedBySize() {
        assertThat(soon("a: " + "b".repeat(MOST - 2))).hasMessage(TOO_LARGE);
    }

    @Test
    void settings_oneByteMoreInWideCharacters_isRefusedBySize() {
        assertThat(soon("a: " + "€".repeat((MOST - 3) / 3) + "bb")).hasMessage(TOO_LARGE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "[", "\0", "\t", "\"", "\uD83D"})
    void settings_threeMebibytes_areRefusedBySizeBeforeAnythingElse(String piece) {
        assertThat(soon("a: " + piece.repeat(3 << 20))).hasMessage(TOO_LARGE);
    }

    @Test
    void settings_threeMebibytesOfBadBytes_areRefusedBySizeBeforeAnythingElse() {
        byte[] bytes = new byte[3 << 20];
        bytes[0] = (byte) 0xFF;

        assertThat(catchThrowableOfType(ConfigException.class, () -> YamlText.of(bytes, "agent.yaml")))
                .hasMessage(TOO_LARGE);
    }

    @Test
    void settings_billionLaughs_areRefusedAtTheFirstAlias() {
        String laughs = IntStream.range(1, 10)
                .mapToObj(i -> "a" + i + ": &a" + i + " [" + ("*a" + (i - 1) + ", ").repeat(9) + "]\n")
                .collect(joining());

        assertThat(soon("a0: &a0 [" + Canary.WORD + "]\n" + laughs))
                .hasMessageStartingWith("agent.yaml:2:10 a1[0]: an alias can only stand for a text");
    }

    @Test
    void settings_aliasesToALongText_areRefusedWhenTheyAreTooMuch() {
        String text = "a: &a " + "b".repeat(MOST / 2) + "\nc: [" + "*a, ".repeat(1000) + "]\n";

        assertThat(soon(text)).hasMessageEndingWith("c[2]: the aliases stand for more than 256 KiB");
    }

    @Test
    void settings_twentyLevels_areRead() {
        assertThat(soon("a: " + "[".repeat(19) + "]".repeat(19))).isNull();
        assertThat(soon(nestedMaps(20))).isNull();
    }

    @Test
    void settings_twentyOneLevels_areRefused() {
        assertThat(soon("a: " + "[".repeat(20) + "]".repeat(20)))
                .hasMessage("agent.yaml:1:23 a" + "[0]".repeat(19) + ": is nested more than 20 deep");
        assertThat(soon(nestedMaps(21)))
                .hasMessageStartingWith("agent.yaml:21:21 a.a.")
                .hasMessageEndingWith("20 deep");
    }

    private static String nestedMaps(int levels) {
        return IntStream.range(0, levels).mapToObj(i -> " ".repeat(i) + "a:\n").collect(joining());
    }

    @Test
    void settings_hundredBrackets_areRefused() {
        assertThat(soon("a: " + "[".repeat(100))).hasMessageEndingWith("is nested more than 20 deep");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[",
                "{",
                "[a, ",
                "{a: ",
                "- ",
                "? ",
                ": ",
                "a: ",
                "&a ",
                "*a ",
                "!a ",
                "!",
                "\"",
                "'",
                "'a' ",
                "# ",
                "|\n",
                ">\n",
                "%",
                "---\n",
                "...\n",
                ",",
                "a, ",
                "\n",
                " ",
                "a\n",
                "a: b\n",
                "\t",
                "\"a\": ",
                "${A}",
                "\\",
                "- a\n",
                "a: &a b\n",
                "a: *a\n",
                "\"\\x41",
                "\u2028",
                "é",
                "&a [*a, "
            })
    void settings_oneThingOverAndOver_ends(String piece) {
        int times = MOST / piece.getBytes(UTF_8).length - 16;

        for (String before : List.of("", "a: [", "a: {b: ", "a: \"")) {
            assertTimeoutPreemptively(LATER, () -> refusal(before + piece.repeat(times)));
        }
    }

    /** Each value has its path, so that a long one over many values would take a thousand times the text's room. */
    @Test
    void settings_deepPathOfLongKeys_stopsGrowing() {
        String keys = IntStream.range(0, 18)
                .mapToObj(i -> " ".repeat(i) + "k".repeat(127) + ":\n")
                .collect(joining());
        Settings settings =
                YamlText.of(keys + " ".repeat(19) + "[a]\n", "agent.yaml").settings();

        while (settings.isMap()) {
            settings = settings.get("k".repeat(127)).orElseThrow();
        }

        assertThat(settings.items().get(0).at().path()).startsWith("kkk").hasSizeLessThan(512);
    }

    @Test
    void settings_randomTexts_throwNothingButConfigException() {
        Random random = new Random(8);
        String[] pieces = {
            "a",
            "b",
            ": ",
            ":",
            "- ",
            "-",
            "\n",
            "\n  ",
            "\n    ",
            " ",
            "[",
            "]",
            "{",
            "}",
            ", ",
            "\"",
            "'",
            "&a ",
            "*a",
            "!!str ",
            "!",
            "# ",
            "|",
            ">",
            "%",
            "@",
            "`",
            "---\n",
            "...",
            "? ",
            "\t",
            "\\",
            "\\x",
            "\\U",
            "0",
            "${A}",
            "é",
            "\uFEFF",
            "\r",
            "\r\n",
            "<<",
            "\u2028",
            "%YAML 1.",
            "%TAG ! b"
        };

        assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
            for (int i = 0; i < 10_000; i++) {
                String text = random.ints(random.nextInt(20), 0, pieces.length)
                        .mapToObj(index -> pieces[index])
                        .collect(joining());
                refusal(text);
            }
        });
    }

    @Test
    void settings_randomBytes_throwNothingButConfigException() {
        Random random = new Random(9);
        for (int i = 0; i < 5_000; i++) {
            byte[] bytes = new byte[random.nextInt(16)];
            random.nextBytes(bytes);
            try {
                YamlText.of(bytes, "agent.yaml").settings();
            } catch (ConfigException e) {
                assertThat(e.problems()).isNotEmpty();
            }
        }
    }

    /** What a text is refused with, or null, and that this is known soon. */
    private static ConfigException soon(String text) {
        return assertTimeoutPreemptively(SOON, () -> refusal(text));
    }

    private static ConfigException refusal(String text) {
        try {
            YamlText.of(text, "agent.yaml").settings();
            return null;
        } catch (ConfigException e) {
            assertThat(e.problems()).isNotEmpty();
            return e;
        }
    }
}
