package io.keyturn.event;

/**
 * Hears what happens to tokens. Called on a thread of the agent's own, one event at a time and in order, never while a
 * lock is held. A listener that throws is logged and goes on being called; one that is slow delays other listeners, and
 * events are dropped and counted once 1,024 of them wait, but no token and no request waits for it.
 */
@FunctionalInterface
public interface TokenListener {
    /** Something happened. */
    void onEvent(TokenEvent event);
}
