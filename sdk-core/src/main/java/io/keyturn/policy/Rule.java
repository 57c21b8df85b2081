package io.keyturn.policy;

import io.keyturn.token.Token;
import java.net.InetAddress;
import java.util.List;
import java.util.function.Predicate;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * A rule as the SDK asks it: with what a request is made of, so that nothing is made in order to ask. It answers null, or
 * who refuses; only a refusal that is told costs an exception.
 */
interface Rule extends TokenPolicy {
    /** Who refuses, and can say why. */
    interface Refusal {
        /**
         * Why; asked at once and with what was refused.
         *
         * @param url where the request was to go, or null if the token itself was refused
         */
        TokenDeniedException denial(Token token, @Nullable HttpUrl url, @Nullable InetAddress address);
    }

    /** Whether the token may be used at all. */
    default @Nullable Refusal refusal(Token token) {
        return null;
    }

    /** Whether a request may carry it. */
    default @Nullable Refusal refusal(Token token, String method, HttpUrl url, @Nullable InetAddress address) {
        return null;
    }

    /** Whether it may have anything to say of a request. */
    default boolean isAskedOfRequests() {
        return true;
    }

    /** Whether it is the SDK's own through and through: asking it runs nobody else's code. */
    default boolean isOwn() {
        return true;
    }

    /** Whom requests may be sent to; null if that is not restricted. The same at each call. */
    default @Nullable Predicate<InetAddress> addresses() {
        return null;
    }

    @Override
    default void admit(Token token) throws TokenDeniedException {
        Refusal refusal = refusal(token);
        if (refusal != null) {
            throw refusal.denial(token, null, null);
        }
    }

    @Override
    default void check(Token token, Destination destination) throws TokenDeniedException {
        check(token, destination.method(), destination.url(), destination.addressOrNull());
    }

    /** The same as with a destination, without one. */
    default void check(Token token, String method, HttpUrl url, @Nullable InetAddress address)
            throws TokenDeniedException {
        Refusal refusal = refusal(token, method, url, address);
        if (refusal != null) {
            throw refusal.denial(token, url, address);
        }
    }

    /** A rule of any origin. */
    static Rule of(TokenPolicy policy) {
        return policy instanceof Rule rule ? rule : new Programs(List.of(policy));
    }

    /**
     * Rules of the program's own, each of which must agree. A destination is made for all of them together.
     *
     * @param policies asked in order
     */
    record Programs(List<TokenPolicy> policies) implements Rule {
        private static Refusal of(TokenDeniedException denied) {
            return (token, url, address) -> denied;
        }

        @Override
        public @Nullable Refusal refusal(Token token) {
            try {
                admit(token);
                return null;
            } catch (TokenDeniedException e) {
                return of(e);
            }
        }

        @Override
        public @Nullable Refusal refusal(Token token, String method, HttpUrl url, @Nullable InetAddress address) {
            try {
                check(token, method, url, address);
                return null;
            } catch (TokenDeniedException e) {
                return of(e);
            }
        }

        @Override
        public void admit(Token token) throws TokenDeniedException {
            for (TokenPolicy policy : policies) {
                policy.admit(token);
            }
        }

        @Override
        public void check(Token token, String method, HttpUrl url, @Nullable InetAddress address)
                throws TokenDeniedException {
            check(token, new Destination(method, url, address));
        }

        @Override
        public void check(Token token, Destination destination) throws TokenDeniedException {
            for (TokenPolicy policy : policies) {
                policy.check(token, destination);
            }
        }

        @Override
        public boolean isOwn() {
            return false;
        }
    }
}
