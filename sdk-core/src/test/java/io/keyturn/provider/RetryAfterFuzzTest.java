package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A source names any time at all after each of some failures: it is asked again, neither sooner nor much later. */
class RetryAfterFuzzTest {
    private static final Duration MOST = Duration.ofMinutes(5);

    @FuzzTest(maxDuration = "30s")
    void failures(FuzzedDataProvider data) throws Exception {
        Rig rig = new Rig();
        rig.random = data.consumeInt(0, 999) / 1000.0;
        List<Duration> wanted = new ArrayList<>();
        do {
            wanted.add(time(data));
        } while (wanted.size() < 4 && data.remainingBytes() > 0);

        List<Long> asked = new ArrayList<>();
        FakeSource source = new FakeSource().answers(() -> {
            asked.add(rig.clock.nanos());
            if (asked.size() <= wanted.size()) {
                Duration retryAfter = wanted.get(asked.size() - 1);
                throw new SourceException(Reason.UNREACHABLE, "busy", null, retryAfter);
            }
            return Optional.of(TokenDocument.of("the-token"));
        });
        LiveProvider provider = rig.atOnce(source);
        try {
            assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
            for (int i = 0; i < wanted.size(); i++) {
                rig.advance(MOST.plusSeconds(1));
            }
            assertThat(asked).as("asked after each of %s", wanted).hasSizeGreaterThan(wanted.size());
            for (int i = 0; i < wanted.size(); i++) {
                Duration waited = Duration.ofNanos(asked.get(i + 1) - asked.get(i));
                Duration least = wanted.get(i).compareTo(MOST) < 0 ? wanted.get(i) : MOST;
                assertThat(waited).as("after %s", wanted.get(i)).isPositive().isBetween(least, MOST.plusSeconds(1));
            }
            assertThat(provider.get().reveal()).isEqualTo("the-token");
        } finally {
            rig.afterEach(null);
        }
    }

    private static Duration time(FuzzedDataProvider data) {
        return switch (data.consumeInt(0, 3)) {
            case 0 ->
                Duration.ofSeconds(
                        data.consumeLong(Long.MIN_VALUE, Long.MAX_VALUE - 1), data.consumeInt(0, 999_999_999));
            case 1 -> Duration.ofMillis(data.consumeLong(-1000, 400_000));
            case 2 -> Duration.ofSeconds(data.consumeLong(-2, 400));
            default -> Duration.ofNanos(data.consumeLong());
        };
    }
}
