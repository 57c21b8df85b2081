package io.keyturn.source;

import io.keyturn.token.TokenDocument;
import java.util.Optional;

/** A value that the program has in its hand. */
record ValueSource(TokenDocument document) implements TokenSource {
    @Override
    public Optional<TokenDocument> fetch() {
        return Optional.of(document.withOrigin(describe()));
    }

    @Override
    public String describe() {
        return "a fixed value";
    }
}
