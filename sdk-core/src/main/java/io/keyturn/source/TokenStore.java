package io.keyturn.source;

import io.keyturn.token.TokenDocument;

/** A source that can be written: what was saved is what it answers from then on, to whoever reads it. */
public interface TokenStore extends TokenSource {
    /**
     * Replaces the token. When it returns, the new one is there for good; where it fails, the old one still is. Blocks.
     *
     * @throws SourceException if it could not be saved
     */
    void save(TokenDocument document) throws SourceException;
}
