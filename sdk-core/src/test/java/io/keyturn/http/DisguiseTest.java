package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.TokenAgent;
import io.keyturn.policy.Endpoint;
import io.keyturn.source.TokenSources;
import java.net.InetAddress;
import java.net.URI;
import java.util.List;
import java.util.stream.Stream;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * URLs that look like an endpoint and are none, or the other way round: by the endpoint itself, on the wire of OkHttp, and
 * for other clients, which take a {@link URI} and read it in their own way. Where two readers could differ, there is no
 * token.
 */
class DisguiseTest {
    private static final String TOKEN = "ktn_disguise_7Qm2Xv9LrT4wZ8c1";
    private static final String[] ENDPOINTS = {
        "https://api.example.com/v1",
        "https://[2001:db8::1]:8443/v1",
        "https://192.0.2.1/v1",
        "https://xn--pi-lia.example"
    };

    private static Sites sites;
    private static TokenAgent agent;
    private static OkHttpClient client;

    /** What a request gets. */
    private enum Gets {
        /** The token. */
        TOKEN,
        /** Nothing. */
        BARE,
        /** Such a request cannot be made. */
        NO_URL
    }

    @BeforeAll
    static void start() throws Exception {
        sites = new Sites("any.test");
        agent = TokenAgent.builder()
                .token("api", TokenSources.value(TOKEN), t -> t.endpoint(ENDPOINTS))
                .start();
        client = agent.install(sites.client(Protocol.HTTP_2))
                .hostnameVerifier((host, session) -> true)
                .dns(host -> List.of(InetAddress.getLoopbackAddress()))
                .socketFactory(
                        new Detour(address -> address.getPort() == 80 ? sites.plain.getPort() : sites.tls.getPort()))
                .build();
    }

    @AfterAll
    static void stop() {
        agent.close();
        sites.close();
    }

    @BeforeEach
    void forget() {
        sites.forget();
    }

    private static Arguments row(String url, Gets okHttp, Gets other) {
        return Arguments.of(url, okHttp, other);
    }

    static Stream<Arguments> urls() {
        Gets token = Gets.TOKEN;
        Gets bare = Gets.BARE;
        Gets none = Gets.NO_URL;
        return Stream.of(
                // another host
                row("https://api.example.com.evil.com/v1", bare, bare),
                row("https://evil-api.example.com/v1", bare, bare),
                row("https://x.api.example.com/v1", bare, bare),
                row("https://example.com/v1", bare, bare),
                row("https://evil.com/https://api.example.com/v1", bare, bare),
                row("https://evil.com?https://api.example.com/v1", bare, bare),
                row("https://evil.com#@api.example.com/v1", bare, bare),
                row("https://evil.com/v1?host=api.example.com", bare, bare),
                // a user before the host
                row("https://api.example.com@evil.com/v1", bare, bare),
                row("https://api.example.com:443@evil.com/v1", bare, bare),
                row("https://api.example.com%2fv1@evil.com/v1", bare, bare),
                row("https://api.example.com@evil.com@example.com/v1", bare, bare),
                row("https://api.example.com\\@evil.com/v1", bare, none),
                row("https://evil.com\\@api.example.com/v1", bare, none),
                row("https://user:password@api.example.com/v1", token, token),
                // a host written otherwise
                row("HTTPS://API.Example.COM/v1", token, token),
                row("https://api.example.com./v1", bare, bare),
                row("https://api.example.com../v1", none, bare),
                row("https://.api.example.com/v1", none, bare),
                row("https://api%2eexample.com/v1", token, bare),
                row("https://%61pi.example.com/v1", token, bare),
                row("https://api.example.com%00.evil.com/v1", none, bare),
                row("https://api.example.com%2f.evil.com/v1", none, bare),
                row("https://api.exam\tple.com/v1", none, none),
                row("https://api.example.com\n.evil.com/v1", none, none),
                row("https://api.example.com .evil.com/v1", none, none),
                // another alphabet
                row("https://\u0430pi.example.com/v1", bare, bare),
                row("https://\uff41pi.example.com/v1", token, bare),
                row("https://api\u3002example\uff0ecom/v1", token, bare),
                row("https://api.example.com\u200b/v1", token, bare),
                row("https://api.example.com\u2044v1", bare, bare),
                row("https://\u00e1pi.example/v1", token, bare),
                row("https://xn--pi-lia.example/v1", token, token),
                row("https://XN--PI-LIA.example/v1", token, token),
                // the port and the scheme
                row("https://api.example.com:443/v1", token, token),
                row("https://api.example.com:0443/v1", token, token),
                row("https://api.example.com:/v1", token, token),
                row("https://api.example.com:444/v1", bare, bare),
                row("https://api.example.com:+443/v1", token, bare),
                row("https://api.example.com:65979/v1", none, bare),
                row("http://api.example.com/v1", bare, bare),
                row("http://api.example.com:80/v1", bare, bare),
                row("https:api.example.com/v1", token, bare),
                row("https:///api.example.com/v1", token, bare),
                row("https:/\\api.example.com/v1", token, none),
                row(" https://api.example.com/v1", token, none),
                row("//api.example.com/v1", none, bare),
                row("https:///v1", bare, bare),
                row("https://", none, none),
                // addresses
                row("https://[2001:DB8:0:0::0001]:8443/v1", token, token),
                row("https://[2001:db8:0:0:0:0:0:1]:8443/v1", token, token),
                row("https://[2001:db8::0.0.0.1]:8443/v1", token, token),
                row("https://[2001:db8::1]/v1", bare, bare),
                row("https://[2001:db8::2]:8443/v1", bare, bare),
                row("https://[2001:db8::1%25eth0]:8443/v1", none, bare),
                row("https://[2001:db8::1]evil.com:8443/v1", none, none),
                row("https://2001:db8::1:8443/v1", none, bare),
                row("https://[::ffff:192.0.2.1]/v1", token, token),
                row("https://[::192.0.2.1]/v1", bare, bare),
                row("https://3221225985/v1", bare, bare),
                row("https://192.0.513/v1", bare, bare),
                row("https://192.0.2.1.example.com/v1", bare, bare),
                // a path that ends within a segment
                row("https://api.example.com/v1", token, token),
                row("https://api.example.com/v1/", token, token),
                row("https://api.example.com/v1/me", token, token),
                row("https://api.example.com/v10", bare, bare),
                row("https://api.example.com/v1.0/me", bare, bare),
                row("https://api.example.com/v1x/me", bare, bare),
                row("https://api.example.com/V1/me", bare, bare),
                row("https://api.example.com/v", bare, bare),
                row("https://api.example.com", bare, bare),
                row("https://api.example.com?/v1", bare, bare),
                row("https://api.example.com#/v1", bare, bare),
                // slashes
                row("https://api.example.com//v1", bare, bare),
                row("https://api.example.com/x//v1", bare, bare),
                row("https://api.example.com/v1//me", token, token),
                row("https://api.example.com/v1%2fme", bare, bare),
                row("https://api.example.com/v1%5cme", bare, bare),
                row("https://api.example.com/v1\\me", token, none),
                row("https://api.example.com\\v1\\me", token, none),
                // dots, which OkHttp resolves and other clients send
                row("https://api.example.com/v1/../admin", bare, bare),
                row("https://api.example.com/v1/x/../me", token, bare),
                row("https://api.example.com/admin/../v1/me", token, bare),
                row("https://api.example.com/v1/%2e%2e/admin", bare, bare),
                row("https://api.example.com/v1/.%2E/admin", bare, bare),
                row("https://api.example.com/v1/.\t./admin", bare, none),
                row("https://api.example.com/v1/.\n./admin", bare, none),
                row("https://api.example.com/v1\\..\\admin", bare, none),
                row("https://api.example.com/v1//../../admin", bare, bare),
                row("https://api.example.com/v1/..%2fadmin", bare, bare),
                row("https://api.example.com/v1/%2e%2e%2fadmin", bare, bare),
                row("https://api.example.com/v1/..%5cadmin", bare, bare),
                row("https://api.example.com/v1/x%2f..%2f..%2fadmin", bare, bare),
                row("https://api.example.com/v1/..%00/admin", token, token),
                row("https://api.example.com/v1/...", token, token),
                row("https://api.example.com/v1/a..b", token, token),
                // dots that are encoded twice
                row("https://api.example.com/v1/%252e%252e/admin", bare, bare),
                row("https://api.example.com/v1/.%252E/admin", bare, bare),
                row("https://api.example.com/v1/..%252fadmin", bare, bare),
                row("https://api.example.com/v1/%25252e%25252e/admin", bare, bare),
                row("https://api.example.com/%2576%2531/me", bare, bare),
                row("https://api.example.com/v1/100%25", token, token),
                // parameters of a segment
                row("https://api.example.com/v1;x=y/me", bare, bare),
                row("https://api.example.com/v1/me;x=..", token, token),
                row("https://api.example.com/v1/..;/admin", bare, bare),
                row("https://api.example.com/v1/..;x=y/admin", bare, bare),
                row("https://api.example.com/v1/%2e%2e;/admin", bare, bare),
                row("https://api.example.com/v1/..%3b/admin", bare, bare),
                row("https://api.example.com/;/v1/me", bare, bare));
    }

    @ParameterizedTest
    @MethodSource("urls")
    void covers_url_asOkHttpReadsIt(String url, Gets okHttp, Gets other) {
        HttpUrl read = HttpUrl.parse(url);
        boolean covered = read != null
                && Stream.of(ENDPOINTS)
                        .anyMatch(endpoint -> Endpoint.parse(endpoint, false).covers(read));
        assertThat(read == null ? Gets.NO_URL : covered ? Gets.TOKEN : Gets.BARE)
                .isEqualTo(okHttp);
    }

    @ParameterizedTest
    @MethodSource("urls")
    void install_url_asOkHttpReadsIt(String url, Gets okHttp, Gets other) throws Exception {
        Request request;
        try {
            request = new Request.Builder().url(url).build();
        } catch (IllegalArgumentException e) {
            assertThat(okHttp).isEqualTo(Gets.NO_URL);
            return;
        }

        client.newCall(request).execute().close();

        assertThat(sites.hops())
                .singleElement()
                .satisfies(hop -> assertThat(
                                SentAs.BEARER.carries(hop.seen(), TOKEN)
                                        ? Gets.TOKEN
                                        : SentAs.BEARER.leaks(hop.seen(), TOKEN) ? null : Gets.BARE)
                        .as("%s", hop)
                        .isEqualTo(okHttp));
    }

    @ParameterizedTest
    @MethodSource("urls")
    void authorize_url_asAnyClientMayReadIt(String url, Gets okHttp, Gets other) throws Exception {
        URI uri;
        try {
            uri = URI.create(url);
        } catch (IllegalArgumentException e) {
            assertThat(other).isEqualTo(Gets.NO_URL);
            return;
        }
        Attachment attachment = agent.authorize("GET", uri);
        assertThat(attachment.headers().isEmpty() ? Gets.BARE : Gets.TOKEN).isEqualTo(other);
        assertThat(attachment.uri()).isEqualTo(uri);
    }
}
