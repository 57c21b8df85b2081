package io.keyturn.config;

import java.util.List;
import java.util.stream.Collectors;

/**
 * A configuration is wrong. It carries everything that is wrong with it, in the order of the file, and its message is
 * one line for each. No message holds a value.
 */
public class ConfigException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    // Not sent along where an exception is serialized; the message says the same.
    private final transient List<Problem> problems;

    /** All that is wrong; at least one problem. */
    public ConfigException(List<Problem> problems) {
        super(problems.stream().map(Problem::toString).collect(Collectors.joining("\n")));
        this.problems = List.copyOf(problems);
    }

    /** One thing that is wrong, in a place that whoever reads the settings knows. */
    public ConfigException(String message) {
        this(List.of(Problem.of(Location.of(""), message)));
    }

    /** All that is wrong, in the order of the file. */
    public List<Problem> problems() {
        return problems;
    }
}
