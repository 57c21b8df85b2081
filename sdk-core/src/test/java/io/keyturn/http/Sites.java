package io.keyturn.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.RecordingServer.Seen;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.net.ssl.SSLSocketFactory;
import mockwebserver3.Dispatcher;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.ConnectionPool;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.tls.HandshakeCertificates;
import okhttp3.tls.HeldCertificate;

/**
 * Real servers on loopback that speak HTTP/2 and HTTP/1.1 over TLS, and one of plain http, under any number of names: a
 * client of theirs finds each name at 127.0.0.1. They remember all that they were sent, and answer 200 unless it is said.
 */
final class Sites implements AutoCloseable {
    /** The request lines that it logs hold the tokens of queries. Held here, since loggers are kept weakly. */
    private static final Logger SERVERS_LOG = Logger.getLogger(MockWebServer.class.getName());

    static {
        SERVERS_LOG.setLevel(Level.WARNING);
    }

    private final List<MockWebServer> open = new ArrayList<>();
    private final List<Hop> hops = new CopyOnWriteArrayList<>();
    private final Map<String, Function<Hop, MockResponse>> answers = new ConcurrentHashMap<>();
    private final ConnectionPool pool = new ConnectionPool();
    private final OkHttpClient base;
    final MockWebServer tls;
    final MockWebServer otherTls;
    final MockWebServer plain;

    /**
     * A request as it arrived.
     *
     * @param url where it was sent, without the query
     * @param connection which of the server's connections it came by
     * @param seen all of it
     */
    record Hop(String url, String version, int connection, Seen seen) {}

    Sites(String... names) throws IOException {
        HeldCertificate.Builder certificate = new HeldCertificate.Builder();
        List.of(names).forEach(certificate::addSubjectAlternativeName);
        HeldCertificate held = certificate.build();
        HandshakeCertificates certificates = new HandshakeCertificates.Builder()
                .heldCertificate(held)
                .addTrustedCertificate(held.certificate())
                .build();
        // One for all, since clients share a connection only where all of this is the same.
        SSLSocketFactory sockets = certificates.sslSocketFactory();
        base = new OkHttpClient.Builder()
                .connectionPool(pool)
                .sslSocketFactory(sockets, certificates.trustManager())
                .dns(host -> List.of(InetAddress.getLoopbackAddress()))
                .build();
        tls = started(sockets);
        otherTls = started(sockets);
        plain = started(null);
    }

    private MockWebServer started(SSLSocketFactory sockets) throws IOException {
        boolean withTls = sockets != null;
        MockWebServer server = new MockWebServer();
        if (withTls) {
            server.useHttps(sockets);
        }
        server.setDispatcher(new Dispatcher() {
            @Override
            public MockResponse dispatch(RecordedRequest request) {
                String scheme = withTls ? "https://" : "http://";
                String url = scheme + request.getUrl().host() + ":" + server.getPort()
                        + request.getUrl().encodedPath();
                Hop hop = new Hop(url, request.getVersion(), request.getConnectionIndex(), seen(request));
                hops.add(hop);
                return answers.getOrDefault(url, any -> status(200)).apply(hop);
            }
        });
        server.start(InetAddress.getLoopbackAddress(), 0);
        open.add(server);
        return server;
    }

    private static Seen seen(RecordedRequest request) {
        return new Seen(
                request.getMethod(),
                URI.create(request.getTarget()),
                request.getHeaders().toMultimap(),
                request.getBody() == null ? "" : request.getBody().string(UTF_8));
    }

    /** A client that trusts these servers and looks for each name here. All clients share their connections. */
    OkHttpClient.Builder client(Protocol protocol) {
        List<Protocol> protocols =
                protocol == Protocol.HTTP_2 ? List.of(Protocol.HTTP_2, Protocol.HTTP_1_1) : List.of(protocol);
        return base.newBuilder().protocols(protocols);
    }

    String tls(String host, String path) {
        return "https://" + host + ":" + tls.getPort() + path;
    }

    String otherTls(String host, String path) {
        return "https://" + host + ":" + otherTls.getPort() + path;
    }

    String plain(String host, String path) {
        return "http://" + host + ":" + plain.getPort() + path;
    }

    static MockResponse status(int status) {
        return new MockResponse.Builder().code(status).build();
    }

    static MockResponse redirect(int status, String location) {
        return new MockResponse.Builder()
                .code(status)
                .addHeader("Location", location)
                .build();
    }

    /** Answers every request to this URL, whatever its query, in this way. */
    void on(String url, Function<Hop, MockResponse> answer) {
        answers.put(url, answer);
    }

    /** Answers every request to this URL so. */
    void on(String url, MockResponse answer) {
        on(url, any -> answer);
    }

    /** All requests so far, in order. */
    List<Hop> hops() {
        return List.copyOf(hops);
    }

    /** From now on as if nothing had been said or sent. */
    void forget() {
        hops.clear();
        answers.clear();
    }

    ConnectionPool pool() {
        return pool;
    }

    @Override
    public void close() {
        pool.evictAll();
        open.forEach(MockWebServer::close);
    }
}
