package io.keyturn.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.TokenAgent;
import io.keyturn.TokenOptions;
import io.keyturn.config.ConfigException;
import io.keyturn.event.TokenEvent;
import io.keyturn.policy.Destination;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import okhttp3.Call;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Which request gets which token. */
@Tag("okhttp-floor")
class AttachTest {
    private static final String A = "ktn_attach_A_7Qm2Xv9LrT4wZ8c1";
    private static final String B = "ktn_attach_B_5Hd3Kp6NsY0bJ2f9";

    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private final List<TokenAgent> agents = new ArrayList<>();
    private RecordingServer server;

    @BeforeEach
    void start() {
        server = RecordingServer.start();
    }

    @AfterEach
    void close() {
        agents.forEach(TokenAgent::close);
        server.close();
    }

    private TokenAgent agent(Consumer<TokenAgent.Builder> tokens) throws IOException {
        TokenAgent.Builder builder = TokenAgent.builder().listener(events::add);
        tokens.accept(builder);
        TokenAgent agent = builder.start();
        agents.add(agent);
        return agent;
    }

    private TokenAgent agent(Placement placement, String... paths) throws IOException {
        String[] urls = List.of(paths).stream().map(server::url).toArray(String[]::new);
        return agent(
                b -> b.token("a", TokenSources.value(A), t -> t.endpoint(urls).sendAs(placement)));
    }

    private static OkHttpClient client(TokenAgent agent) {
        return agent.install(new OkHttpClient.Builder()).build();
    }

    private Request.Builder to(String path) {
        return new Request.Builder().url(server.url(path));
    }

    private Seen send(OkHttpClient client, Request.Builder request) throws IOException {
        server.forget();
        client.newCall(request.build()).execute().close();
        return server.only();
    }

    private static List<String> bearer(String token) {
        return List.of("Bearer " + token);
    }

    private <E extends TokenEvent> List<E> events(Class<E> type) {
        return events.stream().filter(type::isInstance).map(type::cast).toList();
    }

    // --- endpoints ---

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void attach_declaredEndpoint_carriesTokenInItsPlace(SentAs sentAs) throws Exception {
        TokenAgent agent = agent(sentAs.placement, "/");
        try (Response response = client(agent).newCall(to("/x?q=1").build()).execute()) {
            assertThat(response.request()).extracting(Request::url).hasToString(server.url("/x?q=1"));
            assertThat(response.request().headers()).isEmpty();
            assertThat(agent.sentWith(response)).map(Token::generation).hasValue(1L);
        }
        assertThat(sentAs.carries(server.only(), A)).isTrue();
        assertThat(server.only().target().getQuery()).startsWith("q=1");
    }

    @ParameterizedTest
    @CsvSource({
        "/v1, true",
        "/v1/, true",
        "/v1/me, true",
        "/v1/me/x?y=z, true",
        "/v1?x, true",
        "/%761/me, true",
        "/v1//x, true",
        "/v1/x/../y, true",
        "/, false",
        "/v10, false",
        "/v, false",
        "/V1, false",
        "/v1/../admin, false",
        "/v1/%2e%2e/admin, false",
        "/v1/..%2fadmin, false",
        "/v1/x%2f..%2f..%2fadmin, false",
        "/v1/..%5Cadmin, false",
        "/v1/..;x/admin, false",
        "/v1%2fme, false",
        "/x/v1, false",
        "/x//v1, false",
    })
    void attach_pathOfEndpoint_coversWholeSegmentsBelow(String path, boolean attached) throws Exception {
        OkHttpClient client = client(agent(Placement.bearer(), "/v1"));
        assertThat(send(client, to(path)).header("Authorization")).isEqualTo(attached ? bearer(A) : List.of());
    }

    @Test
    void attach_otherHostName_getsNothing() throws Exception {
        OkHttpClient client = client(agent(Placement.bearer(), "/"));
        Request.Builder request = new Request.Builder().url(server.url("localhost", "/"));
        assertThat(send(client, request).header("Authorization")).isEmpty();
    }

    @Test
    void attach_severalEndpoints_longestWins() throws Exception {
        OkHttpClient client = client(agent(b -> b.token(
                        "a", TokenSources.value(A), t -> t.endpoint(server.url("/v1"), server.url("/v1/x/y")))
                .token("b", TokenSources.value(B), t -> t.endpoint(server.url("/v1/x")))));

        assertThat(send(client, to("/v1/me")).header("Authorization")).isEqualTo(bearer(A));
        assertThat(send(client, to("/v1/x/me")).header("Authorization")).isEqualTo(bearer(B));
        assertThat(send(client, to("/v1/x/y")).header("Authorization")).isEqualTo(bearer(A));
        assertThat(send(client, to("/v2")).header("Authorization")).isEmpty();
    }

    @Test
    void start_twoTokensSameEndpoint_isConfigException() {
        TokenAgent.Builder builder = TokenAgent.builder()
                .token("a", TokenSources.value(A), t -> t.endpoint("https://api.example.com/v1/"))
                .token("b", TokenSources.value(B), t -> t.endpoint("https://API.example.com:443/v1"));
        assertThatThrownBy(builder::start)
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("'a'")
                .hasMessageContaining("'b'")
                .hasMessageContaining("by_name");
    }

    @Test
    void start_sameEndpointTwiceInOneToken_starts() throws Exception {
        OkHttpClient client = client(agent(Placement.bearer(), "/v1", "/v1/"));
        assertThat(send(client, to("/v1")).header("Authorization")).isEqualTo(bearer(A));
    }

    // --- what the request says ---

    private TokenAgent twoOnOneEndpoint() throws IOException {
        return agent(b -> b.token("a", TokenSources.value(A), t -> t.endpoint(server.url("/v1")))
                .token(
                        "b",
                        TokenSources.value(B),
                        t -> t.endpoint(server.url("/v1")).attachByName()));
    }

    private static Request.Builder with(Request.Builder request, TokenUse use) {
        return request.tag(TokenUse.class, use);
    }

    @Test
    void attach_byName_onlyWhenNamed() throws Exception {
        OkHttpClient client = client(twoOnOneEndpoint());

        assertThat(send(client, to("/v1")).header("Authorization")).isEqualTo(bearer(A));
        assertThat(send(client, with(to("/v1"), TokenUse.named("b"))).header("Authorization"))
                .isEqualTo(bearer(B));
        assertThat(send(client, with(to("/v1"), TokenUse.named("a"))).header("Authorization"))
                .isEqualTo(bearer(A));
        assertThat(send(client, with(to("/v1"), TokenUse.none())).header("Authorization"))
                .isEmpty();
    }

    @Test
    void attach_byNameWithALongerEndpoint_isNotChosenForIt() throws Exception {
        OkHttpClient client = client(agent(b -> b.token(
                        "b",
                        TokenSources.value(B),
                        t -> t.endpoint(server.url("/v1/x"), server.url("/v2")).attachByName())
                .token("a", TokenSources.value(A), t -> t.endpoint(server.url("/v1")))));

        assertThat(send(client, to("/v1/x")).header("Authorization")).isEqualTo(bearer(A));
        assertThat(send(client, to("/v2")).header("Authorization")).isEmpty();
    }

    @Test
    void attach_namedOutsideItsEndpoints_isDenied() throws Exception {
        TokenAgent agent = twoOnOneEndpoint();
        Call call = client(agent)
                .newCall(with(to("/v2?secret=1"), TokenUse.named("b")).build());

        assertThatThrownBy(call::execute)
                .isInstanceOfSatisfying(
                        TokenDeniedException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DESTINATION))
                .hasMessage("token 'b' may not go to " + server.url("/v2"));
        assertThat(server.seen()).isEmpty();
        await().untilAsserted(() -> assertThat(events(TokenEvent.Denied.class))
                .singleElement()
                .satisfies(event -> {
                    assertThat(event.token()).isEqualTo("b");
                    assertThat(event.url()).isEqualTo(server.url("/v2"));
                }));
    }

    @Test
    void attach_namedHopOutsideItsEndpoints_goesBare() throws Exception {
        OkHttpClient client = client(twoOnOneEndpoint());
        server.on("/v1", Answer.redirect(302, "/v2"));

        client.newCall(with(to("/v1"), TokenUse.named("b")).build()).execute().close();

        assertThat(server.seen("/v1"))
                .singleElement()
                .matches(seen -> seen.header("Authorization").equals(bearer(B)));
        assertThat(server.seen("/v2"))
                .singleElement()
                .matches(seen -> seen.header("Authorization").isEmpty());
    }

    @Test
    void attach_unknownName_isDeniedAndListsNames() throws Exception {
        Call call = client(twoOnOneEndpoint())
                .newCall(with(to("/v1"), TokenUse.named("c")).build());
        assertThatThrownBy(call::execute)
                .isInstanceOf(TokenDeniedException.class)
                .hasMessage("no token is named 'c'; known are: a, b");
        assertThat(server.seen()).isEmpty();
    }

    // --- the caller's own credentials ---

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void attach_callerHasSetIt_callersStays(SentAs sentAs) throws Exception {
        OkHttpClient client = client(agent(sentAs.placement, "/v1"));
        Request.Builder own = sentAs == SentAs.QUERY
                ? to("/v1?api_key=mine")
                : to("/v1").header(sentAs.field.toUpperCase(Locale.ROOT), "mine");

        Seen seen = send(client, own);

        assertThat(sentAs.found(seen)).containsExactly("mine");
        assertThat(SentAs.forms(A)).noneMatch(seen::holds);
        await().untilAsserted(() -> assertThat(events(TokenEvent.Overridden.class))
                .singleElement()
                .satisfies(event -> {
                    assertThat(event.token()).isEqualTo("a");
                    assertThat(event.url()).isEqualTo(server.url("/v1"));
                    assertThat(event.field()).endsWith(" " + sentAs.field);
                    assertThat(event.toString()).doesNotContain("mine");
                }));
    }

    @Test
    void attach_callersHeaderElsewhere_isNotTouched() throws Exception {
        OkHttpClient client = client(agent(Placement.header("X-Api-Key"), "/v1"));
        Seen seen = send(client, to("/v2").header("X-Api-Key", "mine").header("Authorization", "own"));
        assertThat(seen.header("X-Api-Key")).containsExactly("mine");
        assertThat(seen.header("Authorization")).containsExactly("own");
        assertThat(events(TokenEvent.Overridden.class)).isEmpty();
    }

    @Test
    void attach_callersOtherCredential_goesBesideOurs() throws Exception {
        OkHttpClient client = client(agent(Placement.header("X-Api-Key"), "/v1"));
        Seen seen = send(client, to("/v1").header("Authorization", "own"));
        assertThat(seen.header("X-Api-Key")).containsExactly(A);
        assertThat(seen.header("Authorization")).containsExactly("own");
    }

    // --- placeholder ---

    @Test
    void placeholder_inAnyForm_isFilledOnItsEndpoints() throws Exception {
        assertThat(agent(Placement.bearer(), "/v1").placeholder("a")).isEqualTo("keyturn:a");
        String basic = Base64.getEncoder().encodeToString("agent:keyturn:a".getBytes(UTF_8));

        OkHttpClient bearer = client(agent(Placement.bearer(), "/v1"));
        assertThat(send(bearer, to("/v1").header("Authorization", "Bearer keyturn:a"))
                        .header("Authorization"))
                .isEqualTo(bearer(A));
        assertThat(send(bearer, to("/v1").header("Authorization", "keyturn:a")).header("Authorization"))
                .isEqualTo(bearer(A));
        OkHttpClient key = client(agent(Placement.header("X-Api-Key"), "/v1"));
        assertThat(send(key, to("/v1").header("X-Api-Key", "keyturn:a")).header("X-Api-Key"))
                .containsExactly(A);
        OkHttpClient user = client(agent(Placement.basic("agent"), "/v1"));
        Seen withUser = send(user, to("/v1").header("Authorization", "Basic " + basic));
        assertThat(SentAs.BASIC.carries(withUser, A)).isTrue();
        OkHttpClient query = client(agent(Placement.query("api_key"), "/v1"));
        assertThat(SentAs.QUERY.carries(send(query, to("/v1?api_key=keyturn:a")), A))
                .isTrue();
        assertThat(SentAs.QUERY.carries(send(query, to("/v1?api_key=keyturn%3Aa")), A))
                .isTrue();

        assertThat(events(TokenEvent.Overridden.class)).isEmpty();
    }

    @Test
    void placeholder_elsewhere_isAHarmlessWord() throws Exception {
        OkHttpClient client = client(agent(Placement.header("X-Api-Key"), "/v1"));
        assertThat(send(client, to("/v2").header("X-Api-Key", "keyturn:a")).header("X-Api-Key"))
                .containsExactly("keyturn:a");

        server.forget();
        server.on("/v1", Answer.redirect(302, "/v2"));
        client.newCall(to("/v1").header("X-Api-Key", "keyturn:a").build())
                .execute()
                .close();
        assertThat(server.seen())
                .extracting(seen -> seen.header("X-Api-Key"))
                .containsExactly(List.of(A), List.of("keyturn:a"));
    }

    @Test
    void placeholder_withNone_isAHarmlessWord() throws Exception {
        OkHttpClient client = client(agent(Placement.bearer(), "/v1"));
        Request.Builder request = with(to("/v1"), TokenUse.none()).header("Authorization", "Bearer keyturn:a");
        assertThat(send(client, request).header("Authorization")).containsExactly("Bearer keyturn:a");
    }

    @Test
    void placeholder_ofTokenByName_namesIt() throws Exception {
        OkHttpClient client = client(twoOnOneEndpoint());
        Request.Builder request = to("/v1").header("Authorization", "Bearer keyturn:b");
        assertThat(send(client, request).header("Authorization")).isEqualTo(bearer(B));
    }

    @Test
    void placeholder_ofAnotherToken_isTheCallersOwnHeader() throws Exception {
        OkHttpClient client = client(agent(b -> b.token("a", TokenSources.value(A), t -> t.endpoint(server.url("/v1")))
                .token("b", TokenSources.value(B), t -> t.endpoint(server.url("/v2")))));
        Request.Builder request = to("/v1").header("Authorization", "Bearer keyturn:b");
        assertThat(send(client, request).header("Authorization")).containsExactly("Bearer keyturn:b");
    }

    @Test
    void placeholder_unknownToken_isIllegal() throws Exception {
        TokenAgent agent = agent(Placement.bearer(), "/v1");
        assertThatThrownBy(() -> agent.placeholder("b"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("known are: a");
    }

    // --- no token, no request ---

    @Test
    void attach_optionalTokenNotThere_failsTheCall() throws Exception {
        PushedSource pushed = TokenSources.pushed();
        OkHttpClient client = client(agent(
                b -> b.token("a", pushed, t -> t.endpoint(server.url("/v1")).optional())));

        Call call = client.newCall(to("/v1").build());
        assertThatThrownBy(call::execute)
                .isInstanceOf(IOException.class)
                .isInstanceOfSatisfying(
                        TokenUnavailableException.class,
                        e -> assertThat(e.reason()).isEqualTo(Reason.ABSENT))
                .hasMessageContaining("'a'");
        assertThat(server.seen()).isEmpty();
        assertThat(send(client, to("/v2")).header("Authorization")).isEmpty();

        pushed.set(A);
        assertThat(send(client, to("/v1")).header("Authorization")).isEqualTo(bearer(A));
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void attach_afterClose_failsAndNeverGoesBare(SentAs sentAs) throws Exception {
        TokenAgent agent = agent(sentAs.placement, "/v1");
        OkHttpClient client = client(agent);
        assertThat(sentAs.carries(send(client, to("/v1")), A)).isTrue();

        agent.close();

        server.forget();
        Call call = client.newCall(to("/v1").build());
        assertThatThrownBy(call::execute)
                .isInstanceOfSatisfying(
                        TokenDeniedException.class, e -> assertThat(e.reason()).isEqualTo(Reason.CLOSED))
                .hasMessage("agent closed");
        assertThat(server.seen()).isEmpty();
        assertThat(send(client, to("/v2")).path()).isEqualTo("/v2");
    }

    // --- rules of the program ---

    private TokenAgent withPolicy(TokenPolicy policy) throws IOException {
        Consumer<TokenOptions> options = t -> t.endpoint(server.url("/v1")).policy(policy);
        return agent(b -> b.token("a", TokenSources.value(A), options));
    }

    @Test
    void policy_seesEachHop_andItsAddress() throws Exception {
        List<Destination> asked = new CopyOnWriteArrayList<>();
        OkHttpClient client = client(withPolicy((token, destination) -> asked.add(destination)));
        server.on("/v1/x", Answer.redirect(302, "/v1/y"));

        client.newCall(to("/v1/x").build()).execute().close();

        assertThat(asked).extracting(destination -> destination.uri().getPath()).containsExactly("/v1/x", "/v1/y");
        assertThat(asked).allSatisfy(destination -> {
            assertThat(destination.method()).isEqualTo("GET");
            assertThat(destination.address())
                    .hasValueSatisfying(
                            address -> assertThat(address.isLoopbackAddress()).isTrue());
        });
    }

    @Test
    void policy_denies_requestIsNotSent() throws Exception {
        OkHttpClient client = client(withPolicy((token, destination) -> {
            throw new TokenDeniedException(Reason.DESTINATION, "not on a Sunday", null);
        }));
        Call call = client.newCall(to("/v1?own=secret").build());
        assertThatThrownBy(call::execute)
                .isInstanceOf(TokenDeniedException.class)
                .hasMessage("not on a Sunday");
        assertThat(server.seen()).isEmpty();
        await().untilAsserted(() -> assertThat(events(TokenEvent.Denied.class))
                .singleElement()
                .satisfies(event -> assertThat(event.url()).isEqualTo(server.url("/v1"))));
    }

    @Test
    void policy_fails_requestIsNotSentAndItsMessageIsNotTold() throws Exception {
        OkHttpClient client = client(withPolicy((token, destination) -> {
            throw new IllegalStateException("saw " + token.reveal());
        }));
        Call call = client.newCall(to("/v1").build());
        assertThatThrownBy(call::execute)
                .isInstanceOf(TokenDeniedException.class)
                .hasMessage("a policy failed with java.lang.IllegalStateException")
                .hasNoCause();
        assertThat(server.seen()).isEmpty();
        await().until(() -> events(TokenEvent.Denied.class).size() == 1);
        assertThat(events.toString()).doesNotContain(A);
    }

    // --- installing ---

    @Test
    void install_twice_isTheSameAsOnce() throws Exception {
        TokenAgent agent = agent(Placement.bearer(), "/v1");
        OkHttpClient.Builder builder = agent.install(agent.install(new OkHttpClient.Builder()));
        assertThat(builder.interceptors()).hasSize(1);
        assertThat(builder.networkInterceptors()).hasSize(1);
        OkHttpClient client = agent.install(agent.install(builder.build()));
        assertThat(client.interceptors()).hasSize(1);
        assertThat(client.networkInterceptors()).hasSize(1);
        assertThat(send(client, to("/v1")).header("Authorization")).isEqualTo(bearer(A));
    }

    @Test
    void install_onClientBuiltBefore_leavesThatAlone() throws Exception {
        OkHttpClient plain = new OkHttpClient();
        OkHttpClient client = agent(Placement.bearer(), "/v1").install(plain);
        assertThat(send(plain, to("/v1")).header("Authorization")).isEmpty();
        assertThat(send(client, to("/v1")).header("Authorization")).isEqualTo(bearer(A));
        assertThat(client.dispatcher()).isSameAs(plain.dispatcher());
    }

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void install_beforeOrAfterOtherInterceptors_givesTheSame(boolean ourselvesFirst) throws Exception {
        TokenAgent agent = agent(Placement.bearer(), "/v1");
        List<String> told = new CopyOnWriteArrayList<>();
        Interceptor application = chain -> {
            told.add("application " + chain.request().header("Authorization"));
            return chain.proceed(
                    chain.request().newBuilder().header("X-Own", "1").build());
        };
        Interceptor network = chain -> {
            told.add("network " + chain.request().header("X-Own"));
            return chain.proceed(chain.request());
        };
        OkHttpClient.Builder builder = new OkHttpClient.Builder();
        if (ourselvesFirst) {
            agent.install(builder).addInterceptor(application).addNetworkInterceptor(network);
        } else {
            agent.install(builder.addInterceptor(application).addNetworkInterceptor(network));
        }

        Seen seen = send(builder.build(), to("/v1"));

        assertThat(seen.header("Authorization")).isEqualTo(bearer(A));
        assertThat(seen.header("X-Own")).containsExactly("1");
        assertThat(told).containsExactly("application null", "network 1");
    }

    @Test
    void install_interceptorSetsItsOwnCredential_callersStays() throws Exception {
        OkHttpClient client = agent(Placement.bearer(), "/v1")
                .install(new OkHttpClient.Builder())
                .addInterceptor(chain -> chain.proceed(chain.request()
                        .newBuilder()
                        .header("Authorization", "own")
                        .build()))
                .build();
        assertThat(send(client, to("/v1")).header("Authorization")).containsExactly("own");
    }

    @Test
    void install_interceptorMovesTheRequest_tokenFollowsTheUrlOnTheWire() throws Exception {
        OkHttpClient client = agent(Placement.bearer(), "/v1")
                .install(new OkHttpClient.Builder())
                .addInterceptor(chain -> chain.proceed(chain.request()
                        .newBuilder()
                        .url(server.url(chain.request().header("X-To")))
                        .build()))
                .build();
        assertThat(send(client, to("/v1").header("X-To", "/v2")).header("Authorization"))
                .isEmpty();
        assertThat(send(client, to("/v2").header("X-To", "/v1")).header("Authorization"))
                .isEqualTo(bearer(A));
    }

    @Test
    void install_twoAgents_eachAttachesItsOwn() throws Exception {
        TokenAgent first = agent(
                b -> b.token("a", TokenSources.value(A), t -> t.endpoint(server.url("/v1"), server.url("/both"))));
        TokenAgent second = agent(b -> b.token(
                "b",
                TokenSources.value(B),
                t -> t.endpoint(server.url("/v2"), server.url("/both")).sendAs(Placement.header("X-Api-Key"))));
        OkHttpClient client = second.install(client(first));

        try (Response response = client.newCall(to("/v1").build()).execute()) {
            assertThat(first.sentWith(response)).map(Token::name).hasValue("a");
            assertThat(second.sentWith(response)).isEmpty();
        }
        try (Response response = client.newCall(to("/v2").build()).execute()) {
            assertThat(first.sentWith(response)).isEmpty();
            assertThat(second.sentWith(response)).map(Token::name).hasValue("b");
        }
        try (Response response = client.newCall(to("/both").build()).execute()) {
            assertThat(first.sentWith(response)).map(Token::name).hasValue("a");
            assertThat(second.sentWith(response)).map(Token::name).hasValue("b");
        }
        assertThat(server.seen("/v1").get(0).header("X-Api-Key")).isEmpty();
        assertThat(server.seen("/v2").get(0).header("Authorization")).isEmpty();
        Seen both = server.seen("/both").get(0);
        assertThat(both.header("Authorization")).isEqualTo(bearer(A));
        assertThat(both.header("X-Api-Key")).containsExactly(B);
    }

    // --- what is told of it ---

    @Test
    void sentWith_afterSwap_tellsTheVersionThatWasSent() throws Exception {
        PushedSource pushed = TokenSources.pushed();
        pushed.set(A);
        TokenAgent agent = agent(b -> b.token("a", pushed, t -> t.endpoint(server.url("/v1"))));
        OkHttpClient client = client(agent);
        try (Response response = client.newCall(to("/v1").build()).execute()) {
            pushed.set(B);
            assertThat(agent.sentWith(response)).map(Token::generation).hasValue(1L);
            assertThat(agent.sentWith(response)).map(Token::reveal).hasValue(A);
        }
        try (Response response = client.newCall(to("/v1").build()).execute()) {
            assertThat(agent.sentWith(response)).map(Token::generation).hasValue(2L);
            assertThat(agent.sentWith(response)).map(Token::fingerprint).hasValue(fingerprint(agent));
        }
        assertThat(server.seen())
                .extracting(seen -> seen.header("Authorization"))
                .containsExactly(bearer(A), bearer(B));
    }

    private static String fingerprint(TokenAgent agent) throws IOException {
        return agent.provider("a").get().fingerprint();
    }

    @Test
    void sentWith_noToken_isEmpty() throws Exception {
        TokenAgent agent = agent(Placement.bearer(), "/v1");
        try (Response response = client(agent).newCall(to("/v2").build()).execute()) {
            assertThat(agent.sentWith(response)).isEmpty();
        }
        try (Response response = new OkHttpClient().newCall(to("/v1").build()).execute()) {
            assertThat(agent.sentWith(response)).isEmpty();
        }
        assertThat(agent.sentWith(new Response.Builder()
                        .request(to("/v1").build())
                        .protocol(Protocol.HTTP_1_1)
                        .code(200)
                        .message("made up")
                        .build()))
                .isEmpty();
    }

    @Test
    void sentWith_tagOnTheWire_printsNoToken() throws Exception {
        TokenAgent agent = agent(Placement.bearer(), "/v1");
        try (Response response = client(agent).newCall(to("/v1").build()).execute()) {
            assertThat(response.networkResponse().request().tag(Sent.class)).hasToString("a#" + fingerprint(agent));
            assertThat(response.toString()).doesNotContain(A);
        }
    }
}
