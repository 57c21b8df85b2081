package io.keyturn;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import javax.net.ssl.SSLContext;
import okhttp3.OkHttpClient;
import okhttp3.tls.HandshakeCertificates;
import okhttp3.tls.HeldCertificate;

/**
 * A real server on 127.0.0.1 that remembers all that it was sent. It is the JDK's, so that it serves with any OkHttp on
 * the class path. Its names are {@code 127.0.0.1} and {@code localhost}: two hosts to a client.
 */
public final class RecordingServer implements AutoCloseable {
    static {
        // Else each answer waits for a delayed acknowledgement, 40 ms of it.
        System.setProperty("sun.net.httpserver.nodelay", "true");
    }

    private static final HandshakeCertificates CERTIFICATES = certificates();

    private final HttpServer server;
    private final boolean tls;
    private final ExecutorService threads = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "recording-server");
        thread.setDaemon(true);
        return thread;
    });
    private final List<Seen> seen = new CopyOnWriteArrayList<>();
    private final Map<String, Function<Seen, Answer>> answers = new LinkedHashMap<>();

    /** A request as it arrived. */
    public record Seen(String method, URI target, Map<String, List<String>> headers, String body) {
        /** All values of a header; empty if it was not sent. */
        public List<String> header(String name) {
            return headers.entrySet().stream()
                    .filter(header -> header.getKey().equalsIgnoreCase(name))
                    .flatMap(header -> header.getValue().stream())
                    .toList();
        }

        public String path() {
            return target.getRawPath();
        }

        /** Whether a text is anywhere in what was sent. */
        public boolean holds(String text) {
            return toString().contains(text);
        }
    }

    /** What is answered. */
    public record Answer(int status, Map<String, String> headers, String body) {
        public static Answer of(int status, String body) {
            return new Answer(status, Map.of(), body);
        }

        public static Answer ok(String body) {
            return of(200, body);
        }

        public static Answer redirect(int status, String location) {
            return of(status, "").with("Location", location);
        }

        public Answer with(String name, String value) {
            Map<String, String> more = new LinkedHashMap<>(headers);
            more.put(name, value);
            return new Answer(status, more, body);
        }
    }

    private RecordingServer(HttpServer server, boolean tls) {
        this.server = server;
        this.tls = tls;
        server.createContext("/", this::handle);
        server.setExecutor(threads);
        server.start();
    }

    /** A server of plain http that answers 200 to everything. */
    public static RecordingServer start() {
        try {
            return new RecordingServer(HttpServer.create(address(), 0), false);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A server of https; {@link #trustedBy} makes a client that trusts it. */
    public static RecordingServer startTls() {
        try {
            HttpsServer server = HttpsServer.create(address(), 0);
            server.setHttpsConfigurator(new HttpsConfigurator(sslContext()));
            return new RecordingServer(server, true);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static InetSocketAddress address() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    }

    private static HandshakeCertificates certificates() {
        HeldCertificate certificate = new HeldCertificate.Builder()
                .addSubjectAlternativeName("localhost")
                .addSubjectAlternativeName("127.0.0.1")
                .build();
        return new HandshakeCertificates.Builder()
                .heldCertificate(certificate)
                .addTrustedCertificate(certificate.certificate())
                .build();
    }

    /** The server's certificate and trust in it, for servers and clients other than these. */
    public static SSLContext sslContext() {
        return CERTIFICATES.sslContext();
    }

    /** Makes the client trust servers of https. */
    public static OkHttpClient.Builder trustedBy(OkHttpClient.Builder client) {
        return client.sslSocketFactory(CERTIFICATES.sslSocketFactory(), CERTIFICATES.trustManager());
    }

    /** Answers requests to this path, without its query, in this way. */
    public RecordingServer on(String path, Function<Seen, Answer> answer) {
        synchronized (answers) {
            answers.put(path, answer);
        }
        return this;
    }

    /** Answers every request to this path so. */
    public RecordingServer on(String path, Answer answer) {
        return on(path, request -> answer);
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            String body = new String(exchange.getRequestBody().readAllBytes(), UTF_8);
            Seen request = new Seen(
                    exchange.getRequestMethod(),
                    exchange.getRequestURI(),
                    new LinkedHashMap<>(exchange.getRequestHeaders()),
                    body);
            seen.add(request);
            Function<Seen, Answer> rule;
            synchronized (answers) {
                rule = answers.getOrDefault(request.path(), any -> Answer.ok("ok"));
            }
            Answer answer = rule.apply(request);
            answer.headers.forEach(exchange.getResponseHeaders()::set);
            byte[] bytes = answer.body.getBytes(UTF_8);
            boolean empty = bytes.length == 0 || request.method.equals("HEAD");
            exchange.sendResponseHeaders(answer.status, empty ? -1 : bytes.length);
            if (!empty) {
                exchange.getResponseBody().write(bytes);
            }
        }
    }

    /** All requests so far, in order. */
    public List<Seen> seen() {
        return List.copyOf(seen);
    }

    /** The requests to a path so far, in order. */
    public List<Seen> seen(String path) {
        return seen.stream().filter(request -> request.path().equals(path)).toList();
    }

    /** The one request so far. */
    public Seen only() {
        if (seen.size() != 1) {
            throw new AssertionError("expected one request, but there were " + seen);
        }
        return seen.get(0);
    }

    public void forget() {
        seen.clear();
    }

    public int port() {
        return server.getAddress().getPort();
    }

    /** A URL of this server by its address. */
    public String url(String path) {
        return url("127.0.0.1", path);
    }

    /** A URL of this server by one of its names. */
    public String url(String host, String path) {
        return (tls ? "https://" : "http://") + host + ":" + port() + path;
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
