package io.keyturn.source;

/** Somebody is being told of a source's changes, until this is closed. */
@FunctionalInterface
public interface Watch extends AutoCloseable {
    /** Nothing is watched: the source never says that it changed. */
    static Watch none() {
        return () -> {};
    }

    /** Ends the telling. Does not wait for a call that is under way; may be called again. */
    @Override
    void close();
}
