package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.keyturn.ManualClock;
import io.keyturn.event.TokenEvent.Expired;
import io.keyturn.event.TokenEvent.Resolved;
import io.keyturn.event.TokenEvent.Swapped;
import io.keyturn.provider.TokenStatus.State;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** When a source is asked although nobody asked for the token. All of it in a time that the tests make. */
@Timeout(60)
class RefreshTest {
    private static final Instant START = ManualClock.START;
    private static final Duration DAY = Duration.ofDays(1);

    @RegisterExtension
    final Rig rig = new Rig();

    /** When the source was asked, in seconds. */
    private final List<Double> asked = new ArrayList<>();

    private final FakeSource source = new FakeSource();

    private static TokenDocument until(String value, double seconds) {
        return TokenDocument.of(value).withExpiresAt(START.plusNanos((long) (seconds * 1e9)));
    }

    private void has(TokenDocument document) {
        answers(() -> Optional.of(document));
    }

    private void isDown(Duration retryAfter) {
        answers(() -> {
            throw new SourceException(Reason.UNREACHABLE, "fake store is down", null, retryAfter);
        });
    }

    private void answers(FakeSource.Answer answer) {
        source.answers(() -> {
            asked.add(rig.clock.nanos() / 1e9);
            return answer.give();
        });
    }

    private LiveProvider begun(RefreshPolicy policy) {
        LiveProvider provider = rig.atOnce(source, Rig.INTAKE, policy);
        var unused = provider.getAsync();
        return provider;
    }

    private LiveProvider begun() {
        return begun(Rig.POLICY);
    }

    private void advance(double seconds) {
        rig.advance(Duration.ofNanos((long) (seconds * 1e9)));
    }

    // --- ahead of the end ---

    @ParameterizedTest
    @CsvSource({
        "1000,  0.0,    850",
        "1000,  0.5,    800",
        "1000,  0.9999, 750",
        "20,    0.0,    15", // never later than 5 s before the end
        "6,     0.5,    3", // but not before half of it is over
    })
    void refresh_tokenEnds_isFetchedInItsLastFifth(double lifetime, double random, double at) throws Exception {
        rig.random = random;
        has(until("token-1", lifetime));
        LiveProvider provider = begun();
        has(until("token-2", lifetime * 2));

        advance(at - 0.1);
        assertThat(asked).hasSize(1);
        assertThat(provider.status().refreshAt())
                .isBetween(START.plusMillis((long) (at * 1000 - 50)), START.plusMillis((long) (at * 1000 + 50)));
        advance(0.2);

        assertThat(asked).hasSize(2);
        assertThat(asked.get(1)).isCloseTo(at, within(0.05));
        assertThat(provider.get().reveal()).isEqualTo("token-2");
        assertThat(rig.events).hasExactlyElementsOfTypes(Resolved.class, Swapped.class);
    }

    @Test
    void refresh_timeOfIssueIsKnown_itsWholeLifetimeCounts() {
        has(until("token-1", 500).withIssuedAt(START.minusSeconds(500)));
        begun();
        has(until("token-2", 5000));

        advance(299.9);
        assertThat(asked).hasSize(1);
        advance(0.2);

        assertThat(asked).hasSize(2);
    }

    @Test
    void refresh_beforeIsATime_isFetchedThatLongBeforeTheEnd() {
        has(until("token-1", 1000));
        begun(Rig.POLICY.withBefore(Duration.ofSeconds(100)));
        has(until("token-2", 5000));

        advance(899.9);
        assertThat(asked).hasSize(1);
        advance(0.2);

        assertThat(asked).hasSize(2);
    }

    @Test
    void refresh_sourceStillHasTheSame_asksAgainEverMoreSeldomUntilThereIsAnother() throws Exception {
        rig.random = 0.9999;
        has(until("token-1", 1000));
        LiveProvider provider = begun();
        assertThat(provider.status().state()).isEqualTo(State.FRESH);

        advance(810);
        assertThat(provider.status().state()).isEqualTo(State.STALE);
        assertThat(provider.status().isUsable()).isTrue();
        assertThat(asked).as("750, then after 1, 2, 4, 8, 16 s").hasSize(7);
        assertThat(provider.lastFailure()).isEmpty();
        has(until("token-2", 5000));
        advance(64);

        assertThat(provider.get().reveal()).isEqualTo("token-2");
        assertThat(provider.status().state()).isEqualTo(State.FRESH);
        assertThat(asked).hasSize(8);
        advance(1000);
        assertThat(asked).hasSize(8);
    }

    @Test
    void refresh_sourceIsLeftTheSame_oneEventTellsThatItEnds() {
        has(until("token-1", 1000));
        LiveProvider provider = begun();

        advance(1000);

        assertThat(rig.events).filteredOn(Expired.class::isInstance).hasSize(1);
        assertThat(rig.events)
                .filteredOn(Expired.class::isInstance)
                .first()
                .isInstanceOfSatisfying(
                        Expired.class, event -> assertThat(event.at()).isEqualTo(START.plusSeconds(1000)));
        assertThat(provider.status().state()).isEqualTo(State.EXPIRED);
        assertThat(provider.status().fingerprint()).isNull();
    }

    @Test
    void refresh_sameTokenLivesLonger_isFetchedAheadOfItsNewEnd() throws Exception {
        has(until("token-1", 1000));
        LiveProvider provider = begun();
        has(until("token-1", 2000));

        advance(1001);

        assertThat(provider.get().reveal()).isEqualTo("token-1");
        assertThat(provider.get().generation()).isEqualTo(1);
        assertThat(provider.status().state()).isEqualTo(State.FRESH);
        assertThat(asked).hasSize(2);
    }

    @Test
    void refresh_tokenNeverEnds_isNotAsked() {
        has(TokenDocument.of("token-1"));
        begun();

        rig.advance(DAY);

        assertThat(asked).hasSize(1);
    }

    @Test
    void refresh_endBeyondAnyClock_isHandedOut() throws Exception {
        has(TokenDocument.of("token-1").withExpiresAt(Instant.MAX));
        LiveProvider provider = begun();

        assertThat(provider.get().reveal()).isEqualTo("token-1");
        rig.advance(DAY);
        assertThat(asked).hasSize(1);
    }

    @Test
    void refresh_every_asksThatOften() throws Exception {
        has(TokenDocument.of("token-1"));
        LiveProvider provider = begun(Rig.POLICY.withEvery(Duration.ofMinutes(1)));

        // At nine tenths of the time that was asked for, since chance says a half.
        advance(53);
        assertThat(asked).hasSize(1);
        has(TokenDocument.of("token-2"));
        advance(2);
        assertThat(provider.get().reveal()).isEqualTo("token-2");
        advance(9 * 54);

        assertThat(asked).hasSize(11);
    }

    @Test
    void refresh_every_neverLaterThanThat() throws Exception {
        rig.random = Math.nextDown(1.0);
        has(TokenDocument.of("token-1"));
        LiveProvider provider = begun(Rig.POLICY.withEvery(Duration.ofMinutes(1)));
        has(TokenDocument.of("token-2"));

        advance(61);

        assertThat(provider.get().reveal()).isEqualTo("token-2");
    }

    @Test
    void refresh_everyLongerThanAnyClockRuns_isNever() {
        has(TokenDocument.of("token-1"));
        begun(Rig.POLICY.withEvery(Duration.ofSeconds(Long.MAX_VALUE)));

        rig.advance(DAY);

        assertThat(asked).hasSize(1);
    }

    @Test
    void refresh_slowFetch_theScheduleDoesNotSpin() throws Exception {
        has(until("token-1", 1000));
        LiveProvider provider = rig.provider(source);
        provider.get();
        source.hold();
        advance(800);
        Awaitility.await().until(() -> source.held() == 1);

        assertThat(rig.timer.ranWhile(() -> advance(10))).isLessThan(20);
        source.release();
    }

    // --- failures ---

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.5, 0.9999})
    void failure_backsOff_atMost7CallsInTheFirstMinute(double random) {
        rig.random = random;
        isDown(null);
        begun();

        advance(60);

        assertThat(asked).hasSizeBetween(6, 7);
        int soFar = asked.size();
        rig.advance(Duration.ofHours(10));
        assertThat(asked.size() - soFar)
                .as("in ten hours, at every 150 to 300 s")
                .isBetween(115, 250);
    }

    @Test
    void delay_tries_isInTheUpperHalfOfWhatDoubles() {
        for (int tries = 1; tries < 100; tries++) {
            double most = Math.min(300, Math.pow(2, Math.min(tries - 1, 20)));
            assertThat(RefreshPolicy.delayNanos(tries, 0) / 1e9).isEqualTo(most / 2);
            assertThat(RefreshPolicy.delayNanos(tries, 0.5) / 1e9).isEqualTo(most * 0.75);
            assertThat(RefreshPolicy.delayNanos(tries, 0.999999) / 1e9)
                    .isLessThan(most)
                    .isCloseTo(most, within(0.001));
        }
    }

    @Test
    void failure_tokenLives_itIsHandedOutAndReplacedOnceTheSourceIsBack() throws Exception {
        has(until("token-1", 1000));
        LiveProvider provider = begun();
        isDown(null);

        advance(820);
        assertThat(provider.get().reveal()).isEqualTo("token-1");
        assertThat(provider.status().state()).isEqualTo(State.STALE);
        assertThat(provider.status().failure()).isEqualTo("fake store is down");
        has(until("token-2", 5000));
        advance(60);

        assertThat(provider.get().reveal()).isEqualTo("token-2");
        assertThat(provider.status().state()).isEqualTo(State.FRESH);
        assertThat(rig.events).noneMatch(Expired.class::isInstance);
    }

    @ParameterizedTest
    @CsvSource({"30, 30", "100000, 300"})
    void failure_sourceSaysWhenToAsk_isHeededUpTo5Minutes(int wanted, int heeded) {
        isDown(Duration.ofSeconds(wanted));
        begun();

        advance(heeded - 0.1);
        assertThat(asked).hasSize(1);
        advance(1.1);
        assertThat(asked).hasSize(2);
    }

    @Test
    void failure_sourceSaysLessThanItsDelay_theDelayCounts() {
        rig.random = 0.9999;
        isDown(Duration.ofMillis(1));
        begun();

        advance(60);

        assertThat(asked).hasSizeLessThanOrEqualTo(7);
    }

    @Test
    void refresh_whileAFailureBacksOff_asksAtOnce() throws Exception {
        isDown(Duration.ofMinutes(5));
        LiveProvider provider = begun();
        assertThatThrownBy(provider::get).hasMessageContaining("is down");
        assertThat(asked).hasSize(1);
        has(TokenDocument.of("token-1"));
        assertThatThrownBy(provider::get).hasMessageContaining("is down");

        assertThat(provider.refresh().reveal()).isEqualTo("token-1");
        assertThat(provider.get().reveal()).isEqualTo("token-1");
    }

    @Test
    void failure_neverAnyToken_isAbsentUntilTheSourceHasOne() throws Exception {
        answers(Optional::empty);
        LiveProvider provider = begun();
        assertThat(provider.status().state()).isEqualTo(State.ABSENT);
        assertThat(provider.status().failure()).isEqualTo("fake store has no token");
        assertThat(provider.status().generation()).isZero();

        has(TokenDocument.of("token-1"));
        rig.advance(RefreshPolicy.LONGEST_DELAY);

        assertThat(provider.status().state()).isEqualTo(State.FRESH);
    }

    // --- clocks ---

    @Test
    void clock_stepsForthAndBack_theTokenIsBackWithinOnePollThoughTheSourceIsDown() throws Exception {
        has(until("token-1", 1000));
        LiveProvider provider = begun();
        isDown(Duration.ofMinutes(5));

        rig.stepNoticed(Duration.ofDays(30));
        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
        assertThat(provider.status().state()).isEqualTo(State.EXPIRED);
        rig.stepNoticed(Duration.ofDays(-30));

        assertThat(provider.get().reveal()).isEqualTo("token-1");
        advance(997);
        assertThat(provider.get().reveal()).isEqualTo("token-1");
        advance(1.001);
        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
    }

    @Test
    void clock_isAheadAtFirst_theTokenIsThereWithinOnePollOnceItIsRight() throws Exception {
        rig.clock.step(Duration.ofDays(30));
        has(until("token-1", 1000));
        LiveProvider provider = begun();
        assertThatThrownBy(provider::get).hasMessageContaining("expired");
        advance(100);

        rig.stepNoticed(Duration.ofDays(-30));

        assertThat(provider.get().reveal()).isEqualTo("token-1");
    }

    @Test
    void clock_stepsForth_theEndIsToldByTheNewTimeAndNotByTheNextPoll() throws Exception {
        has(until("token-1", 3600));
        LiveProvider provider = begun();
        isDown(Duration.ofMinutes(5));

        rig.stepNoticed(Duration.ofMillis(3_597_500));
        advance(1.499);
        assertThat(provider.get().reveal()).isEqualTo("token-1");
        advance(0.002);

        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
    }

    @Test
    void clock_stepsBack_theTokenStillEndsByTheClock() throws Exception {
        has(until("token-1", 1000));
        LiveProvider provider = begun();

        rig.stepNoticed(Duration.ofDays(-30));
        rig.advance(Duration.ofDays(30));
        assertThat(provider.get().reveal()).isEqualTo("token-1");
        advance(999);

        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
    }

    @Test
    void suspend_tokenEndedMeanwhile_isReplacedWithinOnePoll() throws Exception {
        has(until("token-1", 1000));
        LiveProvider provider = begun();
        has(until("token-2", 50_000));

        rig.stepNoticed(Duration.ofHours(8));

        assertThat(provider.get().reveal()).isEqualTo("token-2");
        assertThat(rig.events).hasExactlyElementsOfTypes(Resolved.class, Expired.class, Swapped.class);
    }

    @Test
    void suspend_refreshIsOverdue_isMadeUpForWithinOnePoll() throws Exception {
        has(until("token-1", 1000));
        LiveProvider provider = begun();
        has(until("token-2", 50_000));

        rig.stepNoticed(Duration.ofMinutes(15));

        assertThat(provider.get().reveal()).isEqualTo("token-2");
    }

    @Test
    void clock_runsALittleFast_endsAreTold() throws Exception {
        has(until("token-1", 1000));
        LiveProvider provider = begun();
        isDown(Duration.ofMinutes(5));

        for (int i = 0; i < 900; i++) {
            rig.clock.step(Duration.ofMillis(120));
            advance(0.88);
        }
        assertThat(provider.get().reveal()).isEqualTo("token-1");
        for (int i = 0; i < 101; i++) {
            rig.clock.step(Duration.ofMillis(120));
            advance(0.88);
        }

        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
    }
}
