package io.keyturn.policy;

import io.keyturn.config.ConfigException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.net.InetAddress;
import java.time.Clock;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * When a token may be used: while a clock on the wall of the place shows a time within one of the spans. So it is said what
 * happens when clocks are set: an hour that is skipped is in no span, and one that comes twice is in it twice.
 */
final class Hours implements Rule, Rule.Refusal {
    /** Every span comes by within a week; within two if an hour that was skipped took one away. */
    private static final long LONGEST_MILLIS = 16L * 24 * 3600 * 1000;

    private final List<WeeklySpan> spans;
    private final Clock clock;
    private volatile Certainty certainty;

    /**
     * What is known without looking at a calendar.
     *
     * @param from when it began to be known, for a clock that is set back
     * @param until when it has to be looked at again; not itself within
     */
    private record Certainty(long from, long until, boolean open) {}

    Hours(Collection<WeeklySpan> spans, Clock clock) {
        if (spans.isEmpty()) {
            throw new ConfigException("must name a span: without one nothing would be allowed");
        }
        this.spans = List.copyOf(spans);
        this.clock = clock;
        this.certainty = certainAt(clock.millis());
    }

    private Certainty certainAt(long now) {
        Instant instant = Instant.ofEpochMilli(now);
        boolean open = false;
        long until = Long.MAX_VALUE;
        for (WeeklySpan span : spans) {
            open |= span.contains(instant);
            until = Math.min(until, span.sameUntil(instant));
        }
        return new Certainty(now, until, open);
    }

    private boolean isOpen() {
        long now = clock.millis();
        Certainty present = certainty;
        if (now < present.from || now >= present.until) {
            present = certainAt(now);
            certainty = present;
        }
        return present.open;
    }

    @Override
    public @Nullable Refusal refusal(Token token, String method, HttpUrl url, @Nullable InetAddress address) {
        return isOpen() ? null : this;
    }

    @Override
    public TokenDeniedException denial(Token token, @Nullable HttpUrl url, @Nullable InetAddress address) {
        String allowed = spans.stream().map(WeeklySpan::toString).collect(Collectors.joining(", "));
        Instant next = next();
        return new TokenDeniedException(
                Reason.HOURS,
                "token " + token + " may be used at these hours only: " + allowed,
                next == null ? null : "try again at " + next);
    }

    /** When it may be used again; null if that cannot be told. */
    private @Nullable Instant next() {
        long now = clock.millis();
        Certainty at = certainAt(now);
        while (!at.open && at.until - now < LONGEST_MILLIS) {
            at = certainAt(at.until);
        }
        return at.open ? Instant.ofEpochMilli(at.from) : null;
    }
}
