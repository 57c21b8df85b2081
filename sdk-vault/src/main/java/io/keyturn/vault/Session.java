package io.keyturn.vault;

import io.keyturn.token.Secret;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * A login as it stands. Immutable; a renewal makes another one with the same number.
 *
 * @param number which login it is; what belongs to one ends with it
 * @param token what Vault gave for it
 * @param proven whether Vault has taken this token
 * @param renewable whether it can be renewed
 * @param revocable whether it can be revoked, which batch tokens cannot
 * @param lease how long it was given at first, which is what is asked for again; zero if it has no end
 * @param since when it was made or renewed
 * @param due when it is to be renewed or replaced; null if it is to be left alone
 * @param end when it ends; null if it does not, or that is not known
 * @param tries how often that was tried in vain
 */
record Session(
        long number,
        Secret token,
        boolean proven,
        boolean renewable,
        boolean revocable,
        Duration lease,
        Instant since,
        @Nullable Instant due,
        @Nullable Instant end,
        int tries) {
    private static final Duration SHORTEST_WAIT = Duration.ofSeconds(1);
    private static final int MOST_TRIES = 2;

    /** When it is renewed, as a part of its lease; or up to a tenth of that earlier, so that a fleet does not ask at once. */
    private static final double RENEWED_AT = 2.0 / 3;

    private static final double JITTER = 0.1;

    /** A login that Vault has just granted. */
    static Session granted(
            long number, Secret token, boolean renewable, boolean revocable, Duration lease, Instant now) {
        Instant end = lease.isZero() ? null : now.plus(lease);
        return new Session(number, token, true, renewable, revocable, lease, now, due(now, lease), end, 0);
    }

    /** A token that somebody else keeps alive, or that has no end. */
    static Session given(long number, Secret token, boolean proven, @Nullable Instant end, Instant now) {
        return new Session(number, token, proven, false, false, Duration.ZERO, now, null, end, 0);
    }

    private static @Nullable Instant due(Instant now, Duration lease) {
        if (lease.isZero()) {
            return null;
        }
        double part = RENEWED_AT * (1 - JITTER * ThreadLocalRandom.current().nextDouble());
        return now.plusMillis(Math.max((long) (lease.toMillis() * part), SHORTEST_WAIT.toMillis()));
    }

    /** The same login after a renewal, which may have brought less than was asked for. */
    Session renewed(Duration granted, Instant now) {
        Instant next = lease.isZero() ? null : now.plus(granted);
        return new Session(number, token, true, renewable, revocable, lease, now, due(now, granted), next, 0);
    }

    /** Whether a renewal that brought this is the last of its kind: the login nears what it may live at most. */
    boolean isShort(Duration granted) {
        return granted.isZero() ? !lease.isZero() : granted.plusSeconds(1).compareTo(lease) < 0;
    }

    /** The same login, which could not be renewed or replaced now: twice more until its end, and then not before it. */
    Session postponed(boolean stillRenewable, Instant now) {
        Instant last = end;
        Duration left = last == null ? Duration.ZERO : Duration.between(now, last);
        Instant next = tries < MOST_TRIES && left.compareTo(SHORTEST_WAIT) > 0 ? now.plus(left.dividedBy(2)) : null;
        return new Session(number, token, proven, stillRenewable, revocable, lease, since, next, end, tries + 1);
    }

    /** The same login, which nobody can renew: it is used until its end. */
    Session leftAlone() {
        return new Session(number, token, proven, false, revocable, lease, since, null, end, tries);
    }

    boolean isDue(Instant now) {
        return due != null && !now.isBefore(due);
    }

    boolean isOver(Instant now) {
        return end != null && !now.isBefore(end);
    }

    /** How long until it is due; never no time. */
    Duration untilDue(Instant now) {
        Duration wait = due == null ? SHORTEST_WAIT : Duration.between(now, due);
        return wait.compareTo(SHORTEST_WAIT) < 0 ? SHORTEST_WAIT : wait;
    }

    /** Never the token, and nothing that stands for it. */
    @Override
    public String toString() {
        return "Session[login " + number + (end == null ? "" : ", ends " + end) + "]";
    }
}
