package io.keyturn.cli;

import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a command line asks for.
 *
 * @param command {@code check}, {@code validate}, {@code explain} or {@code demo}
 * @param config the configuration's file, {@code -} for standard input, or null for the default
 * @param direct a token that is described by options in place of a file, or null
 * @param tokens the names of the tokens that are meant; none: all
 * @param json whether a program reads the result
 * @param strict whether a warning is a failure
 * @param limit the time for the whole run
 */
record Asked(
        String command,
        @Nullable String config,
        @Nullable Direct direct,
        Set<String> tokens,
        boolean json,
        boolean strict,
        Duration limit) {

    static final Duration LIMIT = Duration.ofSeconds(10);

    private static final Set<String> LOOKS = Set.of("check", "validate", "explain");

    /** A token from a variable, where it may go, and the request that proves it. */
    record Direct(
            String variable,
            @Nullable String endpoint,
            @Nullable String request) {}

    /**
     * What a command line without any option asks for; null if it has one. That is all that most probes and scripts say,
     * and it needs no picocli, whose classes would take a tenth of their time.
     */
    static @Nullable Asked plainly(String[] args) {
        boolean plain = (args.length == 1 || (args.length == 2 && isOperand(args[1]))) && LOOKS.contains(args[0]);
        return plain
                ? new Asked(args[0], args.length == 1 ? null : args[1], null, Set.of(), false, false, LIMIT)
                : null;
    }

    private static boolean isOperand(String arg) {
        return arg.equals("-") || !arg.startsWith("-");
    }
}
