package io.keyturn.vault;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceException;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The login that all sources of an agent with the same address, namespace and credentials use. One of them makes, renews or
 * replaces it and the others wait for that one; no lock is held meanwhile. While somebody watches a token that depends on
 * it, it is renewed ahead of its end whether anybody asks or not. Safe for any number of threads.
 */
final class Login implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Login.class);
    private static final Duration LONGEST_WAIT = Duration.ofSeconds(30);

    /** What makes two logins the same. */
    private record Key(HttpUrl address, @Nullable String namespace, Auth auth) {}

    private final Vault vault;
    private final Auth auth;
    private final AtomicReference<@Nullable Session> current = new AtomicReference<>();
    private final AtomicReference<@Nullable CompletableFuture<Session>> flight = new AtomicReference<>();
    private final AtomicReference<Auth.@Nullable Unwrapped> kept = new AtomicReference<>();
    private final AtomicInteger watchers = new AtomicInteger();
    private final Map<String, Mount> mounts = new ConcurrentHashMap<>();
    private final Queue<String> leases = new ConcurrentLinkedQueue<>();
    private final AtomicLong logins = new AtomicLong();
    private volatile boolean refused;

    private Login(Vault vault, Auth auth) {
        this.vault = vault;
        this.auth = auth;
    }

    /** The one of the agent; it may not have logged in yet. */
    static Login of(Vault vault, Auth auth) {
        return vault.context().shared(new Key(vault.address(), vault.namespace(), auth), () -> new Login(vault, auth));
    }

    /** The login as it is now; blocks while it is made or renewed. */
    Session session() throws SourceException {
        Session now = current.get();
        return now != null && isGood(now) ? now : next(now);
    }

    /**
     * Another login in the place of one whose token Vault has refused; empty if Vault does take that token, so that what
     * was asked with it is what is not permitted.
     *
     * @throws SourceException if there is no other, or Vault could not tell
     */
    Optional<Session> insteadOf(Session refusedOne) throws SourceException {
        Session now = current.get();
        if (now != null && now.number() != refusedOne.number()) {
            return Optional.of(now);
        }
        if (refusedOne.proven() || auth.isOwn()) {
            ServiceAnswer self = vault.get("auth/token/lookup-self", refusedOne.token());
            if (self.status() == Vault.OK) {
                return Optional.empty();
            }
        }
        if (!auth.isOwn() && !auth.isChanged(refusedOne, vault)) {
            refused = true;
            String from = auth.credentials().get(0).describe();
            throw vault.loginRefused(
                    "the token of " + from + " is refused (403): it is over or was revoked"
                            + (refusedOne.proven() ? "" : ", or it may neither look at itself nor at the secret"),
                    "put a valid token there: vault token create -policy=…, or let the agent log in itself: auth:"
                            + " {approle: …} or {kubernetes: …}");
        }
        current.compareAndSet(now, null);
        return Optional.of(next(null));
    }

    private boolean isGood(Session session) {
        Instant now = vault.now();
        boolean timely = !session.isDue(now) && !(auth.isOwn() && session.isOver(now));
        // A program or a store would be asked by each token at each look: it is, once Vault has refused what it gave.
        return timely && !(auth.isLocal() && auth.isChanged(session, vault));
    }

    // --- the one change under way ---

    /** The change of a login that is under way, or a new one. */
    private Session next(@Nullable Session seen) throws SourceException {
        CompletableFuture<Session> mine = new CompletableFuture<>();
        CompletableFuture<Session> running = flight.compareAndExchange(null, mine);
        if (running != null) {
            return await(running);
        }
        try {
            Session next = changed(seen);
            current.set(next);
            refused = false;
            plan(next);
            mine.complete(next);
            return next;
        } catch (SourceException e) {
            refused = e.reason() != Reason.STORE_UNREACHABLE && e.reason() != Reason.SEALED;
            mine.completeExceptionally(e);
            throw e;
        } finally {
            flight.set(null);
            // Of an error, too, those who wait must hear.
            mine.completeExceptionally(broken("failed"));
        }
    }

    private Session await(CompletableFuture<Session> running) throws SourceException {
        try {
            return running.get(LONGEST_WAIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            // One of this thread's own: an exception that many threads throw has nobody's stack.
            throw e.getCause() instanceof SourceException why
                    ? new SourceException(
                            why.reason(),
                            String.valueOf(why.getMessage()),
                            why.fix(),
                            why.retryAfter().orElse(null))
                    : broken("failed");
        } catch (TimeoutException e) {
            throw broken("takes too long");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw broken("was waited for, and the waiting was interrupted");
        }
    }

    private SourceException broken(String how) {
        return new SourceException(
                Reason.STORE_UNREACHABLE, vault.name() + ": the login that several tokens share " + how, null);
    }

    private Session changed(@Nullable Session seen) throws SourceException {
        Session now = current.get();
        if (now == null || auth.isChanged(now, vault)) {
            return logIn();
        }
        // Somebody else may have changed it since this caller looked.
        return !now.equals(seen) && isGood(now) ? now : renewed(now);
    }

    private Session logIn() throws SourceException {
        return auth.logIn(vault, logins.incrementAndGet(), kept);
    }

    private Session renewed(Session old) throws SourceException {
        if (!old.renewable()) {
            return successor(old);
        }
        ServiceAnswer answer;
        Instant asked = vault.now();
        try {
            answer = vault.post(
                    "auth/token/renew-self",
                    old.token(),
                    Map.of("increment", old.lease().toSeconds() + "s"));
        } catch (SourceException e) {
            if (old.isOver(vault.now())) {
                throw e;
            }
            // It still serves; what is asked with it tells whether Vault is there.
            return old.postponed(true, vault.now());
        }
        if (answer.status() != Vault.OK) {
            return successor(old);
        }
        Duration granted = Lease.seconds(answer, "auth", "lease_duration");
        Session longer = old.renewed(granted, asked);
        return longer.isShort(granted) ? successor(longer) : longer;
    }

    /** Another login in the place of one that lives no longer than this; that one serves until there is another. */
    private Session successor(Session old) throws SourceException {
        if (!auth.isOwn()) {
            return old.leftAlone();
        }
        try {
            return logIn();
        } catch (SourceException e) {
            if (old.isOver(vault.now())) {
                throw e;
            }
            log.warn("{}; the login before it serves until {}", e.getMessage(), old.end());
            return old.postponed(false, vault.now());
        }
    }

    // --- while it is watched ---

    /**
     * Keeps the login alive while somebody watches a token.
     *
     * @param changed fetches the token; called when a credential has changed and the one before it was refused
     */
    Watch watch(Runnable changed) {
        watchers.incrementAndGet();
        List<Watch> watches = auth.credentials().stream()
                .map(credential -> credential.watch(() -> replaced(changed)))
                .toList();
        return new Watch() {
            private final AtomicInteger open = new AtomicInteger(1);

            @Override
            public void close() {
                if (open.getAndSet(0) == 1) {
                    watchers.decrementAndGet();
                    watches.forEach(Watch::close);
                }
            }
        };
    }

    /** Vault is asked on a thread that may wait for it; this one may be the one for all files. */
    private void replaced(Runnable changed) {
        if (refused) {
            vault.context().later(Duration.ZERO, changed);
        }
    }

    private void plan(Session session) {
        if (session.due() != null && watchers.get() > 0) {
            vault.context().later(session.untilDue(vault.now()), () -> keepAlive(session));
        }
    }

    private void keepAlive(Session planned) {
        if (!planned.equals(current.get()) || watchers.get() == 0) {
            return;
        }
        try {
            var unused = next(planned);
        } catch (SourceException e) {
            log.warn("a login could not be renewed: {}", e.getMessage());
        }
    }

    // --- what belongs to it ---

    /** The mount that a path lies in, if that is known. */
    Optional<Mount> mountOf(String path) {
        return mounts.values().stream().filter(mount -> mount.holds(path)).findFirst();
    }

    void remember(Mount mount) {
        mounts.put(mount.path(), mount);
    }

    /** It may have been made anew, as something else. */
    void forget(Mount mount) {
        mounts.remove(mount.path());
    }

    /** A lease that has come of a look; the agent's own login takes its leases along when it is revoked. */
    void leased(String lease) {
        if (vault.context().onlyLooks() && !auth.isOwn()) {
            leases.add(lease);
        }
    }

    /** Forgets the token. Where it was made for a look alone it is revoked, with all that was leased by it. */
    @Override
    public void close() {
        Session last = current.getAndSet(null);
        kept.set(null);
        if (last == null || !vault.context().onlyLooks()) {
            return;
        }
        if (auth.isOwn()) {
            if (last.revocable()) {
                end("auth/token/revoke-self", last, Map.of());
            }
            return;
        }
        for (String lease = leases.poll(); lease != null; lease = leases.poll()) {
            end("sys/leases/revoke", last, Map.of("lease_id", lease));
        }
    }

    private void end(String path, Session last, Map<String, String> body) {
        try {
            ServiceAnswer answer = vault.post(path, last.token(), body);
            if (answer.status() >= Vault.BAD_REQUEST) {
                log.warn("{}: {} was answered {}; it ends by itself", vault.name(), path, answer.status());
            }
        } catch (SourceException e) {
            log.warn("{}; what was only made for a look ends by itself", e.getMessage());
        }
    }
}
