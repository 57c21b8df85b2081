package io.keyturn.vault;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.token.Secret;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** When leases and logins are renewed, and when that is no longer worth it. */
class LifetimesTest {
    private static final Instant START = ManualClock.START;

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    private static Lease lease(long seconds) {
        return new Lease("id", 1, true, seconds(seconds), START, at(seconds), TokenDocument.of("x" + Canary.WORD));
    }

    private static Session session(long seconds) {
        return Session.granted(1, Secret.of("x" + Canary.WORD), true, true, seconds(seconds), START);
    }

    private static Duration seconds(long seconds) {
        return Duration.ofSeconds(seconds);
    }

    private static Instant at(long seconds) {
        return START.plusSeconds(seconds);
    }

    // --- leases ---

    /** When a third is left; of a short one, when half is. */
    @ParameterizedTest
    @CsvSource({"600, 400", "3600, 2400", "15, 10", "14, 7", "2, 1"})
    void lease_due_leavesTimeToRenewIt(long whole, long due) {
        assertThat(lease(whole).isDue(at(due).minusMillis(1))).isFalse();
        assertThat(lease(whole).isDue(at(due))).isTrue();
    }

    @Test
    void lease_renewedForLess_isDueByWhatItGot() {
        Lease renewed = lease(600).renewed(seconds(300), true, at(400));

        assertThat(renewed.end()).isEqualTo(at(700));
        assertThat(renewed.isDue(at(599))).isFalse();
        assertThat(renewed.isDue(at(600))).isTrue();
    }

    /** Half of what it had at first, however often it was renewed. */
    @Test
    void lease_renewedForLessThanHalf_isShort() {
        Lease once = lease(600).renewed(seconds(400), true, at(400));

        assertThat(once.isShort(seconds(300))).isFalse();
        assertThat(once.isShort(seconds(299))).isTrue();
    }

    // --- logins ---

    @Test
    void session_granted_isDueAtTwoThirdsOrUpToATenthEarlier() {
        List<Instant> dues = IntStream.range(0, 200)
                .mapToObj(i -> Objects.requireNonNull(session(3000).due()))
                .toList();

        assertThat(dues).allSatisfy(due -> assertThat(due).isBetween(at(1800), at(2000)));
        assertThat(dues).anySatisfy(due -> assertThat(due).isBefore(at(1870)));
        assertThat(dues).anySatisfy(due -> assertThat(due).isAfter(at(1930)));
    }

    /** A second may have passed on the way. */
    @ParameterizedTest
    @CsvSource({"3600, false", "3599, false", "3598, true", "0, true"})
    void session_renewedForLess_isShort(long granted, boolean isShort) {
        assertThat(session(3600).isShort(seconds(granted))).isEqualTo(isShort);
    }

    @Test
    void session_thatCannotBeRenewed_isTriedTwiceMoreInWhatIsLeft() {
        Session once = session(3600).postponed(true, at(2400));
        Session twice = once.postponed(true, at(3000));
        Session thrice = twice.postponed(true, at(3300));

        assertThat(once.due()).isEqualTo(at(3000));
        assertThat(twice.due()).isEqualTo(at(3300));
        assertThat(thrice.due()).isNull();
        assertThat(List.of(once, twice, thrice)).extracting(Session::end).containsOnly(at(3600));
        canary.saw("session", thrice);
    }

    @Test
    void session_thatNobodyCanRenew_isNeverDueAndStillEnds() {
        Session left = session(3600).leftAlone();

        assertThat(left.isDue(at(1_000_000))).isFalse();
        assertThat(left.isOver(at(3600))).isTrue();
        assertThat(left.isOver(at(3599))).isFalse();
    }
}
