package io.keyturn.provider;

import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a token. Replaced as a whole, so that whoever reads it sees one state.
 *
 * @param fetches how many fetches have ended
 * @param token what is handed out, which is that of {@code last}; null if there is none, or it has ended
 * @param last the token that was found last, whether it has ended or not
 * @param superseded the fingerprint of what the source had when a response header brought {@code last}; null if the source
 *     brought it
 * @param failure why the last fetch brought no token; null if it brought one
 * @param failingSince when the first of the fetches failed of which none has brought a token since; null if the last did
 * @param tries how many fetches in a row brought nothing new although something was wanted
 * @param refreshAt when {@code last} is fetched anew ahead of its end; null if it does not end, or that time has passed
 * @param askAtNanos when the source is asked next in any case, by the monotonic clock
 * @param quietUntilNanos until when a rejected token is no reason to ask again, by the monotonic clock
 * @param over why nothing more becomes known; null as long as something may
 */
record Known(
        long fetches,
        @Nullable Token token,
        @Nullable Snapshot last,
        @Nullable String superseded,
        @Nullable TokenUnavailableException failure,
        @Nullable Instant failingSince,
        int tries,
        @Nullable Instant refreshAt,
        long askAtNanos,
        long quietUntilNanos,
        @Nullable TokenUnavailableException over) {
    /** How long an answer that brought nothing new is taken for the source's last word. */
    static final long QUIET_NANOS = Duration.ofSeconds(1).toNanos();

    /** Far from any time, and still one that may be compared by subtraction. */
    private static final long NEVER_NANOS = Long.MAX_VALUE / 2;

    /** Nothing yet, apart from the token that another provider of the same name had. */
    static Known after(@Nullable Snapshot last, long nowNanos) {
        return new Known(0, null, last, null, null, null, 0, null, nowNanos + NEVER_NANOS, nowNanos, null);
    }

    /** The same after a version that another provider of the same name has found since. */
    Known after(Snapshot other) {
        return new Known(
                fetches,
                token,
                other,
                superseded,
                failure,
                failingSince,
                tries,
                refreshAt,
                askAtNanos,
                quietUntilNanos,
                over);
    }

    /** Nothing any more, and nothing will be. */
    static Known ended(TokenUnavailableException why, long nowNanos) {
        return new Known(0, null, null, null, null, null, 0, null, nowNanos + NEVER_NANOS, nowNanos, why);
    }

    /** What is handed out stays, and nothing more becomes known. */
    Known retired(TokenUnavailableException why) {
        return new Known(
                fetches, token, last, superseded, failure, failingSince, tries, null, askAtNanos, quietUntilNanos, why);
    }

    /** The two clocks at one moment, and what chance says of it. */
    record Moment(Instant wall, long nanos, double random) {}

    /**
     * What to do when: the token's policy with what its source says.
     *
     * @param shared whether others ask the same source: a store, and not what lies on this machine
     */
    record Plan(RefreshPolicy policy, Optional<Duration> every, boolean shared) {
        long askAt(Moment now) {
            return now.nanos
                    // Never later than was asked for, and far enough apart that agents which began together do not stay
                    // so.
                    + every.map(period -> (long) (RefreshPolicy.nanos(period) * (0.8 + 0.2 * now.random)))
                            .orElse(NEVER_NANOS);
        }

        /** How long to wait for a look at a store that has failed more than once: long enough for a fleet to spread. */
        long spreadNanos(Moment now) {
            return every.map(period -> (long) (RefreshPolicy.nanos(period) * (0.25 + 0.75 * now.random)))
                    .orElse(0L);
        }
    }

    // --- how a fetch ends ---

    /**
     * The source has brought a token, which may be the same.
     *
     * @param rejected whether a server has refused this version before the source was asked
     */
    Known found(Snapshot found, boolean rejected, Plan plan, Moment now) {
        boolean same = isSame(found);
        boolean sameEnd =
                same && token != null && token.expiresAt().equals(found.token().expiresAt());
        Instant refresh = sameEnd ? refreshAt : refreshAt(found.token(), plan.policy, now);
        boolean stale = sameEnd && (refresh == null ? isEnding() : !now.wall.isBefore(refresh));
        int further = stale ? tries + 1 : 0;
        return new Known(
                fetches + 1,
                found.token(),
                found,
                null,
                null,
                null,
                further,
                stale ? null : refresh,
                stale ? again(further, plan, now) : plan.askAt(now),
                same && rejected ? now.nanos + QUIET_NANOS : now.nanos,
                over);
    }

    /** The source has still what a response header replaced, so that stays. */
    Known unchanged(Plan plan, Moment now) {
        boolean stale = refreshAt == null ? isEnding() : !now.wall.isBefore(refreshAt);
        int further = stale ? tries + 1 : 0;
        return new Known(
                fetches + 1,
                token,
                last,
                superseded,
                null,
                null,
                further,
                stale ? null : refreshAt,
                stale ? again(further, plan, now) : plan.askAt(now),
                now.nanos,
                over);
    }

    /**
     * The fetch has failed: the token stays. Each delay is longer than the one before. But where a token that does not end
     * was only looked at, nothing is urgent, and of a store that comes back after a minute the agents of a fleet whose
     * failures are young would ask far more than their share in the first seconds: they spread over the time between two
     * looks. A server that refuses the token meanwhile has the store asked without that.
     */
    Known failed(TokenUnavailableException why, Plan plan, Moment now) {
        int further = tries + 1;
        long delay = Math.max(RefreshPolicy.delayNanos(further, now.random), RefreshPolicy.nanos(retryAfter(why)));
        long next = now.nanos + delay;
        boolean onlyLooked =
                plan.shared && token != null && token.expiresAt().isEmpty() && superseded == null && further > 1;
        long ask = onlyLooked ? now.nanos + Math.max(delay, plan.spreadNanos(now)) : next;
        Instant refresh = refreshAt == null || !now.wall.isBefore(refreshAt) ? null : refreshAt;
        Instant since = failingSince == null ? now.wall : failingSince;
        return new Known(fetches + 1, token, last, superseded, why, since, further, refresh, ask, next, over);
    }

    /** A response header has brought the next token. */
    Known offered(Snapshot offer, Plan plan, Moment now) {
        Instant refresh = refreshAt(offer.token(), plan.policy, now);
        String replaced =
                superseded != null || last == null ? superseded : last.token().fingerprint();
        return new Known(
                fetches,
                offer.token(),
                offer,
                replaced,
                failure,
                failingSince,
                0,
                refresh,
                askAtNanos,
                now.nanos,
                over);
    }

    // --- what time does ---

    /** The token has ended. A response header's is then forgotten: the source may have another again. */
    Known expired() {
        return new Known(
                fetches, null, last, null, failure, failingSince, tries, null, askAtNanos, quietUntilNanos, over);
    }

    /**
     * Somebody set the wall clock, or the machine slept. A token that had ended by the clock that was wrong lives again,
     * and what was said of the source's by that clock is asked again.
     *
     * @param own whether {@code last} was found by this provider, and not by the one before it
     */
    Known stepped(boolean own, Instant wall, long nanos) {
        Token before = last == null ? null : last.token();
        Token living = own && token == null && before != null && !before.isExpired(wall) ? before : token;
        boolean revived = living != null && token == null;
        boolean doubtful = failure != null && failure.reason() == Reason.EXPIRED;
        return revived || doubtful
                ? new Known(
                        fetches,
                        living,
                        last,
                        superseded,
                        failure,
                        failingSince,
                        tries,
                        refreshAt,
                        nanos,
                        quietUntilNanos,
                        over)
                : this;
    }

    /** The token that a response header brought was rejected, so that the source's own counts again. */
    Known withoutOffer() {
        return new Known(
                fetches, token, last, null, failure, failingSince, tries, refreshAt, askAtNanos, quietUntilNanos, over);
    }

    /** What is handed out with all that belongs to it; null if there is none, or it has ended. */
    @Nullable
    Snapshot living() {
        return token == null ? null : last;
    }

    boolean isExpired(Instant now) {
        return token != null && token.isExpired(now);
    }

    /** Whether the source is to be asked now, without anybody having wished for it. */
    boolean isDue(Instant wall, long nanos) {
        return nanos - askAtNanos >= 0 || (refreshAt != null && !wall.isBefore(refreshAt));
    }

    /** What the wall clock brings next: that the token is to be fetched anew, or that it ends. Null if neither is ahead. */
    @Nullable
    Instant nextAt(Instant now) {
        if (over != null) {
            return null;
        }
        if (refreshAt != null && refreshAt.isAfter(now)) {
            return refreshAt;
        }
        return token == null ? null : token.expiresAt().filter(now::isBefore).orElse(null);
    }

    /** When the source is asked next; null if that is not planned. */
    @Nullable
    Instant askedAt(Instant wall, long nanos) {
        long wait = askAtNanos - nanos;
        Instant asked = wait > NEVER_NANOS / 2 ? null : wall.plusNanos(Math.max(0, wait));
        return asked == null || (refreshAt != null && refreshAt.isBefore(asked)) ? refreshAt : asked;
    }

    // --- what a fetch asks ---

    /** Whether this is the version that was found last, whatever else is known of it now. */
    boolean isSame(Snapshot token) {
        return last != null && last.token().generation() == token.token().generation();
    }

    /** Whether the source still has what a response header replaced. */
    boolean isSuperseded(Token answer) {
        return answer.fingerprint().equals(superseded);
    }

    /** Whether the last failure still stands for what the source would say now. */
    boolean isFailing(long nanos) {
        return failure != null && nanos - askAtNanos < 0;
    }

    boolean isQuiet(long nanos) {
        return nanos - quietUntilNanos < 0;
    }

    private boolean isEnding() {
        return token != null && token.expiresAt().isPresent();
    }

    /** When to ask again, where the next token is overdue and the source has not got it yet. */
    private static long again(int tries, Plan plan, Moment now) {
        long next = plan.askAt(now);
        long soon = now.nanos + RefreshPolicy.delayNanos(tries, now.random);
        return next - soon < 0 ? next : soon;
    }

    private static @Nullable Instant refreshAt(Token token, RefreshPolicy policy, Moment now) {
        Instant end = token.expiresAt().orElse(null);
        if (end == null) {
            return null;
        }
        Instant issued = token.issuedAt().filter(now.wall::isAfter).orElse(now.wall);
        return end.minus(policy.lead(Duration.between(issued, end), now.random));
    }

    private static Duration retryAfter(TokenUnavailableException why) {
        Duration most = Duration.ZERO;
        for (TokenException attempt : why.attempts()) {
            if (attempt instanceof SourceException source) {
                Duration asked = source.retryAfter().orElse(Duration.ZERO);
                most = asked.compareTo(most) > 0 ? asked : most;
            }
        }
        return most.compareTo(RefreshPolicy.LONGEST_DELAY) > 0 ? RefreshPolicy.LONGEST_DELAY : most;
    }
}
