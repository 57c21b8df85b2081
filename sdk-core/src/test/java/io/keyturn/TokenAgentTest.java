package io.keyturn;

import static io.keyturn.source.TokenSources.env;
import static io.keyturn.source.TokenSources.file;
import static io.keyturn.source.TokenSources.firstOf;
import static io.keyturn.source.TokenSources.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.keyturn.check.CheckReport;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Location;
import io.keyturn.config.Settings;
import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenEvent.Resolved;
import io.keyturn.event.TokenEvent.Swapped;
import io.keyturn.http.TokenUse;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class TokenAgentTest {
    @RegisterExtension
    final Canary canary = new Canary();

    private static ConfigException startFails(TokenAgent.Builder builder) {
        return Assertions.assertThrows(ConfigException.class, builder::start);
    }

    private static Settings text(int line, String path, String text) {
        return Settings.text(new Location("agent.yaml", line, 1, path), references -> text);
    }

    private static Settings map(String path, Object... keysAndValues) {
        List<Settings.Entry> entries = new ArrayList<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            Settings value = (Settings) keysAndValues[i + 1];
            entries.add(new Settings.Entry((String) keysAndValues[i], value.at(), value));
        }
        return Settings.map(new Location("agent.yaml", 1, 1, path), entries);
    }

    // --- what it answers ---

    @Test
    void provider_unknownName_listsThoseThereAre() throws Exception {
        try (TokenAgent agent = TokenAgent.builder()
                .token("one", value("t1"))
                .token("two", value("t2"))
                .start()) {
            assertThatThrownBy(() -> agent.provider("three"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("no token is named 'three'; known are: one, two");
            assertThatThrownBy(() -> agent.placeholder("three")).isInstanceOf(IllegalArgumentException.class);
            assertThat(agent.placeholder("two")).isEqualTo("keyturn:two");
        }
    }

    @Test
    void name_saidByTheProgram_winsOverTheSettings() throws Exception {
        Settings settings = map(
                "",
                "agent",
                map("agent", "name", text(2, "agent.name", "ci"), "api_token", text(3, "agent.api_token", "t1")));
        try (TokenAgent agent =
                TokenAgent.builder().settings(settings, Path.of("")).start()) {
            assertThat(agent.name()).isEqualTo("ci");
        }
        try (TokenAgent agent = TokenAgent.builder()
                .settings(settings, Path.of(""))
                .name("mine")
                .start()) {
            assertThat(agent.name()).isEqualTo("mine");
            assertThat(agent.check().agent()).isEqualTo("mine");
        }
        try (TokenAgent agent = TokenAgent.builder().start()) {
            assertThat(agent.name()).isEqualTo("agent");
        }
    }

    @Test
    void authorize_declaredEndpoint_carriesTheToken() throws Exception {
        try (TokenAgent agent = TokenAgent.builder()
                .token("api_token", value("t1"), t -> t.endpoint("https://api.example.com"))
                .token(
                        "admin",
                        value("t2"),
                        t -> t.endpoint("https://api.example.com").attachByName())
                .start()) {
            URI uri = URI.create("https://api.example.com/me");
            assertThat(agent.authorize("GET", uri).headers()).containsEntry("Authorization", "Bearer t1");
            assertThat(agent.authorize("GET", uri, TokenUse.named("admin")).headers())
                    .containsEntry("Authorization", "Bearer t2");
            assertThat(agent.headersFor("POST", uri).get()).containsEntry("Authorization", "Bearer t1");
            assertThat(agent.authorize("GET", URI.create("https://elsewhere.example.com/"))
                            .headers())
                    .isEmpty();
        }
    }

    // --- what it is given ---

    @Test
    void environment_isAskedForEveryVariable() throws Exception {
        try (TokenAgent agent = TokenAgent.builder()
                .environment(name -> "value-of-" + name)
                .token("one", env("A"))
                .token("two", firstOf(file("/nowhere/b"), env("B")))
                .start()) {
            assertThat(agent.provider("one").get().reveal()).isEqualTo("value-of-A");
            assertThat(agent.provider("two").get().reveal()).isEqualTo("value-of-B");
        }
    }

    @Test
    void clock_tellsWhenATokenEnds() throws Exception {
        ManualClock clock = new ManualClock();
        TokenDocument document =
                TokenDocument.of("t1").withExpiresAt(clock.instant().plusSeconds(60));
        List<TokenEvent> events = new CopyOnWriteArrayList<>();
        try (TokenAgent agent = TokenAgent.builder()
                .clock(clock)
                .token("api_token", TokenSources.of("accounts db", () -> document))
                .listener(events::add)
                .start()) {
            clock.advance(Duration.ofSeconds(59));
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("t1");
            clock.advance(Duration.ofSeconds(1));
            // It is the agent that looks at the clock, once a poll, and not whoever asks.
            await().until(() -> events.stream().anyMatch(TokenEvent.Expired.class::isInstance));
            assertThatThrownBy(agent.provider("api_token")::get)
                    .isInstanceOfSatisfying(
                            TokenUnavailableException.class,
                            e -> assertThat(e.reason()).isEqualTo(Reason.EXPIRED));
        }
        assertThat(events).first().returns(ManualClock.START, TokenEvent::at);
    }

    @Test
    void expiresAt_ofTheOptions_isKnownBetterThanTheSource() throws Exception {
        ManualClock clock = new ManualClock();
        try (TokenAgent agent = TokenAgent.builder()
                .clock(clock)
                .token(
                        "api_token",
                        value("t1"),
                        t -> t.expiresAt(clock.instant().plusSeconds(60)).grantedScopes("read"))
                .start()) {
            Token token = agent.provider("api_token").get();
            assertThat(token.expiresAt()).contains(clock.instant().plusSeconds(60));
            assertThat(token.scopes()).contains(Set.of("read"));
        }
    }

    @Test
    void httpClient_makesTheCallsOfTheCheckAndNoOthers() throws Exception {
        AtomicInteger calls = new AtomicInteger();
        OkHttpClient mine = new OkHttpClient.Builder()
                .addInterceptor(chain -> {
                    calls.incrementAndGet();
                    return chain.proceed(chain.request());
                })
                .build();
        try (RecordingServer server = RecordingServer.start();
                TokenAgent agent = TokenAgent.builder()
                        .httpClient(mine)
                        .token("api_token", value("t1"), t -> t.endpoint(server.url("/")))
                        .start()) {
            call(agent.install(new OkHttpClient()), server.url("/a"));
            assertThat(calls).hasValue(0);
            agent.check();
            assertThat(calls).hasValue(1);
            assertThat(mine.networkInterceptors())
                    .as("the program's client stays as it was")
                    .isEmpty();
        }
    }

    private static int call(OkHttpClient client, String url) throws IOException {
        try (var response =
                client.newCall(new Request.Builder().url(url).build()).execute()) {
            return response.code();
        }
    }

    @Test
    void fingerprintKey_changesTheFingerprint() throws Exception {
        try (TokenAgent plain =
                        TokenAgent.builder().token("api_token", value("t1")).start();
                TokenAgent keyed = TokenAgent.builder()
                        .fingerprintKey(Secret.of("key"))
                        .token("api_token", value("t1"))
                        .start()) {
            assertThat(plain.provider("api_token").get().fingerprint())
                    .isNotEqualTo(keyed.provider("api_token").get().fingerprint());
        }
    }

    // --- listeners ---

    @Test
    void listener_swaps_areHeardInOrderOnItsThread() throws Exception {
        PushedSource pushed = TokenSources.pushed();
        pushed.set("t-0");
        List<TokenEvent> events = new CopyOnWriteArrayList<>();
        Set<String> threads = ConcurrentHashMap.newKeySet();
        try (TokenAgent agent = TokenAgent.builder()
                .token("api_token", pushed)
                .listener(events::add)
                .listener(event -> threads.add(Thread.currentThread().getName()))
                .start()) {
            for (int i = 1; i <= 200; i++) {
                pushed.set("t-" + i);
                assertThat(agent.provider("api_token").get().reveal()).isEqualTo("t-" + i);
            }
        }
        assertThat(threads).containsExactly("keyturn-listeners");
        assertThat(events).hasSize(201).first().isInstanceOf(Resolved.class);
        assertThat(events.subList(1, 201)).allSatisfy(event -> assertThat(event).isInstanceOf(Swapped.class));
        assertThat(events.subList(1, 201).stream().map(event -> ((Swapped) event).generation()))
                .isSorted()
                .startsWith(2L)
                .endsWith(201L);
    }

    @Test
    void listener_throws_swapsAndOtherListenersGoOn() throws Exception {
        PushedSource pushed = TokenSources.pushed();
        pushed.set("t-0");
        List<TokenEvent> events = new CopyOnWriteArrayList<>();
        try (TokenAgent agent = TokenAgent.builder()
                .token("api_token", pushed)
                .listener(event -> {
                    throw new IllegalStateException(canary.token());
                })
                .listener(events::add)
                .start()) {
            pushed.set("t-1");
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("t-1");
        }
        assertThat(events).hasExactlyElementsOfTypes(Resolved.class, Swapped.class);
    }

    @Test
    void listener_hangs_swapsGoOnAndWhatIsDroppedIsCounted() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        PushedSource pushed = TokenSources.pushed();
        pushed.set("t-0");
        try (Logs logs = Logs.of(TokenAgent.class);
                TokenAgent agent = TokenAgent.builder()
                        .token("api_token", pushed)
                        .listener(event -> awaitQuietly(gate))
                        .start()) {
            for (int i = 1; i <= 1500; i++) {
                pushed.set("t-" + i);
            }
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("t-1500");
            gate.countDown();
            Awaitility.await()
                    .untilAsserted(() -> assertThat(logs.lines())
                            .anyMatch(line -> line.matches(
                                    "WARN 47[0-9] events were dropped, since the listeners are too slow")));
        }
    }

    private static void awaitQuietly(CountDownLatch gate) {
        try {
            gate.await(60, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // --- closing ---

    @Test
    void close_twice_handsOutNothingAndAttachesNothing() throws Exception {
        try (RecordingServer server = RecordingServer.start()) {
            TokenAgent agent = TokenAgent.builder()
                    .token("api_token", value("t1"), t -> t.endpoint(server.url("/")))
                    .start();
            TokenProvider provider = agent.provider("api_token");
            OkHttpClient client = agent.install(new OkHttpClient());

            agent.close();
            agent.close();

            assertThatThrownBy(provider::get).hasMessageContaining("agent closed");
            assertThatThrownBy(() -> call(client, server.url("/")))
                    .isInstanceOf(TokenDeniedException.class)
                    .hasMessage("agent closed");
            assertThat(server.seen()).isEmpty();
            CheckReport report = agent.check();
            assertThat(report.exitCode()).isEqualTo(1);
            assertThat(report.toString()).contains("agent closed");
        }
    }

    @Test
    void close_duringAHangingFetch_returnsAndWaitersAreTold() throws Exception {
        CountDownLatch fetching = new CountDownLatch(1);
        CountDownLatch gate = new CountDownLatch(1);
        TokenSource ignoresInterrupts = TokenSources.of("dead mount", () -> {
            fetching.countDown();
            while (gate.getCount() > 0) {
                try {
                    gate.await();
                } catch (InterruptedException e) {
                    // as a read from a dead mount does
                }
            }
            return null;
        });
        TokenAgent agent = TokenAgent.builder()
                .token("api_token", ignoresInterrupts, TokenOptions::optional)
                .start();
        TokenProvider provider = agent.provider("api_token");
        FutureTask<Token> waiter = new FutureTask<>(provider::get);
        new Thread(waiter).start();
        assertThat(fetching.await(30, TimeUnit.SECONDS)).isTrue();

        Assertions.assertTimeoutPreemptively(Duration.ofSeconds(2), agent::close);

        assertThatThrownBy(() -> waiter.get(5, TimeUnit.SECONDS)).cause().hasMessageContaining("agent closed");
        gate.countDown();
        awaitNoThread();
    }

    @Test
    void close_afterUse_leavesNoThread() throws Exception {
        PushedSource pushed = TokenSources.pushed();
        pushed.set("t1");
        try (RecordingServer server = RecordingServer.start();
                TokenAgent agent = TokenAgent.builder()
                        .token(
                                "api_token",
                                pushed,
                                t -> t.endpoint(server.url("/")).check("GET /"))
                        .token("other", value("t2"))
                        .listener(event -> {})
                        .start()) {
            agent.check();
            pushed.set("t2");
            assertThat(Thread.getAllStackTraces().keySet())
                    .anyMatch(thread -> thread.getName().startsWith("keyturn-"))
                    .filteredOn(thread -> thread.getName().startsWith("keyturn-"))
                    .allMatch(Thread::isDaemon);
        }
        awaitNoThread();
    }

    private static void awaitNoThread() {
        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(Thread.getAllStackTraces().keySet())
                        .filteredOn(thread -> thread.getName().startsWith("keyturn-"))
                        .isEmpty());
    }

    // --- a builder ---

    @Test
    void start_builderUsedTwice_makesTwoAgents() throws Exception {
        PushedSource pushed = TokenSources.pushed();
        pushed.set("t1");
        TokenAgent.Builder builder = TokenAgent.builder()
                .token(
                        "api_token",
                        pushed,
                        t -> t.endpoint("https://api.example.com").check("GET /"));
        URI uri = URI.create("https://api.example.com/");
        TokenAgent first = builder.start();
        try (TokenAgent second = builder.start()) {
            first.close();
            pushed.set("t2");
            assertThat(second.provider("api_token").get().reveal()).isEqualTo("t2");
            assertThat(second.authorize("GET", uri).headers()).containsEntry("Authorization", "Bearer t2");
            assertThatThrownBy(() -> first.authorize("GET", uri)).hasMessageContaining("agent closed");
        }
        assertThat(builder.validate().ok()).isTrue();
    }

    @Test
    void token_badName_isRefused() {
        for (String name : List.of("", "0", "a b", "a\nb", "ä", "-a")) {
            assertThatThrownBy(() -> TokenAgent.builder().token(name, value("t1")))
                    .isInstanceOf(ConfigException.class)
                    .hasMessageContaining("a token's name is letters, digits");
        }
    }

    @Test
    void startTimeout_notPositive_isRefused() {
        for (Duration timeout : List.of(Duration.ZERO, Duration.ofSeconds(-1))) {
            assertThatThrownBy(() -> TokenAgent.builder().startTimeout(timeout))
                    .isInstanceOf(ConfigException.class)
                    .hasMessage("start_timeout: must be positive");
        }
    }

    @Test
    void start_severalThingsWrong_tellsAllOfThem() {
        TokenAgent.Builder builder = TokenAgent.builder()
                .environment(name -> null)
                .token("plain", value("t1"), t -> t.endpoint("http://api.example.com"))
                .token(
                        "outside",
                        value("t1"),
                        t -> t.endpoint("https://api.example.com/v1").check("GET /v2/me"))
                .token("nowhere", value("t1"), t -> t.check("GET /me"))
                .token(
                        "unsafe",
                        value("t1"),
                        t -> t.endpoint("https://b.example.com").check("POST /me"))
                .token("twice", value("t1"))
                .token("twice", value("t1"))
                .token("unset", env("NOT_SET"));

        assertThat(startFails(builder))
                .hasMessage("tokens.plain: must be https://, since a token in plain http can be read on its way"
                        + " (or allow: [insecure_http])\n"
                        + "tokens.outside: lies outside the token's endpoints: https://api.example.com/v1\n"
                        + "tokens.nowhere: needs an endpoint: without one the token may go nowhere\n"
                        + "tokens.unsafe: must be GET, HEAD or OPTIONS, since it is sent again and again"
                        + " (or allow: [unsafe_check])\n"
                        + "tokens.twice: there is a token 'twice' already\n"
                        + "tokens.unset: environment variable NOT_SET is not set");
        CheckReport report = builder.check(Duration.ofSeconds(10), Set.of());
        assertThat(report.errors()).hasSize(5);
        assertThat(report.exitCode()).isEqualTo(2);
        assertThat(builder.validate().exitCode()).isEqualTo(2);
    }

    @Test
    void start_twoTokensOfOneEndpoint_saysWhatToDo() throws Exception {
        TokenAgent.Builder tie = TokenAgent.builder()
                .token("one", value("t1"), t -> t.endpoint("https://api.example.com"))
                .token("two", value("t2"), t -> t.endpoint("https://other.example.com", "https://api.example.com/"));

        assertThat(startFails(tie))
                .hasMessage("tokens.two: tokens 'one' and 'two' have the same endpoint https://api.example.com/:"
                        + " let one of them say attach: by_name");
        assertThat(tie.validate().exitCode()).isEqualTo(2);
        TokenAgent.builder()
                .token("one", value("t1"), t -> t.endpoint("https://api.example.com"))
                .token(
                        "two",
                        value("t2"),
                        t -> t.endpoint("https://api.example.com").attachByName())
                .token("three", value("t3"), t -> t.endpoint("https://api.example.com/v1"))
                .start()
                .close();
    }

    @Test
    void start_settingsAndProgram_areOneAgent() throws Exception {
        Settings settings = map(
                "",
                "agent",
                map(
                        "agent",
                        "api_token",
                        text(2, "agent.api_token", "t1"),
                        "endpoint",
                        text(3, "agent.endpoint", "https://api.example.com")));

        try (TokenAgent agent = TokenAgent.builder()
                .settings(settings, Path.of(""))
                .token("mine", value("t2"))
                .start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("t1");
            assertThat(agent.provider("mine").get().reveal()).isEqualTo("t2");
        }
        assertThat(startFails(TokenAgent.builder()
                        .settings(settings, Path.of(""))
                        .token("api_token", value("t2"))
                        .token("mine", value("t3"), t -> t.endpoint("https://api.example.com"))))
                .hasMessage("tokens.api_token: there is a token 'api_token' already\n"
                        + "tokens.mine: tokens 'api_token' and 'mine' have the same endpoint https://api.example.com/:"
                        + " let one of them say attach: by_name");
    }

    @Test
    void start_settingsAndProgramBothWrong_areToldTogether() {
        Settings settings = map(
                "",
                "agent",
                map(
                        "agent",
                        "api_token",
                        text(2, "agent.api_token", "t1"),
                        "endpoint",
                        text(3, "agent.endpoint", "ftp://api.example.com")));

        assertThat(startFails(TokenAgent.builder()
                                .settings(settings, Path.of(""))
                                .token("mine", value("t2"), t -> t.endpoint("http://api.example.com")))
                        .problems())
                .extracting(problem -> problem.at().toString())
                .containsExactly("tokens.mine", "agent.yaml:3:1 agent.endpoint");
    }
}
