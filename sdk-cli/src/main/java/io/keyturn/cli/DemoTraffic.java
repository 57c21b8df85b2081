package io.keyturn.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/** Requests that flow until this is closed, as a program sends them: what fails here has failed for the caller. */
final class DemoTraffic implements AutoCloseable {
    static final int THREADS = 4;
    private static final long PAUSE_MILLIS = 5;
    private static final long LAST_MILLIS = 10_000;

    private final OkHttpClient client;
    private final Request request;
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicInteger requests = new AtomicInteger();
    private final AtomicInteger failed = new AtomicInteger();
    private final AtomicReference<@Nullable String> firstFailure = new AtomicReference<>();
    private volatile boolean over;

    /** Begins at once. */
    DemoTraffic(OkHttpClient client, String url) {
        this.client = client;
        this.request = new Request.Builder().url(url).build();
        for (int i = 0; i < THREADS; i++) {
            Thread thread = new Thread(this::flow, "keyturn-demo");
            thread.setDaemon(true);
            threads.add(thread);
            thread.start();
        }
    }

    private void flow() {
        try {
            while (!over) {
                send();
                TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void send() {
        requests.incrementAndGet();
        try (Response response = client.newCall(request).execute()) {
            if (!response.isSuccessful()) {
                failed("status " + response.code());
            }
        } catch (IOException | RuntimeException e) {
            // Of sockets, or of ours: neither holds a value.
            failed(e.toString());
        }
    }

    private void failed(String why) {
        failed.incrementAndGet();
        firstFailure.compareAndSet(null, why);
    }

    int requests() {
        return requests.get();
    }

    int failed() {
        return failed.get();
    }

    /** Why the first request failed; null if none has. */
    @Nullable
    String firstFailure() {
        return firstFailure.get();
    }

    /** Waits for the requests that are under way. */
    @Override
    public void close() {
        over = true;
        try {
            for (Thread thread : threads) {
                thread.join(LAST_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
