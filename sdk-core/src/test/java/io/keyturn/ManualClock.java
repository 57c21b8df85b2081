package io.keyturn;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/** A wall clock and a monotonic one that stand still until a test moves them. Safe for any number of threads. */
public final class ManualClock extends Clock {
    /** Where every manual clock begins. */
    public static final Instant START = Instant.parse("2026-11-24T12:00:00Z");

    private final AtomicReference<Instant> now = new AtomicReference<>(START);
    private final AtomicLong nanos = new AtomicLong();

    /** Time goes by: both clocks move. */
    public void advance(Duration time) {
        step(time);
        nanos.addAndGet(time.toNanos());
    }

    /** Somebody sets the wall clock; no time goes by. */
    public void step(Duration time) {
        now.updateAndGet(before -> before.plus(time));
    }

    /** The monotonic clock. */
    public long nanos() {
        return nanos.get();
    }

    @Override
    public Instant instant() {
        return now.get();
    }

    @Override
    public ZoneId getZone() {
        return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
        throw new UnsupportedOperationException("one zone is enough for a test");
    }
}
