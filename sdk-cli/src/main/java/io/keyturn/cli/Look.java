package io.keyturn.cli;

import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.config.ConfigException;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/** Runs a command that looks at a configuration, and prints what it reports. */
final class Look {
    private final Asked asked;
    private final Shell shell;
    private final String name;
    private final long started = System.nanoTime();

    Look(Asked asked, Shell shell) {
        this.asked = asked;
        this.shell = shell;
        this.name = Configuration.name(asked, shell);
    }

    int run() {
        CheckReport report;
        Progress progress = Progress.begin(shell, asked.command() + " " + name);
        try {
            report = look(Configuration.read(asked, shell, asked.time()));
        } catch (ConfigException e) {
            report = new CheckReport("agent", e.problems(), List.of(), List.of(), false);
        } finally {
            progress.end();
        }
        if (asked.strict()) {
            report = report.asStrict();
        }
        shell.print(report, asked.json());
        return report.exitCode();
    }

    private CheckReport look(TokenAgent.Builder builder) {
        return switch (asked.command()) {
            case "validate" -> builder.validate();
            case "explain" -> builder.explain(Set.of());
            default -> check(builder);
        };
    }

    private CheckReport check(TokenAgent.Builder builder) {
        try {
            return builder.check(left(), asked.tokens());
        } catch (IllegalArgumentException e) {
            if (asked.tokens().isEmpty()) {
                throw e;
            }
            // Which names there are is at the end; what was given instead may be a token's value, and is not repeated.
            String message = String.valueOf(e.getMessage());
            String known = message.substring(message.lastIndexOf(':') + 1).strip();
            throw new UsageException("--token takes the name of a token: " + known, "explain");
        }
    }

    private Duration left() {
        Duration left = asked.time().minusNanos(System.nanoTime() - started);
        return left.isNegative() ? Duration.ZERO : left;
    }
}
