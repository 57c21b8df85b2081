package io.keyturn.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.TokenAgent;
import io.keyturn.http.Sites.Hop;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import okhttp3.Call;
import okhttp3.Cookie;
import okhttp3.CookieJar;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every redirect, to everywhere that is not the endpoint, with every placement, over HTTP/1.1 and HTTP/2 with TLS, by
 * each way to install: the token is on the requests to its endpoint, and nothing of it on any other. Other hosts stand at
 * the same address with the same certificate, so that over HTTP/2 they even share the connection.
 */
@Timeout(120)
class RedirectMatrixTest {
    private static final String TOKEN = "ktn_matrix+7Qm2Xv9/LrT4wZ8c1==";
    private static final String NEXT = "ktn_matrix+5Hd3Kp6/NsY0bJ2f9==";
    private static final String HOME = "v1.api.test";
    private static final String STRANGER = "stranger.test";
    private static final List<Integer> STATUSES = List.of(301, 302, 303, 307, 308);
    private static final List<Protocol> PROTOCOLS = List.of(Protocol.HTTP_1_1, Protocol.HTTP_2);

    private static final Map<List<Object>, OkHttpClient> CLIENTS = new HashMap<>();
    private static final List<TokenAgent> AGENTS = new ArrayList<>();
    private static Sites sites;

    /** What differs between the endpoint and the place that a redirect leads to. */
    private enum Elsewhere {
        HOST {
            @Override
            String url() {
                return sites.tls(STRANGER, "/v1/landed");
            }
        },
        PORT {
            @Override
            String url() {
                return sites.otherTls(HOME, "/v1/landed");
            }
        },
        SCHEME {
            @Override
            String url() {
                return sites.plain(HOME, "/v1/landed");
            }
        },
        SUBDOMAIN {
            @Override
            String url() {
                return sites.tls("x." + HOME, "/v1/landed");
            }
        },
        PARENT_DOMAIN {
            @Override
            String url() {
                return sites.tls("api.test", "/v1/landed");
            }
        },
        PATH {
            @Override
            String url() {
                return sites.tls(HOME, "/v10/landed");
            }
        },
        AND_BACK {
            @Override
            String url() {
                return sites.tls(STRANGER, "/v1/away");
            }

            @Override
            List<String> way() {
                return List.of(url(), sites.tls(HOME, "/v1/landed"));
            }
        };

        abstract String url();

        /** Where the call is led, one after the other. */
        List<String> way() {
            return List.of(url());
        }
    }

    /** How a client comes by the token. */
    private enum Installed {
        INSTALL {
            @Override
            OkHttpClient.Builder on(OkHttpClient.Builder client, TokenAgent agent) {
                return agent.install(client);
            }
        },
        NETWORK_INTERCEPTOR {
            @Override
            OkHttpClient.Builder on(OkHttpClient.Builder client, TokenAgent agent) {
                return client.addNetworkInterceptor(agent.interceptor());
            }
        },
        APPLICATION_INTERCEPTOR {
            @Override
            OkHttpClient.Builder on(OkHttpClient.Builder client, TokenAgent agent) {
                return client.addInterceptor(agent.interceptor());
            }
        };

        abstract OkHttpClient.Builder on(OkHttpClient.Builder client, TokenAgent agent);
    }

    /** A caller's jar: it has one for everybody. */
    private static final class Cookies implements CookieJar {
        @Override
        public List<Cookie> loadForRequest(HttpUrl url) {
            return List.of(new Cookie.Builder()
                    .name("callers")
                    .value("own")
                    .domain(url.host())
                    .build());
        }

        @Override
        public void saveFromResponse(HttpUrl url, List<Cookie> cookies) {}
    }

    @BeforeAll
    static void start() throws IOException {
        sites = new Sites(HOME, "x." + HOME, "api.test", STRANGER);
        for (SentAs sentAs : SentAs.values()) {
            TokenAgent agent = agent(sentAs, TokenSources.value(TOKEN));
            AGENTS.add(agent);
            for (Protocol protocol : PROTOCOLS) {
                for (Installed installed : Installed.values()) {
                    CLIENTS.put(List.of(sentAs, protocol, installed), client(agent, protocol, installed));
                }
            }
        }
    }

    @AfterAll
    static void stop() {
        AGENTS.forEach(TokenAgent::close);
        AGENTS.clear();
        CLIENTS.clear();
        sites.close();
    }

    @BeforeEach
    void forget() {
        sites.forget();
    }

    private static TokenAgent agent(SentAs sentAs, TokenSource source) throws IOException {
        return TokenAgent.builder()
                .token("api", source, t -> t.endpoint(sites.tls(HOME, "/v1")).sendAs(sentAs.placement))
                .start();
    }

    private static OkHttpClient client(TokenAgent agent, Protocol protocol, Installed installed) {
        return installed
                .on(sites.client(protocol).cookieJar(new Cookies()), agent)
                .build();
    }

    private static Request start(String method) {
        RequestBody body = method.equals("POST") ? RequestBody.create("payload".getBytes(UTF_8)) : null;
        return new Request.Builder()
                .url(sites.tls(HOME, "/v1/start?page=2"))
                .method(method, body)
                .build();
    }

    /** Leads a call that begins at /v1/start along a way. */
    private static List<String> lead(int status, List<String> way) {
        List<String> urls = new ArrayList<>();
        urls.add(sites.tls(HOME, "/v1/start"));
        for (String next : way) {
            sites.on(urls.get(urls.size() - 1), Sites.redirect(status, next));
            urls.add(next);
        }
        return urls;
    }

    private static boolean isHome(String url) {
        return url.startsWith(sites.tls(HOME, "/v1/"));
    }

    private static void assertOnlyHomeSaw(SentAs sentAs, Protocol protocol, List<Hop> hops) {
        assertThat(hops).allSatisfy(hop -> {
            if (isHome(hop.url())) {
                assertThat(sentAs.carries(hop.seen(), TOKEN)).as("%s", hop).isTrue();
            } else {
                assertThat(sentAs.leaks(hop.seen(), TOKEN)).as("%s", hop).isFalse();
            }
            assertThat(hop.seen().header("Cookie")).containsExactly("callers=own");
            assertThat(hop.version())
                    .isEqualTo(protocol == Protocol.HTTP_2 && hop.url().startsWith("https") ? "HTTP/2" : "HTTP/1.1");
        });
    }

    private static Stream<Arguments> matrix(List<Integer> statuses, Installed... ways) {
        return Arrays.stream(ways)
                .flatMap(installed -> PROTOCOLS.stream()
                        .flatMap(protocol -> Stream.of(SentAs.values())
                                .flatMap(sentAs -> Stream.of(Elsewhere.values())
                                        .flatMap(elsewhere -> statuses.stream()
                                                .map(status -> Arguments.of(
                                                        status, elsewhere, sentAs, protocol, installed))))));
    }

    static Stream<Arguments> hopByHop() {
        return matrix(STATUSES, Installed.INSTALL, Installed.NETWORK_INTERCEPTOR);
    }

    @ParameterizedTest
    @MethodSource("hopByHop")
    void redirect_leadsElsewhere_onlyHomeSeesTheToken(
            int status, Elsewhere elsewhere, SentAs sentAs, Protocol protocol, Installed installed) throws Exception {
        List<String> way = lead(status, elsewhere.way());
        OkHttpClient client = CLIENTS.get(List.of(sentAs, protocol, installed));

        try (Response response = client.newCall(start("POST")).execute()) {
            assertThat(response.code()).isEqualTo(200);
            assertThat(response.request().url()).hasToString(way.get(way.size() - 1));
            assertThat(response.request().headers().names()).doesNotContain(sentAs.field);
        }

        List<Hop> hops = sites.hops();
        assertThat(hops).extracting(Hop::url).containsExactlyElementsOf(way);
        assertOnlyHomeSaw(sentAs, protocol, hops);
        String method = status < 307 ? "GET" : "POST";
        assertThat(hops.subList(1, hops.size()))
                .allSatisfy(hop -> assertThat(hop.seen().method()).isEqualTo(method));
    }

    static Stream<Arguments> aroundTheCall() {
        return matrix(List.of(302, 307), Installed.APPLICATION_INTERCEPTOR);
    }

    @ParameterizedTest
    @MethodSource("aroundTheCall")
    void redirect_leadsElsewhereAndTokenIsInTheCallsOwnRequest_failsTheCall(
            int status, Elsewhere elsewhere, SentAs sentAs, Protocol protocol, Installed installed) {
        lead(status, elsewhere.way());
        Call call = CLIENTS.get(List.of(sentAs, protocol, installed)).newCall(start("POST"));

        assertThatThrownBy(call::execute)
                .isInstanceOf(TokenDeniedException.class)
                .hasMessageStartingWith("a redirect to ");

        assertThat(sites.hops()).hasSize(1);
        assertOnlyHomeSaw(sentAs, protocol, sites.hops());
    }

    static Stream<Arguments> everyClient() {
        return PROTOCOLS.stream()
                .flatMap(protocol -> Stream.of(SentAs.values()).map(sentAs -> Arguments.of(sentAs, protocol)));
    }

    @ParameterizedTest
    @MethodSource("everyClient")
    void redirect_serverRepeatsTheQuery_onlyHomeSeesTheToken(SentAs sentAs, Protocol protocol) throws Exception {
        String stranger = sites.tls(STRANGER, "/v1/landed");
        sites.on(
                sites.tls(HOME, "/v1/start"),
                hop -> Sites.redirect(
                        302,
                        stranger + "?" + hop.seen().target().getRawQuery() + "&from="
                                + hop.seen().target().getRawQuery().replace("&", "%26")));

        OkHttpClient client = CLIENTS.get(List.of(sentAs, protocol, Installed.INSTALL));
        client.newCall(start("GET")).execute().close();

        assertThat(sites.hops()).hasSize(2);
        assertOnlyHomeSaw(sentAs, protocol, sites.hops());
    }

    // --- after a 401 ---

    /** A source that answers another token each time, and counts. */
    private static TokenSource changing(AtomicInteger fetches) {
        return TokenSources.of("a store", () -> TokenDocument.of(fetches.incrementAndGet() == 1 ? TOKEN : NEXT));
    }

    @ParameterizedTest
    @MethodSource("everyClient")
    void unauthorized_onTheWayBack_onlyHomeSeesTheNextToken(SentAs sentAs, Protocol protocol) throws Exception {
        lead(307, Elsewhere.AND_BACK.way());
        sites.on(sites.tls(HOME, "/v1/landed"), hop -> Sites.status(sentAs.carries(hop.seen(), NEXT) ? 200 : 401));
        AtomicInteger fetches = new AtomicInteger();
        try (TokenAgent agent = agent(sentAs, changing(fetches));
                Response response = client(agent, protocol, Installed.INSTALL)
                        .newCall(start("POST"))
                        .execute()) {
            assertThat(response.code()).isEqualTo(200);
        }

        List<Hop> hops = sites.hops();
        assertThat(hops)
                .extracting(Hop::url)
                .containsExactly(
                        sites.tls(HOME, "/v1/start"),
                        sites.tls(STRANGER, "/v1/away"),
                        sites.tls(HOME, "/v1/landed"),
                        sites.tls(HOME, "/v1/landed"));
        assertOnlyHomeSaw(sentAs, protocol, hops.subList(0, 3));
        assertThat(sentAs.leaks(hops.get(1).seen(), NEXT)).isFalse();
        assertThat(sentAs.carries(hops.get(3).seen(), NEXT)).isTrue();
        assertThat(fetches).hasValue(2);
    }

    @ParameterizedTest
    @MethodSource("everyClient")
    void unauthorized_byTheStranger_isNothingToUs(SentAs sentAs, Protocol protocol) throws Exception {
        lead(307, Elsewhere.HOST.way());
        sites.on(Elsewhere.HOST.url(), Sites.status(401));
        AtomicInteger fetches = new AtomicInteger();
        try (TokenAgent agent = agent(sentAs, changing(fetches));
                Response response = client(agent, protocol, Installed.INSTALL)
                        .newCall(start("POST"))
                        .execute()) {
            assertThat(response.code()).isEqualTo(401);
        }

        assertThat(sites.hops()).hasSize(2);
        assertOnlyHomeSaw(sentAs, protocol, sites.hops());
        assertThat(fetches).hasValue(1);
    }

    @ParameterizedTest
    @MethodSource("everyClient")
    void unauthorized_thenRedirectedElsewhere_onlyHomeSeesEitherToken(SentAs sentAs, Protocol protocol)
            throws Exception {
        sites.on(
                sites.tls(HOME, "/v1/start"),
                hop -> sentAs.carries(hop.seen(), NEXT)
                        ? Sites.redirect(308, Elsewhere.HOST.url())
                        : Sites.status(401));
        try (TokenAgent agent = agent(sentAs, changing(new AtomicInteger()));
                Response response = client(agent, protocol, Installed.INSTALL)
                        .newCall(start("POST"))
                        .execute()) {
            assertThat(response.code()).isEqualTo(200);
        }

        List<Hop> hops = sites.hops();
        assertThat(hops).hasSize(3);
        assertThat(sentAs.carries(hops.get(0).seen(), TOKEN)).isTrue();
        assertThat(sentAs.carries(hops.get(1).seen(), NEXT)).isTrue();
        assertThat(hops.get(2).url()).isEqualTo(Elsewhere.HOST.url());
        assertThat(sentAs.leaks(hops.get(2).seen(), TOKEN)).isFalse();
        assertThat(sentAs.leaks(hops.get(2).seen(), NEXT)).isFalse();
    }
}
