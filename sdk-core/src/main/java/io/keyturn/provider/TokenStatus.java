package io.keyturn.provider;

import io.keyturn.token.Token;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * How a token stands at a moment. It tells nothing of the value but its fingerprint.
 *
 * @param fingerprint of the version that is handed out; null if there is none
 * @param generation of the version that was found last; 0 if none was
 * @param source where that came from; null if none was found
 * @param expiresAt when it ends; null if that is not known
 * @param refreshAt when the source is asked next without anybody asking for it; null if that is not planned
 * @param failure why the last fetch brought no token; null if it brought one
 */
public record TokenStatus(
        String name,
        State state,
        @Nullable String fingerprint,
        long generation,
        @Nullable String source,
        @Nullable Instant expiresAt,
        @Nullable Instant refreshAt,
        @Nullable String failure) {
    /** What a token's state may be. */
    public enum State {
        /** It is handed out, and nothing is to be done. */
        FRESH,
        /** It is handed out, but the next one is overdue or its source fails. */
        STALE,
        /** There was one, and it has ended. */
        EXPIRED,
        /** None was found yet. */
        ABSENT
    }

    /** Whether a token is handed out. */
    public boolean isUsable() {
        return state == State.FRESH || state == State.STALE;
    }

    static TokenStatus of(String name, Known known, ProviderContext context) {
        Token token = known.last() == null ? null : known.last().token();
        Instant now = context.clock().instant();
        return new TokenStatus(
                name,
                state(known, now),
                known.living() == null ? null : known.living().token().fingerprint(),
                token == null ? 0 : token.generation(),
                known.last() == null ? null : known.last().source(),
                token == null ? null : token.expiresAt().orElse(null),
                known.askedAt(now, context.nanos().getAsLong()),
                known.failure() == null ? null : known.failure().why());
    }

    private static State state(Known known, Instant now) {
        if (known.living() == null) {
            return known.last() != null && known.last().token().isExpired(now) ? State.EXPIRED : State.ABSENT;
        }
        boolean overdue = known.refreshAt() != null && !now.isBefore(known.refreshAt());
        return known.failure() != null || known.tries() > 0 || overdue ? State.STALE : State.FRESH;
    }
}
