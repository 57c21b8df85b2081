package io.keyturn.test;

import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * One fetch, on a thread of its own, so that a source that never comes back keeps no test. What it says when it is judged
 * never holds a value.
 */
final class Fetch {
    /** A source that is said to hang has not answered within this time. */
    static final Duration MOMENT = Duration.ofMillis(100);

    private final FutureTask<Outcome> task;
    private final Thread thread;
    private final Duration patience;

    /** How it ended: with a token, with something thrown, or with neither, since there is none. */
    record Outcome(@Nullable TokenDocument found, @Nullable Throwable thrown) {
        /** Nothing was found, and nothing was thrown. */
        static final Outcome NONE = new Outcome(null, null);

        private static Outcome of(Callable<Optional<TokenDocument>> fetch) {
            try {
                return new Outcome(fetch.call().orElse(null), null);
            } catch (Throwable t) {
                // An error of a source is a finding, too; as is one that answers null.
                return new Outcome(null, t);
            }
        }

        private String shortly() {
            if (thrown != null) {
                return "threw " + thrown.getClass().getName();
            }
            return found == null ? "answered that it has none" : "answered a token";
        }
    }

    private Fetch(TokenSource source, Duration patience) {
        this.patience = patience;
        this.task = new FutureTask<>(() -> Outcome.of(source::fetch));
        this.thread = new Thread(task, "token-source-contract");
        thread.setDaemon(true);
    }

    /** Begins to fetch. */
    static Fetch begin(TokenSource source, Duration patience) {
        Fetch fetch = new Fetch(source, patience);
        fetch.thread.start();
        return fetch;
    }

    void interrupt() {
        thread.interrupt();
    }

    /** Waits for its end. */
    Outcome outcome() throws InterruptedException {
        return within(patience)
                .orElseThrow(() -> new AssertionError("the fetch has not ended within " + patience.toMillis() + " ms"));
    }

    /** Its end, if that comes in time. */
    Optional<Outcome> within(Duration limit) throws InterruptedException {
        try {
            return Optional.of(task.get(limit.toNanos(), TimeUnit.NANOSECONDS));
        } catch (TimeoutException e) {
            return Optional.empty();
        } catch (ExecutionException e) {
            throw new AssertionError("cannot be: whatever is thrown is an outcome");
        }
    }

    /** It has ended, however that was. */
    void assertEnded() throws InterruptedException {
        outcome();
    }

    /** It has not ended, and nothing is known that will end it. */
    void assertHangs() throws InterruptedException {
        Optional<Outcome> ended = within(MOMENT);
        if (ended.isPresent()) {
            throw new AssertionError("the fixture hangs, but the source "
                    + ended.get().shortly() + " within " + MOMENT.toMillis() + " ms");
        }
    }

    void assertFound(String value) throws InterruptedException {
        Outcome outcome = outcome();
        if (outcome.found == null) {
            throw new AssertionError("there is a token, but the source " + outcome.shortly());
        }
        if (!outcome.found.value().reveal().equals(value)) {
            throw new AssertionError("the source answered another value than there is now");
        }
    }

    void assertEmpty() throws InterruptedException {
        Outcome outcome = outcome();
        if (!outcome.equals(Outcome.NONE)) {
            throw new AssertionError("there is no token, but the source " + outcome.shortly());
        }
    }

    /** The exception with which it ended, which must be one of a source's. */
    SourceException failure() throws InterruptedException {
        Outcome outcome = outcome();
        if (outcome.thrown instanceof SourceException failure) {
            return failure;
        }
        throw new AssertionError("a SourceException is due, but the source " + outcome.shortly());
    }
}
