package io.keyturn.source;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.keyturn.Canary;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which source a configuration means, and what it says where it means none. */
class SourceSettingsTest {
    private static final Path FOLDER = Path.of("/etc/agent");

    @RegisterExtension
    final Canary canary = new Canary("cNry7xQ2vB7mZ4pL8wR3");

    private Settings settings;

    private SourceContext context() {
        Map<String, String> variables = Map.of("TOKEN", canary.token(), "HOME", "/home/ci", "NAME", "A", "EMPTY", "");
        return new SourceContext(SourceHost.reading(variables::get, Clock.systemUTC()), FOLDER, Set.of());
    }

    private Optional<TokenSource> read(Object token) {
        settings = Written.in("agent.yaml", map("t", token)).open(context().references(List.of(), false));
        return TokenSources.read(settings.get("t").orElseThrow(), context()).map(source -> source.in(context()));
    }

    private List<String> problems() {
        List<String> problems =
                settings.problems().stream().map(Problem::toString).toList();
        canary.saw("problems", problems).saw("needs", settings.needs());
        return problems;
    }

    private List<String> needs() {
        return settings.needs().stream()
                .map(need -> need.kind() + " " + need.name() + " at " + need.at())
                .toList();
    }

    static Stream<Arguments> sources() {
        return Stream.of(
                arguments("${A}", "environment variable A", List.of("env A at agent.yaml:1:4 t")),
                arguments("literal", "the value itself", List.of()),
                arguments(map("value", "${A}"), "environment variable A", List.of("env A at agent.yaml:2:10 t.value")),
                arguments(map("env", "A"), "environment variable A", List.of("env A at agent.yaml:2:8 t.env")),
                arguments(map("env", "_a9"), "environment variable _a9", List.of("env _a9 at agent.yaml:2:8 t.env")),
                arguments(
                        map("file", "/run/secrets/token"),
                        "file /run/secrets/token",
                        List.of("file /run/secrets/token at agent.yaml:2:9 t.file")),
                arguments(
                        map("file", "tokens/a"),
                        "file /etc/agent/tokens/a",
                        List.of("file /etc/agent/tokens/a at agent.yaml:2:9 t.file")),
                arguments(
                        map("file", "${HOME}/token"),
                        "file /home/ci/token",
                        List.of("env HOME at agent.yaml:2:9 t.file", "file /home/ci/token at agent.yaml:2:9 t.file")),
                arguments(
                        map("first_of", List.of(map("env", "A"), map("file", "/b"), "${C}")),
                        "environment variable A, else file /b, else environment variable C",
                        List.of(
                                "env A at agent.yaml:3:12 t.first_of[0].env",
                                "file /b at agent.yaml:4:13 t.first_of[1].file",
                                "env C at agent.yaml:5:7 t.first_of[2]")),
                arguments(
                        map("first_of", List.of(map("first_of", List.of(map("env", "A"), "x")), map("env", "B"))),
                        "environment variable A, else the value itself, else environment variable B",
                        List.of(
                                "env A at agent.yaml:4:16 t.first_of[0].first_of[0].env",
                                "env B at agent.yaml:6:12 t.first_of[1].env")),
                arguments(map("command", List.of("gh", "auth", "token")), "command gh (2 arguments)", List.of()),
                arguments(
                        map("command", List.of("./id-token", "x")),
                        "command /etc/agent/./id-token (1 argument)",
                        List.of()),
                arguments(map("command", "/opt/bin/token"), "command /opt/bin/token", List.of()),
                arguments(
                        map("command", List.of("${HOME}/token", "${TOKEN}")),
                        "command /home/ci/token (1 argument)",
                        List.of("env HOME at agent.yaml:3:7 t.command[0]", "env TOKEN at agent.yaml:4:7 t.command[1]")),
                arguments(
                        map("command", map("run", "gh", "env", "GH_HOST", "timeout", "3s")),
                        "command gh",
                        List.of("env GH_HOST at agent.yaml:4:10 t.command.env")),
                arguments(
                        map("first_of", map("env", "A")),
                        "environment variable A",
                        List.of("env A at agent.yaml:3:10 t.first_of.env")));
    }

    @ParameterizedTest
    @MethodSource("sources")
    void read_source_describedAndItsNeedsKnown(Object token, String description, List<String> needs) {
        TokenSource source = read(token).orElseThrow();

        assertThat(source.describe()).isEqualTo(description);
        assertThat(problems()).isEmpty();
        assertThat(needs()).isEqualTo(needs);
    }

    static Stream<Arguments> mistakes() {
        String noName = "must be the name of an environment variable";
        String several = ": give one, or put them in a first_of";
        return Stream.of(
                arguments(
                        map(),
                        List.of(
                                "agent.yaml:2:3 t: has no source: one of value, env, file, command, oauth2, vault, aws_secrets_manager and first_of is needed")),
                arguments(
                        List.of("a"),
                        List.of(
                                "agent.yaml:2:3 t: has no source: one of value, env, file, command, oauth2, vault, aws_secrets_manager and first_of is needed")),
                arguments(
                        map("evn", "A"),
                        List.of(
                                "agent.yaml:2:3 t: has no source: one of value, env, file, command, oauth2, vault, aws_secrets_manager and first_of is needed",
                                "agent.yaml:2:3 t: unknown key 'evn', did you mean 'env'?")),
                arguments(
                        map("value", "x", "env", "A"),
                        List.of("agent.yaml:2:3 t: has several sources, value and env" + several)),
                arguments(
                        map("file", "x", "env", "A", "first_of", List.of("a"), "value", "y"),
                        List.of("agent.yaml:2:3 t: has several sources, value and env and file and first_of"
                                + several)),
                arguments(map("value", map("env", "A")), List.of("agent.yaml:3:5 t.value: must be text, and is a map")),
                arguments(map("value", "${A"), List.of("agent.yaml:2:10 t.value: a '}' is missing")),
                arguments("${A", List.of("agent.yaml:1:4 t: a '}' is missing")),
                arguments(map("env", ""), List.of("agent.yaml:2:8 t.env: " + noName)),
                arguments(map("env", "A-B"), List.of("agent.yaml:2:8 t.env: " + noName)),
                arguments(map("env", "1A"), List.of("agent.yaml:2:8 t.env: " + noName)),
                arguments(map("env", "$A"), List.of("agent.yaml:2:8 t.env: " + noName)),
                arguments(map("env", List.of("A")), List.of("agent.yaml:3:5 t.env: must be text, and is a list")),
                // what is meant as a reference to the token must not be taken for a name, and shown
                arguments(
                        map("env", "${TOKEN}"), List.of("agent.yaml:2:8 t.env: " + noName + " as it is, without ${…}")),
                arguments(
                        map("env", "${UNSET}"), List.of("agent.yaml:2:8 t.env: " + noName + " as it is, without ${…}")),
                arguments(
                        map("env", "${NAME}"), List.of("agent.yaml:2:8 t.env: " + noName + " as it is, without ${…}")),
                arguments(
                        map("file", "${TOKEN}"),
                        List.of(
                                "agent.yaml:2:9 t.file: must hold a '/' where it comes from a variable, such as ./token;"
                                        + " for a variable that holds the token itself, write env instead of file")),
                arguments(
                        map("file", "${UNSET}/x"),
                        List.of("agent.yaml:2:9 t.file: environment variable UNSET is not set")),
                arguments(map("file", ""), List.of("agent.yaml:2:9 t.file: must be a path, and is empty")),
                arguments(map("file", "${EMPTY}"), List.of("agent.yaml:2:9 t.file: must be a path, and is empty")),
                arguments(map("file", "a\u0000b"), List.of("agent.yaml:2:9 t.file: must be a path")),
                arguments(map("file", map("path", "x")), List.of("agent.yaml:3:5 t.file: must be text, and is a map")),
                arguments(
                        map("first_of", List.of()),
                        List.of("agent.yaml:3:5 t.first_of: must list at least one source")),
                arguments(
                        map("first_of", List.of(map("env", "A"), map("fiel", "b"), map("vault", map("path", "x")))),
                        List.of(
                                "agent.yaml:4:7 t.first_of[1]: has no source: one of value, env, file, command, oauth2, vault, aws_secrets_manager and first_of is needed",
                                "agent.yaml:4:7 t.first_of[1]: unknown key 'fiel', did you mean 'file'?",
                                "agent.yaml:5:7 t.first_of[2]: 'vault' needs keyturn-vault on the class path")),
                arguments(
                        map("command", "${TOKEN}"),
                        List.of(
                                "agent.yaml:2:12 t.command: must be the program as it is, or hold a '/' where it comes from a"
                                        + " variable; for a variable that holds the token itself, write env instead of command")),
                arguments(
                        map("command", List.of()),
                        List.of("agent.yaml:3:5 t.command: must be a list of words, such as [gh, auth, token]")),
                arguments(
                        map("command", map("run", List.of("gh"), "env", List.of("${HOME}"), "timeout", "5")),
                        List.of(
                                "agent.yaml:6:9 t.command.env[0]: must be the name of an environment variable as it is,"
                                        + " without ${…}",
                                "agent.yaml:7:14 t.command.timeout: must be a duration such as 500ms, 10s, 5m, 12h or 90d, of at"
                                        + " most 36500d")),
                // modules that are not there
                arguments(
                        map("vault", map("path", "secret/agent")),
                        List.of("agent.yaml:2:3 t: 'vault' needs keyturn-vault on the class path")),
                arguments(
                        map("aws_secrets_manager", map("secret_id", "x")),
                        List.of("agent.yaml:2:3 t: 'aws_secrets_manager' needs keyturn-aws on the class path")),
                arguments(
                        map("env", "A", "vault", "x", "file", "y"),
                        List.of("agent.yaml:3:3 t: 'vault' needs keyturn-vault on the class path")),
                arguments(
                        map("vault", "x", "aws_secrets_manager", "y"),
                        List.of(
                                "agent.yaml:2:3 t: 'vault' needs keyturn-vault on the class path",
                                "agent.yaml:3:3 t: 'aws_secrets_manager' needs keyturn-aws on the class path")));
    }

    @ParameterizedTest
    @MethodSource("mistakes")
    void read_mistake_saidAtItsPlace(Object token, List<String> problems) {
        Optional<TokenSource> source = read(token);

        assertThat(problems()).isEqualTo(problems);
        source.ifPresent(each -> canary.saw("describe", each.describe()));
    }

    @Test
    void read_firstOfWithAWrongMember_keepsTheOthers() {
        TokenSource source = read(map("first_of", List.of(map("env", "A"), map("env", "$B"), "x")))
                .orElseThrow();

        assertThat(source.describe()).isEqualTo("environment variable A, else the value itself");
        assertThat(problems()).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"env", "file", "value", "first_of"})
    void read_sourceInMap_fetchesInTheGivenContext(String key) throws SourceException {
        Object value = switch (key) {
            case "env" -> "TOKEN";
            case "file" -> "/absent/token";
            case "value" -> "${TOKEN}";
            default -> List.of("${TOKEN}");
        };

        Optional<String> token = read(map(key, value))
                .orElseThrow()
                .fetch()
                .map(document -> document.value().reveal());

        assertThat(token).isEqualTo(key.equals("file") ? Optional.empty() : Optional.of(canary.token()));
    }
}
