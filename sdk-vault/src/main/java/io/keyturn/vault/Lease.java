package io.keyturn.vault;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceException;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;

/**
 * A secret that Vault made for the one who asked, and takes back when its lease ends.
 *
 * @param id what Vault calls it
 * @param login the number of the login that it belongs to, and ends with
 * @param asked how long it was given at first
 * @param since when it was made or renewed
 * @param end when it ends
 * @param document the secret
 */
record Lease(
        String id, long login, boolean renewable, Duration asked, Instant since, Instant end, TokenDocument document) {
    private static final Duration LONGEST = Duration.ofDays(36_525);
    private static final Duration SHORT = Duration.ofSeconds(15);

    /** A number of seconds as Vault tells it; of nonsense none. */
    static Duration seconds(ServiceAnswer answer, String... keys) throws SourceException {
        long seconds = answer.number(keys).orElse(0L);
        return Duration.ofSeconds(Math.max(0, Math.min(seconds, LONGEST.toSeconds())));
    }

    /**
     * Whether it is time to renew it: when a third is left, since the agent asks ahead of the end, in the 75 to 85 % part;
     * of a short lease, when half is.
     */
    boolean isDue(Instant now) {
        Duration whole = Duration.between(since, end);
        Duration lead = whole.dividedBy(whole.compareTo(SHORT) < 0 ? 2 : 3);
        return !now.isBefore(end.minus(lead));
    }

    /** Whether a renewal brought so little that another secret is better had now, while this one still serves. */
    boolean isShort(Duration granted) {
        return granted.multipliedBy(2).compareTo(asked) < 0;
    }

    Lease renewed(Duration granted, boolean again, Instant now) {
        return new Lease(id, login, again, asked, now, now.plus(granted), document);
    }

    @Override
    public String toString() {
        return "Lease[ends " + end + "]";
    }
}
