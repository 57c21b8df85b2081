package io.keyturn.http;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.keyturn.provider.Snapshot;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import okhttp3.Connection;
import okhttp3.ConnectionPool;
import okhttp3.Protocol;
import org.jspecify.annotations.Nullable;

/**
 * Closes connections that remember a token which has been replaced. HTTP/2 compresses headers by keeping them at both ends
 * (HPACK, RFC 7541 2.3.2): the latest 4 KiB, for as long as the connection is open, and OkHttp leaves an idle one open for
 * five minutes. So twice a minute those clients' idle connections are closed of which one has sent an older version than
 * requests get now. One that is in use is not touched, and is looked at again. Clients that have sent no token over HTTP/2
 * are left alone.
 *
 * <p>Nothing here keeps a token, a connection or a client alive. Safe for any number of threads.
 */
final class HeaderTables {
    /** The most that a swap every 100 ms may cost: one new connection in this time. */
    static final Duration PERIOD = Duration.ofSeconds(30);

    private final BiConsumer<Duration, Runnable> later;
    private final Versions versions;
    private final Cache<Connection, Table> tables =
            Caffeine.newBuilder().weakKeys().executor(Runnable::run).build();
    private final AtomicBoolean waiting = new AtomicBoolean();
    private volatile Last last = new Last(new WeakReference<>(null), new WeakReference<>(null));

    /** Tells which version of a token requests get now. */
    @FunctionalInterface
    interface Versions {
        /** Its generation; 0 if there is none. Must not block. */
        long generation(String name, @Nullable String key);
    }

    /** A token, and the key if there is one for each. */
    private record Name(String name, @Nullable String key) {}

    /** What was sent last. A client has one token and one connection for most of its requests, so this fits nearly always. */
    private record Last(WeakReference<Connection> connection, WeakReference<Snapshot> snapshot) {
        boolean is(Connection other, Snapshot version) {
            return connection.refersTo(other) && snapshot.refersTo(version);
        }
    }

    /** The tokens that one connection may remember. */
    private static final class Table {
        /** More than fit into a table: a header takes 32 bytes and its text of 4,096. */
        private static final int MOST = 256;

        private final WeakReference<ConnectionPool> pool;
        private final ReentrantLock lock = new ReentrantLock();

        private final Map<Name, Long> generations = new LinkedHashMap<>(4, 0.75f, true) {
            private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<Name, Long> eldest) {
                return size() > MOST;
            }
        };

        private boolean outdated;

        Table(ConnectionPool pool) {
            this.pool = new WeakReference<>(pool);
        }

        void put(Name name, long generation) {
            lock.lock();
            try {
                Long before = generations.put(name, generation);
                outdated |= before != null && before != generation;
            } finally {
                lock.unlock();
            }
        }

        boolean isOutdated(Versions versions) {
            lock.lock();
            try {
                outdated |= generations.entrySet().stream()
                        .anyMatch(each -> each.getValue()
                                != versions.generation(
                                        each.getKey().name(), each.getKey().key()));
                return outdated;
            } finally {
                lock.unlock();
            }
        }
    }

    /**
     * No connection yet.
     *
     * @param later does something after some time, on a thread that may be blocked
     */
    HeaderTables(BiConsumer<Duration, Runnable> later, Versions versions) {
        this.later = later;
        this.versions = versions;
    }

    /** Whether a connection remembers headers. */
    static boolean isKeptBy(@Nullable Connection connection) {
        if (connection == null) {
            return false;
        }
        Protocol protocol = connection.protocol();
        return protocol == Protocol.HTTP_2 || protocol == Protocol.H2_PRIOR_KNOWLEDGE;
    }

    /**
     * A version of a token is about to go over a connection.
     *
     * @param key of the token, if there is one for each
     */
    void carry(Connection connection, ConnectionPool pool, Snapshot snapshot, @Nullable String key) {
        if (last.is(connection, snapshot)) {
            return;
        }
        tables.get(connection, any -> new Table(pool))
                .put(new Name(snapshot.token().name(), key), snapshot.token().generation());
        last = new Last(new WeakReference<>(connection), new WeakReference<>(snapshot));
        plan();
    }

    private void plan() {
        if (waiting.compareAndSet(false, true)) {
            later.accept(PERIOD, this::look);
        }
    }

    private void look() {
        try {
            Set<ConnectionPool> outdated = Collections.newSetFromMap(new IdentityHashMap<>());
            forgetClosed();
            tables.asMap().values().forEach(table -> {
                ConnectionPool pool = table.pool.get();
                if (pool != null && table.isOutdated(versions)) {
                    outdated.add(pool);
                }
            });
            outdated.forEach(ConnectionPool::evictAll);
            forgetClosed();
        } finally {
            waiting.set(false);
            if (!tables.asMap().isEmpty()) {
                plan();
            }
        }
    }

    private void forgetClosed() {
        tables.cleanUp();
        tables.asMap().keySet().removeIf(connection -> connection.socket().isClosed());
    }
}
