package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.TokenAgent;
import io.keyturn.event.TokenEvent;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import okhttp3.ConnectionPool;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okio.BufferedSink;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What happens after a 401. */
@Timeout(60)
class RecoveryTest {
    private static final String OLD = "ktn_recovery_old_7Qm2Xv9LrT4w";
    private static final String NEW = "ktn_recovery_new_5Hd3Kp6NsY0b";
    private static final String NEWER = "ktn_recovery_newer_2Bd8Wq1ZuX";

    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private final List<AutoCloseable> open = new ArrayList<>();
    private RecordingServer server;

    /** A source whose answers are set, and counted. */
    private static final class Store implements Callable<TokenDocument> {
        private final AtomicInteger fetches = new AtomicInteger();
        private volatile String value = OLD;

        @Override
        public TokenDocument call() {
            fetches.incrementAndGet();
            return TokenDocument.of(value);
        }

        TokenSource source() {
            return TokenSources.of("a store", this);
        }
    }

    @BeforeEach
    void start() {
        server = server();
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    private RecordingServer server() {
        RecordingServer started = RecordingServer.start();
        open.add(started);
        return started;
    }

    private TokenAgent agent(TokenSource source, SentAs sentAs) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token("api", source, t -> t.endpoint(server.url("/v1")).sendAs(sentAs.placement))
                .listener(events::add)
                .start();
        open.add(agent);
        return agent;
    }

    private OkHttpClient client(TokenSource source) throws IOException {
        return client(agent(source, SentAs.BEARER));
    }

    private static OkHttpClient client(TokenAgent agent) {
        return agent.install(new OkHttpClient.Builder()).build();
    }

    private Request.Builder to(String path) {
        return new Request.Builder().url(server.url(path));
    }

    /** Answers 401 unless the request carries one of these tokens as bearer. */
    private static Answer guarded(Seen request, String... accepted) {
        return guarded(request, SentAs.BEARER, accepted);
    }

    private static Answer guarded(Seen request, SentAs sentAs, String... accepted) {
        boolean right = List.of(accepted).stream().anyMatch(token -> sentAs.carries(request, token));
        return right ? Answer.ok("welcome") : Answer.of(401, "who are you?");
    }

    private static List<String> bearers(List<Seen> requests) {
        return requests.stream()
                .map(seen -> String.join(",", seen.header("Authorization")))
                .toList();
    }

    private static RequestBody body(boolean oneShot, AtomicInteger written) {
        return new RequestBody() {
            @Override
            public MediaType contentType() {
                return null;
            }

            @Override
            public boolean isOneShot() {
                return oneShot;
            }

            @Override
            public void writeTo(BufferedSink sink) throws IOException {
                written.incrementAndGet();
                sink.writeUtf8("payload");
            }
        };
    }

    /** The same with every OkHttp that we support. */
    @Nested
    @Tag("okhttp-floor")
    class WithAnyOkHttp {
        @ParameterizedTest
        @EnumSource(SentAs.class)
        void unauthorized_sourceHasAnother_isSentOnceMore(SentAs sentAs) throws Exception {
            Store store = new Store();
            TokenAgent agent = agent(store.source(), sentAs);
            server.on("/v1/x", request -> guarded(request, sentAs, NEW));
            store.value = NEW;

            try (Response response = client(agent).newCall(to("/v1/x").build()).execute()) {
                assertThat(response.code()).isEqualTo(200);
                assertThat(response.body().string()).isEqualTo("welcome");
                assertThat(agent.sentWith(response))
                        .hasValueSatisfying(
                                token -> assertThat(token.generation()).isEqualTo(2));
                assertThat(response.request().headers()).isEmpty();
            }

            assertThat(server.seen()).hasSize(2);
            assertThat(sentAs.carries(server.seen().get(0), OLD)).isTrue();
            assertThat(sentAs.carries(server.seen().get(1), NEW)).isTrue();
            assertThat(store.fetches).hasValue(2);
        }

        @Test
        void unauthorized_anotherPushedMeanwhile_isSentOnceMoreWithIt() throws Exception {
            PushedSource pushed = TokenSources.pushed();
            pushed.set(OLD);
            OkHttpClient client = client(pushed);
            server.on("/v1/x", request -> {
                if (request.header("Authorization").contains("Bearer " + OLD)) {
                    pushed.set(NEW);
                }
                return guarded(request, NEW);
            });

            try (Response response = client.newCall(to("/v1/x").build()).execute()) {
                assertThat(response.code()).isEqualTo(200);
            }
            assertThat(bearers(server.seen())).containsExactly("Bearer " + OLD, "Bearer " + NEW);
        }

        @Test
        void unauthorized_sameTokenAgain_isNotSentAgain() throws Exception {
            Store store = new Store();
            OkHttpClient client = client(store.source());
            server.on("/v1/x", request -> guarded(request, NEW));

            try (Response response = client.newCall(to("/v1/x").build()).execute()) {
                assertThat(response.code()).isEqualTo(401);
                assertThat(response.body().string()).isEqualTo("who are you?");
            }
            assertThat(server.seen()).hasSize(1);
            assertThat(store.fetches).hasValue(2);
            await().untilAsserted(() -> assertThat(events).hasAtLeastOneElementOfType(TokenEvent.Rejected.class));
        }

        @Test
        void unauthorized_sourceFails_callerGetsThe401() throws Exception {
            AtomicInteger fetches = new AtomicInteger();
            OkHttpClient client = client(TokenSources.of("a store", () -> {
                if (fetches.getAndIncrement() > 0) {
                    throw new IllegalStateException("down, and it was " + OLD);
                }
                return TokenDocument.of(OLD);
            }));
            server.on("/v1/x", request -> guarded(request, NEW));

            try (Response response = client.newCall(to("/v1/x").build()).execute()) {
                assertThat(response.code()).isEqualTo(401);
                assertThat(response.body().string()).isEqualTo("who are you?");
            }
            assertThat(server.seen()).hasSize(1);
        }

        @Test
        void unauthorized_everyTime_isTriedTwiceAtMost() throws Exception {
            AtomicInteger fetches = new AtomicInteger();
            OkHttpClient client =
                    client(TokenSources.of("a store", () -> TokenDocument.of(NEW + fetches.incrementAndGet())));
            server.on("/v1/x", Answer.of(401, "no"));

            try (Response response = client.newCall(to("/v1/x").build()).execute()) {
                assertThat(response.code()).isEqualTo(401);
                assertThat(response.body().string()).isEqualTo("no");
            }
            assertThat(bearers(server.seen())).containsExactly("Bearer " + NEW + "1", "Bearer " + NEW + "2");
            assertThat(fetches).hasValue(2);
        }

        @Test
        void unauthorized_bodyCanBeSentAgain_isSentAgain() throws Exception {
            Store store = new Store();
            OkHttpClient client = client(store.source());
            server.on("/v1/x", request -> guarded(request, NEW));
            store.value = NEW;
            AtomicInteger written = new AtomicInteger();

            try (Response response = client.newCall(
                            to("/v1/x").post(body(false, written)).build())
                    .execute()) {
                assertThat(response.code()).isEqualTo(200);
            }
            assertThat(written).hasValue(2);
            assertThat(server.seen()).extracting(Seen::body).containsExactly("payload", "payload");
        }

        @Test
        void unauthorized_bodyForOnce_callerGetsThe401AndTheNextCallTheNewToken() throws Exception {
            Store store = new Store();
            OkHttpClient client = client(store.source());
            server.on("/v1/x", request -> guarded(request, NEW));
            store.value = NEW;
            AtomicInteger written = new AtomicInteger();

            try (Response response = client.newCall(
                            to("/v1/x").post(body(true, written)).build())
                    .execute()) {
                assertThat(response.code()).isEqualTo(401);
                assertThat(response.body().string()).isEqualTo("who are you?");
            }
            assertThat(written).hasValue(1);
            assertThat(server.seen()).hasSize(1);

            try (Response response = client.newCall(
                            to("/v1/x").post(body(true, written)).build())
                    .execute()) {
                assertThat(response.code()).isEqualTo(200);
            }
            assertThat(store.fetches).hasValue(2);
        }

        @Test
        void forbidden_sourceIsNotAsked() throws Exception {
            Store store = new Store();
            OkHttpClient client = client(store.source());
            server.on("/v1/x", Answer.of(403, "not you"));
            store.value = NEW;

            try (Response response = client.newCall(to("/v1/x").build()).execute()) {
                assertThat(response.code()).isEqualTo(403);
            }
            assertThat(server.seen()).hasSize(1);
            assertThat(store.fetches).hasValue(1);
        }

        @Test
        void unauthorized_elsewhere_sourceIsNotAsked() throws Exception {
            Store store = new Store();
            OkHttpClient client = client(store.source());
            server.on("/v2", Answer.of(401, "no"));
            server.on("/v1/x", Answer.redirect(302, "/v2"));
            server.on("/v1/own", Answer.of(401, "no"));
            server.on("/v1/bare", Answer.of(401, "no"));
            store.value = NEW;

            for (Request request : List.of(
                    to("/v2").build(),
                    to("/v1/x").build(),
                    to("/v1/own").header("Authorization", "mine").build(),
                    to("/v1/bare").tag(TokenUse.class, TokenUse.none()).build())) {
                try (Response response = client.newCall(request).execute()) {
                    assertThat(response.code()).isEqualTo(401);
                }
            }
            assertThat(store.fetches).hasValue(1);
            assertThat(events).noneMatch(TokenEvent.Rejected.class::isInstance);
        }

        @Test
        void unauthorized_weGiveUp_usersAuthenticatorIsAsked() throws Exception {
            Store store = new Store();
            server.on("/v1/x", request -> guarded(request, NEWER));
            OkHttpClient client = client(store.source())
                    .newBuilder()
                    .authenticator((route, response) -> response.request().header("Authorization") != null
                            ? null
                            : response.request()
                                    .newBuilder()
                                    .header("Authorization", "Bearer " + NEWER)
                                    .build())
                    .build();

            try (Response response = client.newCall(to("/v1/x").build()).execute()) {
                assertThat(response.code()).isEqualTo(200);
            }
            assertThat(bearers(server.seen())).containsExactly("Bearer " + OLD, "Bearer " + NEWER);
        }

        @Test
        void unauthorized_afterRedirect_whatLedThereIsNotSentAgain() throws Exception {
            Store store = new Store();
            OkHttpClient client = client(store.source());
            server.on("/v1/post", Answer.redirect(303, "/v1/get"));
            server.on("/v1/get", request -> guarded(request, NEW));
            store.value = NEW;
            AtomicInteger written = new AtomicInteger();

            int code;
            try (Response response = client.newCall(
                            to("/v1/post").post(body(false, written)).build())
                    .execute()) {
                code = response.code();
            }

            assertThat(written).hasValue(1);
            assertThat(server.seen("/v1/post")).hasSize(1);
            // Before OkHttp 5.4 only the whole call could be sent again, so the 401 is the answer.
            assertThat(code).isEqualTo(SeamTest.isNew() ? 200 : 401);
            assertThat(bearers(server.seen("/v1/get")))
                    .isEqualTo(SeamTest.isNew() ? List.of("Bearer " + OLD, "Bearer " + NEW) : List.of("Bearer " + OLD));
        }

        @Test
        void unauthorized_fromManyThreads_sourceIsAskedOnceAGeneration() throws Exception {
            int threads = 500;
            Store store = new Store();
            TokenAgent agent = agent(store.source(), SentAs.BEARER);
            OkHttpClient client = agent.install(new OkHttpClient.Builder())
                    .connectionPool(new ConnectionPool(threads, 1, TimeUnit.MINUTES))
                    .build();
            // Nobody is answered before all have sent the old token.
            CyclicBarrier allThere = new CyclicBarrier(threads);
            server.on("/v1/x", request -> {
                Answer answer = guarded(request, NEW);
                if (answer.status() == 401) {
                    arriveAt(allThere);
                }
                return answer;
            });
            store.value = NEW;

            ExecutorService pool = Executors.newFixedThreadPool(threads);
            open.add(pool::shutdownNow);
            List<Future<Integer>> codes = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                codes.add(pool.submit(() -> {
                    try (Response response = client.newCall(to("/v1/x").build()).execute()) {
                        return response.code();
                    }
                }));
            }
            for (Future<Integer> code : codes) {
                assertThat(code.get()).isEqualTo(200);
            }

            assertThat(store.fetches).hasValue(2);
            assertThat(server.seen()).hasSize(2 * threads);
        }

        private void arriveAt(CyclicBarrier barrier) {
            try {
                barrier.await(50, TimeUnit.SECONDS);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }

    // --- from OkHttp 5.4 on ---

    @Test
    void unauthorized_usersAuthenticator_isAskedAfterUs() throws Exception {
        Store store = new Store();
        List<String> asked = new CopyOnWriteArrayList<>();
        server.on("/v1/x", request -> guarded(request, NEWER));
        TokenAgent agent = agent(store.source(), SentAs.BEARER);
        // Set after installing: the client's authenticator at the time of the call counts.
        OkHttpClient client = agent.install(new OkHttpClient.Builder())
                .authenticator((route, response) -> {
                    asked.add(agent.sentWith(response).orElseThrow().reveal());
                    return null;
                })
                .build();
        store.value = NEW;

        try (Response response = client.newCall(to("/v1/x").build()).execute()) {
            assertThat(response.code()).isEqualTo(401);
        }
        assertThat(bearers(server.seen())).containsExactly("Bearer " + OLD, "Bearer " + NEW);
        assertThat(asked).containsExactly(NEW);
    }

    @Test
    void unauthorized_usersAuthenticatorSentTheSameTokenAgain_aNewOneIsStillTried() throws Exception {
        PushedSource pushed = TokenSources.pushed();
        pushed.set(OLD);
        TokenAgent agent = agent(pushed, SentAs.BEARER);
        AtomicInteger asked = new AtomicInteger();
        OkHttpClient client = agent.install(new OkHttpClient.Builder())
                .authenticator((route, response) -> asked.getAndIncrement() == 0 ? response.request() : null)
                .build();
        server.on("/v1/x", request -> {
            if (server.seen().size() == 2) {
                pushed.set(NEW);
            }
            return guarded(request, NEW);
        });

        try (Response response = client.newCall(to("/v1/x").build()).execute()) {
            assertThat(response.code()).isEqualTo(200);
        }
        assertThat(bearers(server.seen())).containsExactly("Bearer " + OLD, "Bearer " + OLD, "Bearer " + NEW);
    }

    @Test
    void unauthorized_secondTryIsRedirected_thatHopMayBeSentAgainToo() throws Exception {
        Store store = new Store();
        OkHttpClient client = client(store.source());
        server.on(
                "/v1/x",
                request ->
                        guarded(request, NEW).status() == 401 ? Answer.of(401, "no") : Answer.redirect(307, "/v1/y"));
        server.on("/v1/y", request -> {
            store.value = NEWER;
            return guarded(request, NEWER);
        });
        store.value = NEW;

        try (Response response = client.newCall(to("/v1/x").build()).execute()) {
            assertThat(response.code()).isEqualTo(200);
        }
        assertThat(bearers(server.seen()))
                .containsExactly("Bearer " + OLD, "Bearer " + NEW, "Bearer " + NEW, "Bearer " + NEWER);
    }

    @Test
    void unauthorized_redirectFromAStranger_hopIsSentAgain() throws Exception {
        Store store = new Store();
        OkHttpClient client = client(store.source());
        RecordingServer stranger = server();
        stranger.on("/start", Answer.redirect(302, server.url("/v1/x")));
        server.on("/v1/x", request -> guarded(request, NEW));
        store.value = NEW;

        Request request = new Request.Builder().url(stranger.url("/start")).build();
        try (Response response = client.newCall(request).execute()) {
            assertThat(response.code()).isEqualTo(200);
        }
        assertThat(stranger.seen()).hasSize(1);
        assertThat(bearers(server.seen())).containsExactly("Bearer " + OLD, "Bearer " + NEW);
    }

    @Test
    void unauthorized_twoAgentsOnOneRequest_theOneThatHasAnotherTokenIsHeard() throws Exception {
        Store unchanged = new Store();
        Store changed = new Store();
        TokenAgent bearer = agent(unchanged.source(), SentAs.BEARER);
        TokenAgent key = agent(changed.source(), SentAs.API_KEY);
        OkHttpClient client = key.install(client(bearer));
        server.on("/v1/x", request -> guarded(request, SentAs.API_KEY, NEW));
        changed.value = NEW;

        try (Response response = client.newCall(to("/v1/x").build()).execute()) {
            assertThat(response.code()).isEqualTo(200);
            assertThat(bearer.sentWith(response))
                    .hasValueSatisfying(token -> assertThat(token.reveal()).isEqualTo(OLD));
            assertThat(key.sentWith(response))
                    .hasValueSatisfying(token -> assertThat(token.reveal()).isEqualTo(NEW));
        }
        assertThat(server.seen()).hasSize(2);
    }
}
