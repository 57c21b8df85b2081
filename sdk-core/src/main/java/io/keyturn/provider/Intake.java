package io.keyturn.provider;

import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;

/**
 * What stands between a source and the current token: the agent adds what the configuration knows, and asks the token's
 * policy.
 */
@FunctionalInterface
public interface Intake {
    /**
     * Makes the token of what a source answered.
     *
     * @throws TokenException if it may not be used; the token before it stays
     */
    Token accept(String name, TokenDocument document, long generation) throws TokenException;

    /**
     * Tries a token that is about to replace one that lives. May block.
     *
     * @throws TokenException if the API refuses it; the token before it stays
     */
    default void prove(Snapshot candidate) throws TokenException {}
}
