package io.keyturn.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.keyturn.ManualClock;
import io.keyturn.config.ConfigException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import okhttp3.HttpUrl;
import org.junit.jupiter.api.Test;

class HoursTest {
    private static final String VALUE = "ktn_hours_7Qm2Xv9LrT4wZ8c1";
    private static final Token TOKEN = Token.of("api", TokenDocument.of(VALUE));
    private static final Destination ANYWHERE = new Destination("GET", HttpUrl.get("https://api.example.com/v1"), null);

    /** It stands at 2026-11-24 12:00 UTC, a Tuesday. */
    private final ManualClock clock = new ManualClock();

    private boolean isAllowed(TokenPolicy policy) {
        try {
            policy.check(TOKEN, ANYWHERE);
            return true;
        } catch (TokenDeniedException e) {
            assertThat(e.reason()).isEqualTo(Reason.HOURS);
            return false;
        }
    }

    private void at(String instant) {
        clock.step(Duration.between(clock.instant(), Instant.parse(instant)));
    }

    @Test
    void check_timeGoesBy_followsTheSpans() {
        TokenPolicy policy = TokenPolicies.hours(clock, "tue 12:00-13:00 UTC", "tue 14:00-15:00 UTC");
        assertThat(isAllowed(policy)).isTrue();
        clock.advance(Duration.ofMinutes(60).minusMillis(1));
        assertThat(isAllowed(policy)).isTrue();
        clock.advance(Duration.ofMillis(1));
        assertThat(isAllowed(policy)).isFalse();
        clock.advance(Duration.ofMinutes(60).minusMillis(1));
        assertThat(isAllowed(policy)).isFalse();
        clock.advance(Duration.ofMillis(1));
        assertThat(isAllowed(policy)).isTrue();
        clock.advance(Duration.ofMinutes(60));
        assertThat(isAllowed(policy)).isFalse();
        clock.advance(Duration.ofDays(7).minusHours(3));
        assertThat(isAllowed(policy)).isTrue();
    }

    @Test
    void check_clockIsSet_isLookedAtAgain() {
        TokenPolicy policy = TokenPolicies.hours(clock, "tue 12:00-13:00 UTC");
        assertThat(isAllowed(policy)).isTrue();
        clock.step(Duration.ofSeconds(-1));
        assertThat(isAllowed(policy)).isFalse();
        clock.step(Duration.ofSeconds(1));
        assertThat(isAllowed(policy)).isTrue();
        clock.step(Duration.ofDays(-30));
        assertThat(isAllowed(policy)).isFalse();
        clock.step(Duration.ofDays(37));
        assertThat(isAllowed(policy)).isTrue();
    }

    @Test
    void check_dayWhoseClockIsSet_followsTheClockOnTheWall() {
        TokenPolicy policy = TokenPolicies.hours(clock, "mon-sun 08:00-18:00 Europe/Berlin");
        at("2026-03-28T07:00:00Z");
        assertThat(isAllowed(policy)).isTrue();
        at("2026-03-29T05:59:59Z");
        assertThat(isAllowed(policy)).isFalse();
        at("2026-03-29T06:00:00Z");
        assertThat(isAllowed(policy)).isTrue();
        at("2026-03-29T16:00:00Z");
        assertThat(isAllowed(policy)).isFalse();
        at("2026-10-25T06:59:59Z");
        assertThat(isAllowed(policy)).isFalse();
        at("2026-10-25T07:00:00Z");
        assertThat(isAllowed(policy)).isTrue();
    }

    @Test
    void check_outside_saysWhenItMayBeUsedAgain() {
        TokenPolicy policy = TokenPolicies.hours(clock, "mon-fri 22:00-06:00 Europe/Berlin", "sun 10:00-11:00 UTC");

        assertThatExceptionOfType(TokenDeniedException.class)
                .isThrownBy(() -> policy.check(TOKEN, ANYWHERE))
                .withMessage("token api#" + TOKEN.fingerprint()
                        + " may be used at these hours only: mon-fri 22:00-06:00 Europe/Berlin, sun 10:00-11:00 UTC")
                .satisfies(e -> assertThat(e.fix()).isEqualTo("try again at 2026-11-24T21:00:00Z"));

        at("2026-11-29T05:00:00Z");
        assertThatExceptionOfType(TokenDeniedException.class)
                .isThrownBy(() -> policy.check(TOKEN, ANYWHERE))
                .satisfies(e -> assertThat(e.fix()).isEqualTo("try again at 2026-11-29T10:00:00Z"));
    }

    @Test
    void admit_outside_isNotAsked() {
        TokenPolicy policy = TokenPolicies.hours(clock, "mon 12:00-13:00 UTC");
        assertThatCode(() -> policy.admit(TOKEN)).doesNotThrowAnyException();
    }

    @Test
    void hours_none_isConfigException() {
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> TokenPolicies.hours(clock));
    }
}
