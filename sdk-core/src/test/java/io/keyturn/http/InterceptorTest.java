package io.keyturn.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.event.TokenEvent;
import io.keyturn.policy.Destination;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import okhttp3.Call;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** {@code agent.interceptor()}, for an SDK that takes one interceptor and nothing else. */
class InterceptorTest {
    private static final String TOKEN = "ktn_interceptor_7Qm2Xv9LrT4wZ8c1";
    private static final String NEXT = "ktn_interceptor_5Hd3Kp6NsY0bJ2f9";

    private final List<AutoCloseable> open = new ArrayList<>();
    private final List<Destination> asked = new CopyOnWriteArrayList<>();
    private RecordingServer server;
    private RecordingServer stranger;

    @BeforeEach
    void start() {
        server = RecordingServer.start();
        open.add(server);
        stranger = RecordingServer.start();
        open.add(stranger);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    private TokenAgent agent(TokenSource source, SentAs sentAs, String... endpoints) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "api",
                        source,
                        t -> t.endpoint(endpoints)
                                .sendAs(sentAs.placement)
                                .policy((token, destination) -> asked.add(destination)))
                .start();
        open.add(agent);
        return agent;
    }

    private TokenAgent agent(SentAs sentAs) throws IOException {
        return agent(TokenSources.value(TOKEN), sentAs, server.url("/v1"));
    }

    private Request to(String path) {
        return new Request.Builder().url(server.url(path)).build();
    }

    private static OkHttpClient application(TokenAgent agent) {
        return new OkHttpClient.Builder().addInterceptor(agent.interceptor()).build();
    }

    private static OkHttpClient network(TokenAgent agent) {
        return new OkHttpClient.Builder()
                .addNetworkInterceptor(agent.interceptor())
                .build();
    }

    private static int status(OkHttpClient client, Request request) throws IOException {
        try (Response response = client.newCall(request).execute()) {
            return response.code();
        }
    }

    /** The same with every OkHttp that we support. */
    @Nested
    @Tag("okhttp-floor")
    class WithAnyOkHttp {
        @ParameterizedTest
        @EnumSource(SentAs.class)
        void network_attachesHopByHop(SentAs sentAs) throws Exception {
            server.on("/v1/x", Answer.redirect(302, stranger.url("/x")));
            stranger.on("/x", Answer.redirect(302, server.url("/v1/y")));

            assertThat(status(network(agent(sentAs)), to("/v1/x"))).isEqualTo(200);

            assertThat(server.seen()).hasSize(2).allMatch(seen -> sentAs.carries(seen, TOKEN));
            assertThat(sentAs.leaks(stranger.only(), TOKEN)).isFalse();
        }

        @Test
        void network_afterClose_fails() throws Exception {
            TokenAgent agent = agent(SentAs.BEARER);
            agent.close();
            Call call = network(agent).newCall(to("/v1/x"));
            assertThatThrownBy(call::execute).hasMessage("agent closed");
            assertThat(server.seen()).isEmpty();
        }

        @ParameterizedTest
        @EnumSource(SentAs.class)
        void application_attachesOrSaysWhatItNeeds(SentAs sentAs) throws Exception {
            TokenAgent agent = agent(sentAs);
            Call call = application(agent).newCall(to("/v1/x"));
            if (!SeamTest.isNew()) {
                assertThatThrownBy(call::execute)
                        .isInstanceOf(TokenDeniedException.class)
                        .hasMessageContaining("agent.interceptor()")
                        .hasMessageContaining("OkHttp 5.4")
                        .hasMessageContaining("agent.install()");
                assertThat(server.seen()).isEmpty();
                return;
            }
            try (Response response = call.execute()) {
                assertThat(response.code()).isEqualTo(200);
                assertThat(response.request().headers().names()).doesNotContain(sentAs.field);
                assertThat(response.request().url()).hasToString(server.url("/v1/x"));
                assertThat(agent.sentWith(response)).isPresent();
            }
            assertThat(sentAs.carries(server.only(), TOKEN)).isTrue();
        }

        @Test
        void application_undeclaredUrl_goesBare() throws Exception {
            assertThat(status(application(agent(SentAs.BEARER)), to("/v2"))).isEqualTo(200);
            assertThat(SentAs.BEARER.leaks(server.only(), TOKEN)).isFalse();
        }
    }

    // --- as an application interceptor, from OkHttp 5.4 on ---

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void application_redirectToStranger_failsTheCall(SentAs sentAs) throws Exception {
        server.on("/v1/x", Answer.redirect(307, stranger.url("/landed?own=secret")));
        Call call = application(agent(sentAs)).newCall(to("/v1/x"));

        assertThatThrownBy(call::execute)
                .isInstanceOfSatisfying(
                        TokenDeniedException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DESTINATION))
                .hasMessageStartingWith("a redirect to " + stranger.url("/landed") + " was not followed");

        assertThat(sentAs.carries(server.only(), TOKEN)).isTrue();
        assertThat(stranger.seen()).isEmpty();
    }

    @Test
    void application_redirectsNotFollowed_callerGetsTheRedirect() throws Exception {
        server.on("/v1/x", Answer.redirect(302, stranger.url("/landed")));
        OkHttpClient client = application(agent(SentAs.BEARER))
                .newBuilder()
                .followRedirects(false)
                .build();
        assertThat(status(client, to("/v1/x"))).isEqualTo(302);
    }

    @Test
    void application_redirectWithinTheEndpoint_takesTheTokenAlong() throws Exception {
        server.on("/v1/x", Answer.redirect(303, "/v1/y"));
        Request post = to("/v1/x")
                .newBuilder()
                .post(RequestBody.create("payload".getBytes(UTF_8)))
                .build();

        TokenAgent agent = agent(SentAs.API_KEY);
        try (Response response = application(agent).newCall(post).execute()) {
            assertThat(response.code()).isEqualTo(200);
            assertThat(response.request().url()).hasToString(server.url("/v1/y"));
            assertThat(response.request().headers().names()).doesNotContain("X-Api-Key");
            assertThat(agent.sentWith(response)).isPresent();
        }

        assertThat(server.seen()).hasSize(2).allMatch(seen -> SentAs.API_KEY.carries(seen, TOKEN));
        assertThat(asked)
                .extracting(destination ->
                        destination.method() + " " + destination.uri().getPath())
                .containsExactly("POST /v1/x", "GET /v1/y");
    }

    @Test
    void application_redirectToAnotherEndpointOfTheToken_headerThatOkHttpDropsIsNotMissed() throws Exception {
        server.on("/v1/x", Answer.redirect(302, stranger.url("/v1/y")));
        String[] both = {server.url("/v1"), stranger.url("/v1")};

        assertThat(status(application(agent(TokenSources.value(TOKEN), SentAs.API_KEY, both)), to("/v1/x")))
                .isEqualTo(200);
        assertThat(SentAs.API_KEY.carries(stranger.only(), TOKEN)).isTrue();

        // OkHttp takes Authorization out where the host or the port changes; the hop would go bare.
        stranger.forget();
        Call call = application(agent(TokenSources.value(TOKEN), SentAs.BEARER, both))
                .newCall(to("/v1/x"));
        assertThatThrownBy(call::execute).isInstanceOf(TokenDeniedException.class);
        assertThat(stranger.seen()).isEmpty();
    }

    @Test
    void application_redirectWithAnotherValueInTheTokensPlace_failsTheCall() throws Exception {
        server.on("/v1/x", Answer.redirect(302, "/v1/y?api_key=theirs"));
        Call call = application(agent(SentAs.QUERY)).newCall(to("/v1/x"));
        assertThatThrownBy(call::execute).isInstanceOf(TokenDeniedException.class);
        assertThat(server.seen()).hasSize(1);
    }

    @Test
    void application_redirectToTheEndpointOfAnotherToken_failsTheCall() throws Exception {
        TokenAgent agent = TokenAgent.builder()
                .token("api", TokenSources.value(TOKEN), t -> t.endpoint(server.url("/v1")))
                .token("deeper", TokenSources.value(NEXT), t -> t.endpoint(server.url("/v1/deeper")))
                .start();
        open.add(agent);
        server.on("/v1/x", Answer.redirect(302, "/v1/deeper"));
        Call call = application(agent).newCall(to("/v1/x"));
        assertThatThrownBy(call::execute).isInstanceOf(TokenDeniedException.class);
        assertThat(server.seen()).hasSize(1);
    }

    @Test
    void application_redirectThatThePolicyDenies_failsTheCall() throws Exception {
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "api",
                        TokenSources.value(TOKEN),
                        t -> t.endpoint(server.url("/v1")).policy((token, destination) -> {
                            if (destination.uri().getPath().endsWith("/y")) {
                                throw new TokenDeniedException(Reason.DESTINATION, "not there", null);
                            }
                        }))
                .start();
        open.add(agent);
        server.on("/v1/x", Answer.redirect(302, "/v1/y"));
        Call call = application(agent).newCall(to("/v1/x"));
        assertThatThrownBy(call::execute).hasMessage("not there");
        assertThat(server.seen()).hasSize(1);
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void application_unauthorizedAndTokenChanged_isSentOnceMore(SentAs sentAs) throws Exception {
        PushedSource pushed = TokenSources.pushed();
        pushed.set(TOKEN);
        server.on("/v1/x", request -> {
            pushed.set(NEXT);
            return Answer.of(sentAs.carries(request, NEXT) ? 200 : 401, "");
        });
        TokenAgent agent = agent(pushed, sentAs, server.url("/v1"));

        assertThat(status(application(agent), to("/v1/x"))).isEqualTo(200);
        assertThat(server.seen()).hasSize(2);
    }

    @Test
    void application_callCancelledByItsCaller_failsAsCancelled() throws Exception {
        OkHttpClient client = application(agent(SentAs.BEARER));
        Call call = client.newCall(to("/v1/x"));
        server.on("/v1/x", request -> {
            call.cancel();
            return Answer.ok("");
        });
        assertThatThrownBy(call::execute).isInstanceOf(IOException.class).isNotInstanceOf(TokenDeniedException.class);
    }

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void application_besideInstall_attachesOnce(boolean ourselvesFirst) throws Exception {
        TokenAgent agent = agent(SentAs.QUERY);
        OkHttpClient.Builder builder = new OkHttpClient.Builder();
        OkHttpClient client = ourselvesFirst
                ? agent.install(builder).addInterceptor(agent.interceptor()).build()
                : agent.install(builder.addInterceptor(agent.interceptor())).build();
        List<TokenEvent.Overridden> overridden = new CopyOnWriteArrayList<>();
        agent.listen(event -> {
            if (event instanceof TokenEvent.Overridden each) {
                overridden.add(each);
            }
        });
        assertThat(status(client, to("/v1/x"))).isEqualTo(200);
        assertThat(SentAs.QUERY.carries(server.only(), TOKEN)).isTrue();

        // Events come in order: had our own token been taken for the caller's, this would have been told before.
        status(client, to("/v1/own?" + SentAs.QUERY.field + "=mine"));
        await().untilAsserted(() -> assertThat(overridden).isNotEmpty());
        assertThat(overridden).allSatisfy(event -> assertThat(event.url()).isEqualTo(server.url("/v1/own")));
    }
}
