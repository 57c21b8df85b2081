package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
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
     * What is to be used now that a server has refused this token, which was this source's: the token as it is now, or,
     * where that is still the refused one, another that may serve until the source has the next. By default that is
     * {@link #fetch}, and called as that is.
     *
     * @throws SourceException as {@link #fetch} does
     */
    default Optional<TokenDocument> fetchInsteadOf(Token refused) throws SourceException {
        return fetch();
    }

    /**
     * Asks to be told when the token may have changed.
     *
     * @param changed fetches from this source before it returns, or waits for a fetch that begins after this call: it is
     *     to be called where blocking is allowed
     */
    default Watch watch(Runnable changed) {
        return Watch.none();
    }

    /**
     * How often it is to be asked although it has not said that it changed; empty: only ahead of the token's end. The
     * token's {@code refresh.every} goes before this.
     */
    default Optional<Duration> every() {
        return Optional.empty();
    }

    /**
     * Whether it reads only what this machine holds. Such sources are asked on threads of their own, which those that
     * wait for a network cannot fill.
     */
    default boolean isLocal() {
        return false;
    }

    /**
     * Whether its issuer still takes a token for good, as far as it can be asked: an answer of {@code false} is worth more
     * than the token's own word. Empty where there is nobody to ask. Blocks.
     *
     * @throws SourceException if the issuer could not tell
     */
    default Optional<Boolean> isActive(Token token) throws SourceException {
        return Optional.empty();
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

    /**
     * The source of one of many accounts, where this one stands for all of them: of a file, {@code {key}} in its path
     * stands for the key. It is the same source where the key makes no difference.
     */
    default TokenSource forKey(String key) {
        return this;
    }

    /** This source as an agent opens it, with the agent's environment, clock and rules. */
    default TokenSource in(SourceContext context) {
        return this;
    }
}
