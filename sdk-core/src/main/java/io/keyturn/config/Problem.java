package io.keyturn.config;

import io.keyturn.token.Reason;
import org.jspecify.annotations.Nullable;

/**
 * One thing that is wrong with a configuration. No text of it holds a value.
 *
 * @param at where
 * @param reason {@link Reason#INVALID}, or what kept a reference in it from being filled in
 * @param message what is wrong
 * @param fix what to do about it, or null where the message says it
 */
public record Problem(
        Location at,
        Reason reason,
        String message,
        @Nullable String fix) {
    /** A setting that is wrong in itself. */
    public static Problem of(Location at, String message) {
        return new Problem(at, Reason.INVALID, message, null);
    }

    Problem movedTo(Location place) {
        return new Problem(place, reason, message, fix);
    }

    /** {@code file:line:column path: what is wrong}. */
    @Override
    public String toString() {
        String place = at.toString();
        return (place.isEmpty() ? "" : place + ": ") + message + (fix == null ? "" : " (" + fix + ")");
    }
}
