package io.keyturn.yaml;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * The tokens of one name as their issuer sees them: which are accepted, when each was replaced, and when each was first
 * used. Those replaced more than {@link #REMEMBERED} ago are forgotten, so that this does not grow.
 */
final class IssuedTokens {
    /** How long a token is accepted after it was replaced, unless it is revoked. */
    static final Duration OVERLAP = Duration.ofSeconds(2);

    /** How long a token may be used after it was replaced. */
    static final Duration STALE = Duration.ofSeconds(1);

    private static final Duration REMEMBERED = Duration.ofSeconds(3);

    private static final class Issued {
        private final String token;
        private final long ordinal;
        private long currentAt;
        private boolean replaced;
        private long replacedAt;
        private boolean revoked;
        private boolean used;
        private boolean timed;

        Issued(String token, long ordinal) {
            this.token = token;
            this.ordinal = ordinal;
            this.timed = ordinal > 1;
        }

        boolean isReplacedFor(Duration age, long now) {
            return replaced && now - replacedAt > age.toNanos();
        }
    }

    private final String name;
    private final Deque<Issued> remembered = new ArrayDeque<>();
    private final Map<String, Issued> byToken = new HashMap<>();
    private final Latencies firstUses = new Latencies();
    private long issued;
    private long used;
    private long revocations;
    private long requests;
    private long refused;
    private long stale;
    private long unknown;

    IssuedTokens(String name) {
        this.name = name;
    }

    String name() {
        return name;
    }

    /** A new token. It is accepted from now on. */
    synchronized String issue() {
        Issued next = new Issued("ktn_soak_" + name + "_" + ++issued, issued);
        remembered.addLast(next);
        byToken.put(next.token, next);
        long now = System.nanoTime();
        while (remembered.getFirst().isReplacedFor(REMEMBERED, now)) {
            byToken.remove(remembered.removeFirst().token);
        }
        return next.token;
    }

    /** The token becomes the current one: to be said just before it does, so that no delay is counted to our favour. */
    synchronized void replaceWith(String token) {
        Issued current = byToken.get(token);
        current.currentAt = System.nanoTime();
        for (Issued other : remembered) {
            if (other.ordinal < current.ordinal && !other.replaced) {
                other.replaced = true;
                other.replacedAt = current.currentAt;
            }
        }
    }

    /**
     * The token that this one has replaced is not accepted any more. Those before it keep their time: else a request that
     * was sent just before one swap and arrives just after the next would be refused twice, and there is one second try.
     */
    synchronized void revokeReplacedBy(String token) {
        revocations++;
        long ordinal = byToken.get(token).ordinal;
        remembered.stream().filter(other -> other.ordinal == ordinal - 1).forEach(other -> other.revoked = true);
    }

    /** Nobody could send anything for a while, so the first use of what has not been used until now tells nothing. */
    synchronized void afterAPause() {
        remembered.stream().filter(issue -> !issue.used).forEach(issue -> issue.timed = false);
    }

    /** A request with this token arrives: is it accepted? */
    synchronized boolean accepts(String token) {
        long now = System.nanoTime();
        requests++;
        Issued seen = byToken.get(token);
        if (seen == null) {
            unknown++;
            refused++;
            return false;
        }
        if (!seen.used) {
            seen.used = true;
            used++;
            if (seen.timed) {
                firstUses.add(now - seen.currentAt);
            }
        }
        if (seen.isReplacedFor(STALE, now)) {
            stale++;
        }
        boolean accepted = !seen.revoked && !seen.isReplacedFor(OVERLAP, now);
        if (!accepted) {
            refused++;
        }
        return accepted;
    }

    /** What has been seen until now. */
    synchronized Figures figures() {
        return new Figures(
                name, issued - 1, revocations, used, requests, refused, stale, unknown, new Latencies(firstUses));
    }

    /**
     * What was seen of one name, or of several.
     *
     * @param rotations tokens that replaced another
     * @param used tokens that came with a request before they were forgotten
     * @param refused requests answered 401
     * @param stale requests whose token had been replaced for more than {@link #STALE}
     * @param unknown requests with no token, or one that is not remembered, and so was replaced long ago
     * @param firstUses from a swap to the first request with the new token
     */
    record Figures(
            String name,
            long rotations,
            long revocations,
            long used,
            long requests,
            long refused,
            long stale,
            long unknown,
            Latencies firstUses) {
        Figures and(Figures other) {
            return new Figures(
                    "all",
                    rotations + other.rotations,
                    revocations + other.revocations,
                    used + other.used,
                    requests + other.requests,
                    refused + other.refused,
                    stale + other.stale,
                    unknown + other.unknown,
                    firstUses.and(other.firstUses));
        }

        @Override
        public String toString() {
            return String.format(
                    "%s: %d rotations (%d with revocation, %d tokens used), %d requests, %d refused, %d stale, %d unknown,"
                            + " swap to first use %s",
                    name, rotations, revocations, used, requests, refused, stale, unknown, firstUses);
        }
    }
}
