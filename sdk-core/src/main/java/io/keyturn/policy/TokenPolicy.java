package io.keyturn.policy;

import io.keyturn.token.Token;

/**
 * A rule on the use of a token. It decides by returning or throwing, and whatever it throws denies. Called on the threads
 * of callers and of fetches, at the same time by many; it must not block, or only for a short time of its own choosing, as one
 * does that asks somebody else: a request waits for it.
 */
@FunctionalInterface
public interface TokenPolicy {
    /**
     * Asked before each request that is to carry the token.
     *
     * @throws TokenDeniedException if the token may not go there
     */
    void check(Token token, Destination destination) throws TokenDeniedException;

    /**
     * Asked when a token is resolved: a token that may not be used at all never becomes the current one. Asked again before
     * each request where the rule is one of several of which one must agree ({@link TokenPolicies#anyOf(java.util.List)}).
     *
     * @throws TokenDeniedException if this token may not be used
     */
    default void admit(Token token) throws TokenDeniedException {}
}
