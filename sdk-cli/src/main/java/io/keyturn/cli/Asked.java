package io.keyturn.cli;

import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a command line asks for.
 *
 * @param command {@code check}, {@code validate}, {@code explain}, {@code watch}, {@code status} or {@code demo}
 * @param config the configuration's file, {@code -} for standard input, or null for the default; of {@code status} the
 *     status file
 * @param direct a token that is described by options in place of a file, or null
 * @param tokens the names of the tokens that are meant; none: all
 * @param json whether a program reads the result
 * @param strict whether a warning is a failure
 * @param time for the whole run; of {@code watch} from one check to the next, of {@code status} how old it may be, of
 *     {@code demo} how long requests flow
 */
record Asked(
        String command,
        @Nullable String config,
        @Nullable Direct direct,
        Set<String> tokens,
        boolean json,
        boolean strict,
        Duration time) {

    /** For a run that is to end by itself. */
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
        boolean hasOperand = args.length == 2 && isOperand(args[1]);
        boolean plain = (args.length == 1 || hasOperand) && LOOKS.contains(args[0]);
        if (plain || (hasOperand && args[0].equals("status"))) {
            return new Asked(args[0], hasOperand ? args[1] : null, null, Set.of(), false, false, time(args[0]));
        }
        return null;
    }

    /** The time that counts where none is said. */
    static Duration time(String command) {
        return switch (command) {
            // Three times what an agent needs to write it again.
            case "status", "watch" -> Duration.ofSeconds(30);
            case "demo" -> Duration.ofSeconds(15);
            default -> LIMIT;
        };
    }

    private static boolean isOperand(String arg) {
        return arg.equals("-") || !arg.startsWith("-");
    }
}
