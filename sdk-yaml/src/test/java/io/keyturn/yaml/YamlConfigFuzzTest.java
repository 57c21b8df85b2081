package io.keyturn.yaml;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.keyturn.FuzzCase;
import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.events.CollectionEndEvent;
import org.yaml.snakeyaml.events.CollectionStartEvent;
import org.yaml.snakeyaml.events.Event;
import org.yaml.snakeyaml.events.MappingStartEvent;
import org.yaml.snakeyaml.events.NodeEvent;
import org.yaml.snakeyaml.events.ScalarEvent;
import org.yaml.snakeyaml.parser.Parser;
import org.yaml.snakeyaml.parser.ParserImpl;
import org.yaml.snakeyaml.reader.StreamReader;

/** Any text as {@code agent.yaml}: read, interpreted and reported, without a source being asked. */
class YamlConfigFuzzTest {
    @FuzzTest(maxDuration = "30s")
    void parse(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        if (FuzzCase.holdsSecret(text)) {
            return;
        }
        String report = validated(text);
        assertThat(validated(text)).isEqualTo(report);

        // Wherever a secret stands, no error of the reading shows it, but as the key that somebody made of it.
        String anywhere = FuzzCase.withSecret(text, Arrays.hashCode(input));
        if (!isInAKey(anywhere)) {
            FuzzCase.answer(() -> YamlConfig.parse(anywhere, "agent.yaml"));
        }
        // As a token's value nothing at all shows it, whatever stands beside it.
        hides("agent:\n  api_token: '" + FuzzCase.SECRET + "'\n" + text);
        hides("agent:\n  tokens:\n    t:\n      value: '" + FuzzCase.SECRET + "'\n" + text);
    }

    private static void hides(String text) {
        String report = validated(text);
        assertThat(report != null && FuzzCase.holdsSecret(report))
                .as("the report shows it")
                .isFalse();
    }

    private static @Nullable String validated(String text) {
        TokenAgent.Builder builder = FuzzCase.answer(() -> YamlConfig.parse(text, "agent.yaml"));
        if (builder == null) {
            return null;
        }
        builder.environment(name -> "of-the-environment");
        CheckReport report = FuzzCase.answer(builder::validate);
        return report == null ? null : report + report.toJson();
    }

    /** Where in a collection the next thing stands. */
    private enum Inside {
        LIST,
        BEFORE_KEY,
        BEFORE_VALUE;

        Inside next() {
            return this == BEFORE_KEY ? BEFORE_VALUE : this == BEFORE_VALUE ? BEFORE_KEY : LIST;
        }
    }

    private static boolean isInAKey(String text) {
        Deque<Inside> open = new ArrayDeque<>();
        try {
            Parser parser = new ParserImpl(new StreamReader(text), new LoaderOptions());
            for (Event event = parser.getEvent(); event != null; event = parser.getEvent()) {
                if (event instanceof CollectionEndEvent) {
                    open.pop();
                } else if (event instanceof NodeEvent) {
                    Inside inside = open.isEmpty() ? Inside.LIST : open.pop();
                    if (inside == Inside.BEFORE_KEY
                            && event instanceof ScalarEvent scalar
                            && FuzzCase.holdsSecret(scalar.getValue())) {
                        return true;
                    }
                    open.push(inside.next());
                    if (event instanceof CollectionStartEvent) {
                        open.push(event instanceof MappingStartEvent ? Inside.BEFORE_KEY : Inside.LIST);
                    }
                }
            }
        } catch (RuntimeException e) {
            return false;
        }
        return false;
    }
}
