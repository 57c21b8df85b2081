package io.keyturn.policy;

import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/** The rules that come with the SDK. All are immutable. */
public final class TokenPolicies {
    private TokenPolicies() {}

    /** What a rule says of a token that is resolved. */
    @FunctionalInterface
    private interface Admission {
        void admit(Token token) throws TokenDeniedException;
    }

    /** A rule that is asked only when a token is resolved. */
    private record WhenResolved(Admission admission) implements TokenPolicy {
        @Override
        public void admit(Token token) throws TokenDeniedException {
            admission.admit(token);
        }

        @Override
        public void check(Token token, Destination destination) {}
    }

    private static final TokenPolicy NO_RULE = new WhenResolved(token -> {});

    /** Every rule must agree; they are asked in order. */
    public static TokenPolicy allOf(List<TokenPolicy> rules) {
        if (rules.isEmpty()) {
            return NO_RULE;
        }
        AllOf all = new AllOf(List.copyOf(rules));
        return all.rules.stream().anyMatch(TokenPolicies::isAskedOfRequests) ? all : new WhenResolved(all::admit);
    }

    /**
     * Whether a policy may have something to say of a request. One that is made of this class's rules on the token itself
     * has said it all when the token was resolved, and nobody needs to describe the request to it.
     */
    public static boolean isAskedOfRequests(TokenPolicy policy) {
        return !(policy instanceof WhenResolved);
    }

    private record AllOf(List<TokenPolicy> rules) implements TokenPolicy {
        @Override
        public void check(Token token, Destination destination) throws TokenDeniedException {
            for (TokenPolicy rule : rules) {
                rule.check(token, destination);
            }
        }

        @Override
        public void admit(Token token) throws TokenDeniedException {
            for (TokenPolicy rule : rules) {
                rule.admit(token);
            }
        }
    }

    /**
     * The scopes that a token must and must not have.
     *
     * @param allowUnknown whether a token whose scopes are not known passes
     */
    public static TokenPolicy scopes(Set<String> required, Set<String> forbidden, boolean allowUnknown) {
        return new WhenResolved(token -> {
            Optional<Set<String>> scopes = token.scopes();
            if (scopes.isEmpty()) {
                requireKnown(allowUnknown, token, Reason.SCOPE, "scopes are not known", "name them in scopes.granted");
                return;
            }
            Optional<String> missing = first(required, scope -> !scopes.get().contains(scope));
            if (missing.isPresent()) {
                throw denied(Reason.SCOPE, token, "lacks the scope '" + missing.get() + "'");
            }
            Optional<String> excess = first(forbidden, scopes.get()::contains);
            if (excess.isPresent()) {
                throw denied(Reason.SCOPE, token, "has the forbidden scope '" + excess.get() + "'");
            }
        });
    }

    /**
     * The longest that a token may live, from its issue to its end.
     *
     * @param allowUnknown whether a token passes of which one of the two is not known
     */
    public static TokenPolicy maxLifetime(Duration most, boolean allowUnknown) {
        return new WhenResolved(token -> {
            Optional<Instant> issued = token.issuedAt();
            Optional<Instant> end = token.expiresAt();
            if (issued.isEmpty() || end.isEmpty()) {
                requireKnown(
                        allowUnknown,
                        token,
                        Reason.UNKNOWN_EXPIRY,
                        "lifetime is not known",
                        "set issued_at and expires_at");
            } else if (Duration.between(issued.get(), end.get()).compareTo(most) > 0) {
                throw denied(Reason.LIFETIME, token, "lives longer than " + written(most));
            }
        });
    }

    /** Tokens that are known to have leaked, by their fingerprints. */
    public static TokenPolicy denyFingerprints(Set<String> leaked) {
        return new WhenResolved(token -> {
            if (leaked.contains(token.fingerprint())) {
                throw denied(Reason.LEAKED, token, "is on the list of leaked tokens");
            }
        });
    }

    /** As the configuration writes it: {@code 90d}, not {@code PT2160H}. */
    private static String written(Duration time) {
        long seconds = time.toSeconds();
        if (seconds % 3600 != 0) {
            return seconds % 60 == 0 ? seconds / 60 + "m" : seconds + "s";
        }
        return seconds % 86_400 == 0 ? seconds / 86_400 + "d" : seconds / 3600 + "h";
    }

    private static Optional<String> first(Set<String> scopes, Predicate<String> test) {
        return scopes.stream().filter(test).findFirst();
    }

    private static void requireKnown(boolean allowUnknown, Token token, Reason reason, String what, String fix)
            throws TokenDeniedException {
        if (!allowUnknown) {
            throw new TokenDeniedException(reason, "token " + token + ": its " + what, fix + ", or allow: [unknown]");
        }
    }

    private static TokenDeniedException denied(Reason reason, Token token, String why) {
        return new TokenDeniedException(reason, "token " + token + " " + why, null);
    }
}
