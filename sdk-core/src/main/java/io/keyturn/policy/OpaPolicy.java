package io.keyturn.policy;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.keyturn.policy.OpaAnswer.Verdict;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import javax.net.ssl.SSLException;
import okhttp3.Call;
import okhttp3.HttpUrl;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks Open Policy Agent. A question is sent on a thread of ours, and whoever wants its answer waits for it on his own: so
 * nobody waits longer than the timeout, whatever hangs, one who is interrupted takes the answer from nobody else, and no
 * lock is held. An answer is settled before anybody hears of it, so the next equal question finds it remembered, or asks
 * anew.
 */
final class OpaPolicy implements RemotePolicy {
    private static final Logger log = LoggerFactory.getLogger(OpaPolicy.class);
    private static final MediaType JSON = MediaType.get("application/json");

    /** How much of what was allowed is remembered, by {@link OpaQuestion#weight}: some ten thousand requests. */
    private static final long MOST_REMEMBERED = 2 << 20;

    /**
     * How long it is left alone after it was not reached. All requests fail at once meanwhile, so it is short: a moment's
     * hiccup should not be made longer, and a dead one is asked four times a second at most.
     */
    private static final Duration PAUSE = Duration.ofMillis(250);

    private final HttpUrl address;
    private final String name;
    private final String agent;
    private final Duration timeout;
    private final boolean allowsUnasked;
    private final OkHttpClient http;
    private final ExecutorService threads;
    private final LongSupplier nanos;
    private final @Nullable Cache<OpaQuestion, Boolean> allowed;
    private final ConcurrentHashMap<OpaQuestion, Flight> flights = new ConcurrentHashMap<>();
    private final AtomicReference<@Nullable Outage> outage = new AtomicReference<>();
    private volatile long heard;

    /**
     * It was not reached.
     *
     * @param until when the next question is sent
     */
    private record Outage(OpaAnswer why, long until) {}

    OpaPolicy(
            HttpUrl address,
            String agent,
            Duration timeout,
            Duration remembered,
            boolean allowsUnasked,
            OkHttpClient http,
            ExecutorService threads,
            LongSupplier nanos) {
        this.address = address;
        // What is not shown is not there where the configuration names it.
        this.name = "Open Policy Agent at "
                + address.newBuilder()
                        .username("")
                        .password("")
                        .query(null)
                        .fragment(null)
                        .build();
        this.agent = agent;
        this.timeout = timeout;
        this.allowsUnasked = allowsUnasked;
        this.http = http;
        this.threads = threads;
        this.nanos = nanos;
        this.heard = nanos.getAsLong();
        this.allowed = remembered.isZero()
                ? null
                : Caffeine.newBuilder()
                        .expireAfterWrite(remembered)
                        .ticker(nanos::getAsLong)
                        .maximumWeight(MOST_REMEMBERED)
                        .weigher((OpaQuestion question, Boolean any) -> question.weight())
                        // Forgetting blocks nobody, and a thread of somebody else's is not ours.
                        .executor(Runnable::run)
                        .build();
    }

    @Override
    public void check(Token token, Destination destination) throws TokenDeniedException {
        OpaQuestion question = OpaQuestion.of(token, destination);
        if (!isRemembered(question)) {
            OpaAnswer answer = answer(question);
            if (!isUnasked(answer) || !allowsUnasked || threads.isShutdown()) {
                require(question, answer);
            }
        }
    }

    @Override
    public void prove(Token token, Destination destination) throws TokenDeniedException {
        OpaQuestion question = OpaQuestion.of(token, destination);
        Flight flight = new Flight(question);
        flight.leave();
        require(question, flight.await());
    }

    @Override
    public boolean allowsUnasked() {
        return allowsUnasked;
    }

    @Override
    public String describe() {
        return name;
    }

    @Override
    public String toString() {
        return describe();
    }

    private boolean isRemembered(OpaQuestion question) {
        return allowed != null && allowed.getIfPresent(question) != null;
    }

    private static boolean isUnasked(OpaAnswer answer) {
        return answer.verdict() == Verdict.UNDECIDED || answer.verdict() == Verdict.UNREACHED;
    }

    private void require(OpaQuestion question, OpaAnswer answer) throws TokenDeniedException {
        if (answer.verdict() == Verdict.ALLOWED) {
            return;
        }
        if (!isUnasked(answer)) {
            String why = describe() + " " + answer.detail() + " " + question;
            throw new TokenDeniedException(Reason.POLICY, why, answer.fix());
        }
        if (threads.isShutdown()) {
            throw new TokenDeniedException(Reason.CLOSED, "agent closed", null);
        }
        throw new TokenDeniedException(
                Reason.POLICY_UNREACHABLE,
                describe() + " gave no decision on " + question + ": " + answer.detail(),
                answer.fix());
    }

    // --- asking ---

    private OpaAnswer answer(OpaQuestion question) throws TokenDeniedException {
        Outage known = outage.get();
        if (known != null && !isToBeTried(known)) {
            return known.why;
        }
        Flight mine = new Flight(question);
        Flight before = flights.putIfAbsent(question, mine);
        if (before != null) {
            return before.await();
        }
        // Once more: the one before may have been settled since this was looked up.
        if (isRemembered(question)) {
            mine.land(OpaAnswer.ALLOWED);
        } else {
            mine.leave();
        }
        return mine.await();
    }

    /** Whether the pause is over and this caller is the one to try; the others do not wait for what will come of it. */
    private boolean isToBeTried(Outage known) {
        long now = nanos.getAsLong();
        Outage next = new Outage(known.why, now + timeout.plus(PAUSE).toNanos());
        return now - known.until >= 0 && outage.compareAndSet(known, next);
    }

    /** One question under way, for all who ask the same meanwhile. */
    private final class Flight {
        private final OpaQuestion question;
        private final long started = nanos.getAsLong();
        private final CompletableFuture<OpaAnswer> landed = new CompletableFuture<>();
        private final AtomicReference<@Nullable OpaAnswer> settled = new AtomicReference<>();
        private volatile @Nullable Call call;

        Flight(OpaQuestion question) {
            this.question = question;
        }

        void leave() {
            try {
                threads.execute(this::fly);
            } catch (RejectedExecutionException e) {
                settle(OpaAnswer.unreached("the agent is closed"));
            }
        }

        private void fly() {
            if (settled.get() == null) {
                settle(ask());
            }
        }

        private OpaAnswer ask() {
            Request request = new Request.Builder()
                    .url(address)
                    .header("User-Agent", "keyturn-policy")
                    .post(RequestBody.create(question.json(agent), JSON))
                    .build();
            Call asked = http.newCall(request);
            asked.timeout().timeout(Math.max(1, left()), TimeUnit.NANOSECONDS);
            call = asked;
            try (Response response = asked.execute()) {
                return OpaAnswer.of(response);
            } catch (IOException e) {
                return OpaAnswer.unreached(why(e));
            } catch (RuntimeException | Error e) {
                // An interceptor or a resolver of the program's own; its message may hold anything.
                return OpaAnswer.unreached(
                        "the HTTP client failed with " + e.getClass().getName());
            }
        }

        private long left() {
            return started + timeout.toNanos() - nanos.getAsLong();
        }

        /**
         * The answer, which is there in time.
         *
         * @throws TokenDeniedException if the thread is interrupted: that is no failure that may allow
         */
        OpaAnswer await() throws TokenDeniedException {
            try {
                return landed.get(Math.max(0, left()), TimeUnit.NANOSECONDS);
            } catch (TimeoutException e) {
                // The call's own timeout does not end the look-up of a name, nor the wait for a thread.
                settle(OpaAnswer.unreached(late()));
                Call under = call;
                if (under != null) {
                    under.cancel();
                }
                return landed.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new TokenDeniedException(
                        Reason.POLICY_UNREACHABLE, "interrupted while waiting for " + describe(), null);
            } catch (ExecutionException e) {
                throw new IllegalStateException("an answer is never an exception", e);
            }
        }

        /** Lets what was answered count, unless something else did before. */
        void settle(OpaAnswer answer) {
            if (!settled.compareAndSet(null, answer)) {
                return;
            }
            remember(question, answer);
            if (answer.verdict() == Verdict.UNREACHED) {
                unreached(answer, started);
            } else {
                reached();
            }
            land(answer);
        }

        private void land(OpaAnswer answer) {
            flights.remove(question, this);
            landed.complete(answer);
        }
    }

    private void remember(OpaQuestion question, OpaAnswer answer) {
        if (allowed == null) {
            return;
        }
        if (answer.verdict() == Verdict.ALLOWED) {
            allowed.put(question, true);
        } else if (answer.verdict() == Verdict.DENIED) {
            allowed.invalidate(question);
        }
    }

    private void reached() {
        heard = nanos.getAsLong();
        if (outage.getAndSet(null) != null) {
            log.info("{} answers again", describe());
        }
    }

    /** One slow answer among quick ones is not an outage: whoever was heard since it was asked is there. */
    private void unreached(OpaAnswer answer, long since) {
        if (heard - since > 0 || threads.isShutdown()) {
            return;
        }
        Outage now = new Outage(answer, nanos.getAsLong() + PAUSE.toNanos());
        if (outage.getAndSet(now) == null) {
            log.warn(
                    "{} gives no decisions: {}; until it does, requests are {}",
                    describe(),
                    answer.detail(),
                    allowsUnasked ? "allowed" : "denied");
        }
    }

    private String late() {
        return "no answer within " + timeout.toMillis() + " ms";
    }

    private String why(IOException e) {
        if (e instanceof UnknownHostException) {
            return "DNS does not know the host";
        }
        if (e instanceof ConnectException) {
            return "nobody accepts connections there";
        }
        if (e instanceof SSLException) {
            return "TLS failed: " + String.valueOf(e.getMessage()).replaceAll("\\s+", " ");
        }
        return e instanceof InterruptedIOException
                ? late()
                : "the connection broke (" + e.getClass().getSimpleName() + ")";
    }
}
