package io.keyturn.source;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A source that a factory made when the configuration was read, for whoever only looks at that. An agent has the factory
 * make its own.
 *
 * @param settings what stands below the factory's key
 * @param made as it was made for the reading
 */
record ConfiguredSource(TokenSourceFactory factory, Settings settings, Path folder, TokenSource made)
        implements TokenSource {
    /** The source that a factory makes of settings. */
    static ConfiguredSource read(TokenSourceFactory factory, Settings settings, SourceContext context) {
        return new ConfiguredSource(factory, settings, context.folder(), made(factory, settings, context));
    }

    private static TokenSource made(TokenSourceFactory factory, Settings settings, SourceContext context) {
        try {
            return factory.create(settings, context);
        } catch (ConfigException e) {
            throw e;
        } catch (RuntimeException e) {
            // Anybody's code; its message may hold anything.
            throw settings.wrong(
                    "'" + factory.key() + "' failed with " + e.getClass().getName());
        }
    }

    @Override
    public TokenSource in(SourceContext context) {
        // A reading of its own: what was read in the first one is not asked a second time.
        Settings again = settings.open(settings.references());
        return made(factory, again, new SourceContext(context.host(), folder, context.allow()));
    }

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        return made.fetch();
    }

    @Override
    public Optional<TokenDocument> fetchInsteadOf(Token refused) throws SourceException {
        return made.fetchInsteadOf(refused);
    }

    @Override
    public Watch watch(Runnable changed) {
        return made.watch(changed);
    }

    @Override
    public Optional<Duration> every() {
        return made.every();
    }

    @Override
    public boolean isLocal() {
        return made.isLocal();
    }

    @Override
    public String describe() {
        return made.describe();
    }

    @Override
    public SourceException absence() {
        return made.absence();
    }

    @Override
    public List<TokenSource> sources() {
        return made.sources();
    }

    @Override
    public TokenSource forKey(String key) {
        return made.forKey(key);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ConfiguredSource that && made.equals(that.made);
    }

    @Override
    public int hashCode() {
        return made.hashCode();
    }
}
