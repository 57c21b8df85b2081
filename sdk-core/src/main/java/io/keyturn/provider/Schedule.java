package io.keyturn.provider;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * Tells providers when something is due: that a token ends, that it is to be fetched anew, that a fetch takes too long.
 * Nothing on it blocks, so that one thread serves any number of tokens.
 *
 * <p>Ends are told by the wall clock and waited for by the monotonic one. Where the two drift apart, since somebody set
 * the clock or the machine slept, every provider looks anew: that is noticed within one poll.
 */
public final class Schedule {
    /** More than reading one clock after the other takes, and less than anybody would call late. */
    private static final Duration DRIFT = Duration.ofMillis(50);

    private static final long WANT_NANOS = Duration.ofMillis(100).toNanos();

    private final Clock clock;
    private final LongSupplier nanos;
    private final Duration poll;
    private final Timer timer;

    /** Held only over memory: no provider is told of anything under it. */
    private final ReentrantLock lock = new ReentrantLock();

    /** Each knows its {@linkplain LiveProvider#slot place} here, since there may be thousands. */
    private final List<LiveProvider> providers = new ArrayList<>();

    private final AtomicBoolean beating = new AtomicBoolean();
    private final Runnable beat = this::beat;
    private Instant wall = Instant.MIN;
    private long ticks;

    /** Runs a task later, on a thread that must not be blocked. */
    @FunctionalInterface
    public interface Timer {
        /** Runs the task after this time; what it answers can be cancelled. */
        Future<?> in(long nanos, Runnable task);
    }

    /**
     * A schedule on which nothing stands.
     *
     * @param nanos a monotonic clock
     * @param poll how soon a step of the wall clock is noticed
     */
    public Schedule(Clock clock, LongSupplier nanos, Duration poll, Timer timer) {
        this.clock = clock;
        this.nanos = nanos;
        this.poll = poll;
        this.timer = timer;
    }

    Future<?> in(long delayNanos, Runnable task) {
        return timer.in(Math.max(0, delayNanos), task);
    }

    void add(LiveProvider provider) {
        lock.lock();
        try {
            if (provider.slot < 0) {
                providers.add(provider);
                provider.slot = providers.size() - 1;
            }
        } finally {
            lock.unlock();
        }
        if (beating.compareAndSet(false, true)) {
            try {
                read();
                nextBeat();
            } catch (Throwable t) {
                beating.set(false);
                throw t;
            }
        }
    }

    void remove(LiveProvider provider) {
        lock.lock();
        try {
            if (provider.slot < 0) {
                return;
            }
            // The last one takes its place.
            LiveProvider last = providers.remove(providers.size() - 1);
            if (!last.equals(provider)) {
                providers.set(provider.slot, last);
                last.slot = provider.slot;
            }
            provider.slot = -1;
        } finally {
            lock.unlock();
        }
    }

    private List<LiveProvider> present() {
        lock.lock();
        try {
            return List.copyOf(providers);
        } finally {
            lock.unlock();
        }
    }

    private void nextBeat() {
        var unused = timer.in(poll.toNanos(), beat);
    }

    private void beat() {
        try {
            boolean stepped = isStepped();
            if (stepped) {
                read();
            }
            for (LiveProvider provider : present()) {
                provider.beat(stepped);
            }
        } catch (Throwable t) {
            // Such as a clock that fails. The next beat comes.
        } finally {
            beatOn();
        }
    }

    /** Without the next beat nothing would ever be refreshed again, so it is not given up for want of memory. */
    private void beatOn() {
        while (true) {
            try {
                nextBeat();
                return;
            } catch (VirtualMachineError e) {
                LockSupport.parkNanos(WANT_NANOS);
            }
        }
    }

    private void read() {
        wall = clock.instant();
        ticks = nanos.getAsLong();
    }

    private boolean isStepped() {
        long ticked = nanos.getAsLong() - ticks;
        Duration drift =
                Duration.between(wall.plusNanos(ticked), clock.instant()).abs();
        return drift.compareTo(DRIFT) > 0;
    }
}
