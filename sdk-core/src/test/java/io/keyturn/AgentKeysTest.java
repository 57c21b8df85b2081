package io.keyturn;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every key that the documentation promises, from the table in {@code keys.tsv}. */
class AgentKeysTest {
    private static final String READ = "read";

    /** One line of the table, its path spelled out. */
    record Row(String path, String example, String outcome) {
        @Override
        public String toString() {
            return path + ": " + example;
        }

        /** The key that is refused: the first on the path that is not there otherwise. */
        String key() {
            return outcome.substring(1, outcome.indexOf('\'', 1));
        }
    }

    static Stream<Row> rows() throws IOException {
        return table().stream().flatMap(row -> {
            if (row.path.startsWith("TOKEN.")) {
                String rest = row.path.substring("TOKEN.".length());
                return Stream.of(at(row, "agent.tokens.t." + rest), at(row, "agent." + rest));
            }
            if (row.path.startsWith("SOURCE.")) {
                String rest = row.path.substring("SOURCE.".length());
                return Stream.of(
                        at(row, "agent.tokens.t." + rest),
                        at(row, "agent.api_token." + rest),
                        at(row, "agent.tokens.t.first_of." + rest),
                        at(row, "agent.fingerprint_key." + rest));
            }
            return Stream.of(row);
        });
    }

    private static Row at(Row row, String path) {
        return new Row(path, row.example, row.outcome);
    }

    private static List<Row> table() throws IOException {
        try (InputStream in = AgentKeysTest.class.getResourceAsStream("keys.tsv")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .map(line -> line.split("\t", -1))
                    .map(columns -> new Row(columns[0], columns[1], columns[2]))
                    .toList();
        }
    }

    /** A configuration that is right but for the key in question. */
    private static Map<String, Object> configuration(Row row) {
        Map<String, Object> agent = map();
        Map<String, Object> root = map("agent", agent);
        if (row.path.startsWith("agent.tokens.t.")) {
            agent.put("tokens", map("t", token(row.path)));
        } else {
            agent.putAll(token(row.path));
            if (!row.path.startsWith("agent.api_token.")) {
                agent.put("api_token", "abc");
            }
        }
        if (row.path.startsWith("agent.policy.")) {
            // Without it the others mean nothing.
            agent.put("policy", map("opa", "http://127.0.0.1:8181/v1/data/agent/allow"));
        }
        List<String> steps = List.of(row.path.split("\\.", -1));
        Map<String, Object> at = root;
        for (String step : steps.subList(0, steps.size() - 1)) {
            @SuppressWarnings("unchecked")
            Map<String, Object> next = (Map<String, Object>) at.computeIfAbsent(step, s -> map());
            at = next;
            if (step.equals("oauth2")) {
                at.putAll(oauth2(steps.get(steps.indexOf(step) + 1)));
            }
        }
        at.put(steps.get(steps.size() - 1), value(row.example));
        return root;
    }

    /** What must stand beside a key of a token service. */
    private static Map<String, Object> oauth2(String key) {
        Map<String, Object> beside = map("token_url", "https://idp.example.com/token", "client_id", "agent");
        if (key.startsWith("client_assertion")) {
            return beside;
        }
        if (Set.of("private_key", "key_id", "algorithm").contains(key.replaceAll("x$", ""))) {
            beside.put("private_key", map("file", "key.pem"));
        } else {
            beside.put("client_secret", "${SECRET}");
        }
        if (key.startsWith("refresh_token")) {
            beside.put("grant", "refresh_token");
            beside.put("refresh_token", map("file", "refresh", "save", "true"));
        } else if (key.startsWith("subject_token")) {
            beside.put("grant", "token_exchange");
            beside.put("subject_token", map("file", "subject"));
        } else if (key.startsWith("assertion")) {
            beside.put("grant", "jwt_bearer");
        }
        return beside;
    }

    private static Map<String, Object> token(String path) {
        Map<String, Object> token = map();
        if (path.startsWith("agent.tokens.t.") && !isSource(path.split("\\.", -1)[3])) {
            token.put("env", "API_TOKEN");
        }
        if (!path.contains(".endpoint")) {
            token.put("endpoint", "https://api.example.com");
        }
        return token;
    }

    private static boolean isSource(String key) {
        return Set.of("value", "env", "file", "first_of", "command", "oauth2", "vault", "aws_secrets_manager")
                .contains(key);
    }

    private static Object value(String example) {
        String inner = example.substring(1, Math.max(1, example.length() - 1));
        if (example.startsWith("[")) {
            return Arrays.asList((Object[]) inner.split(", ", -1));
        }
        if (!example.startsWith("{")) {
            return example;
        }
        Map<String, Object> map = map();
        for (String entry : inner.split(", (?![^\\[]*\\])", -1)) {
            if (!entry.isEmpty()) {
                String[] pair = entry.split(": ", 2);
                map.put(pair[0], value(pair[1]));
            }
        }
        return map;
    }

    private static List<Problem> problems(Map<String, Object> configuration) {
        Settings settings = Written.in("agent.yaml", configuration);
        return AgentSettings.read(settings, Path.of("/etc/agent"), name -> "value-of-" + name, Clock.systemUTC(), false)
                .problems();
    }

    @ParameterizedTest
    @MethodSource("rows")
    void read_everyKey_asTheTableSays(Row row) {
        Map<String, Object> configuration = configuration(row);

        List<Problem> problems = problems(configuration);

        if (row.outcome.equals(READ)) {
            assertThat(problems).isEmpty();
            return;
        }
        assertThat(problems).hasSize(1);
        Problem problem = problems.get(0);
        assertThat(problem.message()).isEqualTo(row.outcome);
        String parent = row.path.substring(0, ("." + row.path + ".").indexOf("." + row.key() + ".") - 1);
        assertThat(problem.at().path()).isEqualTo(parent);
        assertThat(problem.at().column()).as("of the key").isEqualTo(2 * parent.split("\\.", -1).length + 1);
    }

    /** The same with a letter more: so the reading above did look at the key. */
    @ParameterizedTest
    @MethodSource("rows")
    void read_everyKeyWithALetterMore_unknown(Row row) {
        if (!row.outcome.equals(READ)) {
            return;
        }
        Row misspelt = at(row, row.path + "x");

        assertThat(problems(configuration(misspelt)))
                .extracting(Problem::message)
                .anyMatch(message -> message.startsWith("unknown key '")
                        || message.startsWith("has no source")
                        || message.startsWith("must have exactly one of"));
    }

    @Test
    void keys_ofTheTable_areThoseThatAreToldToBeMisplaced() throws IOException {
        Set<String> keys = new HashSet<>();
        for (Row row : table()) {
            if (row.path.startsWith("TOKEN.")) {
                keys.add(row.path.split("\\.", -1)[1]);
            }
        }

        assertThat(TokenOptions.KEYS).containsExactlyInAnyOrderElementsOf(keys);
    }

    @Test
    void table_everyRow_hasThreeColumns() throws IOException {
        assertThat(new ArrayList<>(table())).hasSizeGreaterThan(90).allMatch(row -> !row.outcome.isBlank());
    }
}
