package io.keyturn.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.TokenAgent;
import io.keyturn.TokenOptions;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Token;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import okhttp3.Cache;
import okhttp3.CacheControl;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** A client with OkHttp's cache: nobody is served another's answer, and no token comes to the disk. */
@Tag("okhttp-floor")
class CacheTest {
    private static final String A = "ktn_cache_A_7Qm2Xv9LrT4wZ8c1";
    private static final String B = "ktn_cache_B_5Hd3Kp6NsY0bJ2f9";

    private final List<AutoCloseable> open = new ArrayList<>();
    private @TempDir Path folder;
    private Cache cache;
    private RecordingServer server;

    @BeforeEach
    void start() {
        cache = new Cache(folder.resolve("http").toFile(), 1 << 20);
        open.add(cache);
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

    private TokenAgent agent(String value, SentAs sentAs, Consumer<TokenOptions> more) throws IOException {
        Consumer<TokenOptions> options = t -> t.endpoint(server.url("/v1")).sendAs(sentAs.placement);
        TokenAgent agent = TokenAgent.builder()
                .token("api", TokenSources.value(value), options.andThen(more))
                .start();
        open.add(agent);
        return agent;
    }

    private TokenAgent agent(String value, SentAs sentAs) throws IOException {
        return agent(value, sentAs, t -> {});
    }

    private OkHttpClient client(TokenAgent agent) {
        return agent.install(new OkHttpClient.Builder()).cache(cache).build();
    }

    private Request to(String path) {
        return new Request.Builder().url(server.url(path)).build();
    }

    private static String body(OkHttpClient client, Request request) throws IOException {
        try (Response response = client.newCall(request).execute()) {
            return response.body().string();
        }
    }

    /** A greeting by name, that may be kept for an hour. */
    private static Answer greeting(Seen request, SentAs sentAs, String vary) {
        String who = sentAs.carries(request, A) ? "a" : sentAs.carries(request, B) ? "b" : "nobody";
        Answer answer = Answer.ok("hello " + who).with("Cache-Control", "max-age=3600");
        return vary.isEmpty() ? answer : answer.with("Vary", vary);
    }

    /** All that lies in the cache's folder. */
    private String onDisk() throws IOException {
        cache.flush();
        StringBuilder all = new StringBuilder();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                all.append(file.getFileName()).append('\n').append(Files.readString(file, ISO_8859_1));
            }
        }
        return all.toString();
    }

    private void assertNothingOfOursOnDisk() throws IOException {
        String onDisk = onDisk();
        assertThat(Stream.of(A, B).flatMap(SentAs::forms)).noneMatch(onDisk::contains);
    }

    static Stream<Arguments> everyAnswer() {
        return Stream.of(SentAs.values())
                .flatMap(sentAs -> Stream.of("", "Authorization", "Authorization, X-Api-Key, X-Vendor-Auth", "*")
                        .map(vary -> Arguments.of(sentAs, vary)));
    }

    @ParameterizedTest
    @MethodSource("everyAnswer")
    void cache_twoTokensAndNone_eachGetsItsOwnAnswer(SentAs sentAs, String vary) throws Exception {
        OkHttpClient a = client(agent(A, sentAs));
        OkHttpClient b = client(agent(B, sentAs));
        server.on("/v1/me", request -> greeting(request, sentAs, vary));
        Request none =
                to("/v1/me").newBuilder().tag(TokenUse.class, TokenUse.none()).build();

        assertThat(body(a, to("/v1/me"))).isEqualTo("hello a");
        assertThat(body(b, to("/v1/me"))).isEqualTo("hello b");
        assertThat(body(a, none)).isEqualTo("hello nobody");
        assertThat(body(a, to("/v1/me"))).isEqualTo("hello a");
        assertThat(body(b, none)).isEqualTo("hello nobody");
        assertThat(body(b, to("/v1/me"))).isEqualTo("hello b");

        assertThat(server.seen()).hasSize(6);
        assertThat(onDisk()).doesNotContain("hello");
        assertNothingOfOursOnDisk();
    }

    @Test
    void cache_undeclaredUrl_worksAsWithoutUs() throws Exception {
        OkHttpClient client = client(agent(A, SentAs.BEARER));
        server.on("/v2", request -> greeting(request, SentAs.BEARER, ""));

        assertThat(body(client, to("/v2"))).isEqualTo("hello nobody");
        assertThat(body(client, to("/v2"))).isEqualTo("hello nobody");

        assertThat(server.seen()).hasSize(1);
        assertThat(onDisk()).contains("hello nobody");
    }

    @Test
    void cache_filledWithoutUs_isNotRead() throws Exception {
        server.on("/v1/me", request -> greeting(request, SentAs.BEARER, ""));
        OkHttpClient plain = new OkHttpClient.Builder().cache(cache).build();
        assertThat(body(plain, to("/v1/me"))).isEqualTo("hello nobody");

        OkHttpClient client = agent(A, SentAs.BEARER).install(plain);
        assertThat(body(client, to("/v1/me"))).isEqualTo("hello a");
    }

    @Test
    void cache_onlyIfCached_isUnsatisfiable() throws Exception {
        OkHttpClient client = client(agent(A, SentAs.BEARER));
        server.on("/v1/me", request -> greeting(request, SentAs.BEARER, ""));
        body(client, to("/v1/me"));

        Request cached =
                to("/v1/me").newBuilder().cacheControl(CacheControl.FORCE_CACHE).build();
        try (Response response = client.newCall(cached).execute()) {
            assertThat(response.code()).isEqualTo(504);
        }
        assertThat(server.seen()).hasSize(1);
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void cache_redirectFromUndeclaredUrl_answerOfTheEndpointIsNotKept(SentAs sentAs) throws Exception {
        RecordingServer stranger = server();
        stranger.on("/start", Answer.redirect(301, server.url("/v1/me")).with("Cache-Control", "max-age=3600"));
        server.on("/v1/me", request -> greeting(request, sentAs, "Authorization"));
        OkHttpClient a = client(agent(A, sentAs));
        OkHttpClient b = client(agent(B, sentAs));
        Request start = new Request.Builder().url(stranger.url("/start")).build();

        assertThat(body(a, start)).isEqualTo("hello a");
        assertThat(body(b, start)).isEqualTo("hello b");
        assertThat(body(a, start)).isEqualTo("hello a");

        assertThat(server.seen()).hasSize(3);
        assertThat(onDisk()).doesNotContain("hello");
        assertNothingOfOursOnDisk();
    }

    @Test
    void cache_redirectToUndeclaredUrl_isNotKeptAndAnswersNobodyElse() throws Exception {
        server.on("/v1/me", Answer.redirect(302, "/v2"));
        server.on("/v2", request -> greeting(request, SentAs.API_KEY, ""));
        OkHttpClient client = client(agent(A, SentAs.API_KEY));

        assertThat(body(client, to("/v1/me"))).isEqualTo("hello nobody");
        assertThat(body(client, to("/v1/me"))).isEqualTo("hello nobody");
        assertNothingOfOursOnDisk();
    }

    @ParameterizedTest
    @MethodSource("everyAnswer")
    void allowCache_answerIsKeptWithoutTheToken(SentAs sentAs, String vary) throws Exception {
        TokenAgent agent = agent(A, sentAs, t -> t.allow("cache"));
        OkHttpClient client = client(agent);
        server.on("/v1/me", request -> greeting(request, sentAs, vary));

        try (Response response = client.newCall(to("/v1/me")).execute()) {
            assertThat(response.body().string()).isEqualTo("hello a");
            assertThat(agent.sentWith(response)).map(Token::reveal).hasValue(A);
        }
        try (Response response = client.newCall(to("/v1/me")).execute()) {
            assertThat(response.body().string()).isEqualTo("hello a");
            boolean kept = !vary.equals("*");
            assertThat(response.cacheResponse() != null).isEqualTo(kept);
            assertThat(agent.sentWith(response).isPresent()).isEqualTo(!kept);
        }

        assertThat(server.seen()).hasSize(vary.equals("*") ? 2 : 1).allMatch(seen -> sentAs.carries(seen, A));
        assertNothingOfOursOnDisk();
    }

    @Test
    void allowCache_answerIsAskedForAgain_carriesTheToken() throws Exception {
        TokenAgent agent = agent(A, SentAs.BEARER, t -> t.allow("cache"));
        OkHttpClient client = client(agent);
        server.on(
                "/v1/me",
                request -> request.header("If-None-Match").isEmpty()
                        ? Answer.ok("hello").with("ETag", "\"1\"").with("Vary", "Authorization")
                        : Answer.of(304, "").with("ETag", "\"1\""));

        assertThat(body(client, to("/v1/me"))).isEqualTo("hello");
        try (Response response = client.newCall(to("/v1/me")).execute()) {
            assertThat(response.body().string()).isEqualTo("hello");
            assertThat(response.cacheResponse()).isNotNull();
            assertThat(agent.sentWith(response)).map(Token::reveal).hasValue(A);
        }

        assertThat(server.seen()).hasSize(2).allMatch(seen -> SentAs.BEARER.carries(seen, A));
        assertNothingOfOursOnDisk();
    }

    @Test
    void allowCache_oneOfTwoTokensOfAUrlForbidsIt_isNotKept() throws Exception {
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "a",
                        TokenSources.value(A),
                        t -> t.endpoint(server.url("/v1")).allow("cache"))
                .token(
                        "b",
                        TokenSources.value(B),
                        t -> t.endpoint(server.url("/v1")).attachByName())
                .start();
        open.add(agent);
        OkHttpClient client = client(agent);
        server.on("/v1/me", request -> greeting(request, SentAs.BEARER, ""));
        Request named = to("/v1/me")
                .newBuilder()
                .tag(TokenUse.class, TokenUse.named("b"))
                .build();

        assertThat(body(client, to("/v1/me"))).isEqualTo("hello a");
        assertThat(body(client, named)).isEqualTo("hello b");
        assertThat(body(client, to("/v1/me"))).isEqualTo("hello a");
        assertThat(onDisk()).doesNotContain("hello");
    }

    // --- what keeps the cache out must not be seen ---

    @Test
    void cacheControl_ofTheCaller_arrivesAsItWas() throws Exception {
        OkHttpClient client = client(agent(A, SentAs.BEARER));
        server.on("/v1/again", Answer.redirect(302, "/v2"));

        assertThat(body(client, to("/v1/me"))).isEqualTo("ok");
        body(
                client,
                to("/v1/me").newBuilder().header("Cache-Control", "max-age=7").build());
        body(client, to("/v1/again"));

        assertThat(server.seen())
                .extracting(seen -> seen.header("Cache-Control"))
                .containsExactly(List.of(), List.of("max-age=7"), List.of(), List.of());
    }

    @Test
    void response_requestOfTheCaller_isAsItWas() throws Exception {
        OkHttpClient client = client(agent(A, SentAs.BEARER));
        Request request =
                to("/v1/me").newBuilder().header("Cache-Control", "max-age=7").build();
        Request again;
        try (Response response = client.newCall(request).execute()) {
            assertThat(response.request().headers()).isEqualTo(request.headers());
            assertThat(response.networkResponse().request().headers("Cache-Control"))
                    .containsExactly("max-age=7");
            again = response.request()
                    .newBuilder()
                    .url(server.url("/v2"))
                    .header("Cache-Control", "max-age=8")
                    .build();
        }
        body(client, again);
        assertThat(server.seen("/v2").get(0).header("Cache-Control")).containsExactly("max-age=8");
    }

    @Test
    void networkInterceptorAlone_answerIsNotKept() throws Exception {
        TokenAgent a = agent(A, SentAs.BEARER);
        TokenAgent b = agent(B, SentAs.BEARER);
        server.on("/v1/me", request -> greeting(request, SentAs.BEARER, "Authorization"));
        OkHttpClient.Builder cached = new OkHttpClient.Builder().cache(cache);
        OkHttpClient first = cached.build()
                .newBuilder()
                .addNetworkInterceptor(a.interceptor())
                .build();
        OkHttpClient second = cached.build()
                .newBuilder()
                .addNetworkInterceptor(b.interceptor())
                .build();

        assertThat(body(first, to("/v1/me"))).isEqualTo("hello a");
        assertThat(body(second, to("/v1/me"))).isEqualTo("hello b");
        assertThat(onDisk()).doesNotContain("hello");
        assertNothingOfOursOnDisk();
    }
}
