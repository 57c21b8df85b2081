package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.RecordingServer.Seen;
import io.keyturn.TokenAgent;
import io.keyturn.policy.Destination;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.Call;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.tls.HandshakeCertificates;
import okhttp3.tls.HeldCertificate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What lies between a request and the connection that carries it: HTTP/2 and proxies. */
class WireTest {
    private static final String A = "ktn_wire_A_7Qm2Xv9LrT4wZ8c1";
    private static final String B = "ktn_wire_B_5Hd3Kp6NsY0bJ2f9";

    private final MockWebServer server = new MockWebServer();
    private final List<Destination> asked = new CopyOnWriteArrayList<>();
    private final List<AutoCloseable> open = new ArrayList<>();
    private HandshakeCertificates certificates;
    private TokenAgent agent;

    @BeforeEach
    void start() throws Exception {
        HeldCertificate certificate = new HeldCertificate.Builder()
                .addSubjectAlternativeName("a.test")
                .addSubjectAlternativeName("b.test")
                .addSubjectAlternativeName("c.test")
                .build();
        certificates = new HandshakeCertificates.Builder()
                .heldCertificate(certificate)
                .addTrustedCertificate(certificate.certificate())
                .build();
        server.useHttps(certificates.sslSocketFactory());
        server.start();
        agent = TokenAgent.builder()
                .token(
                        "a",
                        TokenSources.value(A),
                        t -> t.endpoint(url("a.test")).policy((token, destination) -> asked.add(destination)))
                .token("b", TokenSources.value(B), t -> t.endpoint(url("b.test")))
                .start();
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
        agent.close();
        server.close();
    }

    private String url(String host) {
        return "https://" + host + ":" + server.getPort() + "/";
    }

    private OkHttpClient.Builder client() {
        return client(agent);
    }

    private OkHttpClient.Builder client(TokenAgent ofAgent) {
        return ofAgent.install(new OkHttpClient.Builder())
                .sslSocketFactory(certificates.sslSocketFactory(), certificates.trustManager())
                .dns(host -> List.of(InetAddress.getLoopbackAddress()));
    }

    private RecordedRequest send(OkHttpClient client, String host) throws Exception {
        try (Response response =
                client.newCall(new Request.Builder().url(url(host)).build()).execute()) {
            assertThat(response.code()).isEqualTo(200);
        }
        return server.takeRequest();
    }

    @Test
    void http2_severalHostsOnOneConnection_eachGetsItsOwn() throws Exception {
        OkHttpClient client = client().build();
        for (int i = 0; i < 3; i++) {
            server.enqueue(new MockResponse.Builder().build());
        }

        RecordedRequest a = send(client, "a.test");
        RecordedRequest b = send(client, "b.test");
        RecordedRequest c = send(client, "c.test");

        assertThat(List.of(a, b, c))
                .extracting(RecordedRequest::getConnectionIndex)
                .containsOnly(a.getConnectionIndex());
        assertThat(client.connectionPool().connectionCount()).isEqualTo(1);
        assertThat(a.getHeaders().values("Authorization")).containsExactly("Bearer " + A);
        assertThat(b.getHeaders().values("Authorization")).containsExactly("Bearer " + B);
        assertThat(c.getHeaders().values("Authorization")).isEmpty();
        assertThat(asked)
                .singleElement()
                .satisfies(destination -> assertThat(destination.address()).isPresent());
    }

    private TokenAgent agentOf(SentAs sentAs, String endpoint) throws IOException {
        TokenAgent another = TokenAgent.builder()
                .token(
                        "api",
                        TokenSources.value(A),
                        t -> t.endpoint(endpoint).allow("insecure_http").sendAs(sentAs.placement))
                .start();
        open.add(another);
        return another;
    }

    private static Seen seen(RecordedRequest request) {
        // What a proxy is asked for is no URI where it is told to connect.
        String target = request.getMethod().equals("CONNECT") ? "/" + request.getTarget() : request.getTarget();
        return new Seen(
                request.getMethod(),
                URI.create(target),
                request.getHeaders().toMultimap(),
                request.getRequestLine() + request.getHeaders());
    }

    static Stream<Arguments> throughATunnel() {
        return Stream.of(Protocol.HTTP_1_1, Protocol.HTTP_2)
                .flatMap(protocol -> Stream.of(SentAs.values()).map(sentAs -> Arguments.of(sentAs, protocol)));
    }

    @ParameterizedTest
    @MethodSource("throughATunnel")
    void proxy_connect_holdsNothingOfOurs(SentAs sentAs, Protocol protocol) throws Exception {
        OkHttpClient client = client(agentOf(sentAs, url("a.test")))
                .proxy(server.getProxyAddress())
                .protocols(protocol == Protocol.HTTP_2 ? List.of(protocol, Protocol.HTTP_1_1) : List.of(protocol))
                .proxyAuthenticator((route, response) -> response.request()
                        .newBuilder()
                        .header("Proxy-Authorization", "Basic callers")
                        .build())
                .build();
        server.enqueue(new MockResponse.Builder()
                .code(407)
                .addHeader("Proxy-Authenticate", "Basic realm=\"proxy\"")
                .inTunnel()
                .build());
        server.enqueue(new MockResponse.Builder().inTunnel().build());
        server.enqueue(new MockResponse.Builder().build());

        List<Seen> asked = List.of(seen(send(client, "a.test")), seen(server.takeRequest()));
        RecordedRequest request = server.takeRequest();

        assertThat(asked).allSatisfy(connect -> {
            assertThat(connect.method()).isEqualTo("CONNECT");
            assertThat(sentAs.leaks(connect, A)).as("%s", connect).isFalse();
        });
        assertThat(asked.get(1).header("Proxy-Authorization")).containsExactly("Basic callers");
        assertThat(request.getVersion()).isEqualTo(protocol == Protocol.HTTP_2 ? "HTTP/2" : "HTTP/1.1");
        assertThat(sentAs.carries(seen(request), A)).isTrue();
        assertThat(request.getHeaders().values("Proxy-Authorization")).isEmpty();
    }

    @Test
    void proxy_betweenUsAndTheServer_hidesTheAddressFromThePolicy() throws Exception {
        OkHttpClient client = client().proxy(server.getProxyAddress()).build();
        server.enqueue(new MockResponse.Builder().inTunnel().build());
        server.enqueue(new MockResponse.Builder().build());

        send(client, "a.test");

        assertThat(asked)
                .singleElement()
                .satisfies(destination -> assertThat(destination.address()).isEmpty());
    }

    /** A client whose requests all go to a server of plain http, as they would to a proxy at this address. */
    private OkHttpClient proxied(TokenAgent agent, MockWebServer proxy, byte... address) throws IOException {
        InetAddress elsewhere = InetAddress.getByAddress("proxy.test", address);
        return client(agent)
                .proxy(new Proxy(Proxy.Type.HTTP, new InetSocketAddress(elsewhere, 3128)))
                .socketFactory(new Detour(any -> proxy.getPort()))
                .build();
    }

    private MockWebServer plainServer() throws IOException {
        MockWebServer plain = new MockWebServer();
        open.add(plain);
        plain.start();
        return plain;
    }

    @ParameterizedTest
    @CsvSource({
        // endpoint, URL, whether the proxy is here, whether the token goes with it
        "http://api.test, http://api.test/, false, true",
        "http://api.test, http://api.test/, true, true",
        "http://localhost, http://localhost/, true, true",
        "http://127.0.0.1:8080, http://127.0.0.1:8080/, true, true",
        "https://api.test, http://api.test/, false, false",
        "https://api.test, http://api.test:443/, true, false",
        "http://localhost, http://localhost.evil.test/, false, false"
    })
    void proxy_ofPlainHttp_seesTheTokenOnlyWhereItWasSaid(String endpoint, String url, boolean here, boolean goes)
            throws Exception {
        MockWebServer plain = plainServer();
        plain.enqueue(new MockResponse.Builder().build());
        byte[] address = here ? new byte[] {127, 0, 0, 1} : new byte[] {(byte) 203, 0, 113, 7};
        OkHttpClient client = proxied(agentOf(SentAs.API_KEY, endpoint), plain, address);

        client.newCall(new Request.Builder().url(url).build()).execute().close();

        RecordedRequest request = plain.takeRequest();
        assertThat(request.getTarget()).isEqualTo(url);
        assertThat(SentAs.API_KEY.carries(seen(request), A)).isEqualTo(goes);
        assertThat(SentAs.API_KEY.leaks(seen(request), A)).isEqualTo(goes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://localhost:8080/", "http://127.0.0.1/", "http://[::1]/"})
    void proxy_elsewhereAndPlainHttpToThisMachine_isDenied(String url) throws Exception {
        MockWebServer plain = plainServer();
        OkHttpClient client = proxied(agentOf(SentAs.BEARER, url), plain, (byte) 203, (byte) 0, (byte) 113, (byte) 7);

        Call call = client.newCall(new Request.Builder().url(url).build());

        assertThatThrownBy(call::execute)
                .isInstanceOf(TokenDeniedException.class)
                .hasMessageContaining("plain http")
                .hasMessageContaining("proxy");
        assertThat(plain.getRequestCount()).isZero();
    }
}
