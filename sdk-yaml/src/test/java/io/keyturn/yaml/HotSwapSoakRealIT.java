package io.keyturn.yaml;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.HOURS;
import static java.util.concurrent.TimeUnit.MICROSECONDS;
import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.keyturn.TokenAgent;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.ObjectName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.ConnectionPool;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/**
 * Tokens are rotated while sixteen threads send requests through nginx over TLS, half of them by HTTP/2. There are four
 * tokens, each at a path of its own and each brought in another way ({@link Delivery}); each is replaced every 100 ms. A
 * token that was replaced is accepted for {@link IssuedTokens#OVERLAP} more, but once a second it is revoked at the moment
 * of the swap: whoever sends it then gets a 401, and only a second try with the new one hides that from the caller.
 *
 * <pre>{@code
 * eval "$(it/nginx.sh start)"
 * KEYTURN_SOAK=30m mvn -Preal verify      # 20s unless it is said
 * it/nginx.sh stop
 * }</pre>
 */
@EnabledIfEnvironmentVariable(named = "NGINX_HOTSWAP_URL", matches = ".+")
class HotSwapSoakRealIT {
    private static final int THREADS = 16;
    private static final Duration EVERY = Duration.ofMillis(100);
    private static final Duration REVOKED_EVERY = Duration.ofSeconds(1);
    private static final String API = variable("NGINX_HOTSWAP_URL");
    private static final Duration LENGTH = length(System.getenv().getOrDefault("KEYTURN_SOAK", "20s"));

    private static final Pattern TOTAL = Pattern.compile("(?m)^Total +[0-9]+ +([0-9]+)");
    private static final Logger LOGGER = (Logger) LoggerFactory.getLogger("io.keyturn");

    @TempDir
    private Path folder;

    private final Map<String, IssuedTokens> tokens = new LinkedHashMap<>();
    private final Map<String, Delivery> deliveries = new LinkedHashMap<>();

    /** Held for writing while the heap is measured: then nobody sends and nothing is rotated. */
    private final ReadWriteLock pause = new ReentrantReadWriteLock();

    private final CountDownLatch over = new CountDownLatch(1);
    private final LongAdder answers = new LongAdder();
    private final LongAdder recovered = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final Queue<String> failures = new ArrayBlockingQueue<>(20);

    private static String variable(String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalStateException(name + " is not set: eval \"$(it/nginx.sh start)\"");
        }
        return value;
    }

    private static Duration length(String text) {
        return Duration.parse("PT" + text.toUpperCase(Locale.ROOT));
    }

    /** Each revocation is a warning, and there are thousands. */
    @BeforeEach
    void quiet() {
        LOGGER.setLevel(Level.ERROR);
    }

    @AfterEach
    void loud() {
        LOGGER.setLevel(null);
    }

    // --- the tokens ---

    @BeforeEach
    void deliverTheFirst() throws IOException {
        Path agentFile = folder.resolve("agent.yaml");
        deliveries.put("renamed", Delivery.rename(folder("renamed").resolve("token")));
        deliveries.put("rewritten", Delivery.rewrite(folder("rewritten").resolve("token")));
        deliveries.put("swapped", Delivery.dataSwap(folder("swapped")));
        deliveries.put("edited", Delivery.edit(agentFile, HotSwapSoakRealIT::agentYaml));
        for (Map.Entry<String, Delivery> delivery : deliveries.entrySet()) {
            IssuedTokens issued = new IssuedTokens(delivery.getKey());
            tokens.put(delivery.getKey(), issued);
            rotate(issued, false);
        }
    }

    private Path folder(String name) throws IOException {
        return Files.createDirectory(folder.resolve(name));
    }

    private static String agentYaml(String edited) {
        return String.join(
                "\n",
                "agent:",
                "  tokens:",
                "    renamed: {file: ./renamed/token, endpoint: \"" + API + "/renamed\"}",
                "    rewritten: {file: ./rewritten/token, endpoint: \"" + API + "/rewritten\"}",
                "    swapped: {file: ./swapped/token, endpoint: \"" + API + "/swapped\"}",
                "    edited: {value: " + edited + ", endpoint: \"" + API + "/edited\"}");
    }

    private void rotate(IssuedTokens issued, boolean revoke) throws IOException {
        String token = issued.issue();
        Delivery.Step step = deliveries.get(issued.name()).prepare(token);
        issued.replaceWith(token);
        step.run();
        if (revoke) {
            issued.revokeReplacedBy(token);
        }
    }

    /** Rotates the tokens in turn, so that each is every 100 ms. What was missed is not made up for. */
    private final class Rotations implements Runnable {
        private final List<IssuedTokens> rotated = List.copyOf(tokens.values());
        private final long[] revokedNanos = new long[rotated.size()];

        @Override
        public void run() {
            long next = System.nanoTime();
            Arrays.fill(revokedNanos, next);
            for (int i = 0; isGoingOn(); i = (i + 1) % rotated.size()) {
                while (isGoingOn() && System.nanoTime() - next < 0) {
                    LockSupport.parkNanos(next - System.nanoTime());
                }
                pause.readLock().lock();
                try {
                    long now = System.nanoTime();
                    boolean revoke = now - revokedNanos[i] >= REVOKED_EVERY.toNanos();
                    if (revoke) {
                        revokedNanos[i] = now;
                    }
                    rotate(rotated.get(i), revoke);
                } catch (IOException | RuntimeException e) {
                    failed(rotated.get(i).name() + " was not rotated: " + e);
                } finally {
                    pause.readLock().unlock();
                }
                long now = System.nanoTime();
                long planned = next + EVERY.toNanos() / rotated.size();
                next = planned - now > 0 ? planned : now;
            }
        }
    }

    private boolean isGoingOn() {
        return over.getCount() > 0;
    }

    // --- the requests ---

    private static OkHttpClient trusting(Protocol... protocols) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(Path.of(variable("NGINX_TRUSTSTORE")))) {
            store.load(in, variable("NGINX_TRUSTSTORE_PASSWORD").toCharArray());
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        X509TrustManager manager = (X509TrustManager) factory.getTrustManagers()[0];
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {manager}, null);
        return new OkHttpClient.Builder()
                // The default closes all idle connections but five, and each new one leaves a TLS session in the heap.
                .connectionPool(new ConnectionPool(THREADS, 1, HOURS))
                .sslSocketFactory(context.getSocketFactory(), manager)
                .protocols(List.of(protocols))
                .build();
    }

    /** Sends requests with one token: mostly a GET, now and then a POST, whose body must come whole at a second try, too. */
    private final class Caller implements Runnable {
        private final OkHttpClient client;
        private final Request get;
        private final Request post;
        private final String digest;
        private final long gapNanos;

        Caller(OkHttpClient client, String name, int number) {
            byte[] body = ("{\"caller\":" + number + ",\"text\":\"" + "x".repeat(1_000 + 100 * number) + "\"}")
                    .getBytes(UTF_8);
            this.client = client;
            this.get = new Request.Builder().url(API + "/" + name + "/me").build();
            this.post = new Request.Builder()
                    .url(API + "/" + name + "/echo")
                    .post(RequestBody.create(body))
                    .build();
            this.digest = Judge.digest(body);
            this.gapNanos = MICROSECONDS.toNanos(2_000 + 125L * number);
        }

        @Override
        public void run() {
            for (int i = 0; isGoingOn(); i++) {
                pause.readLock().lock();
                try {
                    send(i % 8 == 0 ? post : get);
                } finally {
                    pause.readLock().unlock();
                }
                LockSupport.parkNanos(gapNanos); // a load, and not more of it than two cores bear
            }
        }

        private void send(Request request) {
            try (Response response = client.newCall(request).execute()) {
                Response prior = response.priorResponse();
                boolean right = request.method().equals("POST")
                        ? response.code() == 204 && digest.equals(response.header("X-Body"))
                        : response.code() == 200 && response.body().string().contains("ci-agent");
                answers.increment();
                if (!right) {
                    failed(
                            request,
                            "was answered " + response.code() + (prior == null ? "" : " after " + prior.code()));
                } else if (prior != null && prior.code() == 401) {
                    recovered.increment();
                }
            } catch (IOException | RuntimeException e) {
                failed(request, "failed: " + e);
            }
        }

        private void failed(Request request, String how) {
            HotSwapSoakRealIT.this.failed(request.method() + " " + request.url().encodedPath() + " " + how);
        }
    }

    private void failed(String what) {
        failed.increment();
        failures.offer(what);
    }

    // --- the heap ---

    /**
     * The bytes of all live objects, as the JVM's histogram counts them. What {@code MemoryMXBean} calls used would not do:
     * G1 leaves dead objects in regions that are nearly full, and that alone moves it by 3 %.
     */
    private long liveBytes() throws JMException {
        pause.writeLock().lock();
        try {
            long least = Long.MAX_VALUE;
            for (int i = 0; i < 3; i++) {
                String histogram = (String) ManagementFactory.getPlatformMBeanServer()
                        .invoke(
                                new ObjectName("com.sun.management:type=DiagnosticCommand"),
                                "gcClassHistogram",
                                new Object[] {new String[0]},
                                new String[] {String[].class.getName()});
                Matcher total = TOTAL.matcher(histogram);
                assertThat(total.find()).isTrue();
                least = Math.min(least, Long.parseLong(total.group(1)));
            }
            tokens.values().forEach(IssuedTokens::afterAPause);
            return least;
        } finally {
            pause.writeLock().unlock();
        }
    }

    @Test
    void requests_tokensAreRotatedByEveryMeans_noneFailsAndNoneCarriesAnOldToken() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS + 1);
        long warm;
        long end;
        try (Judge judge = new Judge(Integer.parseInt(variable("NGINX_AUTH_PORT")), tokens);
                TokenAgent agent = YamlConfig.load(folder.resolve("agent.yaml")).start()) {
            judge.start();
            List<OkHttpClient> clients = List.of(
                    agent.install(trusting(Protocol.HTTP_2, Protocol.HTTP_1_1)),
                    agent.install(trusting(Protocol.HTTP_1_1)));
            List<String> names = List.copyOf(tokens.keySet());
            for (int i = 0; i < THREADS; i++) {
                String name = names.get(i % names.size());
                threads.execute(new Caller(clients.get(i / names.size() % clients.size()), name, i));
            }
            threads.execute(new Rotations());
            letRun(LENGTH.dividedBy(5));
            warm = liveBytes();
            letRun(LENGTH.dividedBy(5).multipliedBy(4));
            end = liveBytes();
            over.countDown();
            threads.shutdown();
            assertThat(threads.awaitTermination(60, SECONDS))
                    .as("all threads end")
                    .isTrue();
        } finally {
            over.countDown();
            threads.shutdownNow();
        }
        judge(warm, end);
    }

    private void letRun(Duration time) throws InterruptedException {
        assertThat(over.await(time.toNanos(), NANOSECONDS)).isFalse();
    }

    private void judge(long warm, long end) {
        List<IssuedTokens.Figures> each =
                tokens.values().stream().map(IssuedTokens::figures).toList();
        IssuedTokens.Figures all =
                each.stream().reduce(IssuedTokens.Figures::and).orElseThrow();
        each.forEach(figures -> System.out.println("soak " + figures));
        System.out.printf(
                Locale.ROOT,
                "soak of %d s, %s; answered %d, after a 401 %d, failed %d, heap %.2f MiB %+.2f %%%n",
                LENGTH.toSeconds(),
                all,
                answers.sum(),
                recovered.sum(),
                failed.sum(),
                warm / 1048576.0,
                100.0 * (end - warm) / warm);

        assertThat(failed.sum()).as("failed, such as %s", failures).isZero();
        assertThat(all.stale()).as("older than the swap by 1 s").isZero();
        assertThat(all.unknown()).as("with no token, or an ancient one").isZero();
        // None of this is proven by a run in which nothing happened.
        assertThat(each).allSatisfy(figures -> {
            assertThat(figures.revocations()).isPositive();
            assertThat(figures.refused()).isPositive();
        });
        assertThat(recovered.sum()).as("answered at the second try").isPositive();
        assertThat(100.0 * end / warm)
                .as("heap at the end, in per cent of what it was")
                .isLessThanOrEqualTo(101.0);
    }
}
