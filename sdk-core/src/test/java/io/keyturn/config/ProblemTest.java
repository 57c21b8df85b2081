package io.keyturn.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.token.Reason;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The texts that people read: places, problems and all of them together. */
class ProblemTest {
    @ParameterizedTest
    @CsvSource({
        "agent.yaml, 2, 14, agent.api_token, agent.yaml:2:14 agent.api_token",
        "agent.yaml, 2, 14, '', agent.yaml:2:14",
        "agent.yaml, 0, 0, agent, agent.yaml agent",
        "agent.yaml, 0, 0, '', agent.yaml",
        "'', 0, 0, agent.name, agent.name",
        "'', 0, 0, '', ''"
    })
    void toString_location(String file, int line, int column, String path, String expected) {
        assertThat(new Location(file, line, column, path)).hasToString(expected);
    }

    @Test
    void child_location_longerPath() {
        assertThat(Location.of("").child("agent").child("name")).isEqualTo(Location.of("agent.name"));
        assertThat(new Location("f", 1, 2, "a").child("b")).isEqualTo(new Location("f", 1, 2, "a.b"));
    }

    @Test
    void toString_problem_placeMessageFix() {
        Location at = new Location("agent.yaml", 2, 14, "agent.api_token");

        assertThat(Problem.of(at, "is wrong")).hasToString("agent.yaml:2:14 agent.api_token: is wrong");
        assertThat(new Problem(at, Reason.UNSET, "is not set", "set it"))
                .hasToString("agent.yaml:2:14 agent.api_token: is not set (set it)");
        assertThat(Problem.of(Location.of(""), "is wrong")).hasToString("is wrong");
        assertThat(Problem.of(at, "is wrong").reason()).isEqualTo(Reason.INVALID);
    }

    @Test
    void configException_severalProblems_oneLineEach() {
        List<Problem> problems =
                List.of(Problem.of(Location.of("a"), "is wrong"), Problem.of(Location.of("b"), "is wrong, too"));

        ConfigException e = new ConfigException(problems);

        assertThat(e).hasMessage("a: is wrong\nb: is wrong, too").hasNoCause();
        assertThat(e.problems()).isEqualTo(problems);
        assertThat(new ConfigException("is wrong")).hasMessage("is wrong");
        assertThat(new ConfigException("is wrong").problems()).containsExactly(Problem.of(Location.of(""), "is wrong"));
    }
}
