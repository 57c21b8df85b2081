package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.AgentStatus;
import io.keyturn.check.CheckReport;
import io.keyturn.config.ConfigException;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/** Tells what a running agent wrote to its status file. One file is read, and nobody is asked. */
final class StatusProbe {
    /** Some ten thousand tokens. */
    private static final int MOST_BYTES = 16 * 1024 * 1024;

    private final Asked asked;
    private final Shell shell;
    private final String name;

    StatusProbe(Asked asked, Shell shell) {
        this.asked = asked;
        this.shell = shell;
        this.name = asked.config() == null ? "" : asked.config();
    }

    int run() {
        AgentStatus status;
        try {
            status = read().asOf(Instant.now(), asked.time());
        } catch (ConfigException e) {
            shell.print(new CheckReport("agent", e.problems(), List.of(), List.of(), false), asked.json());
            return HealthCheck.USAGE;
        }
        print(status);
        if (status.phase() == AgentStatus.Phase.SILENT) {
            return HealthCheck.UNKNOWN;
        }
        return status.ok() ? HealthCheck.OK : HealthCheck.FAILED;
    }

    private AgentStatus read() {
        try {
            Path file = Path.of(name);
            // Anything else may never come to its end.
            if (Files.exists(file) && !Files.isRegularFile(file)) {
                throw Configuration.wrong(name, Reason.INVALID, "is no regular file", null);
            }
            try (InputStream in = Files.newInputStream(file)) {
                return AgentStatus.parse(in.readNBytes(MOST_BYTES))
                        .orElseThrow(() -> Configuration.wrong(
                                name,
                                Reason.INVALID,
                                "is not the status of an agent",
                                "name the file that status_file names in the agent's configuration"));
            }
        } catch (InvalidPathException e) {
            throw Configuration.wrong("FILE", Reason.INVALID, "is not a path", null);
        } catch (AccessDeniedException e) {
            throw Configuration.wrong(name, Reason.INVALID, "the file cannot be read: permission denied", null);
        } catch (IOException e) {
            boolean isThere = Files.exists(Path.of(name));
            throw isThere
                    ? Configuration.wrong(name, Reason.INVALID, "the file cannot be read", null)
                    : Configuration.wrong(
                            name,
                            Reason.ABSENT,
                            "the file does not exist",
                            "does an agent run, and does its configuration name this file in status_file?");
        }
    }

    private void print(AgentStatus status) {
        if (asked.json()) {
            byte[] document = (status.toJson() + "\n").getBytes(UTF_8);
            shell.out().write(document, 0, document.length);
        } else {
            shell.out().println(status);
        }
        shell.out().flush();
    }
}
