package io.keyturn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertAll;

import io.keyturn.RecordingServer.Answer;
import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.provider.RefreshPolicy;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a running agent does while its store is away, and when it comes back, as a test against the store's real server: that
 * is a process of the test's own, which freezes it for {@code KEYTURN_OUTAGE} (15s where it is not set), kills it, and starts
 * it again at the same port some seconds later.
 */
@Timeout(420)
public abstract class StoreOutageContract {
    private static final Duration OUTAGE = outage();
    private static final Duration DEAD = Duration.ofSeconds(3);
    private static final Duration POLL = Duration.ofSeconds(1);

    /** Less than the usual, so that an agent which asks again too soon has the time to do so too often. */
    private static final Duration CALL = Duration.ofSeconds(3);

    /** Time enough for a machine that does other things, too. */
    private static final Duration PATIENT = Duration.ofSeconds(60);

    /** A poll, the second beside it that is allowed, and what a loaded machine takes. */
    private static final Duration SOON = POLL.plusMillis(1500);

    /** How long it may take until an agent knows, on a loaded machine too. */
    private static final Duration NOTICED = POLL.plus(CALL).plusSeconds(6);

    private static final long MOST_CALLS = 10;
    private static final Pattern SINCE = Pattern.compile(" since (\\S+); the last good token serves");

    private static final String ONE = "one-" + Canary.WORD;
    private static final String TWO = "two-" + Canary.WORD;
    private static final String THREE = "three-" + Canary.WORD;

    /** Where the store is to listen, on 127.0.0.1. */
    protected final int port = ServerProcess.freePort();

    @TempDir
    protected Path folder;

    private final Deque<Canary> canaries = new ArrayDeque<>();
    private final RecordingServer api = RecordingServer.start();
    private final ScheduledExecutorService application = Executors.newSingleThreadScheduledExecutor();
    private final AtomicInteger served = new AtomicInteger();
    private final Queue<Object> failures = new ConcurrentLinkedQueue<>();
    private final CountedCalls calls = new CountedCalls(port);
    private volatile Set<String> accepted = Set.of(ONE);

    // --- the store ---

    /** The program that is the store, with its arguments. */
    protected abstract List<String> command() throws IOException;

    /** Makes a store of the server that was started for the first time, and waits until it is one. */
    protected abstract void setUp() throws Exception;

    /** What is missing of the server after a restart, as a look at the token says it. */
    protected abstract String missing();

    /** Mends that, and waits until it is mended. */
    protected abstract void mend() throws Exception;

    /** Makes this the value of the secret. */
    protected abstract void put(String value) throws Exception;

    /** The agent's source of that value. */
    protected abstract Map<String, ?> source();

    /** What the store is called where it is not reached. */
    protected abstract String service();

    /** A credential of the store's, which must not come out. */
    protected final void hide(String credential) {
        canaries.push(new Canary(credential).listen());
    }

    protected final String address() {
        return "http://127.0.0.1:" + port;
    }

    // --- the agent ---

    private static Duration outage() {
        String text = System.getenv("KEYTURN_OUTAGE");
        return Duration.parse("PT" + (text == null || text.isEmpty() ? "15s" : text));
    }

    @BeforeEach
    void listen() {
        hide(Canary.WORD);
        api.on("/", seen -> {
            String sent = String.join("", seen.header("Authorization"));
            return accepted.contains(sent.replaceFirst("^Bearer ", "")) ? Answer.ok("ok") : Answer.of(401, "");
        });
    }

    @AfterEach
    void close() {
        application.shutdownNow();
        api.close();
        assertAll(canaries.stream().map(canary -> canary::close));
    }

    private TokenAgent.Builder configured(OkHttpClient.Builder client) {
        return TokenAgent.builder()
                .token(
                        "api_token",
                        TokenSources.configured(source()),
                        t -> t.endpoint(api.url("/"))
                                .check("GET /")
                                .refresh(RefreshPolicy.defaults().withEvery(POLL)))
                .httpClient(client.callTimeout(CALL).build())
                .startTimeout(PATIENT)
                .listener(event -> saw("event", event));
    }

    private void saw(String where, Object text) {
        canaries.forEach(canary -> canary.saw(where, text));
    }

    private void request(OkHttpClient http) {
        try (Response response =
                http.newCall(new Request.Builder().url(api.url("/")).build()).execute()) {
            if (response.code() == 200) {
                served.incrementAndGet();
            } else {
                failures.add(response.code());
            }
        } catch (IOException | RuntimeException e) {
            canaries.forEach(canary -> canary.saw(e));
            failures.add(e.getClass().getName());
        }
    }

    /** What a check by the running agent says of where the token comes from. */
    private Step checked(TokenAgent agent) {
        return resolved(agent.check());
    }

    private Step resolved(CheckReport report) {
        saw("check", report);
        saw("json", report.toJson());
        return report.tokens().get(0).step("resolve").orElseThrow();
    }

    /** Since when it is, as the check says. */
    private Instant assertDegraded(Step step) {
        assertThat(step.reason()).isEqualTo("degraded");
        assertThat(step.detail()).startsWith(service() + " is unreachable (");
        Matcher since = SINCE.matcher(step.detail());
        assertThat(since.find()).as(step.detail()).isTrue();
        return Instant.parse(since.group(1));
    }

    /** Waits until somebody who only looks, and has no token yet, is told this, for that long. */
    private void awaitLook(String told, Duration time) {
        await().during(time)
                .atMost(time.plus(PATIENT))
                .pollInterval(Duration.ofMillis(500))
                .until(() -> resolved(configured(new OkHttpClient.Builder()).check(PATIENT, Set.of()))
                        .detail()
                        .contains(told));
    }

    private static void awaitValue(TokenAgent agent, String value, Duration most) {
        await().atMost(most)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> agent.provider("api_token").get().reveal().equals(value));
    }

    @Test
    void store_frozenKilledAndStartedAgain_theTokenServesAndTheNextValueIsTaken() throws Exception {
        OkHttpClient.Builder counted = new OkHttpClient.Builder().eventListener(calls);
        try (ServerProcess server = new ServerProcess(folder.resolve("server.log"), command())) {
            server.start();
            setUp();
            put(ONE);
            try (TokenAgent agent = configured(counted).start()) {
                OkHttpClient http = agent.install(new OkHttpClient());
                var unused = application.scheduleWithFixedDelay(() -> request(http), 0, 50, TimeUnit.MILLISECONDS);
                assertThat(checked(agent).reason()).isNull();

                Instant frozen = Instant.now();
                server.freeze();
                await().pollDelay(OUTAGE).atMost(OUTAGE.plus(PATIENT)).until(() -> true);
                assertThat(calls.inTheMinuteFrom(frozen))
                        .as("calls in the first minute")
                        .isBetween(2L, MOST_CALLS);
                Step step = checked(agent);
                assertThat(step.detail()).contains("is unreachable (no answer in time)");
                Instant since = assertDegraded(step);
                assertThat(since).isBetween(frozen, frozen.plus(NOTICED));

                server.kill();
                awaitLook("is unreachable (nobody accepts connections there)", DEAD);
                assertThat(assertDegraded(checked(agent))).isEqualTo(since);

                server.start();
                awaitLook(missing(), Duration.ZERO);
                mend();
                accepted = Set.of(ONE, TWO);
                put(TWO);
                Instant well = Instant.now();
                Instant asked = agent.status().token("api_token").orElseThrow().refreshAt();
                Duration outage = Duration.between(frozen, well);
                assertThat(asked).as("at most twice as long again").isBefore(well.plus(outage.multipliedBy(2)));
                awaitValue(agent, TWO, Duration.between(well, asked).plus(SOON));

                accepted = Set.of(TWO, THREE);
                assertThat(checked(agent).reason()).isNull();
                put(THREE);
                awaitValue(agent, THREE, SOON);
                assertThat(failures).isEmpty();
                assertThat(served).hasValueGreaterThan((int) outage.toSeconds());
            }
        }
    }
}
