package io.keyturn.provider;

import io.keyturn.source.TokenSource;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import org.jspecify.annotations.Nullable;

/**
 * One version of a token with all that belongs to it. It is replaced as a whole, so that nothing outlives a swap.
 *
 * @param token the token
 * @param sent what is sent of it, such as {@code Bearer …}, built once
 * @param origin what is to be said of where it came from; null if that is the source, and no more
 * @param from the source that it came from
 */
public record Snapshot(Token token, Secret sent, @Nullable String origin, TokenSource from) {
    /** Where it came from, for people. */
    public String source() {
        return origin == null ? from.describe() : origin;
    }
}
