package io.keyturn;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import okhttp3.Call;
import okhttp3.EventListener;
import okhttp3.Protocol;
import org.jspecify.annotations.Nullable;

/** Counts what is asked of a server at a port: each request that is sent, and each connection that is not to be had. */
public final class CountedCalls extends EventListener {
    private static final Duration MINUTE = Duration.ofMinutes(1);

    private final int port;
    private final Queue<Instant> calls = new ConcurrentLinkedQueue<>();

    /** To be the listener of a client. */
    public CountedCalls(int port) {
        this.port = port;
    }

    @Override
    public void requestHeadersStart(Call call) {
        count(call);
    }

    @Override
    public void connectFailed(
            Call call, InetSocketAddress address, Proxy proxy, @Nullable Protocol protocol, IOException e) {
        count(call);
    }

    private void count(Call call) {
        if (call.request().url().port() == port) {
            calls.add(Instant.now());
        }
    }

    /** How many there have been within a minute of this moment. */
    public long inTheMinuteFrom(Instant moment) {
        Instant end = moment.plus(MINUTE);
        return calls.stream()
                .filter(at -> !at.isBefore(moment) && at.isBefore(end))
                .count();
    }
}
