package io.keyturn.source;

import io.keyturn.token.TokenDocument;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A value that the program has in its hand. */
record ValueSource(TokenDocument document) implements TokenSource {
    @Override
    public Optional<TokenDocument> fetch() {
        return Optional.of(document.withOrigin(describe()));
    }

    @Override
    public boolean isLocal() {
        return true;
    }

    /** All that is known of such a token is read from its value. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ValueSource that && document.value().equals(that.document.value());
    }

    @Override
    public int hashCode() {
        return document.value().hashCode();
    }

    @Override
    public String describe() {
        return "a fixed value";
    }
}
