package io.keyturn.provider;

import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Clock;
import java.time.Duration;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What the fetches of a token have brought so far. Only the one that is under way replaces it, and as a whole.
 *
 * @param fetches how many have ended
 * @param snapshot the current token, if there is one
 * @param setback how the last fetch ended, unless it brought a new token
 */
record Known(
        long fetches, @Nullable Snapshot snapshot, @Nullable Setback setback) {
    static final Known NOTHING = new Known(0, null, null);

    /** How long an answer that brought nothing new is taken for the source's last word. */
    static final long QUIET_NANOS = Duration.ofSeconds(1).toNanos();

    /** A fetch that brought nothing new: why, and when; there is no failure where the source answered the same token. */
    record Setback(@Nullable TokenUnavailableException failure, long atNanos) {}

    Known and(@Nullable Snapshot found, @Nullable Setback how) {
        return new Known(fetches + 1, found, how);
    }

    /** The token, if it has not ended. */
    @Nullable
    Snapshot living(Clock clock) {
        if (snapshot == null || snapshot.token().expiresAt().isEmpty()) {
            return snapshot;
        }
        return snapshot.token().isExpired(clock.instant()) ? null : snapshot;
    }

    /** The generation of what a source answers now: the same value is the same version, whatever else is known of it. */
    long generation(TokenDocument answer) {
        if (snapshot == null) {
            return 1;
        }
        Token current = snapshot.token();
        return current.generation() + (current.isOf(answer) ? 0 : 1);
    }

    /** Why the last fetch failed, if it did. */
    @Nullable
    TokenUnavailableException failure() {
        return setback == null ? null : setback.failure;
    }

    /** Whether the last fetch brought nothing new, just now. */
    boolean isQuiet(LongSupplier nanos) {
        return setback != null && nanos.getAsLong() - setback.atNanos < QUIET_NANOS;
    }
}
