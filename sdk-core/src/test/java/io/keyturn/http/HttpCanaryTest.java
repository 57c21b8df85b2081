package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.event.TokenEvent;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.net.URI;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whatever goes wrong with a request: nothing that is said of it holds the token. */
@Tag("okhttp-floor")
class HttpCanaryTest {
    @RegisterExtension
    final Canary canary = new Canary();

    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private RecordingServer server;

    @BeforeEach
    void start() {
        server = RecordingServer.start();
    }

    @AfterEach
    void close() {
        server.close();
    }

    private Request to(String path) {
        return new Request.Builder().url(server.url(path)).build();
    }

    /** An agent whose source gives the token once, and then fails with a message that holds it. */
    private TokenAgent agent(SentAs sentAs) throws IOException {
        AtomicInteger fetches = new AtomicInteger();
        return TokenAgent.builder()
                .token(
                        "api",
                        TokenSources.of("a store", () -> {
                            if (fetches.getAndIncrement() > 0) {
                                throw new IllegalStateException("was " + canary.token());
                            }
                            return TokenDocument.of(canary.token());
                        }),
                        t -> t.endpoint(server.url("/v1"))
                                .sendAs(sentAs.placement)
                                .policy((token, destination) -> {
                                    String path = destination.uri().getPath();
                                    if (path.endsWith("/denied")) {
                                        throw new TokenDeniedException(Reason.DESTINATION, "not " + token, null);
                                    }
                                    if (path.endsWith("/broken")) {
                                        throw new IllegalStateException("saw " + token.reveal());
                                    }
                                }))
                .listener(events::add)
                .listener(canary.listener())
                .start();
    }

    /** The answer's own text, without what OkHttp tells of the request on the wire to who asks for that. */
    private void send(OkHttpClient client, Request request, int expected) throws IOException {
        try (Response response = client.newCall(request).execute()) {
            assertThat(response.code()).isEqualTo(expected);
            canary.saw("response", response)
                    .saw("headers", response.headers())
                    .saw("request", response.request())
                    .saw("tag", response.networkResponse().request().tag(Sent.class));
        }
    }

    private void fail(OkHttpClient client, Request request) {
        canary.caught(IOException.class, () -> client.newCall(request).execute().close());
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void failures_ofEveryKind_holdNoToken(SentAs sentAs) throws Exception {
        RecordingServer stranger = RecordingServer.start();
        server.on("/v1/401", Answer.of(401, ""));
        server.on(
                "/v1/away",
                request -> Answer.redirect(302, stranger.url(request.target().toString())));
        server.on("/v1/broken-answer", Answer.of(200, "").with("Location", "http://[::"));
        TokenAgent agent = agent(sentAs);
        OkHttpClient client = agent.install(new OkHttpClient.Builder()).build();

        send(client, to("/v1/x"), 200);
        send(client, to("/v1/401"), 401);
        send(client, to("/v1/away"), 200);
        send(client, to("/v1/broken-answer"), 200);
        fail(client, to("/v1/denied"));
        fail(client, to("/v1/broken"));
        fail(
                client,
                to("/v1")
                        .newBuilder()
                        .tag(TokenUse.class, TokenUse.named("other"))
                        .build());
        fail(
                client,
                to("/v2")
                        .newBuilder()
                        .tag(TokenUse.class, TokenUse.named("api"))
                        .build());
        canary.saw("attachment", agent.authorize("GET", URI.create(server.url("/v1"))))
                .saw("use", TokenUse.named("api"))
                .saw("placement", sentAs.placement);
        Request alone = to("/v1/away");
        fail(new OkHttpClient.Builder().addInterceptor(agent.interceptor()).build(), alone);
        stranger.close();
        fail(client, to("/v1/away"));

        agent.close();
        fail(client, to("/v1/x"));

        // All have been told, so that the canary has seen all.
        Awaitility.await()
                .until(() -> events.stream().anyMatch(TokenEvent.RefreshFailed.class::isInstance)
                        && events.stream()
                                        .filter(TokenEvent.Denied.class::isInstance)
                                        .count()
                                >= 5);
    }
}
