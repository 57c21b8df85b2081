package io.keyturn.cli;

import io.keyturn.check.CheckReport;
import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import java.io.InputStream;
import java.io.PrintStream;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The command {@code keyturn}: proves the tokens of a configuration from a shell. An application that has it on its class
 * path can run it from there too.
 *
 * <p>It ends with 0 if everything works, 1 if a token does not, 2 if the command line or the configuration is wrong or
 * what they name is not there, and 3 if it could not be told. What people read goes to standard output, what is wrong with
 * the command line to standard error. With {@code --json} standard output is exactly one JSON document, whatever happens;
 * {@code watch} prints one object a line, until its thread is interrupted or the process is told to end.
 * No command but {@code demo} writes a file, and no output holds a token's value.
 */
public final class HealthCheck {
    static final int OK = 0;
    static final int FAILED = 1;
    static final int USAGE = 2;
    static final int UNKNOWN = 3;

    private HealthCheck() {}

    /** Runs the command and ends the process with its exit code. */
    public static void main(String[] args) {
        // Before anything else, since it is what a check waits for.
        WarmUp.beginFor(args);
        Shell shell = Shell.ofProcess();
        int exit = run(args, shell);
        shell.out().flush();
        System.exit(exit);
    }

    /**
     * Runs the command without a terminal, and returns. Blocks; safe to run from several threads.
     *
     * @param args the command line
     * @param variables where environment variables are looked up
     * @param in is read where the configuration is {@code -}
     * @param out gets the result, in UTF-8 where it is JSON; not closed
     * @param err gets what is wrong with the command line; not closed
     * @return the exit code
     */
    public static int run(
            String[] args,
            Function<String, @Nullable String> variables,
            InputStream in,
            PrintStream out,
            PrintStream err) {
        return run(args, new Shell("keyturn", variables, in, out, err, false, false));
    }

    static int run(String[] args, Shell shell) {
        try {
            Asked plain = Asked.plainly(args);
            Asked asked = plain == null ? Grammar.read(args, shell) : plain;
            if (asked == null) {
                return OK;
            }
            return switch (asked.command()) {
                case "demo" -> new Demo(shell, asked.time()).run();
                case "watch" -> new Watch(asked, shell).run();
                case "status" -> new StatusProbe(asked, shell).run();
                default -> new Look(asked, shell).run();
            };
        } catch (UsageException e) {
            return refused(e, args, shell);
        } catch (RuntimeException | Error e) {
            return broken(e, args, shell);
        }
    }

    private static int refused(UsageException e, String[] args, Shell shell) {
        shell.err().println("keyturn: " + e.getMessage());
        shell.err().println("See: " + shell.command() + " " + e.help());
        document(args, shell, e.getMessage());
        return USAGE;
    }

    /** A defect of ours: where it happened is told, and not the message, which may hold anything. */
    private static int broken(Throwable e, String[] args, Shell shell) {
        shell.err()
                .println("keyturn: this is a defect, please report it: "
                        + e.getClass().getName());
        for (StackTraceElement frame : e.getStackTrace()) {
            shell.err().println("    at " + frame);
        }
        document(args, shell, "a defect of keyturn: " + e.getClass().getName());
        return UNKNOWN;
    }

    /** Whoever asked for JSON parses what comes, whatever it is. */
    private static void document(String[] args, Shell shell, String message) {
        for (String arg : args) {
            if (arg.startsWith("--json")) {
                Problem problem = Problem.of(Location.of("command line"), message);
                shell.print(new CheckReport("agent", List.of(problem), List.of(), List.of(), false), true);
                return;
            }
        }
    }
}
