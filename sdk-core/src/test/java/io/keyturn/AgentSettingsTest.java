package io.keyturn;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import io.keyturn.http.Placement;
import io.keyturn.policy.Endpoint;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.SourceHost;
import io.keyturn.token.Secret;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The {@code agent} map: what it makes of the short form, of the long form, and of mistakes. */
class AgentSettingsTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Map<String, String> variables = new ConcurrentHashMap<>(Map.of("TOKEN", Canary.TOKEN, "EMPTY", ""));

    private AgentSettings read(Object agent) {
        return read(agent, true);
    }

    private AgentSettings read(Object agent, boolean readFiles) {
        Settings root = Written.in("agent.yaml", map("agent", agent));
        return AgentSettings.read(root, folder, variables::get, Clock.systemUTC(), readFiles);
    }

    private List<String> problems(AgentSettings settings) {
        List<String> problems =
                settings.problems().stream().map(Problem::toString).toList();
        canary.saw("problems", problems).saw("needs", settings.needs());
        return problems;
    }

    private String revealed(TokenPlan token) throws SourceException {
        return revealed(token, folder);
    }

    private String revealed(TokenPlan token, Path of) throws SourceException {
        SourceContext context = new SourceContext(
                SourceHost.reading(variables::get, Clock.systemUTC()),
                of,
                token.options().allow());
        return token.opened(context).source().fetch().orElseThrow().value().reveal();
    }

    private Path file(String name, String content) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.setPosixFilePermissions(
                Files.writeString(file, content), PosixFilePermissions.fromString("rw-------"));
    }

    // --- the forms ---

    @Test
    void read_seed_oneTokenAndDefaults() throws SourceException {
        AgentSettings settings = read(map("api_token", "${TOKEN}"));

        assertThat(problems(settings)).isEmpty();
        assertThat(settings.name()).isEqualTo("agent");
        assertThat(settings.startTimeout()).isEqualTo(Duration.ofSeconds(10));
        assertThat(settings.fingerprintKey()).isNull();
        assertThat(settings.tokens()).hasSize(1);
        TokenPlan token = settings.tokens().get(0);
        assertThat(token.name()).isEqualTo("api_token");
        assertThat(token.at()).hasToString("agent.yaml:2:14 agent.api_token");
        assertThat(revealed(token)).isEqualTo(canary.token());
        assertThat(token.options().endpoints()).isEmpty();
        assertThat(token.options().isRequired()).isTrue();
        assertThat(settings.needs()).extracting(Need::name).containsExactly("TOKEN");
        canary.saw("plan", token).saw("plans", settings.tokens());
    }

    @Test
    void read_shortForm_keysStandBesideTheToken() throws SourceException {
        AgentSettings settings = read(map(
                "name", "ci",
                "api_token", map("env", "TOKEN"),
                "endpoint", "https://api.example.com",
                "send_as", map("header", "X-Api-Key"),
                "check", "GET /health",
                "start_timeout", "3s",
                "tokens", map("deploy", map("value", "abc", "required", "false"))));

        assertThat(problems(settings)).isEmpty();
        assertThat(settings.name()).isEqualTo("ci");
        assertThat(settings.startTimeout()).isEqualTo(Duration.ofSeconds(3));
        assertThat(settings.tokens()).extracting(TokenPlan::name).containsExactly("api_token", "deploy");
        TokenPlan first = settings.tokens().get(0);
        assertThat(first.at()).hasToString("agent.yaml:4:10 agent.api_token.env");
        assertThat(first.options().endpoints())
                .extracting(Endpoint::toString)
                .containsExactly("https://api.example.com/");
        assertThat(first.options().placement()).hasToString("header X-Api-Key");
        assertThat(first.options().checkTarget()).hasToString("https://api.example.com/health");
        TokenPlan second = settings.tokens().get(1);
        assertThat(second.options().endpoints()).isEmpty();
        assertThat(second.options().placement()).hasToString(Placement.bearer().toString());
        assertThat(second.options().isRequired()).isFalse();
        assertThat(revealed(second)).isEqualTo("abc");
    }

    @Test
    void read_longForm_eachTokenItsOwn() throws SourceException {
        AgentSettings settings = read(map(
                "tokens",
                map(
                        "a",
                                map(
                                        "env",
                                        "TOKEN",
                                        "endpoints",
                                        List.of("https://a.example.com", "https://b.example.com/v1")),
                        "b.c-d_1", "${TOKEN}",
                        "_", map("first_of", List.of(map("env", "UNSET"), map("env", "TOKEN")), "attach", "by_name"))));

        assertThat(problems(settings)).isEmpty();
        assertThat(settings.tokens()).extracting(TokenPlan::name).containsExactly("a", "b.c-d_1", "_");
        assertThat(settings.tokens().get(0).options().endpoints()).hasSize(2);
        assertThat(settings.tokens().get(0).options().isByName()).isFalse();
        assertThat(settings.tokens().get(2).options().isByName()).isTrue();
        for (TokenPlan token : settings.tokens()) {
            assertThat(revealed(token)).isEqualTo(canary.token());
        }
        assertThat(settings.needs())
                .extracting(need -> need.kind() + " " + need.name())
                .containsExactly("env TOKEN", "env TOKEN", "env UNSET", "env TOKEN");
    }

    @Test
    void read_programSettings_pathAlone() {
        Settings root = Written.inProgram(map("agent", map("api_token", "${TOKEN}", "attach", "sometimes")));

        AgentSettings settings = AgentSettings.read(root, folder, variables::get, Clock.systemUTC(), true);

        assertThat(problems(settings)).containsExactly("agent.attach: must be always or by_name");
    }

    static Stream<Arguments> mistakes() {
        String name = "a token's name is letters, digits, '_', '.' and '-', and begins with a letter or '_'";
        String ok = "https://api.example.com";
        return Stream.of(
                arguments("text", "agent.yaml:1:8 agent: must be a map with 'api_token' or 'tokens'"),
                arguments(List.of("a"), "agent.yaml:2:3 agent: must be a map with 'api_token' or 'tokens'"),
                arguments(map(), "agent.yaml:2:3 agent: has no token: 'api_token' or 'tokens' is needed"),
                arguments(map("name", "x"), "agent.yaml:2:3 agent: has no token: 'api_token' or 'tokens' is needed"),
                arguments(
                        map("tokns", map("a", map("env", "A"))),
                        "agent.yaml:2:3 agent: has no token: 'api_token' or 'tokens' is needed\n"
                                + "agent.yaml:2:3 agent: unknown key 'tokns', did you mean 'tokens'?"),
                arguments(map("tokens", "x"), "agent.yaml:2:11 agent.tokens: must be a map of names and tokens"),
                arguments(map("tokens", map()), "agent.yaml:3:5 agent.tokens: must be a map of names and tokens"),
                arguments(
                        map("tokens", List.of("a")), "agent.yaml:3:5 agent.tokens: must be a map of names and tokens"),
                arguments(
                        map("api_token", "a", "tokens", map("api_token", map("env", "A"))),
                        "agent.yaml:4:5 agent.tokens: there is a token 'api_token' already"),
                arguments(map("tokens", map("1a", "x")), "agent.yaml:3:5 agent.tokens: " + name),
                arguments(
                        map("tokens", map("a b", "x", "", "y")),
                        "agent.yaml:3:5 agent.tokens: " + name + "\nagent.yaml:4:5 agent.tokens: " + name),
                arguments(map("tokens", map("../a", map("env", "A"))), "agent.yaml:3:5 agent.tokens: " + name),
                arguments(
                        map("tokens", map("a", map("endpoint", ok))),
                        "agent.yaml:4:7 agent.tokens.a: has no source: one of value, env, file, command, oauth2, vault, aws_secrets_manager and first_of is needed"),
                arguments(
                        map("api_token", map("env", "A", "endpoint", ok, "check", "GET /")),
                        "agent.yaml:4:5 agent.api_token: 'endpoint' stands beside 'api_token', not in it\n"
                                + "agent.yaml:5:5 agent.api_token: 'check' stands beside 'api_token', not in it"),
                arguments(
                        map("tokens", map("a", map("env", "A")), "endpoint", ok),
                        "agent.yaml:5:3 agent: 'endpoint' belongs to a token: put it below tokens and the token's name"),
                arguments(
                        map("api_token", "x", "endpiont", ok),
                        "agent.yaml:3:3 agent: unknown key 'endpiont', did you mean 'endpoint'?"),
                arguments(
                        map("api_token", "x", "start_timeout", "10"),
                        "agent.yaml:3:18 agent.start_timeout: must be a duration such as 500ms, 10s, 5m, 12h or 90d,"
                                + " of at most 36500d"),
                arguments(
                        map("api_token", "x", "name", "${UNSET}"),
                        "agent.yaml:3:9 agent.name: environment variable UNSET is not set"),
                arguments(
                        map("api_token", "x", "file_roots", List.of("a\u0000")),
                        "agent.yaml:4:7 agent.file_roots[0]: must be a path"));
    }

    @ParameterizedTest
    @MethodSource("mistakes")
    void read_mistake_saidAtItsPlace(Object agent, String expected) {
        assertThat(String.join("\n", problems(read(agent)))).isEqualTo(expected);
    }

    @Test
    void read_noAgent_saysWhatIsWanted() {
        AgentSettings settings = AgentSettings.read(
                Written.in("agent.yaml", map("agnet", map("api_token", "x"))),
                folder,
                variables::get,
                Clock.systemUTC(),
                true);

        assertThat(problems(settings))
                .containsExactly(
                        "agent.yaml:1:1: 'agent' is missing: the configuration is a map with this key",
                        "agent.yaml:1:1: unknown key 'agnet', did you mean 'agent'?");
    }

    @Test
    void read_manyMistakes_allInTheOrderOfTheFile() {
        AgentSettings settings = read(map(
                "nam", "x",
                "tokens",
                        map(
                                "a", map("env", "$A", "endpoint", "http://api.example.com", "chek", "GET /"),
                                "b", map("rotate", map("every", "12h"), "value", "x", "attach", "never")),
                "state_dir", "state"));

        assertThat(problems(settings))
                .containsExactly(
                        "agent.yaml:2:3 agent: unknown key 'nam', did you mean 'name'?",
                        "agent.yaml:5:12 agent.tokens.a.env: must be the name of an environment variable",
                        "agent.yaml:6:17 agent.tokens.a.endpoint: must be https://, since a token in plain http can be read"
                                + " on its way (or allow: [insecure_http])",
                        "agent.yaml:7:7 agent.tokens.a: unknown key 'chek', did you mean 'check'?",
                        "agent.yaml:9:7 agent.tokens.b: 'rotate' is not supported yet",
                        "agent.yaml:12:15 agent.tokens.b.attach: must be always or by_name",
                        "agent.yaml:13:3 agent: 'state_dir' is not supported yet");
    }

    // --- what a mistaken reference must not show ---

    @ParameterizedTest
    @ValueSource(
            strings = {
                "attach",
                "required",
                "allow",
                "send_as",
                "refresh",
                "endpoint",
                "check",
                "expires_at",
                "issued_at",
                "max_lifetime",
                "deny_fingerprints",
                "scopes"
            })
    void read_tokenInTheWrongPlace_neverShown(String key) {
        AgentSettings settings = read(map("api_token", "abc", key, "${TOKEN}"));

        assertThat(problems(settings)).hasSize(1).allMatch(problem -> problem.startsWith("agent.yaml:3:"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"start_timeout", "tokens"})
    void read_tokenInTheWrongPlaceOfTheAgent_neverShown(String key) {
        AgentSettings settings = read(map("api_token", "abc", key, "${TOKEN}"));

        assertThat(problems(settings)).hasSize(1);
    }

    // --- relaxations reach the source ---

    @Test
    @DisabledOnOs(OS.WINDOWS)
    void read_allow_countsForTheFilesOfThisTokenAlone() throws IOException {
        Path file = file("token", canary.token());
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        AgentSettings settings = read(map(
                "tokens",
                map(
                        "open", map("file", "token", "allow", "world_read"),
                        "live", map("value", "${file:token}", "allow", List.of("world_read")),
                        "strict", map("file", "token"),
                        "too", map("value", "${file:token}"))));

        assertThat(problems(settings)).isEmpty();
        assertThat(revealed(settings.tokens().get(0))).isEqualTo(canary.token());
        assertThat(revealed(settings.tokens().get(1))).isEqualTo(canary.token());
        for (TokenPlan strict : settings.tokens().subList(2, 4)) {
            SourceException e =
                    canary.caught(SourceException.class, () -> strict.source().fetch());
            assertThat(e).hasMessage("file " + file + " can be read by every user, which needs allow: [world_read]");
        }
    }

    // --- files ---

    @Test
    @DisabledOnOs(OS.WINDOWS)
    void read_fileRoots_openTheFenceWhereverTheyStand() throws IOException {
        file("outside/token", canary.token());
        file("config/inside", "inside");
        Settings root = Written.in(
                "agent.yaml",
                map(
                        "agent",
                        map(
                                "name",
                                "${file:../outside/token}",
                                "api_token",
                                "${file:../outside/token}",
                                "tokens",
                                map("b", "${file:inside}"),
                                "file_roots",
                                List.of("../outside"))));

        AgentSettings settings =
                AgentSettings.read(root, folder.resolve("config"), variables::get, Clock.systemUTC(), true);

        assertThat(settings.problems()).isEmpty();
        assertThat(settings.name()).isEqualTo(canary.token());
        assertThat(revealed(settings.tokens().get(0), folder.resolve("config"))).isEqualTo(canary.token());
        assertThat(revealed(settings.tokens().get(1), folder.resolve("config"))).isEqualTo("inside");
    }

    @Test
    void read_fileOutsideTheFence_isAMistakeEvenWhereNoFileIsRead() {
        for (boolean readFiles : new boolean[] {true, false}) {
            assertThat(problems(read(map("api_token", "${file:/etc/hostname}"), readFiles)))
                    .containsExactly("agent.yaml:2:14 agent.api_token: file /etc/hostname lies outside the folders that"
                            + " ${file:…} may read (name its folder in agent.file_roots)");
        }
    }

    @Test
    @DisabledOnOs(OS.WINDOWS)
    void read_withoutFiles_theyCountAsAbsentAndAreNeeded() throws IOException {
        file("name", "ci");
        Map<String, Object> agent = map("api_token", map("file", "token"), "name", "${file:name}");

        assertThat(problems(read(agent))).isEmpty();
        AgentSettings settings = read(agent, false);

        assertThat(problems(settings)).containsExactly("agent.yaml:4:9 agent.name: file name does not exist");
        assertThat(settings.needs())
                .extracting(need -> need.kind() + " " + need.name())
                .containsExactly("file " + folder.resolve("token"), "file name");
    }

    // --- the key of fingerprints ---

    @Test
    @DisabledOnOs(OS.WINDOWS)
    void read_fingerprintKey_fromAnySource() throws IOException {
        file("key", canary.token() + "\n");

        for (Object source : List.of(
                "${TOKEN}",
                "${file:key}",
                map("env", "TOKEN"),
                map("file", "key"),
                map("first_of", List.of(map("env", "UNSET"), map("file", "absent"), map("value", canary.token()))))) {
            AgentSettings settings = read(map("api_token", "abc", "fingerprint_key", source));
            assertThat(problems(settings)).isEmpty();
            assertThat(settings.fingerprintKey()).isEqualTo(Secret.of(canary.token()));
        }
    }

    static Stream<Arguments> missingKeys() {
        return Stream.of(
                arguments("${UNSET}", "agent.yaml:3:20 agent.fingerprint_key: environment variable UNSET is not set"),
                arguments(
                        map("env", "EMPTY"),
                        "agent.yaml:4:5 agent.fingerprint_key: environment variable EMPTY is empty"),
                arguments(
                        map("value", Canary.TOKEN + "\n\n"),
                        "agent.yaml:4:5 agent.fingerprint_key: the value itself: not a token: a header cannot carry the"
                                + " character at index " + Canary.TOKEN.length() + " (a line break)"),
                arguments(
                        map("vault", map("path", "x")),
                        "agent.yaml:4:5 agent.fingerprint_key: 'vault' needs keyturn-vault on the class path"));
    }

    @ParameterizedTest
    @MethodSource("missingKeys")
    void read_fingerprintKeyThatIsNotThere_saidAtItsPlace(Object source, String problem) {
        AgentSettings settings = read(map("api_token", "abc", "fingerprint_key", source));

        assertThat(problems(settings)).containsExactly(problem);
        assertThat(settings.fingerprintKey()).isNull();
    }

    @Test
    void read_fingerprintKeyWithoutFiles_isNotAsked() {
        AgentSettings settings = read(map("api_token", "abc", "fingerprint_key", map("env", "UNSET")), false);

        assertThat(problems(settings)).isEmpty();
        assertThat(settings.needs()).extracting(Need::name).containsExactly("UNSET");
    }
}
