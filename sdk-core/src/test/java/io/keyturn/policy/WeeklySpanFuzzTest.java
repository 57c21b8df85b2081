package io.keyturn.policy;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.keyturn.FuzzCase;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;

/** Hours as somebody writes them, looked at from some moment on. */
class WeeklySpanFuzzTest {
    private static final long FROM = Instant.parse("1990-01-01T00:00:00Z").getEpochSecond();
    private static final long YEARS = 60L * 366 * 24 * 3600;

    @FuzzTest(maxDuration = "30s")
    void parse(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        if (FuzzCase.holdsSecret(text)) {
            return;
        }
        int number = Arrays.hashCode(input);
        FuzzCase.answer(() -> WeeklySpan.parse(FuzzCase.withSecret(text, number)));
        WeeklySpan span = FuzzCase.answer(() -> WeeklySpan.parse(text));
        if (span == null) {
            return;
        }
        assertThat(WeeklySpan.parse(span.toString())).isEqualTo(span);
        Instant now = Instant.ofEpochSecond(FROM + Math.floorMod(number * 7919L, YEARS), number & 0xFFFF);
        boolean seenOpen = false;
        Instant end = now.plusSeconds(15L * 24 * 3600);
        while (now.isBefore(end)) {
            boolean open = span.contains(now);
            seenOpen |= open;
            long until = span.sameUntil(now);
            assertThat(until).as("after %s", now).isGreaterThan(now.toEpochMilli());
            Instant last = Instant.ofEpochMilli(until - 1);
            Instant middle = Instant.ofEpochMilli(now.toEpochMilli() + (until - now.toEpochMilli()) / 2);
            for (Instant between : new Instant[] {middle, last}) {
                if (between.isAfter(now)) {
                    assertThat(span.contains(between))
                            .as("%s, as at %s", between, now)
                            .isEqualTo(open);
                }
            }
            now = Instant.ofEpochMilli(until);
        }
        assertThat(seenOpen).as("within two weeks after %s", now).isTrue();
    }
}
