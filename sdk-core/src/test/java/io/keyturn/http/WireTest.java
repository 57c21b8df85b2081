package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.TokenAgent;
import io.keyturn.policy.Destination;
import io.keyturn.source.TokenSources;
import java.net.InetAddress;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.tls.HandshakeCertificates;
import okhttp3.tls.HeldCertificate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What lies between a request and the connection that carries it: HTTP/2 and proxies. */
class WireTest {
    private static final String A = "ktn_wire_A_7Qm2Xv9LrT4wZ8c1";
    private static final String B = "ktn_wire_B_5Hd3Kp6NsY0bJ2f9";

    private final MockWebServer server = new MockWebServer();
    private final List<Destination> asked = new CopyOnWriteArrayList<>();
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
    void close() {
        agent.close();
        server.close();
    }

    private String url(String host) {
        return "https://" + host + ":" + server.getPort() + "/";
    }

    private OkHttpClient.Builder client() {
        return agent.install(new OkHttpClient.Builder())
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

    @Test
    void proxy_connect_holdsNothingOfOurs() throws Exception {
        OkHttpClient client = client().proxy(server.getProxyAddress())
                .protocols(List.of(Protocol.HTTP_1_1))
                .build();
        server.enqueue(new MockResponse.Builder().inTunnel().build());
        server.enqueue(new MockResponse.Builder().build());

        RecordedRequest connect = send(client, "a.test");
        RecordedRequest request = server.takeRequest();

        assertThat(connect.getMethod()).isEqualTo("CONNECT");
        assertThat(connect.getHeaders().values("Authorization")).isEmpty();
        assertThat(connect.toString() + connect.getHeaders()).doesNotContain(A);
        assertThat(request.getHeaders().values("Authorization")).containsExactly("Bearer " + A);
        assertThat(asked)
                .singleElement()
                .satisfies(destination -> assertThat(destination.address()).isEmpty());
    }
}
