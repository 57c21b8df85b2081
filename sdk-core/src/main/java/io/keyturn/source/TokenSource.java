package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.util.List;
import java.util.Optional;

/**
 * Where a token comes from. A source keeps nothing and decides nothing: it is asked, and answers what is there now.
 *
 * <p>{@link #fetch} may block; it is called on a thread made for that, by one caller at a time, and given up after the
 * token's fetch timeout. Everything else must not block.
 */
@FunctionalInterface
public interface TokenSource {
    /**
     * The token as it is now.
     *
     * @return empty if there is none, which lets the next of several sources answer
     * @throws SourceException if it could not tell, or what it found must not be used; no other source is then asked
     */
    Optional<TokenDocument> fetch() throws SourceException;

    /**
     * Asks to be told when the token may have changed.
     *
     * @param changed fetches from this source before it returns: it is to be called where blocking is allowed
     */
    default Watch watch(Runnable changed) {
        return Watch.none();
    }

    /** What it is, for people, such as {@code file /run/secrets/token}; never a value. */
    default String describe() {
        return "a source of the program's own";
    }

    /** Why there is none, where {@link #fetch} found none. */
    default SourceException absence() {
        return new SourceException(Reason.ABSENT, describe() + " has no token", null);
    }

    /** The sources that are asked, in order: this one, unless it is made of others. */
    default List<TokenSource> sources() {
        return List.of(this);
    }

    /** This source as an agent opens it, with the agent's environment, clock and rules. */
    default TokenSource in(SourceContext context) {
        return this;
    }
}
