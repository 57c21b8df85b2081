package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.keyturn.ManualClock;
import io.keyturn.http.Placement;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.LoggerFactory;

/** A thousand agents, one store, and a minute in which it is not there; on a clock of their own. */
class FleetRecoveryTest {
    private static final int AGENTS = 1_000;
    private static final Duration OUTAGE = Duration.ofSeconds(60);
    private static final Duration POLL = Duration.ofMinutes(1);

    private final ManualClock clock = new ManualClock();
    private final ManualTimer timer = new ManualTimer(clock);
    private final Logger log = (Logger) LoggerFactory.getLogger(LiveProvider.class);

    private boolean down;
    private long from;

    /** Calls in each second since {@code from}. */
    private int[] calls = new int[0];

    @BeforeEach
    void keepQuiet() {
        log.setLevel(Level.OFF);
    }

    @AfterEach
    void speakAgain() {
        log.setLevel(null);
    }

    /** One agent's way to the store. */
    private final class Store implements TokenSource {
        private int asked;

        @Override
        public Optional<TokenDocument> fetch() throws SourceException {
            asked++;
            int second = (int) ((clock.nanos() - from) / 1_000_000_000L);
            if (second < calls.length) {
                calls[second]++;
            }
            if (down) {
                throw new SourceException(Reason.STORE_UNREACHABLE, "the store is unreachable", null);
            }
            return Optional.of(TokenDocument.of("t1"));
        }

        @Override
        public Optional<Duration> every() {
            return Optional.of(POLL);
        }
    }

    private List<Store> fleet(Random random, boolean together) {
        List<Store> stores = new ArrayList<>();
        for (int i = 0; i < AGENTS; i++) {
            Store store = new Store();
            stores.add(store);
            Schedule schedule = new Schedule(clock, clock::nanos, Duration.ofSeconds(1), timer);
            ProviderContext context =
                    new ProviderContext(clock, clock::nanos, random::nextDouble, schedule, Runnable::run, event -> {});
            LiveProvider provider = new LiveProvider(
                    "t" + i, store, Rig.INTAKE, Placement.bearer()::form, RefreshPolicy.defaults(), context, null);
            provider.open();
            var unused = provider.getAsync();
            if (!together) {
                timer.advance(POLL.dividedBy(AGENTS));
            }
        }
        return stores;
    }

    private void count(Duration time) {
        from = clock.nanos();
        calls = new int[(int) time.toSeconds()];
    }

    @ParameterizedTest
    @CsvSource({"1, false", "2, false", "3, false", "4, true", "5, true", "6, true"})
    void outage_ofAMinute_theStoreIsNotRunOverWhenItComesBack(long seed, boolean together) {
        List<Store> stores = fleet(new Random(seed), together);
        timer.advance(Duration.ofMinutes(3));

        down = true;
        stores.forEach(store -> store.asked = 0);
        count(OUTAGE);
        timer.advance(OUTAGE);
        assertThat(stores).allMatch(store -> store.asked <= 10);
        assertThat(Arrays.stream(calls).sum()).as("somebody noticed").isGreaterThan(AGENTS / 2);

        down = false;
        stores.forEach(store -> store.asked = 0);
        count(Duration.ofSeconds(60));
        timer.advance(Duration.ofSeconds(62));

        double mean = Arrays.stream(calls).average().orElseThrow();
        int busiest = Arrays.stream(calls).max().orElseThrow();
        assertThat(busiest).as("busiest second, mean %s", mean).isLessThanOrEqualTo((int) (3 * mean));
        assertThat(stores).as("each has asked again").allMatch(store -> store.asked > 0);
    }
}
