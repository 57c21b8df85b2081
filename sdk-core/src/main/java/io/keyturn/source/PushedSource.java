package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * A source that the program sets. When {@link #set} returns, every provider of this source hands out the new token. Safe
 * for any number of threads.
 */
public final class PushedSource implements TokenSource {
    private final List<Watcher> watchers = new CopyOnWriteArrayList<>();
    private volatile @Nullable TokenDocument current;

    /** One watch: an object of its own, so that closing it never ends another of the same runnable. */
    private static final class Watcher {
        private final Runnable changed;

        Watcher(Runnable changed) {
            this.changed = changed;
        }
    }

    PushedSource() {}

    /** Sets the token. */
    public void set(TokenDocument document) {
        current = document.withOrigin(describe());
        watchers.forEach(watcher -> watcher.changed.run());
    }

    /**
     * Sets the token to a value of which nothing else is known.
     *
     * @throws IllegalArgumentException if a header cannot carry it
     */
    public void set(String value) {
        set(TokenDocument.of(value));
    }

    @Override
    public Optional<TokenDocument> fetch() {
        return Optional.ofNullable(current);
    }

    @Override
    public Watch watch(Runnable changed) {
        Watcher watcher = new Watcher(changed);
        watchers.add(watcher);
        return () -> watchers.remove(watcher);
    }

    @Override
    public String describe() {
        return "the program (pushed)";
    }

    @Override
    public SourceException absence() {
        return new SourceException(Reason.ABSENT, "the program has not set the token yet", null);
    }
}
