package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.time.Clock;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.FutureTask;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import javax.net.ssl.SSLException;
import okhttp3.Authenticator;
import okhttp3.Call;
import okhttp3.ConnectionPool;
import okhttp3.CookieJar;
import okhttp3.Dispatcher;
import okhttp3.Interceptor;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okio.BufferedSink;
import okio.BufferedSource;
import org.jspecify.annotations.Nullable;

/**
 * An agent's own calls to services that are none of its endpoints: token services, stores, a policy, and the check's. They
 * follow no redirect, remember nothing, and end in time. Safe for any number of threads.
 */
public final class AgentCalls implements AutoCloseable {
    private static final long MOST_BYTES = 1024 * 1024;
    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    /** Of a call and the fetch that waits for it the call is to end first, since it knows why. */
    private static final double SOONER = 0.95;

    private static final Duration IDLE = Duration.ofSeconds(30);
    private static final int MOST_IDLE = 5;

    /** Where an answer's {@code Retry-After} stands for {@link ServiceAnswer}. */
    static final String RETRY_AFTER = "Keyturn-Retry-After";

    /** As many as there are calls under way, and none a moment later. */
    private static final ExecutorService THREADS =
            new ThreadPoolExecutor(0, Integer.MAX_VALUE, 1, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
                Thread thread = new Thread(task, "keyturn-call");
                thread.setDaemon(true);
                return thread;
            });

    private final Supplier<OkHttpClient> base;
    private final AtomicReference<@Nullable OkHttpClient> client = new AtomicReference<>();
    private volatile boolean closed;

    /** Nothing is connected yet. */
    AgentCalls(Supplier<OkHttpClient> base) {
        this.base = base;
    }

    /** A client like this one that follows no redirect, remembers nothing and answers no challenge. */
    public static OkHttpClient.Builder own(OkHttpClient client) {
        return client.newBuilder()
                .followRedirects(false)
                .followSslRedirects(false)
                .cache(null)
                .cookieJar(CookieJar.NO_COOKIES)
                .authenticator(Authenticator.NONE)
                .addNetworkInterceptor(AgentCalls::withoutRetryAfter);
    }

    /** OkHttp would obey the header by trying again, and throw if its number is too large. */
    private static Response withoutRetryAfter(Interceptor.Chain chain) throws IOException {
        Response response = chain.proceed(chain.request());
        String after = response.header("Retry-After");
        Response.Builder without =
                response.newBuilder().removeHeader("Retry-After").removeHeader(RETRY_AFTER);
        return (after == null ? without : without.header(RETRY_AFTER, after)).build();
    }

    /** What happened to a call that has no answer, without what it sent. */
    public static String why(IOException e) {
        if (e instanceof TokenException) {
            return String.valueOf(e.getMessage());
        }
        if (e instanceof UnknownHostException) {
            return "DNS does not know the host";
        }
        if (e instanceof ConnectException) {
            return "nobody accepts connections there";
        }
        if (e instanceof SSLException) {
            // What TLS has to say is of certificates, and needed to mend them; it never sees the request.
            return "TLS failed: " + String.valueOf(e.getMessage()).replaceAll("\\s+", " ");
        }
        boolean late = e instanceof SocketTimeoutException || "timeout".equals(e.getMessage());
        return late
                ? "no answer in time"
                : "the connection broke (" + e.getClass().getSimpleName() + ")";
    }

    /** The same request, which is not sent again on a connection that breaks. */
    static Request once(Request request) {
        RequestBody body = request.body();
        return body == null
                ? request
                : request.newBuilder().method(request.method(), new Once(body)).build();
    }

    private static final class Once extends RequestBody {
        private final RequestBody body;

        Once(RequestBody body) {
            this.body = body;
        }

        @Override
        public @Nullable MediaType contentType() {
            return body.contentType();
        }

        @Override
        public long contentLength() throws IOException {
            return body.contentLength();
        }

        @Override
        public boolean isOneShot() {
            return true;
        }

        @Override
        public void writeTo(BufferedSink sink) throws IOException {
            body.writeTo(sink);
        }
    }

    ServiceAnswer send(Request request, String service, Clock clock) throws SourceException {
        if (closed) {
            throw new SourceException(Reason.CLOSED, service + " is not asked: the agent is closed", null);
        }
        Call call = client().newCall(request);
        FutureTask<ServiceAnswer> answer = new FutureTask<>(() -> answered(call, service, clock));
        // A read from a socket heeds no interrupt: so another thread reads, and who gives the call up cancels it.
        THREADS.execute(answer);
        try {
            return answer.get();
        } catch (InterruptedException e) {
            call.cancel();
            Thread.currentThread().interrupt();
            throw unreachable(service, "the call was given up");
        } catch (ExecutionException e) {
            throw failed(service, e.getCause());
        }
    }

    private static ServiceAnswer answered(Call call, String service, Clock clock) throws IOException {
        try (Response response = call.execute()) {
            BufferedSource body = response.body().source();
            if (body.request(MOST_BYTES + 1)) {
                throw new SourceException(Reason.MALFORMED, service + " answered more than 1 MiB: not a token", null);
            }
            return new ServiceAnswer(service, response.code(), response.headers(), body.readByteArray(), clock);
        }
    }

    private static SourceException failed(String service, @Nullable Throwable cause) {
        if (cause instanceof SourceException told) {
            return told;
        }
        if (cause instanceof IOException broken) {
            return unreachable(service, why(broken));
        }
        // An interceptor or a resolver of the program's own, or OkHttp that quotes a header; its message may hold
        // anything.
        String what = cause == null ? "no reason" : cause.getClass().getName();
        return unreachable(service, "the HTTP client failed with " + what);
    }

    private static SourceException unreachable(String service, String why) {
        return new SourceException(
                Reason.STORE_UNREACHABLE,
                service + " is unreachable (" + why + ")",
                "is its address right, does it run, and is it reached from here? agent.http has proxy and ca_file");
    }

    private OkHttpClient client() {
        OkHttpClient known = client.get();
        if (known != null) {
            return known;
        }
        OkHttpClient given = base.get();
        long timeout = given.callTimeoutMillis() == 0 ? TIMEOUT.toMillis() : given.callTimeoutMillis();
        OkHttpClient mine = own(given)
                .addInterceptor(this::sentWhileOpen)
                .dispatcher(new Dispatcher())
                .connectionPool(new ConnectionPool(MOST_IDLE, IDLE.toSeconds(), TimeUnit.SECONDS))
                .callTimeout((long) (timeout * SOONER), TimeUnit.MILLISECONDS)
                .build();
        return client.compareAndSet(null, mine) ? mine : Objects.requireNonNull(client.get());
    }

    /** A call that begins while the agent closes may come too late to be cancelled. */
    private Response sentWhileOpen(Interceptor.Chain chain) throws IOException {
        if (closed) {
            throw new SourceException(Reason.CLOSED, "the agent is closed", null);
        }
        return chain.proceed(chain.request());
    }

    /** Ends the calls under way. */
    @Override
    public void close() {
        closed = true;
        OkHttpClient known = client.get();
        if (known != null) {
            known.dispatcher().cancelAll();
            known.connectionPool().evictAll();
        }
    }
}
