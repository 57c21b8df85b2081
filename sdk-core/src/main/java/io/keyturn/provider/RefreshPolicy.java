package io.keyturn.provider;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * When a token is fetched anew. Immutable; {@link #defaults()} is where to begin: {@code
 * RefreshPolicy.defaults().withBefore(Duration.ofMinutes(5))}.
 *
 * <p>A token that ends is fetched ahead of its end, at a random point so that a fleet does not ask at once: with the
 * default, somewhere in the 75 to 85 % part of its lifetime, and at least 5 s before the end. A fetch that fails, or
 * brings nothing new, is tried again after a delay that is uniform in [d/2, d], where d doubles from 1 s to 5 min; a
 * source that names a longer time is heeded up to 5 min. Meanwhile the last good token serves until it ends.
 *
 * @param share how much of its lifetime before its end a token is fetched anew, between 0 and 1; 0.2 by default. Jitter
 *     takes or adds a quarter of that
 * @param before how long before its end, instead of a share of its lifetime; null by default. Jitter takes or adds a
 *     quarter of it
 * @param every how often a source is asked that has not said that it changed; null by default: the source's own choice,
 *     which is 1 min for files and stores and never for others
 * @param timeout how long one fetch may take; 10 s by default
 */
public record RefreshPolicy(
        double share, @Nullable Duration before, @Nullable Duration every, Duration timeout) {
    /** Closer to its end than this nobody begins to look for the next token, unless it lives hardly longer. */
    static final Duration LEAST_LEAD = Duration.ofSeconds(5);

    static final Duration FIRST_DELAY = Duration.ofSeconds(1);
    static final Duration LONGEST_DELAY = Duration.ofMinutes(5);

    /** A hundred years. */
    private static final Duration LONGEST = Duration.ofDays(36_525);

    private static final double JITTER = 0.25;
    private static final RefreshPolicy DEFAULTS = new RefreshPolicy(0.2, null, null, Duration.ofSeconds(10));

    /**
     * A policy.
     *
     * @throws IllegalArgumentException if a span of time is not positive, or the share is no part of a whole
     */
    public RefreshPolicy {
        requirePositive("before", before);
        requirePositive("every", every);
        requirePositive("timeout", timeout);
        if (!(share > 0 && share < 1)) {
            throw new IllegalArgumentException("before must be more than 0 % and less than 100 %");
        }
    }

    private static void requirePositive(String what, @Nullable Duration time) {
        if (time != null && (time.isZero() || time.isNegative())) {
            throw new IllegalArgumentException(what + " must be longer than no time");
        }
    }

    /** Fetches in the 75 to 85 % part of a lifetime, lets a source say how often it is asked, and waits 10 s for it. */
    public static RefreshPolicy defaults() {
        return DEFAULTS;
    }

    /** The same policy, which fetches when this part of the lifetime is left. */
    public RefreshPolicy withShare(double left) {
        return new RefreshPolicy(left, null, every, timeout);
    }

    /** The same policy, which fetches when this time is left. */
    public RefreshPolicy withBefore(Duration left) {
        return new RefreshPolicy(share, left, every, timeout);
    }

    /** The same policy, which asks a source this often although it has not said that it changed. */
    public RefreshPolicy withEvery(Duration period) {
        return new RefreshPolicy(share, before, period, timeout);
    }

    /** The same policy, which gives up a fetch after this time. */
    public RefreshPolicy withTimeout(Duration most) {
        return new RefreshPolicy(share, before, every, most);
    }

    /**
     * How long before its end a token is fetched anew.
     *
     * @param random uniform in [0, 1)
     */
    Duration lead(Duration lifetime, double random) {
        // As a double, since a token may end as late as time does.
        double base = before == null ? millis(lifetime) * share : millis(before);
        Duration jittered = Duration.ofMillis((long) (base * (1 - JITTER + 2 * JITTER * random)));
        Duration atLeast = jittered.compareTo(LEAST_LEAD) < 0 ? LEAST_LEAD : jittered;
        Duration half = lifetime.dividedBy(2);
        return atLeast.compareTo(half) < 0 ? atLeast : half;
    }

    private static double millis(Duration time) {
        return time.getSeconds() * 1e3 + time.getNano() / 1e6;
    }

    /** A span of time in nanoseconds; where it is longer than any clock runs, the longest. */
    static long nanos(Duration time) {
        return time.compareTo(LONGEST) < 0 ? time.toNanos() : LONGEST.toNanos();
    }

    /**
     * How long to wait after a number of fetches that brought nothing new.
     *
     * @param random uniform in [0, 1)
     */
    static long delayNanos(int tries, double random) {
        long most = FIRST_DELAY.toNanos();
        for (int i = 1; i < tries && most < LONGEST_DELAY.toNanos(); i++) {
            most *= 2;
        }
        most = Math.min(most, LONGEST_DELAY.toNanos());
        long half = most / 2;
        return half + (long) (half * random);
    }
}
