package io.keyturn.check;

import io.keyturn.http.TokenUse;
import io.keyturn.policy.Endpoint;
import io.keyturn.source.AgentCalls;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import okhttp3.Call;
import okhttp3.ConnectionPool;
import okhttp3.EventListener;
import okhttp3.Handshake;
import okhttp3.HttpUrl;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/**
 * Sends the requests of a check: never redirected, never cached, without cookies, over connections of their own, and all
 * within one time. Safe for several threads.
 */
public final class Probe implements AutoCloseable {
    /** What OkHttp does not send without a body. */
    private static final Set<String> WITH_BODY = Set.of("POST", "PUT", "PATCH", "PROPPATCH", "REPORT");

    private final ConnectionPool connections = new ConnectionPool();
    private final OkHttpClient client;
    private final LongSupplier nanos;
    private final long deadline;

    /**
     * What came back.
     *
     * @param status the status code, or 0
     * @param connection how the connection was made, or why it was not
     * @param location where a redirect leads, without its query, or null
     * @param identity what the JSON pointer found, or null
     * @param failure why there is no answer, or null
     */
    record Answer(
            int status,
            long millis,
            String connection,
            @Nullable String location,
            @Nullable String identity,
            @Nullable IOException failure) {}

    /**
     * A probe.
     *
     * @param client makes the connections
     * @param attaching attaches the token on the wire
     * @param limit the time for all requests together
     */
    public Probe(OkHttpClient client, Interceptor attaching, Duration limit, LongSupplier nanos) {
        this.client = AgentCalls.own(client)
                .connectionPool(connections)
                .addNetworkInterceptor(attaching)
                .build();
        this.nanos = nanos;
        this.deadline = nanos.getAsLong() + limit.toNanos();
    }

    /** The body that a method needs: an empty one. */
    static @Nullable RequestBody body(String method) {
        return WITH_BODY.contains(method) ? RequestBody.create(new byte[0]) : null;
    }

    Answer send(Request.Builder request, TokenUse use, @Nullable String identity) {
        Path path = new Path();
        long started = nanos.getAsLong();
        long left = deadline - started;
        if (left <= 0) {
            return new Answer(0, 0, "the time for the check is over", null, null, new IOException("no time left"));
        }
        OkHttpClient timed = client.newBuilder().eventListener(path).build();
        Call call = timed.newCall(request.header("User-Agent", "keyturn-check")
                .tag(TokenUse.class, use)
                .build());
        call.timeout().timeout(left, TimeUnit.NANOSECONDS);
        try (Response response = call.execute()) {
            String found = identity == null ? null : JsonIdentity.find(response.body(), identity);
            String location =
                    response.isRedirect() ? place(response.request().url(), response.header("Location")) : null;
            return new Answer(response.code(), millisSince(started), path.describe(), location, found, null);
        } catch (IOException e) {
            return new Answer(0, millisSince(started), AgentCalls.why(e), null, null, e);
        } catch (RuntimeException e) {
            // An interceptor or a resolver of the program's own; its message may hold anything.
            String why = "the HTTP client failed with " + e.getClass().getName();
            return new Answer(0, millisSince(started), why, null, null, new IOException(why));
        }
    }

    /** Ends its connections. */
    @Override
    public void close() {
        connections.evictAll();
    }

    private long millisSince(long started) {
        return TimeUnit.NANOSECONDS.toMillis(nanos.getAsLong() - started);
    }

    /** Where a redirect leads, without what a query may carry. */
    private static @Nullable String place(HttpUrl from, @Nullable String location) {
        HttpUrl to = location == null ? null : Endpoint.httpUrl(from, location);
        return to == null
                ? null
                : to.newBuilder()
                        .query(null)
                        .fragment(null)
                        .username("")
                        .password("")
                        .build()
                        .toString();
    }

    /** Hears how the connection is made; OkHttp may race several addresses, each on a thread of its own. */
    private final class Path extends EventListener {
        private final Queue<String> steps = new ConcurrentLinkedQueue<>();
        private volatile long at = nanos.getAsLong();

        private void step(String what) {
            long now = nanos.getAsLong();
            steps.add(what + " " + TimeUnit.NANOSECONDS.toMillis(now - at) + " ms");
            at = now;
        }

        @Override
        public void dnsEnd(Call call, String domainName, List<InetAddress> addresses) {
            step("DNS");
        }

        @Override
        public void connectStart(Call call, InetSocketAddress address, Proxy proxy) {
            at = nanos.getAsLong();
        }

        @Override
        public void secureConnectStart(Call call) {
            step("TCP");
        }

        @Override
        public void secureConnectEnd(Call call, @Nullable Handshake handshake) {
            step("TLS");
            if (handshake != null && !handshake.peerCertificates().isEmpty()) {
                X509Certificate certificate =
                        (X509Certificate) handshake.peerCertificates().get(0);
                steps.add("certificate until " + certificate.getNotAfter().toInstant());
            }
        }

        @Override
        public void connectEnd(Call call, InetSocketAddress address, Proxy proxy, @Nullable Protocol protocol) {
            if (!call.request().url().isHttps()) {
                step("TCP");
            }
        }

        String describe() {
            return steps.isEmpty() ? "connected" : String.join(", ", steps);
        }
    }
}
