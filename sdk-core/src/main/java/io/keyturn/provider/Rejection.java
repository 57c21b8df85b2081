package io.keyturn.provider;

import io.keyturn.token.Token;
import org.jspecify.annotations.Nullable;

/**
 * Which version was rejected last, and when. A storm of 401 is told once a second: else it would push the event of the
 * swap that ends it out of the listeners' queue.
 */
record Rejection(long generation, long atNanos) {
    /** Whether a rejection is no news after the one that was told last, if any was. */
    static boolean repeats(@Nullable Rejection told, Token rejected, long nowNanos) {
        return told != null && told.generation == rejected.generation() && nowNanos - told.atNanos < Known.QUIET_NANOS;
    }
}
