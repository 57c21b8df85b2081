package io.keyturn.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.keyturn.config.ConfigException;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class WeeklySpanTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "mon-fri 08:00-18:00 Europe/Berlin",
                "sat,sun 22:00-06:00 UTC",
                "MON,Wed-Fri 00:00-24:00 America/New_York",
                "fri-mon 23:59-00:00 +02:00",
                "sun 00:00-00:01 Z",
                "mon-mon 12:00-13:00 Asia/Kathmandu",
            })
    void parse_span_isKeptAsWritten(String text) {
        assertThat(WeeklySpan.parse(text)).hasToString(text).isEqualTo(WeeklySpan.parse(text));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'' | mon-fri 08:00-18:00 Europe/Berlin",
                "08:00-18:00 UTC | mon-fri 08:00-18:00 Europe/Berlin",
                "mon-fri 08:00-18:00 | mon-fri 08:00-18:00 Europe/Berlin",
                "mon-fri 8:00-18:00 UTC | mon-fri 08:00-18:00 Europe/Berlin",
                "mon-fri 08-18 UTC | mon-fri 08:00-18:00 Europe/Berlin",
                "mon-fri 08:00 - 18:00 UTC | mon-fri 08:00-18:00 Europe/Berlin",
                "mon-fri 8am-6pm UTC | mon-fri 08:00-18:00 Europe/Berlin",
                "mon-fri  08:00-18:00 UTC | mon-fri 08:00-18:00 Europe/Berlin",
                "mon, tue 08:00-18:00 UTC | mon-fri 08:00-18:00 Europe/Berlin",
                "mon-fri 08:00-18:00 UTC UTC | mon-fri 08:00-18:00 Europe/Berlin",
                "mon-fri 08:00-18:00:30 UTC | mon-fri 08:00-18:00 Europe/Berlin",
                "mon-fri 08:00-25:00 UTC | from 00:00 to 24:00",
                "mon-fri 08:00-24:01 UTC | from 00:00 to 24:00",
                "mon-fri 08:60-18:00 UTC | from 00:00 to 24:00",
                "mon-fri 24:00-06:00 UTC | begin before 24:00",
                "mon-fri 08:00-08:00 UTC | 00:00-24:00",
                "mon-fry 08:00-18:00 UTC | of mon, tue, wed, thu, fri, sat, sun",
                "monday 08:00-18:00 UTC | of mon, tue, wed, thu, fri, sat, sun",
                "mon-wed-fri 08:00-18:00 UTC | of mon, tue, wed, thu, fri, sat, sun",
                "mon,,tue 08:00-18:00 UTC | of mon, tue, wed, thu, fri, sat, sun",
                "mon- 08:00-18:00 UTC | of mon, tue, wed, thu, fri, sat, sun",
                "-fri 08:00-18:00 UTC | of mon, tue, wed, thu, fri, sat, sun",
                "mon-fri 08:00-18:00 Europe/Berln | time zone",
                "mon-fri 08:00-18:00 europe/berlin | time zone",
                "mon-fri 08:00-18:00 CEST | time zone",
                "mon-fri 08:00-18:00 +25:00 | time zone",
            })
    void parse_anythingElse_isConfigExceptionWithTheAcceptedForm(String text, String form) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> WeeklySpan.parse(text))
                .withMessageStartingWith("must ")
                .withMessageContaining(form);
    }

    // 2026-11-23 is a Monday. Berlin: +01:00 in winter, +02:00 from 2026-03-29 01:00Z (02:00 becomes 03:00) to
    // 2026-10-25
    // 01:00Z (03:00 becomes 02:00).
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "mon-fri 08:00-18:00 Europe/Berlin | 2026-11-23T06:59:59.999Z | false",
                "mon-fri 08:00-18:00 Europe/Berlin | 2026-11-23T07:00:00Z | true",
                "mon-fri 08:00-18:00 Europe/Berlin | 2026-11-23T16:59:59.999Z | true",
                "mon-fri 08:00-18:00 Europe/Berlin | 2026-11-23T17:00:00Z | false",
                "mon-fri 08:00-18:00 Europe/Berlin | 2026-11-21T12:00:00Z | false",
                // in summer an hour earlier by UTC
                "mon-fri 08:00-18:00 Europe/Berlin | 2026-07-06T06:00:00Z | true",
                "mon-fri 08:00-18:00 Europe/Berlin | 2026-07-06T16:00:00Z | false",
                // over midnight: the days are those on which it begins
                "sat,sun 22:00-06:00 UTC | 2026-11-21T21:59:00Z | false",
                "sat,sun 22:00-06:00 UTC | 2026-11-21T22:00:00Z | true",
                "sat,sun 22:00-06:00 UTC | 2026-11-22T05:59:00Z | true",
                "sat,sun 22:00-06:00 UTC | 2026-11-22T06:00:00Z | false",
                "sat,sun 22:00-06:00 UTC | 2026-11-23T05:59:00Z | true",
                "sat,sun 22:00-06:00 UTC | 2026-11-23T22:00:00Z | false",
                "sat,sun 22:00-06:00 UTC | 2026-11-21T05:00:00Z | false",
                // to the end of the day
                "sun 22:00-24:00 UTC | 2026-11-22T23:59:59.999Z | true",
                "sun 22:00-24:00 UTC | 2026-11-23T00:00:00Z | false",
                "sun 22:00-00:00 UTC | 2026-11-22T23:59:59.999Z | true",
                "sun 22:00-00:00 UTC | 2026-11-23T00:00:00Z | false",
                "fri-mon 00:00-24:00 UTC | 2026-11-23T12:00:00Z | true",
                "fri-mon 00:00-24:00 UTC | 2026-11-24T00:00:00Z | false",
                // another day there
                "mon 00:00-24:00 Pacific/Kiritimati | 2026-11-22T10:00:00Z | true",
                "mon 00:00-24:00 Pacific/Kiritimati | 2026-11-22T09:59:00Z | false",
                // the hour that is skipped is in no span, and what begins in it begins after it
                "sun 02:00-03:00 Europe/Berlin | 2026-03-29T00:59:59Z | false",
                "sun 02:00-03:00 Europe/Berlin | 2026-03-29T01:00:00Z | false",
                "sun 02:30-05:00 Europe/Berlin | 2026-03-29T00:59:59Z | false",
                "sun 02:30-05:00 Europe/Berlin | 2026-03-29T01:00:00Z | true",
                "sun 02:30-05:00 Europe/Berlin | 2026-03-29T02:59:59Z | true",
                "sun 02:30-05:00 Europe/Berlin | 2026-03-29T03:00:00Z | false",
                // the hour that comes twice is in it twice
                "sun 02:00-02:30 Europe/Berlin | 2026-10-25T00:00:00Z | true",
                "sun 02:00-02:30 Europe/Berlin | 2026-10-25T00:30:00Z | false",
                "sun 02:00-02:30 Europe/Berlin | 2026-10-25T01:00:00Z | true",
                "sun 02:00-02:30 Europe/Berlin | 2026-10-25T01:30:00Z | false",
            })
    void contains_moment_asAClockOnTheWallShows(String span, Instant moment, boolean contained) {
        assertThat(WeeklySpan.parse(span).contains(moment)).isEqualTo(contained);
    }

    /** From minute to minute through a year's changes of the clock, in zones that change by an hour, by half of one, at midnight. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "mon-fri 08:00-18:00 Europe/Berlin",
                "sun 02:30-03:15 Europe/Berlin",
                "sat 22:00-02:30 America/New_York",
                "sat,sun 01:45-02:15 Australia/Lord_Howe",
                "sat-sun 23:30-00:30 America/Asuncion",
                "mon-sun 00:00-24:00 UTC",
            })
    void sameUntil_everyMinute_isTrue(String text) {
        WeeklySpan span = WeeklySpan.parse(text);
        for (String start : new String[] {"2024-03-08T00:00:00Z", "2024-10-04T00:00:00Z"}) {
            Instant at = Instant.parse(start);
            Instant end = at.plus(Duration.ofDays(32));
            long until = 0;
            boolean contained = false;
            for (; at.isBefore(end); at = at.plusSeconds(60)) {
                if (at.toEpochMilli() >= until) {
                    contained = span.contains(at);
                    until = span.sameUntil(at);
                    assertThat(until)
                            .isGreaterThan(at.toEpochMilli())
                            .isLessThanOrEqualTo(at.toEpochMilli() + 86_400_000L);
                }
                assertThat(span.contains(at)).as("%s", at).isEqualTo(contained);
            }
        }
    }
}
