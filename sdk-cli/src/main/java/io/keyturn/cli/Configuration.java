package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.TokenAgent;
import io.keyturn.cli.Asked.Direct;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.token.Reason;
import io.keyturn.yaml.YamlConfig;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Where the configuration of a run is: a file, standard input, or the command line itself. */
final class Configuration {
    private static final int MOST_BYTES = 256 * 1024;
    private static final String STANDARD_INPUT = "<stdin>";

    private Configuration() {}

    /** What messages call it. */
    static String name(Asked asked, Shell shell) {
        if (asked.direct() != null) {
            return "--env";
        }
        String file = file(asked, shell);
        return file.equals("-") ? STANDARD_INPUT : file;
    }

    private static String file(Asked asked, Shell shell) {
        if (asked.config() != null) {
            return asked.config();
        }
        String named = shell.variable("KEYTURN_CONFIG");
        return named == null ? "agent.yaml" : named;
    }

    /** Whether the reading may wait for somebody: standard input, a pipe, a terminal. */
    private static boolean mayHang(Asked asked, Shell shell) {
        if (asked.direct() != null) {
            return false;
        }
        String file = file(asked, shell);
        File other = new File(file);
        return file.equals("-") || (other.exists() && !other.isFile() && !other.isDirectory());
    }

    /**
     * Reads it.
     *
     * @param limit when it must have come to its end
     * @throws ConfigException if it is not there, or is not YAML
     */
    static TokenAgent.Builder read(Asked asked, Shell shell, Duration limit) {
        // What may never end is read on a thread of its own; a file needs none, and a thread has its price at start.
        return mayHang(asked, shell) ? inTime(asked, shell, limit) : read(asked, shell);
    }

    private static TokenAgent.Builder inTime(Asked asked, Shell shell, Duration limit) {
        FutureTask<TokenAgent.Builder> reading = new FutureTask<>(() -> read(asked, shell));
        Thread thread = new Thread(reading, "keyturn-read");
        thread.setDaemon(true);
        thread.start();
        String name = name(asked, shell);
        try {
            return reading.get(limit.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(e.getCause());
        } catch (TimeoutException e) {
            throw wrong(name, Reason.INVALID, "did not come to its end within " + limit.toMillis() + " ms", null);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw wrong(name, Reason.INVALID, "the reading of it was interrupted", null);
        }
    }

    private static TokenAgent.Builder read(Asked asked, Shell shell) {
        TokenAgent.Builder builder;
        String file = file(asked, shell);
        if (asked.direct() != null) {
            builder = TokenAgent.builder().settings(settings(asked.direct()), Path.of(""));
        } else if (file.equals("-")) {
            builder = YamlConfig.parse(text(shell.in()), STANDARD_INPUT);
        } else {
            builder = YamlConfig.load(
                    path(file, asked.config() == null && shell.variable("KEYTURN_CONFIG") == null, shell));
        }
        return builder.environment(shell.variables());
    }

    private static Path path(String file, boolean isDefault, Shell shell) {
        Path path;
        try {
            path = Path.of(file);
        } catch (InvalidPathException e) {
            throw wrong(file, Reason.INVALID, "is not a path", null);
        }
        if (isDefault && Files.notExists(path)) {
            throw wrong(
                    file,
                    Reason.ABSENT,
                    "the file does not exist",
                    "name the configuration, set KEYTURN_CONFIG, or do without a file: " + shell.command()
                            + " check --env VARIABLE --endpoint URL --request 'GET /…'");
        }
        return path;
    }

    private static String text(InputStream in) {
        byte[] bytes;
        try {
            // No more than tells that it is too much.
            bytes = in.readNBytes(MOST_BYTES + 1);
        } catch (IOException e) {
            throw wrong(STANDARD_INPUT, Reason.INVALID, "cannot be read", null);
        }
        try {
            return UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            if (bytes.length > MOST_BYTES) {
                // Perhaps cut in the middle of a character; that it is too long is for the parser to say.
                return new String(bytes, UTF_8);
            }
            throw wrong(STANDARD_INPUT, Reason.INVALID, "is not UTF-8", null);
        }
    }

    /** The same settings as a file's, whose places are options. */
    private static Settings settings(Direct direct) {
        List<Settings.Entry> token = new ArrayList<>();
        Location at = Location.of("--env");
        Settings source = Settings.map(at, List.of(entry("env", "--env", direct.variable())));
        token.add(new Settings.Entry("api_token", at, source));
        if (direct.endpoint() != null) {
            token.add(entry("endpoint", "--endpoint", direct.endpoint()));
        }
        if (direct.request() != null) {
            token.add(entry("check", "--request", direct.request()));
        }
        return Settings.map(at, List.of(new Settings.Entry("agent", at, Settings.map(at, token))));
    }

    private static Settings.Entry entry(String key, String option, String value) {
        Location at = Location.of(option);
        return new Settings.Entry(key, at, Settings.text(at, references -> value));
    }

    static ConfigException wrong(String file, Reason reason, String message, @Nullable String fix) {
        return new ConfigException(List.of(new Problem(new Location(file, 0, 0, ""), reason, message, fix)));
    }
}
