package io.keyturn.yaml;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.config.ConfigException;
import java.util.ArrayList;
import java.util.List;

/** A secret that must not come out again, not even a piece of it. */
final class Canary {
    static final String VALUE = "kT9xQ2vB7mZ4pL8wR3nD6s";
    private static final int PIECE = 8;

    private Canary() {}

    /** Searches everything that an exception tells: itself, what it carries, its causes and what it suppressed. */
    static void assertNotIn(Throwable thrown) {
        List<String> told = new ArrayList<>();
        collect(thrown, told);
        for (int i = 0; i + PIECE <= VALUE.length(); i++) {
            String piece = VALUE.substring(i, i + PIECE);
            assertThat(told).noneMatch(text -> text.contains(piece));
        }
    }

    private static void collect(Throwable thrown, List<String> told) {
        told.add(thrown.toString());
        told.add(String.valueOf(thrown.getMessage()));
        if (thrown instanceof ConfigException config) {
            config.problems()
                    .forEach(problem -> told.add(
                            problem + " " + problem.fix() + " " + problem.at().path()));
        }
        if (thrown.getCause() != null) {
            collect(thrown.getCause(), told);
        }
        for (Throwable suppressed : thrown.getSuppressed()) {
            collect(suppressed, told);
        }
    }
}
