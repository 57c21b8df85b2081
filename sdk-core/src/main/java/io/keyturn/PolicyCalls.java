package io.keyturn;

import io.keyturn.policy.RemotePolicy;
import io.keyturn.source.AgentCalls;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import okhttp3.ConnectionPool;
import okhttp3.Dispatcher;
import okhttp3.OkHttpClient;

/**
 * The connections and threads over which an agent's policy is asked. They are the agent's, not the policy's: a request that
 * still asks the policy before a reload gets its answer.
 */
final class PolicyCalls implements AutoCloseable {
    /** More questions than these wait for a thread, as long as their time allows. */
    private static final int MOST = 64;

    private static final int MOST_IDLE = 16;
    private static final long IDLE_SECONDS = 10;

    private final ExecutorService threads;
    private final ConnectionPool connections = new ConnectionPool(MOST_IDLE, IDLE_SECONDS, TimeUnit.SECONDS);
    private final Dispatcher dispatcher = new Dispatcher();
    private final OkHttpClient http;

    /** Nothing is connected yet; {@code client} is that of the agent's own calls. */
    PolicyCalls(OkHttpClient client) {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                MOST,
                MOST,
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                DaemonThreads.named("keyturn-policy"));
        pool.allowCoreThreadTimeOut(true);
        this.threads = pool;
        this.http = AgentCalls.own(client)
                .dispatcher(dispatcher)
                .connectionPool(connections)
                .build();
    }

    /** The policy that these options mean, which remembers nothing yet. */
    RemotePolicy policy(PolicyOptions options, String agent) {
        return RemotePolicy.opa(
                options.opa(), agent, options.timeout(), options.cache(), options.allowsUnasked(), http, threads);
    }

    /** Ends what is asked; who waits for it is denied. */
    @Override
    public void close() {
        // In this order: a call that is cancelled must find that it is over.
        threads.shutdownNow();
        dispatcher.cancelAll();
        connections.evictAll();
    }
}
