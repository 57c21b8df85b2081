package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.TokenAgent;
import io.keyturn.event.TokenEvent;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.WebSocket;
import okhttp3.WebSocketListener;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Handshakes of WebSockets, which OkHttp sends past all network interceptors. */
@Timeout(60)
class WebSocketTest {
    private static final String TOKEN = "ktn_websocket_7Qm2Xv9LrT4wZ8c1";
    private static final String NEXT = "ktn_websocket_5Hd3Kp6NsY0bJ2f9";

    private final List<AutoCloseable> open = new ArrayList<>();
    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private RecordingServer server;

    /** How a handshake ended, and what was heard after it. */
    private static final class Handshake extends WebSocketListener {
        final CompletableFuture<Response> opened = new CompletableFuture<>();
        final CompletableFuture<Throwable> failure = new CompletableFuture<>();
        final CompletableFuture<Integer> status = new CompletableFuture<>();
        final CompletableFuture<String> message = new CompletableFuture<>();

        @Override
        public void onOpen(WebSocket socket, Response response) {
            opened.complete(response);
        }

        @Override
        public void onMessage(WebSocket socket, String text) {
            message.complete(text);
        }

        @Override
        public void onFailure(WebSocket socket, Throwable t, Response response) {
            failure.complete(t);
            status.complete(response == null ? 0 : response.code());
        }

        static Handshake of(OkHttpClient client, Request request) {
            Handshake handshake = new Handshake();
            client.newWebSocket(request, handshake);
            return handshake;
        }

        static <T> T get(CompletableFuture<T> future) throws Exception {
            return future.get(30, TimeUnit.SECONDS);
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

    private TokenAgent agent(TokenSource source, SentAs sentAs, String endpoint) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token("api", source, t -> t.endpoint(endpoint).sendAs(sentAs.placement))
                .listener(events::add)
                .start();
        open.add(agent);
        return agent;
    }

    private OkHttpClient client(SentAs sentAs) throws IOException {
        return client(agent(TokenSources.value(TOKEN), sentAs, server.url("/v1")));
    }

    private static OkHttpClient client(TokenAgent agent) {
        return agent.install(new OkHttpClient.Builder()).build();
    }

    private Request to(String path) {
        return new Request.Builder().url(server.url(path)).build();
    }

    /** The same with every OkHttp that we support; the server answers every handshake 200, which is a failure. */
    @Nested
    @Tag("okhttp-floor")
    class WithAnyOkHttp {
        @ParameterizedTest
        @EnumSource(SentAs.class)
        void handshake_declaredEndpoint_carriesTheTokenOrSaysWhatItNeeds(SentAs sentAs) throws Exception {
            Handshake handshake = Handshake.of(client(sentAs), to("/v1/ws"));

            Throwable failure = Handshake.get(handshake.failure);
            if (SeamTest.isNew()) {
                assertThat(Handshake.get(handshake.status)).isEqualTo(200);
                assertThat(sentAs.carries(server.only(), TOKEN)).isTrue();
            } else {
                assertThat(failure)
                        .isInstanceOfSatisfying(
                                TokenDeniedException.class,
                                e -> assertThat(e.reason()).isEqualTo(Reason.DESTINATION))
                        .hasMessageContaining("WebSocket")
                        .hasMessageContaining("OkHttp 5.4");
                assertThat(server.seen()).isEmpty();
            }
        }

        @Test
        void handshake_undeclaredHost_getsNothing() throws Exception {
            Handshake handshake = Handshake.of(client(SentAs.API_KEY), to("/v2/ws"));
            assertThat(Handshake.get(handshake.status)).isEqualTo(200);
            assertThat(SentAs.API_KEY.leaks(server.only(), TOKEN)).isFalse();
        }

        @Test
        void handshake_redirectFromUndeclaredHostToEndpoint_goesBare() throws Exception {
            server.on("/v2/ws", Answer.redirect(302, "/v1/ws"));
            Handshake handshake = Handshake.of(client(SentAs.API_KEY), to("/v2/ws"));
            assertThat(Handshake.get(handshake.status)).isEqualTo(200);
            assertThat(server.seen()).hasSize(2).noneMatch(seen -> SentAs.API_KEY.leaks(seen, TOKEN));
        }

        @Test
        void handshake_withNone_getsNothing() throws Exception {
            Request none = to("/v1/ws")
                    .newBuilder()
                    .tag(TokenUse.class, TokenUse.none())
                    .build();
            Handshake handshake = Handshake.of(client(SentAs.BEARER), none);
            assertThat(Handshake.get(handshake.status)).isEqualTo(200);
            assertThat(SentAs.BEARER.leaks(server.only(), TOKEN)).isFalse();
        }

        @Test
        void handshake_callerHasSetTheHeader_callersStays() throws Exception {
            Request own = to("/v1/ws").newBuilder().header("X-Api-Key", "mine").build();
            Handshake handshake = Handshake.of(client(SentAs.API_KEY), own);
            assertThat(Handshake.get(handshake.status)).isEqualTo(200);
            assertThat(server.only().header("X-Api-Key")).containsExactly("mine");
            Awaitility.await()
                    .untilAsserted(() -> assertThat(events).hasAtLeastOneElementOfType(TokenEvent.Overridden.class));
        }

        @Test
        void handshake_namedOutsideItsEndpoints_isDenied() throws Exception {
            Request named = to("/v2/ws")
                    .newBuilder()
                    .tag(TokenUse.class, TokenUse.named("api"))
                    .build();
            Handshake handshake = Handshake.of(client(SentAs.API_KEY), named);
            assertThat(Handshake.get(handshake.failure)).isInstanceOf(TokenDeniedException.class);
            assertThat(server.seen()).isEmpty();
        }
    }

    // --- from OkHttp 5.4 on ---

    private MockWebServer socketServer() throws IOException {
        MockWebServer socketServer = new MockWebServer();
        socketServer.start();
        open.add(socketServer);
        return socketServer;
    }

    private static MockResponse upgrade() {
        return new MockResponse.Builder()
                .webSocketUpgrade(new WebSocketListener() {
                    @Override
                    public void onOpen(WebSocket socket, Response response) {
                        socket.send("hello");
                        socket.close(1000, null);
                    }
                })
                .build();
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void handshake_realUpgrade_carriesTheTokenAndShowsItToNobody(SentAs sentAs) throws Exception {
        MockWebServer socketServer = socketServer();
        socketServer.enqueue(upgrade());
        String url = socketServer.url("/v1/ws").toString();
        TokenAgent agent = agent(TokenSources.value(TOKEN), sentAs, url);

        Handshake handshake =
                Handshake.of(client(agent), new Request.Builder().url(url).build());

        Response response = Handshake.get(handshake.opened);
        assertThat(Handshake.get(handshake.message)).isEqualTo("hello");
        assertThat(response.request().url()).hasToString(url);
        assertThat(response.request().headers().names()).doesNotContain(sentAs.field);
        assertThat(agent.sentWith(response)).map(Token::reveal).hasValue(TOKEN);
        RecordedRequest request = socketServer.takeRequest();
        assertThat(
                        sentAs == SentAs.QUERY
                                ? request.getUrl().queryParameter(sentAs.field)
                                : request.getHeaders().get(sentAs.field))
                .isEqualTo(sentAs.expected(TOKEN));
    }

    @Test
    void handshake_placeholder_isFilled() throws Exception {
        Request placeholder =
                to("/v1/ws").newBuilder().header("X-Api-Key", "keyturn:api").build();
        Handshake handshake = Handshake.of(client(SentAs.API_KEY), placeholder);
        assertThat(Handshake.get(handshake.status)).isEqualTo(200);
        assertThat(SentAs.API_KEY.carries(server.only(), TOKEN)).isTrue();
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void handshake_redirectToStranger_isCancelledAndStrangerSeesNothing(SentAs sentAs) throws Exception {
        RecordingServer stranger = server();
        server.on("/v1/ws", Answer.redirect(302, stranger.url("/landed?own=secret")));

        Handshake handshake = Handshake.of(client(sentAs), to("/v1/ws"));

        assertThat(Handshake.get(handshake.failure))
                .isInstanceOf(TokenDeniedException.class)
                .hasMessageContaining("a redirect to " + stranger.url("/landed") + " was not followed");
        assertThat(sentAs.carries(server.only(), TOKEN)).isTrue();
        assertThat(stranger.seen()).isEmpty();
        Awaitility.await()
                .untilAsserted(() -> assertThat(events)
                        .filteredOn(TokenEvent.Denied.class::isInstance)
                        .singleElement()
                        .satisfies(event -> assertThat(event.toString()).doesNotContain("own=secret")));
    }

    @Test
    void handshake_redirectOutOfThePath_isCancelled() throws Exception {
        server.on("/v1/ws", Answer.redirect(307, "/v10/ws"));
        Handshake handshake = Handshake.of(client(SentAs.BEARER), to("/v1/ws"));
        assertThat(Handshake.get(handshake.failure)).isInstanceOf(TokenDeniedException.class);
        assertThat(server.seen()).hasSize(1);
    }

    @Test
    void handshake_redirectWithinTheEndpoint_takesTheTokenAlong() throws Exception {
        server.on("/v1/ws", Answer.redirect(307, "/v1/ws/"));
        Handshake handshake = Handshake.of(client(SentAs.BEARER), to("/v1/ws"));
        assertThat(Handshake.get(handshake.status)).isEqualTo(200);
        assertThat(server.seen()).hasSize(2).allMatch(seen -> SentAs.BEARER.carries(seen, TOKEN));
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void handshake_unauthorizedAndTokenChanged_isTriedOnceMore(SentAs sentAs) throws Exception {
        PushedSource pushed = TokenSources.pushed();
        pushed.set(TOKEN);
        server.on("/v1/ws", request -> {
            boolean old = sentAs.carries(request, TOKEN);
            pushed.set(NEXT);
            return Answer.of(old ? 401 : 403, "");
        });

        Handshake handshake = Handshake.of(client(agent(pushed, sentAs, server.url("/v1"))), to("/v1/ws"));

        assertThat(Handshake.get(handshake.status)).isEqualTo(403);
        List<Seen> seen = server.seen();
        assertThat(seen).hasSize(2);
        assertThat(sentAs.carries(seen.get(0), TOKEN)).isTrue();
        assertThat(sentAs.carries(seen.get(1), NEXT)).isTrue();
    }

    @Test
    void handshake_unauthorizedAndTokenTheSame_failsAtOnce() throws Exception {
        server.on("/v1/ws", Answer.of(401, ""));
        Handshake handshake = Handshake.of(client(SentAs.BEARER), to("/v1/ws"));
        assertThat(Handshake.get(handshake.status)).isEqualTo(401);
        assertThat(server.seen()).hasSize(1);
    }

    @Test
    void handshake_afterClose_fails() throws Exception {
        TokenAgent agent = agent(TokenSources.value(TOKEN), SentAs.BEARER, server.url("/v1"));
        OkHttpClient client = client(agent);
        agent.close();
        Handshake handshake = Handshake.of(client, to("/v1/ws"));
        assertThat(Handshake.get(handshake.failure)).hasMessage("agent closed");
        assertThat(server.seen()).isEmpty();
    }
}
