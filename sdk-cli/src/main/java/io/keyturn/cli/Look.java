package io.keyturn.cli;

import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.config.ConfigException;
import io.keyturn.token.Reason;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

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
            report = look(configuration());
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

    /** What may never end is read on a thread of its own; a file needs none, and a thread has its price at start. */
    private TokenAgent.Builder configuration() {
        return Configuration.mayHang(asked, shell) ? inTime() : Configuration.read(asked, shell);
    }

    private TokenAgent.Builder inTime() {
        FutureTask<TokenAgent.Builder> reading = new FutureTask<>(() -> Configuration.read(asked, shell));
        Thread thread = new Thread(reading, "keyturn-read");
        thread.setDaemon(true);
        thread.start();
        try {
            return reading.get(left().toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(e.getCause());
        } catch (TimeoutException e) {
            String limit = asked.limit().toMillis() + " ms";
            throw Configuration.wrong(name, Reason.INVALID, "did not come to its end within " + limit, null);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Configuration.wrong(name, Reason.INVALID, "the reading of it was interrupted", null);
        }
    }

    private Duration left() {
        Duration left = asked.limit().minusNanos(System.nanoTime() - started);
        return left.isNegative() ? Duration.ZERO : left;
    }
}
