package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import okhttp3.OkHttpClient;
import okhttp3.tls.HandshakeCertificates;
import okhttp3.tls.HeldCertificate;

/**
 * Two servers on loopback: an API that wants a token, over TLS with a certificate made up for it, and a stranger in plain
 * HTTP, to whom a path of the API redirects.
 */
final class DemoServers implements AutoCloseable {
    static {
        // Before the JDK's server is loaded: else each answer waits 40 ms for the acknowledgement of its own headers.
        System.setProperty("sun.net.httpserver.nodelay", "true");
    }

    private final Set<String> accepted = ConcurrentHashMap.newKeySet();
    private final Map<String, CountDownLatch> arrivals = new ConcurrentHashMap<>();
    private final AtomicInteger refused = new AtomicInteger();
    private final HeldCertificate certificate = new HeldCertificate.Builder()
            .commonName("keyturn demo")
            .duration(90, TimeUnit.DAYS)
            .addSubjectAlternativeName("127.0.0.1")
            .build();
    private final ExecutorService threads = Executors.newCachedThreadPool(DemoServers::daemon);
    private final HttpsServer api;
    private final HttpServer stranger;
    private volatile Map<String, List<String>> seen = Map.of();

    /** Starts both; the API accepts this token. */
    DemoServers(String token) throws IOException {
        accept(token);
        InetSocketAddress anyPort = new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), 0);
        api = HttpsServer.create(anyPort, 0);
        api.setHttpsConfigurator(new HttpsConfigurator(sslContext()));
        api.createContext("/", this::answer);
        stranger = HttpServer.create(anyPort, 0);
        stranger.createContext("/", this::collect);
        for (HttpServer server : List.of(api, stranger)) {
            server.setExecutor(threads);
            server.start();
        }
    }

    private static Thread daemon(Runnable task) {
        Thread thread = new Thread(task, "keyturn-demo");
        thread.setDaemon(true);
        return thread;
    }

    private SSLContext sslContext() {
        return new HandshakeCertificates.Builder()
                .heldCertificate(certificate)
                .build()
                .sslContext();
    }

    /** The API: every path wants the token, and one leads away. */
    private void answer(HttpExchange exchange) throws IOException {
        String header = exchange.getRequestHeaders().getFirst("Authorization");
        String token = header == null || !header.startsWith("Bearer ") ? "" : header.substring("Bearer ".length());
        if (!accepted.contains(token)) {
            refused.incrementAndGet();
            answer(exchange, 401, "{\"error\": \"unauthorized\"}");
        } else if (exchange.getRequestURI().getPath().equals("/v1/moved")) {
            exchange.getResponseHeaders().set("Location", strangerUrl() + "/collect");
            answer(exchange, 302, "{}");
        } else {
            answer(exchange, 200, "{\"login\": \"demo-agent\"}");
            arrival(token).countDown();
        }
    }

    private void collect(HttpExchange exchange) throws IOException {
        seen = new TreeMap<>(exchange.getRequestHeaders());
        answer(exchange, 200, "{}");
    }

    private static void answer(HttpExchange exchange, int status, String json) throws IOException {
        try (exchange) {
            exchange.getRequestBody().readAllBytes();
            byte[] body = json.getBytes(UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            boolean bodiless = exchange.getRequestMethod().equals("HEAD");
            exchange.sendResponseHeaders(status, bodiless ? -1 : body.length);
            if (!bodiless) {
                exchange.getResponseBody().write(body);
            }
        }
    }

    /** From now on the API accepts this token, too. */
    void accept(String token) {
        accepted.add(token);
    }

    /** From now on the API does not accept this token any more. */
    void refuse(String token) {
        accepted.remove(token);
    }

    /** How many requests the API has answered with 401. */
    int refused() {
        return refused.get();
    }

    /** Waits until the API has had a request with this token; whether it came in time. */
    boolean awaits(String token, long millis) throws InterruptedException {
        return arrival(token).await(millis, TimeUnit.MILLISECONDS);
    }

    private CountDownLatch arrival(String token) {
        return arrivals.computeIfAbsent(token, any -> new CountDownLatch(1));
    }

    /** A client that trusts the API's certificate. */
    OkHttpClient client() {
        HandshakeCertificates trusted = new HandshakeCertificates.Builder()
                .addTrustedCertificate(certificate.certificate())
                .build();
        return new OkHttpClient.Builder()
                .sslSocketFactory(trusted.sslSocketFactory(), trusted.trustManager())
                .build();
    }

    String apiUrl() {
        return "https://127.0.0.1:" + api.getAddress().getPort();
    }

    /** A path of the API that leads to the stranger. */
    String movedUrl() {
        return apiUrl() + "/v1/moved";
    }

    String strangerUrl() {
        return "http://127.0.0.1:" + stranger.getAddress().getPort();
    }

    /** The headers of the last request that the stranger got; none if nobody came. */
    Map<String, List<String>> seenByStranger() {
        return seen;
    }

    @Override
    public void close() {
        api.stop(0);
        stranger.stop(0);
        threads.shutdownNow();
    }
}
