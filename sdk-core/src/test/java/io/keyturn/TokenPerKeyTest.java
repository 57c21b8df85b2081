package io.keyturn;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.check.CheckReport;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Written;
import io.keyturn.event.TokenEvent;
import io.keyturn.http.TokenUse;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import okhttp3.Cache;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One agent and a token for each of many accounts. */
class TokenPerKeyTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private final List<AutoCloseable> open = new ArrayList<>();
    private final Map<String, AtomicInteger> fetches = new ConcurrentHashMap<>();
    private final Map<String, String> accounts = new ConcurrentHashMap<>(Map.of("acme", "of-acme", "beta", "of-beta"));
    private RecordingServer server;

    @BeforeEach
    void start() {
        server = RecordingServer.start();
        open.add(server);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
        canary.saw("events", events);
    }

    private TokenSource sourceOf(String account) {
        return TokenSources.of("account " + account, () -> {
            fetches.computeIfAbsent(account, a -> new AtomicInteger()).incrementAndGet();
            String value = accounts.get(account);
            return value == null ? null : TokenDocument.of(value);
        });
    }

    private TokenAgent agent() throws IOException {
        return started(TokenAgent.builder()
                .tokenPerKey("github", this::sourceOf, t -> t.endpoint(server.url("/v1")))
                .token("plain", TokenSources.value("plain-one"), t -> t.endpoint(server.url("/plain")))
                .listener(events::add));
    }

    private TokenAgent started(TokenAgent.Builder builder) throws IOException {
        TokenAgent agent = builder.start();
        open.add(agent);
        return agent;
    }

    private static Request.Builder keyed(Request.Builder request, String key) {
        return request.tag(TokenUse.class, TokenUse.key(key));
    }

    private Request.Builder to(String path) {
        return new Request.Builder().url(server.url(path));
    }

    private static String send(OkHttpClient client, Request request) throws IOException {
        try (Response response = client.newCall(request).execute()) {
            return response.code() + " " + response.body().string();
        }
    }

    private static Answer echoed(Seen request) {
        return Answer.ok(String.join(",", request.header("Authorization"))).with("Cache-Control", "max-age=3600");
    }

    @Test
    void request_withAKey_carriesThatAccountsToken() throws Exception {
        server.on("/v1/me", TokenPerKeyTest::echoed);
        OkHttpClient client = agent().install(new OkHttpClient());

        assertThat(send(client, keyed(to("/v1/me"), "acme").build())).isEqualTo("200 Bearer of-acme");
        assertThat(send(client, keyed(to("/v1/me"), "beta").build())).isEqualTo("200 Bearer of-beta");
        assertThat(send(client, keyed(to("/v1/me"), "acme").build())).isEqualTo("200 Bearer of-acme");
        assertThat(fetches.get("acme")).hasValue(1);
    }

    @Test
    void request_withoutAKey_isDeniedBeforeItIsSent() throws Exception {
        OkHttpClient client = agent().install(new OkHttpClient());

        TokenDeniedException e = canary.caught(
                TokenDeniedException.class, () -> send(client, to("/v1/me").build()));

        assertThat(e.reason()).isEqualTo(Reason.KEY);
        assertThat(e).hasMessageContaining("token 'github' is one for each key");
        assertThat(server.seen()).isEmpty();
        assertThat(fetches).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"../x", "a/b", "", ".hidden", "a b", "käy", "a\nb"})
    void request_withWhatIsNoKey_isDeniedAndNothingOpened(String key) throws Exception {
        TokenAgent agent = agent();
        OkHttpClient client = agent.install(new OkHttpClient());

        assertThatThrownBy(() -> send(client, keyed(to("/v1/me"), key).build()))
                .isInstanceOf(TokenDeniedException.class)
                .hasMessageContaining("is no key");
        assertThatThrownBy(() -> agent.provider("github", key)).isInstanceOf(TokenDeniedException.class);
        assertThat(fetches).isEmpty();
    }

    @Test
    void request_withALongKey_isDeniedAndShownInPart() throws Exception {
        OkHttpClient client = agent().install(new OkHttpClient());

        assertThatThrownBy(() ->
                        send(client, keyed(to("/v1/me"), "k".repeat(200)).build()))
                .isInstanceOf(TokenDeniedException.class)
                .hasMessageContaining("'" + "k".repeat(40) + "…' is no key");
    }

    @Test
    void request_withAKeyWhereThereIsOneTokenForAll_isDenied() throws Exception {
        OkHttpClient client = agent().install(new OkHttpClient());

        assertThatThrownBy(() -> send(client, keyed(to("/plain"), "acme").build()))
                .isInstanceOf(TokenDeniedException.class);
        assertThatThrownBy(() -> send(
                        client,
                        to("/plain")
                                .tag(TokenUse.class, TokenUse.named("plain").and(TokenUse.key("acme")))
                                .build()))
                .hasMessage("token 'plain' is the same for each key");
        assertThat(server.seen()).isEmpty();
    }

    @Test
    void redirect_toAStranger_goesBare() throws Exception {
        RecordingServer stranger = RecordingServer.start();
        open.add(stranger);
        server.on("/v1/go", Answer.redirect(302, stranger.url("/landed")));
        OkHttpClient client = agent().install(new OkHttpClient());

        send(client, keyed(to("/v1/go"), "acme").build());

        assertThat(stranger.only().holds("of-acme")).isFalse();
    }

    @Test
    void cache_ofTheClient_servesNobodyAnothersAnswer() throws Exception {
        server.on("/v1/me", TokenPerKeyTest::echoed);
        OkHttpClient client = agent().install(new OkHttpClient.Builder()
                        .cache(new Cache(folder.resolve("cache").toFile(), 1 << 20)))
                .build();

        assertThat(send(client, keyed(to("/v1/me"), "acme").build())).isEqualTo("200 Bearer of-acme");
        assertThat(send(client, keyed(to("/v1/me"), "beta").build())).isEqualTo("200 Bearer of-beta");
        assertThat(server.seen("/v1/me")).hasSize(2);
    }

    @Test
    void cache_allowed_isAMistake() {
        assertThatThrownBy(() -> TokenAgent.builder()
                        .tokenPerKey(
                                "github",
                                this::sourceOf,
                                t -> t.endpoint(server.url("/v1")).allow("cache"))
                        .start())
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("one account would be served another's");
    }

    @Test
    void unauthorized_oneAccount_isRecoveredFromAlone() throws Exception {
        OkHttpClient client = agent().install(new OkHttpClient());
        server.on(
                "/v1/me",
                request -> request.header("Authorization").contains("Bearer of-acme-2")
                                || request.header("Authorization").contains("Bearer of-beta")
                        ? Answer.ok("welcome")
                        : Answer.of(401, ""));
        send(client, keyed(to("/v1/me"), "beta").build());
        send(client, keyed(to("/v1/other"), "acme").build());
        accounts.put("acme", "of-acme-2");

        assertThat(send(client, keyed(to("/v1/me"), "acme").build())).isEqualTo("200 welcome");

        assertThat(fetches.get("acme")).hasValue(2);
        assertThat(fetches.get("beta")).hasValue(1);
    }

    @Test
    void header_bringsAnAccountsNextToken_itIsNobodyElses() throws Exception {
        TokenAgent agent = started(TokenAgent.builder()
                .tokenPerKey(
                        "github",
                        this::sourceOf,
                        t -> t.endpoint(server.url("/v1")).acceptRotatedFrom("X-Next-Token")));
        OkHttpClient client = agent.install(new OkHttpClient());
        server.on("/v1/next", Answer.ok("").with("X-Next-Token", "of-acme-2"));

        send(client, keyed(to("/v1/next"), "acme").build());

        await().untilAsserted(() ->
                assertThat(agent.provider("github", "acme").get().reveal()).isEqualTo("of-acme-2"));
        assertThat(agent.provider("github", "beta").get().reveal()).isEqualTo("of-beta");
    }

    @Test
    void provider_ofAKey_isThatAccountsToken() throws Exception {
        TokenAgent agent = agent();
        TokenProvider acme = agent.provider("github", "acme");

        assertThat(acme.get().reveal()).isEqualTo("of-acme");
        assertThat(agent.provider("github", "acme")).isSameAs(acme);
        assertThat(agent.provider("github", "beta").get().reveal()).isEqualTo("of-beta");
        assertThatThrownBy(agent.provider("github", "nobody")::get)
                .isInstanceOf(TokenUnavailableException.class)
                .hasMessage("no token 'github': account nobody has no token");
        assertThatThrownBy(() -> agent.provider("github"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("token 'github' is one for each key: provider(name, key)");
        assertThatThrownBy(() -> agent.provider("plain", "acme"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("token 'plain' is the same for each key");
        agent.close();
        assertThatThrownBy(acme::get).hasMessage("no token 'github': agent closed");
    }

    @Test
    void authorize_withAKey_isThatAccountsAttachment() throws Exception {
        TokenAgent agent = agent();
        URI uri = URI.create(server.url("/v1/me"));

        var attachment = agent.authorize("GET", uri, TokenUse.key("acme"));

        assertThat(attachment.headers()).containsEntry("Authorization", "Bearer of-acme");
        assertThat(attachment.answered(401)).isFalse();
        assertThat(fetches.get("acme")).hasValue(2);
    }

    @Test
    void manyThreads_oneKey_oneFetch() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        AtomicInteger asked = new AtomicInteger();
        TokenAgent agent = started(TokenAgent.builder()
                .tokenPerKey(
                        "github",
                        key -> TokenSources.of("slow", () -> {
                            asked.incrementAndGet();
                            gate.await(20, TimeUnit.SECONDS);
                            return TokenDocument.of("of-" + key);
                        }),
                        t -> {}));
        ExecutorService threads = Executors.newFixedThreadPool(50);
        open.add(threads::shutdownNow);
        List<Future<String>> answers = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            answers.add(
                    threads.submit(() -> agent.provider("github", "acme").get().reveal()));
        }
        await().until(() -> asked.get() == 1);

        gate.countDown();

        for (Future<String> answer : answers) {
            assertThat(answer.get(20, TimeUnit.SECONDS)).isEqualTo("of-acme");
        }
        assertThat(asked).hasValue(1);
    }

    @Test
    void manyKeys_moreThanAreKept_eachStillGetsItsOwn() throws Exception {
        TokenAgent agent = started(TokenAgent.builder()
                .tokenPerKey("github", key -> TokenSources.of("db", () -> TokenDocument.of("of-" + key)), t -> {}));
        TokenProvider first = agent.provider("github", "key-0");
        assertThat(first.get().reveal()).isEqualTo("of-key-0");

        for (int i = 0; i < 10_500; i++) {
            assertThat(agent.provider("github", "key-" + i).get().reveal()).isEqualTo("of-key-" + i);
        }

        assertThat(first.get().reveal()).isEqualTo("of-key-0");
    }

    @Test
    void check_ofATokenPerKey_asksNone() throws Exception {
        CheckReport report = agent().check();

        assertThat(report.tokens().get(0).step("resolve"))
                .hasValueSatisfying(step -> assertThat(step.reason()).isEqualTo("per_key"));
        assertThat(fetches).isEmpty();
    }

    // --- as settings say it ---

    private Path tenant(String name, String value) throws IOException {
        Path file = Files.createDirectories(folder.resolve(name)).resolve("token");
        Files.writeString(file, value);
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    }

    @Test
    void settings_fileWithAKeyInItsPath_isThatAccountsAndLive() throws Exception {
        tenant("acme", "of-acme");
        tenant("beta", "of-beta");
        TokenAgent agent = started(TokenAgent.builder()
                .settings(
                        Written.in(
                                "agent.yaml",
                                map(
                                        "agent",
                                        map("tokens", map("github", map("file", "{key}/token", "per_key", "true"))))),
                        folder));
        TokenProvider acme = agent.provider("github", "acme");
        assertThat(acme.get().reveal()).isEqualTo("of-acme");
        assertThat(agent.provider("github", "beta").get().reveal()).isEqualTo("of-beta");

        tenant("acme", "of-acme-2");

        await().until(() -> acme.get().reveal().equals("of-acme-2"));
        assertThat(agent.provider("github", "beta").get().reveal()).isEqualTo("of-beta");
    }

    @Test
    void settings_perKeyWithoutAPlaceForTheKey_isAMistake() {
        AgentSettings settings = AgentSettings.read(
                Written.in("agent.yaml", map("agent", map("api_token", "abc", "per_key", "true"))),
                folder,
                name -> null,
                Clock.systemUTC(),
                true);

        assertThat(settings.problems())
                .singleElement()
                .hasToString("agent.yaml:3:12 agent.per_key: per_key needs a file with {key} in its path,"
                        + " such as /run/tenants/{key}/token");
    }
}
