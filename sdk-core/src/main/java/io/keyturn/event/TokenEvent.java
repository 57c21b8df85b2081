package io.keyturn.event;

import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenException;
import java.time.Instant;
import java.util.List;

/**
 * Something that happened to a token, or to the configuration of all. Of a token it tells name, fingerprint and
 * generation; of a URL the scheme, host, port and path, never the query, where a caller may have put a secret.
 */
public sealed interface TokenEvent {
    /** When it happened, by the agent's clock. */
    Instant at();

    /**
     * The first version was found.
     *
     * @param source where it came from
     */
    record Resolved(Instant at, String token, String fingerprint, long generation, String source)
            implements TokenEvent {
        /** A first version. */
        public static Resolved of(Instant at, Token token, String source) {
            return new Resolved(at, token.name(), token.fingerprint(), token.generation(), source);
        }
    }

    /**
     * Another version replaced the one before it.
     *
     * @param previous the fingerprint of the version that was replaced
     * @param source where the new one came from
     */
    record Swapped(Instant at, String token, String previous, String fingerprint, long generation, String source)
            implements TokenEvent {
        /** A version, and the one that it replaced. */
        public static Swapped of(Instant at, Token previous, Token token, String source) {
            return new Swapped(
                    at, token.name(), previous.fingerprint(), token.fingerprint(), token.generation(), source);
        }
    }

    /**
     * No token could be had from the source, or what it answered may not be used. The version before it, if there is
     * one, stays.
     */
    record RefreshFailed(Instant at, String token, Reason reason, String message) implements TokenEvent {}

    /**
     * A token was not taken, since the API refused it when it was tried. The version before it stays.
     *
     * @param fingerprint of the one that was refused
     */
    record SwapRefused(Instant at, String token, String fingerprint, Reason reason, String message)
            implements TokenEvent {
        /** A refused version, and why. */
        public static SwapRefused of(Instant at, Token candidate, TokenException why) {
            return new SwapRefused(
                    at, candidate.name(), candidate.fingerprint(), why.reason(), String.valueOf(why.getMessage()));
        }
    }

    /** This version has ended, and no other was there in time: nothing is handed out until there is one. */
    record Expired(Instant at, String token, String fingerprint, long generation) implements TokenEvent {
        /** A version that has ended. */
        public static Expired of(Instant at, Token token) {
            return new Expired(at, token.name(), token.fingerprint(), token.generation());
        }
    }

    /** A server answered 401 to this version. Told at most once a second, however many requests were answered so. */
    record Rejected(Instant at, String token, String fingerprint, long generation) implements TokenEvent {
        /** A rejected version. */
        public static Rejected of(Instant at, Token token) {
            return new Rejected(at, token.name(), token.fingerprint(), token.generation());
        }
    }

    /**
     * A request was stopped before it was sent.
     *
     * @param url where it was to go, without query
     * @param message why
     */
    record Denied(Instant at, String token, String url, Reason reason, String message) implements TokenEvent {}

    /**
     * A request went to one of the token's endpoints with a credential that the caller had set itself.
     *
     * @param url where it went, without query
     * @param field the header or the query parameter that was already there
     */
    record Overridden(Instant at, String token, String url, String field) implements TokenEvent {}

    /**
     * The configuration was changed, and what it says now is in force.
     *
     * @param tokens the names of the tokens that were added, changed or removed
     * @param restart the keys that were changed and need a restart; until then what they said before is in force
     */
    record Reloaded(Instant at, List<String> tokens, List<String> restart) implements TokenEvent {}

    /**
     * The configuration was changed, and what it says now cannot be used: what it said before stays in force.
     *
     * @param message every problem with its place
     */
    record ReloadFailed(Instant at, String message) implements TokenEvent {}
}
