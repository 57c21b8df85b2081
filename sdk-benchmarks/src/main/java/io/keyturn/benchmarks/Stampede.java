package io.keyturn.benchmarks;

import com.amazonaws.secretsmanager.caching.SecretCache;
import com.azure.core.implementation.AccessTokenCache;
import com.google.auth.oauth2.OAuth2Credentials;
import io.keyturn.TokenAgent;
import io.keyturn.provider.TokenProvider;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.kubernetes.client.util.credentials.RefreshAuthentication;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import software.amazon.awssdk.utils.cache.CachedSupplier;

/**
 * Many threads that need a new token in the same moment, from a source that takes 50 ms: how often it is asked, and how
 * much longer than those 50 ms they wait. Aim: once, and at most 50 ms longer.
 */
final class Stampede {
    private static final long FETCH_MILLIS = 50;
    private static final String REFUSED = "token-0";

    private final int crowd;
    private final int smallCrowd;
    private final int rounds;

    Stampede(boolean quick) {
        this.crowd = quick ? 100 : 1_000;
        this.smallCrowd = quick ? 10 : 50;
        this.rounds = quick ? 1 : 3;
    }

    /** What each thread of the crowd does. */
    @FunctionalInterface
    private interface Need extends AutoCloseable {
        void meet() throws Throwable;

        @Override
        default void close() {}
    }

    /** Makes what the crowd meets, out of its source. */
    @FunctionalInterface
    private interface Opening {
        Need open(Source source) throws Exception;
    }

    /** A source that takes its time, counts, and does not answer before the crowd has come. */
    private static final class Source implements Supplier<String> {
        private final CountDownLatch begin = new CountDownLatch(1);
        private final AtomicInteger calls = new AtomicInteger();
        private final boolean broken;

        Source(boolean broken) {
            this.broken = broken;
        }

        @Override
        public String get() {
            int call = calls.incrementAndGet();
            try {
                begin.await();
                TimeUnit.MILLISECONDS.sleep(FETCH_MILLIS);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            if (broken) {
                throw new IllegalStateException("the source is down");
            }
            return "token-" + call;
        }
    }

    void print(Markdown out) throws Exception {
        out.heading("Many threads need a new token at once");
        out.columns(
                "", "threads", "calls of the source", "p99 wait beyond the fetch, ms", "threads without a new token");
        for (Map.Entry<String, Opening> each : firstUse().entrySet()) {
            print(out, "first use, " + each.getKey(), each.getValue(), crowd, false);
        }
        for (Map.Entry<String, Opening> each : refused().entrySet()) {
            print(out, "401, " + each.getKey(), each.getValue(), crowd, false);
        }
        for (Map.Entry<String, Opening> each : firstUse().entrySet()) {
            print(out, "source down, " + each.getKey(), each.getValue(), smallCrowd, true);
        }
    }

    // --- who they are ---

    private static Map<String, Opening> firstUse() {
        Map<String, Opening> all = new LinkedHashMap<>();
        all.put("keyturn", Stampede::keyturn);
        all.put("google-auth", source -> {
            OAuth2Credentials credentials = Peers.google(source);
            return () -> credentials.getRequestMetadata(Peers.API);
        });
        all.put("AWS CachedSupplier", source -> {
            CachedSupplier<String> supplier = Peers.awsSdk(source);
            return supplier::get;
        });
        all.put("azure AccessTokenCache", source -> {
            AccessTokenCache cache = Peers.azure(source);
            return () -> cache.getTokenSync(Peers.AZURE_REQUEST, false);
        });
        all.put("kubernetes client", source -> {
            RefreshAuthentication authentication = Peers.kubernetes(source);
            return () -> Peers.current(authentication);
        });
        all.put("AWS secrets cache", source -> {
            SecretCache cache = Peers.awsSecrets(source);
            return () -> cache.getSecretString(Peers.SECRET);
        });
        return all;
    }

    /** The agent asks when it starts, and the crowd comes while the source has not answered. */
    private static Need keyturn(Source source) throws Exception {
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "api_token",
                        TokenSources.of("benchmark", () -> TokenDocument.of(source.get())),
                        t -> t.optional())
                .start();
        TokenProvider provider = agent.provider("api_token");
        return closing(provider::get, agent);
    }

    /** Those that can be told that a token was refused. */
    private static Map<String, Opening> refused() {
        Map<String, Opening> all = new LinkedHashMap<>();
        all.put("keyturn", source -> {
            AtomicInteger fetches = new AtomicInteger();
            TokenAgent agent = TokenAgent.builder()
                    .token(
                            "api_token",
                            TokenSources.of(
                                    "benchmark",
                                    () -> TokenDocument.of(fetches.getAndIncrement() == 0 ? REFUSED : source.get())))
                    .start();
            TokenProvider provider = agent.provider("api_token");
            Token refused = provider.get();
            return closing(
                    () -> {
                        provider.invalidate(refused);
                        requireOther(provider.get().reveal());
                    },
                    agent);
        });
        all.put("google-auth", source -> {
            OAuth2Credentials credentials = Peers.google(afterFirst(source));
            credentials.refresh();
            return () -> {
                credentials.refresh();
                requireOther(credentials
                        .getRequestMetadata(Peers.API)
                        .get("Authorization")
                        .get(0));
            };
        });
        all.put("azure AccessTokenCache", source -> {
            AccessTokenCache cache = Peers.azure(afterFirst(source));
            cache.getTokenSync(Peers.AZURE_REQUEST, false);
            return () ->
                    requireOther(cache.getTokenSync(Peers.AZURE_REQUEST, true).getToken());
        });
        return all;
    }

    private static Supplier<String> afterFirst(Source source) {
        AtomicInteger fetches = new AtomicInteger();
        return () -> fetches.getAndIncrement() == 0 ? REFUSED : source.get();
    }

    private static void requireOther(String now) {
        if (now.endsWith(REFUSED)) {
            throw new IllegalStateException("the refused token came again");
        }
    }

    private static Need closing(Need need, AutoCloseable owner) {
        return new Need() {
            @Override
            public void meet() throws Throwable {
                need.meet();
            }

            @Override
            public void close() {
                try {
                    owner.close();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }
        };
    }

    // --- what happens ---

    private void print(Markdown out, String name, Opening opening, int threads, boolean broken) throws Exception {
        System.err.println("Stampede: " + name);
        Samples calls = new Samples();
        Samples waits = new Samples();
        Samples without = new Samples();
        for (int round = 0; round < rounds; round++) {
            Source source = new Source(broken);
            try (Need need = opening.open(source)) {
                without.add(rush(need, source, threads, waits));
            }
            calls.add(source.calls.get());
        }
        out.row(
                name,
                threads,
                Math.round(calls.median()),
                Math.max(0, waits.quantile(0.99) - FETCH_MILLIS),
                Math.round(without.median()));
    }

    /** How many of them got no new token; adds the milliseconds that each of them waited. */
    private static int rush(Need need, Source source, int threads, Samples waits) throws InterruptedException {
        CountDownLatch ready = new CountDownLatch(threads);
        List<Thread> crowd = new ArrayList<>();
        AtomicInteger failures = new AtomicInteger();
        for (int i = 0; i < threads; i++) {
            crowd.add(new Thread(() -> {
                ready.countDown();
                try {
                    source.begin.await();
                    long began = System.nanoTime();
                    try {
                        need.meet();
                    } catch (Throwable e) {
                        failures.incrementAndGet();
                    }
                    double millis = (System.nanoTime() - began) / 1e6;
                    synchronized (waits) {
                        waits.add(millis);
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }));
        }
        crowd.forEach(Thread::start);
        ready.await();
        source.begin.countDown();
        for (Thread thread : crowd) {
            thread.join();
        }
        return failures.get();
    }
}
