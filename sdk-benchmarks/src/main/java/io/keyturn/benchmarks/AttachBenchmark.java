package io.keyturn.benchmarks;

import io.keyturn.TokenAgent;
import io.keyturn.TokenOptions;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What it costs to attach a token, without the network: a network interceptor on a chain that answers at once. Beside it
 * stand, on the same chain, the plainest way to send a token, a network interceptor with a header that was built before,
 * and what others do. Aim: at most 1.15 times the plainest, and 64 B more.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(5)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
public class AttachBenchmark {
    private static final String TOKEN = "3vQhL0mJ9sXw7TzR2bKp5nYd8cFg1aUe";

    private final Interceptor prebuilt = new Interceptor() {
        private final String header = "Bearer " + TOKEN;

        @Override
        public Response intercept(Chain chain) throws IOException {
            return chain.proceed(
                    chain.request().newBuilder().header("Authorization", header).build());
        }
    };
    private final List<TokenAgent> agents = new ArrayList<>();
    private CannedChain plain;
    private CannedChain toEndpoint;
    private CannedChain installed;
    private CannedChain toStranger;
    private CannedChain underPolicy;
    private CannedChain withinHours;
    private CannedChain kubernetes;
    private CannedChain google;

    private static Request request(String url) {
        return new Request.Builder()
                .url(url)
                .header("Accept", "application/json")
                .header("User-Agent", "benchmark")
                .build();
    }

    private OkHttpClient.Builder client(Consumer<TokenOptions> options) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "api_token",
                        TokenSources.value(TOKEN),
                        t -> options.accept(t.endpoint("https://api.example.com/v1")))
                .start();
        agents.add(agent);
        return agent.install(new OkHttpClient.Builder());
    }

    private static Interceptor onTheWire(OkHttpClient.Builder client) {
        return client.networkInterceptors().get(0);
    }

    /**
     * What OkHttp does to each request, which gets headers of its own from it. In a program that attaches tokens this has
     * happened many times: what the compiler knows of that code then does not depend on what is measured.
     */
    private static void bridge(Request request) {
        for (int i = 0; i < 500_000; i++) {
            Request bridged = request.newBuilder()
                    .header("Host", request.url().host())
                    .header("Connection", "Keep-Alive")
                    .header("Accept-Encoding", "gzip")
                    .build();
            if (bridged.headers().size() < 5) {
                throw new IllegalStateException("OkHttp has lost headers");
            }
        }
    }

    @Setup
    public void start() throws IOException {
        Request endpoint = request("https://api.example.com/v1/me");
        bridge(endpoint);
        Request stranger = request("https://stranger.example.com/v1/me");
        OkHttpClient.Builder client = client(t -> {});
        OkHttpClient.Builder ruled =
                client(t -> t.grantedScopes("read").requireScopes("read").policy(TokenPolicies.https()));
        OkHttpClient.Builder timed = client(t -> t.hours("mon-sun 00:00-24:00 UTC"));
        plain = CannedChain.through(prebuilt, endpoint);
        toEndpoint = CannedChain.through(onTheWire(client), endpoint);
        installed = CannedChain.through(client.interceptors().get(0), onTheWire(client), endpoint);
        toStranger = CannedChain.through(onTheWire(client), stranger);
        underPolicy = CannedChain.through(onTheWire(ruled), endpoint);
        withinHours = CannedChain.through(onTheWire(timed), endpoint);
        kubernetes = CannedChain.through(Peers.kubernetes(() -> TOKEN), endpoint);
        google = CannedChain.through(Peers.googleInterceptor(Peers.google(() -> TOKEN)), endpoint);
        for (CannedChain chain : List.of(plain, toEndpoint, installed, underPolicy, withinHours, kubernetes, google)) {
            requireAttached(chain, "Bearer " + TOKEN);
        }
        requireAttached(toStranger, null);
    }

    private static void requireAttached(CannedChain chain, String header) throws IOException {
        String sent = chain.proceed().networkResponse().request().header("Authorization");
        if (header == null ? sent != null : !header.equals(sent)) {
            throw new IllegalStateException("the benchmark would measure something else");
        }
    }

    @TearDown
    public void close() {
        agents.forEach(TokenAgent::close);
    }

    /** All of them by their names, the plainest first. */
    Map<String, Callable<Response>> calls() {
        Map<String, Callable<Response>> calls = new LinkedHashMap<>();
        calls.put("prebuiltHeader", this::prebuiltHeader);
        calls.put("keyturnToEndpoint", this::keyturnToEndpoint);
        calls.put("keyturnInstalled", this::keyturnInstalled);
        calls.put("keyturnUnderPolicy", this::keyturnUnderPolicy);
        calls.put("keyturnWithinHours", this::keyturnWithinHours);
        calls.put("keyturnToStranger", this::keyturnToStranger);
        calls.put("kubernetesClient", this::kubernetesClient);
        calls.put("googleMetadata", this::googleMetadata);
        return calls;
    }

    @Benchmark
    public Response prebuiltHeader() throws IOException {
        return plain.proceed();
    }

    @Benchmark
    public Response keyturnToEndpoint() throws IOException {
        return toEndpoint.proceed();
    }

    /** With the interceptor around the call, which keeps answers out of the cache and tries again after a 401. */
    @Benchmark
    public Response keyturnInstalled() throws IOException {
        return installed.proceed();
    }

    /** With rules on what the token may do and where it goes. */
    @Benchmark
    public Response keyturnUnderPolicy() throws IOException {
        return underPolicy.proceed();
    }

    /** With a rule that looks at the clock. */
    @Benchmark
    public Response keyturnWithinHours() throws IOException {
        return withinHours.proceed();
    }

    @Benchmark
    public Response keyturnToStranger() throws IOException {
        return toStranger.proceed();
    }

    @Benchmark
    public Response kubernetesClient() throws IOException {
        return kubernetes.proceed();
    }

    @Benchmark
    public Response googleMetadata() throws IOException {
        return google.proceed();
    }
}
