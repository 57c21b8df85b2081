package io.keyturn.provider;

import io.keyturn.token.Token;
import java.io.UncheckedIOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/**
 * The current version of one token. An agent's provider stays the same for the agent's life, whatever is swapped beneath
 * it: keep the provider, not the token. Safe for any number of threads.
 *
 * <p>{@link #get} is the one abstract method, so that {@code () -> Token.of("t", TokenDocument.of("t1"))} is a provider
 * for a test.
 */
@FunctionalInterface
public interface TokenProvider {
    /**
     * The current token. It does not block while there is one that lives.
     *
     * @throws TokenUnavailableException if there is none: every source that was tried, and why, is in its message
     */
    Token get() throws TokenUnavailableException;

    /**
     * Says that a server answered 401 to this token. If another version is already there nothing is asked; otherwise the
     * source is, once for all callers, and waited for at most the token's fetch timeout.
     *
     * @return whether {@link #get} now answers another token, so that a retry makes sense
     */
    default boolean invalidate(Token rejected) {
        return false;
    }

    /**
     * Asks the source now, whatever is known, and waits at most the token's fetch timeout.
     *
     * @return the token as the source has it; it may be the same
     * @throws TokenUnavailableException if it has none that may be used; the current token stays
     */
    default Token refresh() throws TokenUnavailableException {
        return get();
    }

    /** {@link #get} without waiting; the failure, if there is one, is a {@link TokenUnavailableException}. */
    default CompletionStage<Token> getAsync() {
        try {
            return CompletableFuture.completedFuture(get());
        } catch (TokenUnavailableException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /**
     * The current value, for libraries that take a supplier. Where it goes is then theirs: no endpoint rule can hold
     * there. It throws {@link UncheckedIOException} where {@link #get} throws.
     */
    default Supplier<String> asSupplier() {
        return () -> {
            try {
                return get().reveal();
            } catch (TokenUnavailableException e) {
                throw new UncheckedIOException(e);
            }
        };
    }
}
