package io.keyturn.source;

import io.keyturn.config.Settings;
import io.keyturn.token.TokenDocument;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;

/** The sources that come with the SDK. */
public final class TokenSources {
    private TokenSources() {}

    /** An environment variable. A process sees it change only when it is started again. */
    public static TokenSource env(String variable) {
        return new EnvSource(variable, SourceContext.ofProcess());
    }

    /**
     * A file that holds a token document. It must be a regular file of at most 64 KiB that nobody else can write; others
     * may read it only where the token's {@code allow} has {@code group_read} or {@code world_read}, or where it lies on
     * a read-only file system in memory, as Kubernetes mounts secrets.
     */
    public static TokenSource file(Path file) {
        return new FileSource(file, SourceContext.ofProcess());
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
     * The source that settings describe: a map with exactly one of the keys {@code value}, {@code env}, {@code file} and
     * {@code first_of}; a text is the same as {@code value}. What is wrong with it is noted there.
     *
     * @param folder what relative paths are relative to
     */
    public static Optional<TokenSource> read(Settings settings, Path folder) {
        return new SourceSettings(folder).read(settings);
    }
}
