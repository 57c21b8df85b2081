package io.keyturn.provider;

import io.keyturn.token.Token;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * One fetch, from the moment somebody wants it until it has ended. Whoever wants the same waits for it; whoever needs an
 * answer that is younger than its beginning waits for the {@linkplain #following next}.
 */
final class Flight extends CompletableFuture<Snapshot> {
    /** What follows a flight that has ended: nothing any more. */
    private static final Flight NONE = new Flight(null, 0);

    private final @Nullable Token rejected;
    private final long wantedNanos;
    private final AtomicBoolean begun = new AtomicBoolean();
    private final AtomicReference<@Nullable Flight> next = new AtomicReference<>();
    private volatile @Nullable FutureTask<?> flying;
    private volatile @Nullable Thread pilot;

    /** How a flight has ended: exactly one of the two is there. */
    record Outcome(@Nullable Snapshot found, @Nullable TokenUnavailableException failure) {
        void tell(Flight flight) {
            if (failure != null) {
                flight.completeExceptionally(failure);
            } else {
                flight.complete(found);
            }
        }
    }

    /**
     * A flight that somebody wants.
     *
     * @param rejected the version that a server has refused, which is why; null if that is not why
     * @param wantedNanos when, by the monotonic clock
     */
    Flight(@Nullable Token rejected, long wantedNanos) {
        this.rejected = rejected;
        this.wantedNanos = wantedNanos;
    }

    /** Whether a server's refusal of this version has led to it. */
    boolean isFor(Token version) {
        return rejected != null && rejected.generation() == version.generation();
    }

    /** The version whose refusal has led to it; null if none has. */
    @Nullable
    Token rejected() {
        return rejected;
    }

    /** Whether what it brings will have been read after this moment. */
    boolean isToCome() {
        return !begun.get();
    }

    /** Whether no thread has been found for it in this time. */
    boolean isKeptWaiting(long nowNanos, long limitNanos) {
        return !begun.get() && nowNanos - wantedNanos >= limitNanos;
    }

    /**
     * Whether it had not begun: true for the one thread that flies it, which may be another than the one it was given to.
     * That thread ends it, and nobody else does.
     */
    boolean begin() {
        return begun.compareAndSet(false, true);
    }

    /** Flies it on this thread, until that has ended or was {@linkplain #interrupt interrupted} and has come back. */
    void fly(Runnable journey) {
        FutureTask<?> task = new FutureTask<>(journey, null);
        // Interrupts that are not meant for the journey wait until it is over: this thread may be anybody's.
        boolean interrupted = Thread.interrupted();
        pilot = Thread.currentThread();
        flying = task;
        try {
            task.run();
        } finally {
            pilot = null;
            if (task.isCancelled()) {
                // And what was meant for it is over with it.
                var unused = Thread.interrupted();
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Whether this very thread flies it now, and so cannot wait for its end. */
    boolean isFlownHere() {
        return Thread.currentThread().equals(pilot);
    }

    /** Interrupts the thread that flies it; one that does not heed that goes on. */
    void interrupt() {
        FutureTask<?> task = flying;
        if (task != null) {
            task.cancel(true);
        }
    }

    /** The flight that begins when this one has ended; null if it has. */
    @Nullable
    Flight following(long nowNanos) {
        next.compareAndSet(null, new Flight(null, nowNanos));
        return next();
    }

    /** The flight that is to follow, if anybody waits for one. */
    @Nullable
    Flight next() {
        Flight after = next.get();
        return after == NONE ? null : after;
    }

    /** Ends it, once. Answers the one that follows, if anybody waits for one. */
    @Nullable
    Flight end() {
        return next.getAndSet(NONE);
    }
}
