package io.keyturn.yaml;

import java.util.Arrays;
import java.util.Locale;

/** How often something took how long, in steps of a tenth of a millisecond up to 2 s. Never grows. */
final class Latencies {
    private static final int STEP_NANOS = 100_000;

    private final int[] counts;
    private long longestNanos;

    Latencies() {
        counts = new int[20_000];
    }

    Latencies(Latencies other) {
        counts = other.counts.clone();
        longestNanos = other.longestNanos;
    }

    void add(long nanos) {
        counts[(int) Math.min(counts.length - 1, Math.max(0, nanos / STEP_NANOS))]++;
        longestNanos = Math.max(longestNanos, nanos);
    }

    Latencies and(Latencies other) {
        Latencies both = new Latencies(this);
        Arrays.setAll(both.counts, i -> counts[i] + other.counts[i]);
        both.longestNanos = Math.max(longestNanos, other.longestNanos);
        return both;
    }

    /** At most so many milliseconds in this part of the cases. */
    double millis(double part) {
        long wanted = (long) Math.ceil(part * total());
        int step = 0;
        for (long seen = counts[0]; seen < wanted; seen += counts[step]) {
            step++;
        }
        return (step + 1) * (STEP_NANOS / 1e6);
    }

    private long total() {
        return Arrays.stream(counts).asLongStream().sum();
    }

    @Override
    public String toString() {
        if (total() == 0) {
            return "never";
        }
        return String.format(
                Locale.ROOT, "median %.1f, p99 %.1f, max %.1f ms", millis(0.5), millis(0.99), longestNanos / 1e6);
    }
}
