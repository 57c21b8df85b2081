package io.keyturn.source;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import io.keyturn.token.TokenDocument;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;

/** The sources that come with the SDK. */
public final class TokenSources {
    private TokenSources() {}

    /** An environment variable. A process sees it change only when it is started again. */
    public static TokenSource env(String variable) {
        return new EnvSource(variable, Form.TOKEN, SourceContext.ofProcess());
    }

    /**
     * A file that holds a token document. It must be a regular file of at most 64 KiB that nobody else can write; others
     * may read it only where the token's {@code allow} has {@code group_read} or {@code world_read}, or where it lies on
     * a read-only file system in memory, as Kubernetes mounts secrets.
     */
    public static TokenSource file(Path file) {
        return new FileSource(file, Form.TOKEN, SourceContext.ofProcess());
    }

    /** {@link #file(Path)}. */
    public static TokenSource file(String file) {
        return file(Path.of(file));
    }

    /**
     * A value that never changes.
     *
     * @throws IllegalArgumentException if a header cannot carry it
     */
    public static TokenSource value(String value) {
        return new ValueSource(TokenDocument.of(value));
    }

    /**
     * The first source that has a token. One that fails ends the search: it might have had one.
     *
     * @throws IllegalArgumentException if there is none to ask
     */
    public static TokenSource firstOf(TokenSource... sources) {
        if (sources.length == 0) {
            throw new IllegalArgumentException("firstOf needs at least one source");
        }
        return new FirstOf(List.of(sources));
    }

    /**
     * A program that prints a token document on its standard output, such as {@code command("gh", "auth", "token")}. It is
     * asked each minute, unless the token's {@code refresh.every} says otherwise, and ahead of the end that the document
     * tells. There is no shell: each word is one argument. It may take 10 s and print 1 MiB; then it is ended, with all
     * that it has started. If it prints nothing, there is no token; if it exits with anything but 0, that is a failure.
     *
     * <p>Its environment is small: {@code PATH}, {@code HOME}, {@code USER}, {@code LOGNAME}, {@code LANG},
     * {@code LC_ALL}, {@code LC_CTYPE} and {@code TMPDIR} of the agent's. Its standard input is empty, and its standard
     * error is not looked at. Only its first word is shown in messages.
     *
     * @throws IllegalArgumentException if there is no program
     */
    public static TokenSource command(String... words) {
        return new CommandSource(List.of(words), Set.of(), CommandSource.TIMEOUT, SourceContext.ofProcess());
    }

    /**
     * A source of the program's own.
     *
     * @param description what it is, for people, such as {@code accounts database}
     * @param fetch answers the token, or null if there is none. It may throw anything; unless that is a
     *     {@link SourceException}, only the name of its class is kept, since its message may hold what it read
     */
    public static TokenSource of(String description, Callable<? extends TokenDocument> fetch) {
        return new LambdaSource(description, fetch);
    }

    /** A source that the program sets; there is no token until it does. */
    public static PushedSource pushed() {
        return new PushedSource();
    }

    /**
     * The source that a configuration file would describe like this, for those that have no method of their own: {@code
     * configured(Map.of("vault", Map.of("path", "secret/agent", "key", "api_token")))}. A text stands for itself, without
     * placeholders; a credential is a text, or a map with one source.
     *
     * @param source a map with one key, and texts, numbers, booleans, lists and maps below it
     * @throws ConfigException with everything that is wrong with it
     */
    public static TokenSource configured(Map<String, ?> source) {
        SourceContext context = SourceContext.ofProcess();
        Settings settings = Settings.of(source).open(context.references(List.of(), true));
        Optional<TokenSource> read = read(settings, context);
        settings.finish();
        return read.orElseThrow();
    }

    /**
     * The source that settings describe: a text, which is its value, or a map with exactly one key that stands for a source.
     * What is wrong with it is noted there.
     *
     * @param context of whoever reads the settings; an agent opens the source with its own
     */
    public static Optional<TokenSource> read(Settings settings, SourceContext context) {
        return new SourceSettings(context, Form.TOKEN).read(settings);
    }
}
