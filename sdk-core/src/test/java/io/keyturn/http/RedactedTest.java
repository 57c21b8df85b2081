package io.keyturn.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import okhttp3.Call;
import okhttp3.EventListener;
import okhttp3.HttpUrl;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** {@code agent.redacted(…)}, wherever a request can be seen: what docs/logging.md says. */
@Tag("okhttp-floor")
class RedactedTest {
    private static final String TOKEN = "ktn_redacted+7Qm2Xv9/LrT4wZ8c1==";

    private final List<AutoCloseable> open = new ArrayList<>();
    private final List<Request> seen = new CopyOnWriteArrayList<>();
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
    }

    private TokenAgent agent(String name, Placement placement) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token(
                        name,
                        TokenSources.value(TOKEN),
                        t -> t.endpoint(server.url("/v1")).sendAs(placement))
                .start();
        open.add(agent);
        return agent;
    }

    private Response see(Interceptor.Chain chain) throws IOException {
        seen.add(chain.request());
        return chain.proceed(chain.request());
    }

    private Request post() {
        return new Request.Builder()
                .url(server.url("/v1/x?page=2&own=%2F%20"))
                .header("X-Own", "own")
                .post(RequestBody.create("body".getBytes(UTF_8)))
                .build();
    }

    /** All of a request as somebody may print it. */
    private static String printed(Request request) {
        return request + "\n" + request.url() + "\n" + request.headers().toMultimap();
    }

    private static boolean leaks(Request request) {
        String text = printed(request);
        return SentAs.forms(TOKEN).anyMatch(text::contains);
    }

    private static void send(OkHttpClient client, Request request) throws IOException {
        client.newCall(request).execute().close();
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void redacted_networkInterceptorAfterOurs_showsFingerprintAndAllElse(SentAs sentAs) throws Exception {
        TokenAgent agent = agent("api", sentAs.placement);
        send(
                agent.install(new OkHttpClient.Builder())
                        .addNetworkInterceptor(this::see)
                        .build(),
                post());

        Request request = seen.get(0);
        assertThat(leaks(request)).isTrue();
        Request shown = agent.redacted(request);

        assertThat(leaks(shown)).as(printed(shown)).isFalse();
        String mark = "api#" + agent.provider("api").get().fingerprint();
        String place = shown.headers().get(sentAs.field);
        assertThat(place == null ? shown.url().queryParameter(sentAs.field) : place)
                .endsWith(mark);
        assertThat(shown.method()).isEqualTo("POST");
        assertThat(shown.body()).isSameAs(request.body());
        assertThat(shown.headers().newBuilder().removeAll(sentAs.field).build())
                .isEqualTo(
                        request.headers().newBuilder().removeAll(sentAs.field).build());
        assertThat(without(shown.url(), sentAs.field)).isEqualTo(without(request.url(), sentAs.field));
        assertThat(leaks(request)).as("the request itself is as it was").isTrue();
    }

    private static HttpUrl without(HttpUrl url, String parameter) {
        return url.newBuilder().removeAllQueryParameters(parameter).build();
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void redacted_networkInterceptorBeforeOurs_hasNothingToHide(SentAs sentAs) throws Exception {
        TokenAgent agent = agent("api", sentAs.placement);
        send(
                agent.install(new OkHttpClient.Builder().addNetworkInterceptor(this::see))
                        .build(),
                post());
        assertThat(leaks(seen.get(0))).isFalse();
        assertThat(agent.redacted(seen.get(0))).isSameAs(seen.get(0));
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void redacted_networkResponseAndEventListener_holdNoToken(SentAs sentAs) throws Exception {
        TokenAgent agent = agent("api", sentAs.placement);
        OkHttpClient client = agent.install(new OkHttpClient.Builder())
                .eventListener(new EventListener() {
                    @Override
                    public void requestHeadersEnd(Call call, Request request) {
                        seen.add(request);
                    }
                })
                .build();
        try (Response response = client.newCall(post()).execute()) {
            Request network = response.networkResponse().request();
            assertThat(leaks(agent.redacted(network))).isFalse();
            assertThat(leaks(response.request())).isFalse();
            // A query would be in every text that is made of an answer, so it is taken out there.
            assertThat(SentAs.forms(TOKEN)).noneMatch(response.networkResponse().toString()::contains);
            assertThat(agent.sentWith(response)).isPresent();
        }
        assertThat(leaks(seen.get(0))).isTrue();
        assertThat(leaks(agent.redacted(seen.get(0)))).isFalse();
    }

    @Test
    void redacted_twoAgents_hidesBoth() throws Exception {
        TokenAgent first = agent("first", Placement.bearer());
        TokenAgent second = agent("second", Placement.query("api_key"));
        send(
                second.install(first.install(new OkHttpClient.Builder()))
                        .addNetworkInterceptor(this::see)
                        .build(),
                post());
        Request shown = first.redacted(seen.get(0));
        assertThat(leaks(shown)).isFalse();
        assertThat(printed(shown)).contains("Bearer first#", "api_key=second%23");
    }

    @Test
    void redacted_callersOwnCredential_isShown() throws Exception {
        TokenAgent agent = agent("api", Placement.bearer());
        send(
                agent.install(new OkHttpClient.Builder())
                        .addNetworkInterceptor(this::see)
                        .build(),
                post().newBuilder().header("Authorization", "own").build());
        assertThat(agent.redacted(seen.get(0))).isSameAs(seen.get(0));
        assertThat(seen.get(0).header("Authorization")).isEqualTo("own");
    }

    @Test
    void redacted_hopElsewhere_hasNothingToHide() throws Exception {
        server.on("/v1/x", Answer.redirect(302, "/elsewhere"));
        TokenAgent agent = agent("api", Placement.bearer());
        send(
                agent.install(new OkHttpClient.Builder())
                        .addNetworkInterceptor(this::see)
                        .build(),
                post());
        assertThat(seen).hasSize(2);
        assertThat(leaks(agent.redacted(seen.get(0)))).isFalse();
        assertThat(agent.redacted(seen.get(1))).isSameAs(seen.get(1));
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void redacted_tokenInTheCallsOwnRequest_isHidden(SentAs sentAs) throws Exception {
        if (!SeamTest.isNew()) {
            return;
        }
        TokenAgent agent = agent("api", sentAs.placement);
        send(
                new OkHttpClient.Builder()
                        .addInterceptor(agent.interceptor())
                        .addInterceptor(this::see)
                        .build(),
                post());
        assertThat(leaks(seen.get(0))).isTrue();
        assertThat(leaks(agent.redacted(seen.get(0)))).isFalse();
    }
}
