package io.keyturn;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenEvent.Overridden;
import io.keyturn.event.TokenEvent.RefreshFailed;
import io.keyturn.event.TokenEvent.Resolved;
import io.keyturn.event.TokenListener;
import io.keyturn.token.Reason;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.slf4j.LoggerFactory;

@Timeout(60)
class EventQueueTest {
    private static final Instant NOW = ManualClock.START;

    @RegisterExtension
    final Canary canary = new Canary();

    private final Logs logs = Logs.of(TokenAgent.class);
    private final List<TokenEvent> heard = new CopyOnWriteArrayList<>();

    @AfterEach
    void endOfLogs() {
        logs.close();
    }

    private static TokenEvent event(int number) {
        return new Resolved(NOW, "t", "3f9a1c2b44d0", number, "a test");
    }

    private static List<TokenEvent> events(int many) {
        List<TokenEvent> all = new ArrayList<>();
        for (int i = 1; i <= many; i++) {
            all.add(event(i));
        }
        return all;
    }

    private void awaitHeard(int many) {
        Awaitility.await().untilAsserted(() -> assertThat(heard).hasSize(many));
    }

    @Test
    void onEvent_many_areHeardInOrderOnOneThreadOfOurs() {
        List<String> threads = new CopyOnWriteArrayList<>();
        try (EventQueue queue = new EventQueue(List.of(heard::add, event -> {
            Thread thread = Thread.currentThread();
            threads.add(thread.getName() + (thread.isDaemon() ? " daemon" : ""));
        }))) {
            events(1000).forEach(queue::onEvent);
            awaitHeard(1000);
        }

        assertThat(heard).isEqualTo(events(1000));
        assertThat(threads).hasSize(1000).containsOnly("keyturn-listeners daemon");
    }

    @Test
    void onEvent_aListenerThrows_theOthersAndTheNextEventsAreHeard() {
        TokenListener exception = event -> {
            throw new IllegalStateException(canary.token());
        };
        TokenListener error = event -> {
            throw new AssertionError(canary.token());
        };
        try (EventQueue queue = new EventQueue(List.of(exception, error, heard::add))) {
            events(3).forEach(queue::onEvent);
            awaitHeard(3);
        }

        assertThat(logs.lines())
                .contains(
                        "WARN a listener failed with java.lang.IllegalStateException",
                        "WARN a listener failed with java.lang.AssertionError");
    }

    @Test
    void onEvent_aListenerHangs_nobodyWaitsAndWhatIsTooMuchIsCounted() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch gate = new CountDownLatch(1);
        TokenListener hanging = event -> {
            inside.countDown();
            awaitQuietly(gate);
        };
        try (EventQueue queue = new EventQueue(List.of(hanging, heard::add))) {
            queue.onEvent(event(1));
            assertThat(inside.await(30, TimeUnit.SECONDS)).isTrue();

            events(1025 + 10).stream().skip(1).forEach(queue::onEvent);
            gate.countDown();
            awaitHeard(1025);
        }

        assertThat(heard).as("the newest are dropped").isEqualTo(events(1025));
        assertThat(logs.lines()).contains("WARN 10 events were dropped, since the listeners are too slow");
    }

    private static void awaitQuietly(CountDownLatch gate) {
        try {
            gate.await(60, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void onEvent_kinds_areLoggedAtTheirLevel() {
        try (EventQueue queue = new EventQueue(List.of(heard::add))) {
            queue.onEvent(event(1));
            queue.onEvent(new RefreshFailed(NOW, "t", Reason.ABSENT, "no token 't'"));
            queue.onEvent(new Overridden(NOW, "t", "https://api.example.com/", "header X-Api-Key"));
            awaitHeard(3);
        }

        assertThat(logs.lines())
                .containsExactly(
                        "INFO Resolved[at=2026-11-24T12:00:00Z, token=t, fingerprint=3f9a1c2b44d0, generation=1, source=a test]",
                        "WARN RefreshFailed[at=2026-11-24T12:00:00Z, token=t, reason=ABSENT, message=no token 't']",
                        "DEBUG Overridden[at=2026-11-24T12:00:00Z, token=t, url=https://api.example.com/, field=header X-Api-Key]");
    }

    @Test
    void onEvent_nobodyListensAndNothingIsLogged_needsNoThread() {
        Logger logger = (Logger) LoggerFactory.getLogger(TokenAgent.class);
        Set<Thread> before = Thread.getAllStackTraces().keySet();
        logger.setLevel(Level.OFF);
        try (EventQueue queue = new EventQueue(List.of())) {
            queue.onEvent(event(1));
            assertThat(Thread.getAllStackTraces().keySet())
                    .filteredOn(thread -> !before.contains(thread))
                    .noneMatch(thread -> thread.getName().equals("keyturn-listeners"));
        } finally {
            logger.setLevel(null);
        }
    }

    @Test
    void onEvent_nobodyListens_isStillLogged() {
        try (EventQueue queue = new EventQueue(List.of())) {
            queue.onEvent(event(1));
        }
        assertThat(logs.lines()).singleElement().asString().startsWith("INFO Resolved[");
    }

    @Test
    void close_eventsWaiting_areStillHeard() {
        EventQueue queue = new EventQueue(List.of(heard::add));
        events(20).forEach(queue::onEvent);

        queue.close();

        assertThat(heard).hasSize(20);
        queue.onEvent(event(21));
        queue.close();
        assertThat(heard).hasSize(20);
    }

    @Test
    void close_aListenerHangs_returns() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch gate = new CountDownLatch(1);
        EventQueue queue = new EventQueue(List.of(event -> {
            inside.countDown();
            awaitQuietly(gate);
        }));
        queue.onEvent(event(1));
        assertThat(inside.await(30, TimeUnit.SECONDS)).isTrue();

        Assertions.assertTimeoutPreemptively(Duration.ofSeconds(2), queue::close);
        gate.countDown();
    }

    @Test
    void close_byAListener_returns() {
        EventQueue[] queue = new EventQueue[1];
        CountDownLatch closed = new CountDownLatch(1);
        queue[0] = new EventQueue(List.of(event -> {
            queue[0].close();
            closed.countDown();
        }));

        queue[0].onEvent(event(1));

        Awaitility.await().until(() -> closed.getCount() == 0);
    }
}
