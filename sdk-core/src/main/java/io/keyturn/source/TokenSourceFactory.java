package io.keyturn.source;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;

/**
 * Makes the sources of one key of a configuration, such as {@code vault}. A module brings its own by naming it to
 * {@link java.util.ServiceLoader}, as anybody may; it needs a public constructor without parameters.
 */
public interface TokenSourceFactory {
    /** The key that stands for these sources where a source is written; the same for the life of the factory. */
    String key();

    /**
     * Makes a source of what stands below its key. Nothing is asked or opened yet: a configuration may only be looked at. It
     * is called when the configuration is read, and once more when an agent opens the source, with that agent's context.
     *
     * <p>What is wrong is noted in the settings, and what cannot be told otherwise may be thrown; keys that nobody asked for
     * are errors by themselves. A credential is itself a source: {@link SourceContext#source}. A source that equals another
     * of the same configuration keeps its token when the configuration is read again, so it should be a record, or say
     * itself when it means the same.
     *
     * @throws ConfigException if no source can be made of it
     */
    TokenSource create(Settings settings, SourceContext context);
}
