package io.keyturn.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.TokenAgent;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import okhttp3.Call;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The token is on the requests to its endpoints, and on no other hop of a call, whatever the server answers, with every
 * OkHttp that we support. RedirectMatrixTest has all redirects over HTTP/2, too.
 */
@Tag("okhttp-floor")
class RedirectTest {
    private static final String TOKEN = "ktn_redirect+7Qm2Xv9/LrT4wZ8c1==";

    private final List<AutoCloseable> open = new ArrayList<>();

    /** What differs between the endpoint and the place that a redirect leads to. */
    enum Elsewhere {
        HOST,
        PORT,
        SCHEME,
        PATH
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    private RecordingServer server() {
        RecordingServer server = RecordingServer.start();
        open.add(server);
        return server;
    }

    private RecordingServer tlsServer() {
        RecordingServer server = RecordingServer.startTls();
        open.add(server);
        return server;
    }

    private TokenAgent agent(SentAs sentAs, String endpoint) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "api",
                        TokenSources.value(TOKEN),
                        t -> t.endpoint(endpoint).sendAs(sentAs.placement))
                .start();
        open.add(agent);
        return agent;
    }

    private static OkHttpClient client(TokenAgent agent) {
        return RecordingServer.trustedBy(agent.install(new OkHttpClient.Builder()))
                .build();
    }

    private static Request post(String url) {
        return new Request.Builder()
                .url(url)
                .post(RequestBody.create("body".getBytes(UTF_8)))
                .build();
    }

    /** With and without the body; RedirectMatrixTest has every status. */
    static Stream<Arguments> everyRedirect() {
        return Stream.of(302, 307)
                .flatMap(status -> Stream.of(Elsewhere.values())
                        .flatMap(elsewhere ->
                                Stream.of(SentAs.values()).map(sentAs -> Arguments.of(status, elsewhere, sentAs))));
    }

    @ParameterizedTest
    @MethodSource("everyRedirect")
    void redirect_leadsElsewhere_goesBare(int status, Elsewhere elsewhere, SentAs sentAs) throws Exception {
        RecordingServer home = elsewhere == Elsewhere.SCHEME ? tlsServer() : server();
        RecordingServer stranger = server();
        String target = switch (elsewhere) {
            case HOST -> home.url("localhost", "/v1/landed");
            case PORT, SCHEME -> stranger.url("/v1/landed");
            case PATH -> home.url("/v10/landed");
        };
        home.on("/v1/start", Answer.redirect(status, target));
        TokenAgent agent = agent(sentAs, home.url("/v1"));

        try (Response response =
                client(agent).newCall(post(home.url("/v1/start"))).execute()) {
            assertThat(response.code()).isEqualTo(200);
            assertThat(response.request().url()).hasToString(target);
            assertThat(agent.sentWith(response)).isEmpty();
        }

        List<Seen> landed = new ArrayList<>(home.seen());
        Seen start = landed.remove(0);
        landed.addAll(stranger.seen());
        assertThat(sentAs.carries(start, TOKEN)).isTrue();
        assertThat(landed).singleElement().satisfies(seen -> {
            assertThat(seen.path()).endsWith("/landed");
            assertThat(seen.method()).isEqualTo(status < 307 ? "GET" : "POST");
            assertThat(sentAs.leaks(seen, TOKEN)).as("%s", seen).isFalse();
        });
    }

    static Stream<Arguments> everyWayBack() {
        return Stream.of(302, 307)
                .flatMap(status -> Stream.of(SentAs.values()).map(sentAs -> Arguments.of(status, sentAs)));
    }

    @ParameterizedTest
    @MethodSource("everyWayBack")
    void redirect_toStrangerAndBack_carriesTokenAtHomeOnly(int status, SentAs sentAs) throws Exception {
        RecordingServer home = server();
        RecordingServer stranger = server();
        home.on("/v1/start", Answer.redirect(status, stranger.url("localhost", "/away")));
        stranger.on("/away", Answer.redirect(status, home.url("/v1/home")));
        TokenAgent agent = agent(sentAs, home.url("/v1"));

        try (Response response =
                client(agent).newCall(post(home.url("/v1/start"))).execute()) {
            assertThat(response.code()).isEqualTo(200);
            assertThat(agent.sentWith(response))
                    .hasValueSatisfying(token -> assertThat(token.name()).isEqualTo("api"));
            assertThat(response.request().url()).hasToString(home.url("/v1/home"));
            assertThat(response.request().headers().names()).doesNotContain(sentAs.field);
        }

        assertThat(home.seen()).extracting(Seen::path).containsExactly("/v1/start", "/v1/home");
        assertThat(home.seen()).allMatch(seen -> sentAs.carries(seen, TOKEN));
        assertThat(sentAs.leaks(stranger.only(), TOKEN)).isFalse();
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void redirect_strangerToEndpoint_carriesTokenAtEndpoint(SentAs sentAs) throws Exception {
        RecordingServer home = server();
        RecordingServer stranger = server();
        stranger.on("/start", Answer.redirect(302, home.url("/v1/landed")));

        try (Response response = client(agent(sentAs, home.url("/v1")))
                .newCall(post(stranger.url("/start")))
                .execute()) {
            assertThat(response.code()).isEqualTo(200);
        }

        assertThat(sentAs.leaks(stranger.only(), TOKEN)).isFalse();
        assertThat(sentAs.carries(home.only(), TOKEN)).isTrue();
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void redirect_withinEndpoint_carriesTokenOnBothHops(SentAs sentAs) throws Exception {
        RecordingServer home = server();
        home.on("/v1/start", Answer.redirect(307, "landed"));

        try (Response response = client(agent(sentAs, home.url("/v1")))
                .newCall(post(home.url("/v1/start")))
                .execute()) {
            assertThat(response.code()).isEqualTo(200);
        }

        assertThat(home.seen()).hasSize(2).allMatch(seen -> sentAs.carries(seen, TOKEN));
    }

    /** What a reader, or a server, would take for something else than OkHttp does. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "//localhost:STRANGER/v1/x",
                "http://127.0.0.1:HOME@localhost:STRANGER/v1/x",
                "http://127.0.0.1:HOME%2Fv1@localhost:STRANGER/v1/x",
                "http:\\\\localhost:STRANGER\\v1\\x",
                "/v1/../admin",
                "/v1/%2e%2e/admin",
                "/v1/.%2E/admin",
                "/v1/..\\admin",
                "/v1/..%2fadmin",
                "/v1/..%5cadmin",
                "/v1/x/..;/..;/admin",
                "/v1%2fadmin",
                "/V1/admin",
                "/v1.evil/admin",
                "/admin?x=/v1/",
                "/admin#/v1/"
            })
    void redirect_locationInDisguise_goesBare(String location) throws Exception {
        RecordingServer home = server();
        RecordingServer stranger = server();
        home.on(
                "/v1/start",
                Answer.redirect(
                        302, location.replace("HOME", "" + home.port()).replace("STRANGER", "" + stranger.port())));

        try (Response response = client(agent(SentAs.API_KEY, home.url("/v1")))
                .newCall(post(home.url("/v1/start")))
                .execute()) {
            assertThat(response.priorResponse()).isNotNull();
        }

        List<Seen> others = new ArrayList<>(home.seen());
        assertThat(SentAs.API_KEY.carries(others.remove(0), TOKEN)).isTrue();
        others.addAll(stranger.seen());
        assertThat(others).noneMatch(seen -> SentAs.API_KEY.leaks(seen, TOKEN));
    }

    @Test
    void redirect_serverRepeatsTheQuery_tokenIsTakenOut() throws Exception {
        RecordingServer home = server();
        RecordingServer stranger = server();
        home.on(
                "/v1/start",
                request -> Answer.redirect(302, stranger.url(request.target().toString()) + "&own=1"));
        TokenAgent agent = agent(SentAs.QUERY, home.url("/v1"));

        try (Response response =
                client(agent).newCall(post(home.url("/v1/start?page=2"))).execute()) {
            assertThat(response.request().url()).hasToString(stranger.url("/v1/start?page=2&own=1"));
        }

        assertThat(SentAs.QUERY.carries(home.only(), TOKEN)).isTrue();
        assertThat(SentAs.QUERY.leaks(stranger.only(), TOKEN)).isFalse();
    }

    @Test
    void redirect_serverRepeatsTheUrlInAParameter_tokenIsTakenOut() throws Exception {
        RecordingServer home = server();
        RecordingServer stranger = server();
        home.on("/v1/start", request -> {
            HttpUrl self = HttpUrl.get(home.url(request.target().toString()));
            return Answer.redirect(
                    302,
                    HttpUrl.get(stranger.url("/login"))
                            .newBuilder()
                            .addQueryParameter("return_to", self.toString())
                            .addQueryParameter("own", "1")
                            .build()
                            .toString());
        });

        try (Response response = client(agent(SentAs.QUERY, home.url("/v1")))
                .newCall(post(home.url("/v1/start")))
                .execute()) {
            assertThat(response.code()).isEqualTo(200);
        }

        assertThat(stranger.only().target().getQuery()).isEqualTo("own=1");
        assertThat(SentAs.QUERY.leaks(stranger.only(), TOKEN)).isFalse();
    }

    @Test
    void redirect_serverRepeatsTheQueryAtHome_tokenIsThereOnce() throws Exception {
        RecordingServer home = server();
        home.on(
                "/v1/start",
                request -> Answer.redirect(302, "/v1/landed?" + request.target().getRawQuery()));

        try (Response response = client(agent(SentAs.QUERY, home.url("/v1")))
                .newCall(post(home.url("/v1/start?page=2")))
                .execute()) {
            assertThat(response.request().url()).hasToString(home.url("/v1/landed?page=2"));
        }

        assertThat(home.seen()).hasSize(2).allMatch(seen -> SentAs.QUERY.carries(seen, TOKEN));
    }

    @Test
    void redirect_loop_endsWithTheTokenAtHomeOnly() throws Exception {
        RecordingServer home = server();
        RecordingServer stranger = server();
        home.on("/v1/loop", Answer.redirect(302, stranger.url("/loop")));
        stranger.on("/loop", Answer.redirect(302, home.url("/v1/loop")));

        Call call = client(agent(SentAs.BEARER, home.url("/v1"))).newCall(post(home.url("/v1/loop")));

        assertThatThrownBy(call::execute).hasMessageContaining("Too many follow-up requests");
        assertThat(home.seen()).hasSizeGreaterThan(5).allMatch(seen -> SentAs.BEARER.carries(seen, TOKEN));
        assertThat(stranger.seen()).hasSizeGreaterThan(5).noneMatch(seen -> SentAs.BEARER.leaks(seen, TOKEN));
    }
}
