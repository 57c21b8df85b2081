package io.keyturn.config;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.Canary;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SettingsTest {
    @RegisterExtension
    final Canary canary = new Canary();

    private final Map<String, String> variables = new ConcurrentHashMap<>(Map.of("SET", "value", "EMPTY", ""));

    /** A file that names a reason is refused with it. */
    private final References references = new References() {
        @Override
        public @Nullable String variable(String name) {
            return variables.get(name);
        }

        @Override
        public @Nullable String file(String path) throws TokenException {
            if (path.equals("unsafe")) {
                throw new TokenException(
                        Reason.UNSAFE_FILE, "file unsafe can be read by every user", "chmod go-r unsafe");
            }
            return path.equals("there") ? "content" : null;
        }
    };

    private Settings open(Object... keysAndValues) {
        return Written.in("agent.yaml", map(keysAndValues)).open(references);
    }

    private List<String> problems(Settings settings) {
        List<String> all = settings.problems().stream().map(Problem::toString).toList();
        canary.saw("problems", all);
        return all;
    }

    // --- types and defaults ---

    @Test
    void text_keyOrDefault() {
        Settings settings = open("name", "ci ${SET}", "empty", "");

        assertThat(settings.text("name", "agent")).isEqualTo("ci value");
        assertThat(settings.text("empty", "agent")).isEmpty();
        assertThat(settings.text("other", "agent")).isEqualTo("agent");
        assertThatCode(settings::finish).doesNotThrowAnyException();
    }

    @Test
    void text_notThere_missing() {
        Settings settings = open("a", map("b", "x"));
        Settings a = settings.get("a").orElseThrow();

        assertThat(a.text("b")).isEqualTo("x");
        assertThat(a.text("c")).isEmpty();
        assertThat(problems(settings)).containsExactly("agent.yaml:2:3 a: 'c' is missing");
    }

    @Test
    void text_mapOrList_wrongAtTheValue() {
        Settings settings = open("a", map("b", "x"), "c", List.of("y"));

        assertThat(settings.text("a", "default")).isEqualTo("default");
        assertThat(settings.text("c", "default")).isEqualTo("default");
        assertThat(problems(settings))
                .containsExactly(
                        "agent.yaml:2:3 a: must be text, and is a map",
                        "agent.yaml:4:3 c: must be text, and is a list");
    }

    @ParameterizedTest
    @CsvSource({"true, true", "false, false"})
    void flag_word_read(String word, boolean expected) {
        assertThat(open("f", word).flag("f", !expected)).isEqualTo(expected);
        assertThat(open().flag("f", expected)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"yes", "True", "1", "", " true", Canary.TOKEN})
    void flag_otherWord_wrongAtTheValue(String word) {
        Settings settings = open("required", word);

        assertThat(settings.flag("required", true)).isTrue();
        assertThat(problems(settings)).containsExactly("agent.yaml:1:11 required: must be true or false");
    }

    @ParameterizedTest
    @CsvSource({
        "500ms, PT0.5S",
        "10s, PT10S",
        "5m, PT5M",
        "12h, PT12H",
        "90d, PT2160H",
        "36500d, PT876000H",
        "1ms, PT0.001S"
    })
    void duration_form_read(String text, Duration expected) {
        assertThat(open("d", text).duration("d", Duration.ZERO)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "5",
                "-5s",
                "0s",
                "0ms",
                "9999999999d",
                "36501d",
                "999999999h",
                "5 s",
                "5S",
                "1.5s",
                "",
                "s",
                "PT5S",
                "5s ",
                "\u0665s",
                Canary.TOKEN
            })
    void duration_otherForm_errorNamesTheForms(String text) {
        Settings settings = open("start_timeout", text);

        assertThat(settings.duration("start_timeout", Duration.ofSeconds(10))).isEqualTo(Duration.ofSeconds(10));
        assertThat(problems(settings))
                .containsExactly("agent.yaml:1:16 start_timeout: must be a duration such as 500ms, 10s, 5m, 12h or 90d,"
                        + " of at most 36500d");
    }

    @Test
    void duration_notThere_default() {
        assertThat(open().duration("d", Duration.ofSeconds(3))).isEqualTo(Duration.ofSeconds(3));
    }

    @ParameterizedTest
    @CsvSource({
        "2026-12-31, 2026-12-31T00:00:00Z",
        "2024-02-29, 2024-02-29T00:00:00Z",
        "2026-12-31T12:00:00Z, 2026-12-31T12:00:00Z",
        "2026-12-31T12:00:00+02:00, 2026-12-31T10:00:00Z",
        "2026-12-31T12:00:00.5Z, 2026-12-31T12:00:00.500Z"
    })
    void date_form_read(String text, Instant expected) {
        assertThat(open("d", text).date("d")).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "2024-02-30",
                "2026-1-1",
                "31.12.2026",
                "tomorrow",
                "",
                "2026-12-31T12:00:00",
                "1798675200",
                Canary.TOKEN
            })
    void date_otherForm_wrongAtTheValue(String text) {
        Settings settings = open("expires_at", text);

        assertThat(settings.date("expires_at")).isNull();
        assertThat(problems(settings))
                .containsExactly("agent.yaml:1:13 expires_at: must be a day such as 2026-12-31,"
                        + " or an instant such as 2026-12-31T12:00:00Z");
    }

    @Test
    void date_notThere_null() {
        assertThat(open().date("d")).isNull();
    }

    // --- lists ---

    @Test
    void texts_listOrScalar_listOfOne() {
        Settings settings = open("many", List.of("a", "${SET}"), "one", "b", "none", List.of());

        assertThat(settings.texts("many")).containsExactly("a", "value");
        assertThat(settings.texts("one")).containsExactly("b");
        assertThat(settings.texts("none")).isEmpty();
        assertThat(settings.texts("other")).isEmpty();
    }

    @Test
    void each_wrongItems_notedAndLeftOut() {
        Settings settings = open("numbers", List.of("1", "x" + canary.token(), "3", map("a", "b"), List.of("4")));

        List<Integer> good = settings.each("numbers", value -> {
            try {
                return Integer.valueOf(value.text());
            } catch (NumberFormatException e) {
                throw value.wrong("must be a number");
            }
        });

        assertThat(good).containsExactly(1, 3);
        assertThat(problems(settings))
                .containsExactly(
                        "agent.yaml:3:5 numbers[1]: must be a number",
                        "agent.yaml:5:5 numbers[3]: must be text, and is a map",
                        "agent.yaml:6:5 numbers[4]: must be text, and is a list");
    }

    // --- maps ---

    @Test
    void get_nested_inTheSameReading() {
        Settings settings = open("a", map("b", map("c", "${SET}", "d", "x")));

        Settings b = settings.get("a").flatMap(a -> a.get("b")).orElseThrow();

        assertThat(b.text("c", "")).isEqualTo("value");
        assertThat(b.isMap()).isTrue();
        assertThat(b.isText()).isFalse();
        assertThat(b.keys()).containsExactly("c", "d");
        assertThat(b.at()).isEqualTo(new Location("agent.yaml", 3, 5, "a.b"));
        assertThat(b.has("d")).isTrue();
        assertThat(b.has("e")).isFalse();
        assertThat(problems(settings)).isEmpty();
    }

    @Test
    void get_ofATextOrAList_nothing() {
        Settings settings = open("a", "x", "b", List.of("y"));

        assertThat(settings.get("a").orElseThrow().get("c")).isEmpty();
        assertThat(settings.get("b").orElseThrow().get("c")).isEmpty();
        assertThat(settings.get("a").orElseThrow().keys()).isEmpty();
        assertThat(settings.get("a").orElseThrow().isText()).isTrue();
        assertThat(problems(settings)).isEmpty();
    }

    @Test
    void problems_unknownKey_shownAtTheKeyWithSuggestion() {
        Settings settings = open("agent", map("api_token", "x", "endpiont", "https://example.com"));
        Settings agent = settings.get("agent").orElseThrow();
        agent.text("api_token", "");
        agent.texts("endpoint");
        agent.texts("endpoints");

        assertThat(problems(settings))
                .containsExactly("agent.yaml:3:3 agent: unknown key 'endpiont', did you mean 'endpoint'?");
    }

    @Test
    void problems_unknownKeyInAnItem_found() {
        Settings settings = open("list", List.of(map("env", "A", "fiel", "b"), map("env", "B")));
        settings.each("list", item -> item.text("env", "") + item.text("file", ""));

        assertThat(problems(settings))
                .containsExactly("agent.yaml:3:5 list[0]: unknown key 'fiel', did you mean 'file'?");
    }

    @Test
    void problems_mapThatNobodyLookedInto_noUnknownKeys() {
        Settings settings = open("a", map("b", map("c", "x")), "d", map("e", "x"));
        settings.get("a");

        assertThat(problems(settings)).containsExactly("agent.yaml:4:1: unknown key 'd', did you mean 'a'?");
    }

    @Test
    void refuse_keys_shownAtTheKeyWithoutLookingIntoThem() {
        Settings settings = open("a", "1", "vault", map("path", "x"), "b", "2");
        settings.text("a", "");
        settings.text("b", "");
        settings.refuse(Map.of("vault", "'vault' is not supported yet", "rotate", "'rotate' is not supported yet"));

        assertThat(problems(settings)).containsExactly("agent.yaml:2:1: 'vault' is not supported yet");
    }

    @Test
    void refuse_ofAText_nothing() {
        Settings settings = open("a", "x");
        settings.get("a").orElseThrow().refuse(Map.of("b", "no"));

        assertThat(problems(settings)).isEmpty();
    }

    @Test
    void map_repeatedKey_lastOne() {
        Location at = Location.of("a");
        Settings map = Settings.map(
                Location.of(""),
                List.of(
                        new Settings.Entry("a", at, Settings.text(at, references -> "first")),
                        new Settings.Entry("a", at, Settings.text(at, references -> "second"))));

        assertThat(map.open(references).text("a", "")).isEqualTo("second");
    }

    // --- what is wrong ---

    @Test
    void finish_severalProblems_allInTheOrderOfTheFile() {
        Settings settings = open("d", "5", "unknown", "x", "f", "yes", "e", map("t", "1", "u", "2"), "v", "${UNSET}");
        settings.text("v", "");
        settings.get("e").orElseThrow().duration("t", Duration.ofSeconds(1));
        settings.flag("f", false);
        settings.duration("d", Duration.ofSeconds(1));

        ConfigException e = canary.caught(ConfigException.class, settings::finish);

        assertThat(e.problems()).extracting(p -> p.at().line()).containsExactly(1, 2, 3, 5, 6, 7);
        assertThat(e).hasMessage("""
                        agent.yaml:1:4 d: must be a duration such as 500ms, 10s, 5m, 12h or 90d, of at most 36500d
                        agent.yaml:2:1: unknown key 'unknown'
                        agent.yaml:3:4 f: must be true or false
                        agent.yaml:5:6 e.t: must be a duration such as 500ms, 10s, 5m, 12h or 90d, of at most 36500d
                        agent.yaml:6:3 e: unknown key 'u', did you mean 't'?
                        agent.yaml:7:4 v: environment variable UNSET is not set""");
    }

    @Test
    void finish_nothingWrong_returns() {
        Settings settings = open("a", "x");
        settings.text("a", "");

        assertThatCode(settings::finish).doesNotThrowAnyException();
    }

    @Test
    void read_exceptionWithAPlaceOfItsOwn_keepsIt() {
        Settings settings = open("a", map("b", "x"), "c", "y");
        settings.read("a", value -> {
            throw value.get("b").orElseThrow().wrong("is bad");
        });
        settings.read("c", value -> {
            throw new ConfigException("is worse");
        });

        assertThat(problems(settings)).containsExactly("agent.yaml:2:6 a.b: is bad", "agent.yaml:3:4 c: is worse");
    }

    @Test
    void read_twice_notedTwice() {
        Settings settings = open("a", "x");
        assertThat(settings.read("a", Settings::text)).contains("x");
        assertThat(settings.read("b", Settings::text)).isEmpty();
        assertThat(settings.read("b", "c", Settings::text)).isEqualTo("c");
    }

    @Test
    void problems_ofAProgram_pathAlone() {
        Settings settings =
                Written.inProgram(map("agent", map("f", "x", "g", "y"))).open(references);
        Settings agent = settings.get("agent").orElseThrow();
        agent.flag("f", true);

        assertThat(problems(settings))
                .containsExactly("agent.f: must be true or false", "agent: unknown key 'g', did you mean 'f'?");
    }

    // --- references ---

    @Test
    void text_referencesThatCannotBeFilled_atTheValue() {
        Settings settings = open(
                "a",
                "${UNSET} and ${MISSING}",
                "b",
                "${file:absent}",
                "c",
                List.of("${file:unsafe}"),
                "d",
                "${UNCLOSED");
        List.of("a", "b", "c", "d").forEach(settings::texts);

        assertThat(problems(settings))
                .containsExactly(
                        "agent.yaml:1:4 a: environment variable UNSET is not set",
                        "agent.yaml:1:4 a: environment variable MISSING is not set",
                        "agent.yaml:2:4 b: file absent does not exist",
                        "agent.yaml:4:5 c[0]: file unsafe can be read by every user (chmod go-r unsafe)",
                        "agent.yaml:5:4 d: a '}' is missing");
        assertThat(settings.problems())
                .extracting(Problem::reason)
                .containsExactly(Reason.UNSET, Reason.UNSET, Reason.ABSENT, Reason.UNSAFE_FILE, Reason.INVALID);
    }

    @Test
    void needs_whatTextsReferTo_onceAPlaceInOrder() {
        Settings settings =
                open("a", "${file:there}", "b", "${SET}${SET} ${UNSET:-x}", "c", "${SET}", "d", "${NEVER_READ}");
        settings.text("c", "");
        settings.text("b", "");
        settings.text("b", "");
        settings.text("a", "");
        settings.get("d").orElseThrow().need("module", "keyturn-vault");

        assertThat(settings.needs())
                .extracting(need -> need.kind() + " " + need.name() + " " + need.at())
                .containsExactly(
                        "file there agent.yaml:1:4 a",
                        "env SET agent.yaml:2:4 b",
                        "env UNSET agent.yaml:2:4 b",
                        "env SET agent.yaml:3:4 c",
                        "module keyturn-vault agent.yaml:4:4 d");
    }

    @Test
    void with_otherReferences_sameReading() {
        Settings settings = open("a", "${SET}", "b", "${SET}");
        References other = new References() {
            @Override
            public String variable(String name) {
                return "other";
            }

            @Override
            public @Nullable String file(String path) {
                return null;
            }
        };

        Settings a = settings.get("a").orElseThrow().with(other);

        assertThat(a.text()).isEqualTo("other");
        assertThat(settings.text("b", "")).isEqualTo("value");
        a.note("is noted");
        assertThat(problems(settings)).containsExactly("agent.yaml:1:4 a: is noted");
        assertThat(settings.needs()).hasSize(2);
    }

    @Test
    void open_again_forgetsTheFormerReading() {
        Settings settings = open("a", "${UNSET}");
        settings.text("a", "");
        variables.put("UNSET", "set by now");

        Settings again = settings.open(references);

        assertThat(again.text("a", "")).isEqualTo("set by now");
        assertThat(again.problems()).isEmpty();
        assertThat(settings.problems()).isNotEmpty();
    }

    @Test
    void settings_neverOpened_knowNoVariable() {
        Settings settings = Written.in("agent.yaml", map("a", "${SET}"));

        assertThatThrownBy(() -> settings.get("a").orElseThrow().text())
                .hasMessage("agent.yaml:1:4 a: environment variable SET is not set");
    }

    @ParameterizedTest
    @CsvSource({
        "plain, true",
        "$5, true",
        "'', true",
        "${SET}, false",
        "a${UNSET:-b}, false",
        "${file:x}, false",
        "${UNSET}, false",
        "${UNCLOSED, true"
    })
    void isLiteral_text_nothingFilledIn(String text, boolean literal) {
        Settings settings = open("a", text);

        assertThat(settings.get("a").orElseThrow().isLiteral()).isEqualTo(literal);
        assertThat(settings.isLiteral()).isFalse();
        assertThat(settings.needs()).isEmpty();
    }

    // --- what is read later, elsewhere ---

    @Test
    void apart_readLater_sameReferencesAndNothingNoted() {
        Settings settings = open("a", "${LATER:-not yet}");
        Settings apart = settings.get("a").orElseThrow().apart();
        assertThat(apart.text()).isEqualTo("not yet");

        variables.put("LATER", "now");

        assertThat(apart.text()).isEqualTo("now");
        assertThat(apart.at()).isEqualTo(new Location("agent.yaml", 1, 4, "a"));
        apart.note("unheard");
        assertThat(settings.needs()).isEmpty();
        assertThat(settings.problems()).isEmpty();
        assertThat(apart.problems()).isEmpty();
    }

    /** A token's value is read by a fetch and by whoever asks why there is none, at the same time. */
    @Test
    void apart_manyThreads_eachReadsTheSame() throws Exception {
        // Each text refers to something new, so that a list of what is needed would be written by all threads.
        AtomicInteger counter = new AtomicInteger();
        Template growing = given -> String.valueOf(given.variable("V" + counter.incrementAndGet()));
        Settings settings = Settings.text(Location.of("a"), growing).open(new References() {
            @Override
            public String variable(String name) {
                return "value";
            }

            @Override
            public @Nullable String file(String path) {
                return null;
            }
        });
        Settings apart = settings.apart();
        Callable<Integer> reading = () -> {
            for (int i = 0; i < 2_000; i++) {
                assertThat(apart.text()).isEqualTo("value");
            }
            return 2_000;
        };

        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            List<Future<Integer>> running = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                running.add(threads.submit(reading));
            }
            for (Future<Integer> each : running) {
                assertThat(each.get()).isEqualTo(2_000);
            }
        } finally {
            threads.shutdownNow();
        }
        assertThat(apart.needs()).isEmpty();
        assertThat(counter).hasValue(8_000);
    }
}
