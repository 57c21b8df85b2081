package io.keyturn.config;

import io.keyturn.token.TokenException;
import org.jspecify.annotations.Nullable;

/** What the references in a text stand for. Called again each time a live text is read. */
public interface References {
    /** The value of an environment variable; null if it is not set. */
    @Nullable
    String variable(String name);

    /**
     * The content of a file without its trailing line break; null if there is no such file.
     *
     * @throws TokenException if it may not be read, or is no file that can hold a secret
     */
    @Nullable
    String file(String path) throws TokenException;
}
