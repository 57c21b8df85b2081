package io.keyturn.policy;

import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/** Rules on the token itself, whatever request is to carry it. */
interface OfTokens extends Rule, Rule.Refusal {
    /** Why the token may not be used, if it may not. */
    TokenDeniedException denial(Token token);

    @Override
    default TokenDeniedException denial(Token token, @Nullable HttpUrl url, @Nullable InetAddress address) {
        return denial(token);
    }

    @Override
    default boolean isAskedOfRequests() {
        return false;
    }

    private static TokenDeniedException denied(Reason reason, Token token, String why) {
        return new TokenDeniedException(reason, "token " + token + " " + why, null);
    }

    private static TokenDeniedException notKnown(Reason reason, Token token, String what, String fix) {
        return new TokenDeniedException(reason, "token " + token + ": its " + what, fix + ", or allow: [unknown]");
    }

    /** The scopes that a token must and must not have. */
    final class Scopes implements OfTokens {
        private final String[] required;
        private final String[] forbidden;
        private final boolean allowUnknown;

        Scopes(Set<String> required, Set<String> forbidden, boolean allowUnknown) {
            this.required = required.toArray(String[]::new);
            this.forbidden = forbidden.toArray(String[]::new);
            this.allowUnknown = allowUnknown;
        }

        @Override
        public @Nullable Refusal refusal(Token token) {
            Optional<Set<String>> scopes = token.scopes();
            if (scopes.isEmpty()) {
                return allowUnknown ? null : this;
            }
            boolean allowed =
                    first(required, scopes.get(), false) == null && first(forbidden, scopes.get(), true) == null;
            return allowed ? null : this;
        }

        /** The first that a set has, or does not have. */
        private static @Nullable String first(String[] scopes, Set<String> of, boolean has) {
            for (String scope : scopes) {
                if (of.contains(scope) == has) {
                    return scope;
                }
            }
            return null;
        }

        @Override
        public TokenDeniedException denial(Token token) {
            Optional<Set<String>> scopes = token.scopes();
            if (scopes.isEmpty()) {
                return notKnown(Reason.SCOPE, token, "scopes are not known", "name them in scopes.granted");
            }
            String missing = first(required, scopes.get(), false);
            return denied(
                    Reason.SCOPE,
                    token,
                    missing != null
                            ? "lacks the scope '" + missing + "'"
                            : "has the forbidden scope '" + first(forbidden, scopes.get(), true) + "'");
        }
    }

    /** The longest that a token may live. */
    record MaxLifetime(Duration most, boolean allowUnknown) implements OfTokens {
        @Override
        public @Nullable Refusal refusal(Token token) {
            Optional<Instant> issued = token.issuedAt();
            Optional<Instant> end = token.expiresAt();
            boolean known = issued.isPresent() && end.isPresent();
            boolean allowed = known ? !isLonger(issued.get(), end.get()) : allowUnknown;
            return allowed ? null : this;
        }

        /** By numbers, since a duration would have to be made. */
        private boolean isLonger(Instant issued, Instant end) {
            boolean borrows = end.getNano() < issued.getNano();
            long seconds = end.getEpochSecond() - issued.getEpochSecond() - (borrows ? 1 : 0);
            int nanos = end.getNano() - issued.getNano() + (borrows ? 1_000_000_000 : 0);
            return seconds > most.getSeconds() || (seconds == most.getSeconds() && nanos > most.getNano());
        }

        @Override
        public TokenDeniedException denial(Token token) {
            return token.issuedAt().isPresent() && token.expiresAt().isPresent()
                    ? denied(Reason.LIFETIME, token, "lives longer than " + written(most))
                    : notKnown(Reason.UNKNOWN_EXPIRY, token, "lifetime is not known", "set issued_at and expires_at");
        }

        /** As the configuration writes it: {@code 90d}, not {@code PT2160H}. */
        private static String written(Duration time) {
            long seconds = time.toSeconds();
            if (seconds % 3600 != 0) {
                return seconds % 60 == 0 ? seconds / 60 + "m" : seconds + "s";
            }
            return seconds % 86_400 == 0 ? seconds / 86_400 + "d" : seconds / 3600 + "h";
        }
    }

    /** A token must have an end. */
    record Expires() implements OfTokens {
        @Override
        public @Nullable Refusal refusal(Token token) {
            return token.expiresAt().isPresent() ? null : this;
        }

        @Override
        public TokenDeniedException denial(Token token) {
            return new TokenDeniedException(
                    Reason.UNKNOWN_EXPIRY,
                    "token " + token + ": it is not known when it ends",
                    "set expires_at, or take a token that ends");
        }
    }

    /** Tokens that are known to have leaked. */
    record Leaked(Set<String> fingerprints) implements OfTokens {
        @Override
        public @Nullable Refusal refusal(Token token) {
            return fingerprints.contains(token.fingerprint()) ? this : null;
        }

        @Override
        public TokenDeniedException denial(Token token) {
            return denied(Reason.LEAKED, token, "is on the list of leaked tokens");
        }
    }
}
