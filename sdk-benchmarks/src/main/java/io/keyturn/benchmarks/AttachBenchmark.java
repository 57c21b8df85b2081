package io.keyturn.benchmarks;

import io.keyturn.TokenAgent;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
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
 * What an installed agent adds to a call, without the network: both of its interceptors run on a chain that answers at
 * once. Beside it stand, on the same chain, the plainest way to send a token, a network interceptor with a header that was
 * built before, and what others do. Aim: at most 1.15 times the plainest, and 64 B more.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(2)
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
    private final Request endpoint = request("https://api.example.com/v1/me");
    private final Request stranger = request("https://stranger.example.com/v1/me");
    private TokenAgent agent;
    private TokenAgent ruled;
    private TokenAgent timed;
    private Interceptor application;
    private Interceptor ruledApplication;
    private Interceptor timedApplication;

    // OkHttp makes a chain a call for every client; here they are made before, so that none of it counts.
    private CannedChain plain;
    private CannedChain toEndpoint;
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

    @Setup
    public void start() throws IOException {
        agent = TokenAgent.builder()
                .token("api_token", TokenSources.value(TOKEN), t -> t.endpoint("https://api.example.com/v1"))
                .start();
        ruled = TokenAgent.builder()
                .token(
                        "api_token",
                        TokenSources.value(TOKEN),
                        t -> t.endpoint("https://api.example.com/v1")
                                .grantedScopes("read")
                                .requireScopes("read")
                                .policy(TokenPolicies.https()))
                .start();
        timed = TokenAgent.builder()
                .token(
                        "api_token",
                        TokenSources.value(TOKEN),
                        t -> t.endpoint("https://api.example.com/v1").hours("mon-sun 00:00-24:00 UTC"))
                .start();
        OkHttpClient.Builder ruledClient = ruled.install(new OkHttpClient.Builder());
        ruledApplication = ruledClient.interceptors().get(0);
        underPolicy = CannedChain.through(ruledClient.networkInterceptors().get(0), endpoint);
        OkHttpClient.Builder timedClient = timed.install(new OkHttpClient.Builder());
        timedApplication = timedClient.interceptors().get(0);
        withinHours = CannedChain.through(timedClient.networkInterceptors().get(0), endpoint);
        OkHttpClient.Builder client = agent.install(new OkHttpClient.Builder());
        application = client.interceptors().get(0);
        Interceptor network = client.networkInterceptors().get(0);
        plain = CannedChain.through(prebuilt, endpoint);
        toEndpoint = CannedChain.through(network, endpoint);
        toStranger = CannedChain.through(network, stranger);
        kubernetes = CannedChain.through(Peers.kubernetes(() -> TOKEN), endpoint);
        google = CannedChain.through(Peers.googleInterceptor(Peers.google(() -> TOKEN)), endpoint);
        requireAttached(prebuiltHeader(), "Bearer " + TOKEN);
        requireAttached(keyturnToEndpoint(), "Bearer " + TOKEN);
        requireAttached(keyturnUnderPolicy(), "Bearer " + TOKEN);
        requireAttached(keyturnWithinHours(), "Bearer " + TOKEN);
        requireAttached(keyturnToStranger(), null);
        requireAttached(kubernetesClient(), "Bearer " + TOKEN);
        requireAttached(googleMetadata(), "Bearer " + TOKEN);
    }

    private static void requireAttached(Response response, String header) {
        String sent = response.networkResponse().request().header("Authorization");
        if (header == null ? sent != null : !header.equals(sent)) {
            throw new IllegalStateException("the benchmark would measure something else");
        }
    }

    @TearDown
    public void close() {
        agent.close();
        ruled.close();
        timed.close();
    }

    @Benchmark
    public Response prebuiltHeader() throws IOException {
        return plain.proceed(endpoint);
    }

    @Benchmark
    public Response keyturnToEndpoint() throws IOException {
        return application.intercept(toEndpoint);
    }

    /** With rules on what the token may do and where it goes. */
    @Benchmark
    public Response keyturnUnderPolicy() throws IOException {
        return ruledApplication.intercept(underPolicy);
    }

    /** With a rule that looks at the clock. */
    @Benchmark
    public Response keyturnWithinHours() throws IOException {
        return timedApplication.intercept(withinHours);
    }

    @Benchmark
    public Response keyturnToStranger() throws IOException {
        return application.intercept(toStranger);
    }

    @Benchmark
    public Response kubernetesClient() throws IOException {
        return kubernetes.proceed(endpoint);
    }

    @Benchmark
    public Response googleMetadata() throws IOException {
        return google.proceed(endpoint);
    }
}
