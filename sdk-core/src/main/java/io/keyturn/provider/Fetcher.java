package io.keyturn.provider;

import io.keyturn.provider.Flight.Outcome;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Asks the source, once for all who want that: there is one {@link Flight} under way or none. Whoever finds one joins it,
 * or has another follow it, and waits no longer than the token's timeout. No lock is held while the source is asked.
 */
abstract class Fetcher extends Keeper {
    private static final VarHandle FLIGHT = handle(MethodHandles.lookup(), "flight", Flight.class);

    /** Threads for callers' code, which end as soon as there is none. */
    private static final Executor ANSWERS =
            new ThreadPoolExecutor(0, Integer.MAX_VALUE, 1, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
                Thread thread = new Thread(task, "keyturn-answers");
                thread.setDaemon(true);
                return thread;
            });

    /** How a fetch has ended of which not even that can be told. Made before memory is short. */
    private static final Outcome LOST = new Outcome(
            null, TokenUnavailableException.of("", Reason.UNREACHABLE, "a fetch failed, and why could not be told"));

    /** The fetch under way, if there is one. Read by the provider, written here only. */
    volatile @Nullable Flight flight;

    Fetcher(
            String name,
            TokenSource source,
            Intake intake,
            Function<Token, Secret> form,
            RefreshPolicy policy,
            ProviderContext context,
            @Nullable Fetcher before) {
        super(name, source, intake, form, policy, context, before);
    }

    // --- what is wanted ---

    /** What a caller who found no living token waits for. */
    CompletableFuture<Snapshot> missing(Known seen) {
        TokenUnavailableException failure = seen.failure();
        return failure != null
                        && seen.over() == null
                        && seen.isFailing(context.nanos().getAsLong())
                ? CompletableFuture.failedFuture(failure)
                : fetch(seen, null);
    }

    /** A fetch that begins after this call: what is under way may have read the source before it. */
    CompletableFuture<Snapshot> fetchAnew() {
        while (true) {
            Flight running = flight;
            Flight mine = running == null
                    ? fetch(known, null)
                    : running.following(context.nanos().getAsLong());
            if (mine != null) {
                TokenUnavailableException over = known.over();
                if (over != null) {
                    mine.completeExceptionally(over);
                }
                return mine;
            }
            Thread.onSpinWait();
        }
    }

    /**
     * The fetch that is under way, or a new one.
     *
     * @param seen what the caller knew when it decided to ask
     * @param rejected the version that a server has refused, if that is why; else null
     */
    Flight fetch(Known seen, @Nullable Token rejected) {
        Flight mine = new Flight(rejected, context.nanos().getAsLong());
        Flight running = unlessFlying(mine);
        if (running != null) {
            return running;
        }
        Known now = known;
        boolean answered = now.fetches() != seen.fetches();
        TokenUnavailableException failure = now.over() != null ? now.over() : answered ? now.failure() : null;
        if (failure == null && (!answered || now.living() == null)) {
            begin(mine);
        } else if (mine.begin()) {
            // Between the caller's look and its turn somebody else has asked. That is this caller's answer, too;
            // unless a change was told meanwhile, whose thread flies it already.
            land(mine, new Outcome(failure == null ? now.living() : null, failure));
        }
        return mine;
    }

    /** Makes this the flight under way; if there is one already, answers that instead of null. */
    private @Nullable Flight unlessFlying(Flight mine) {
        return (Flight) FLIGHT.compareAndExchange(this, (Flight) null, mine);
    }

    /**
     * The source says that it changed. The fetch is made on this thread, since the others may all be waiting for one that
     * is queued behind them; if one is under way already, another follows it, and is waited for.
     */
    void changed() {
        while (known.over() == null) {
            long now = context.nanos().getAsLong();
            Flight mine = new Flight(null, now);
            Flight running = unlessFlying(mine);
            Flight first = running == null ? mine : running;
            if (first.begin()) {
                fly(first);
                return;
            }
            Flight next = first.following(now);
            if (next != null) {
                if (!first.isFlownHere()) {
                    awaitEnd(next);
                }
                return;
            }
            Thread.onSpinWait();
        }
    }

    private void awaitEnd(Flight next) {
        try {
            await(next);
        } catch (TokenUnavailableException e) {
            // An event has told why, or will once the fetch has ended. The token before it stays.
        }
    }

    // --- a flight, from its beginning to its end ---

    private void begin(Flight mine) {
        try {
            context.fetches().execute(() -> {
                if (mine.begin()) {
                    fly(mine);
                }
            });
        } catch (Throwable t) {
            // No thread to be had: whoever waits must hear of it.
            if (mine.begin()) {
                land(mine, unheard(mine, "could not be asked (" + t.getClass().getName() + ")"));
            }
        }
    }

    /** Makes a flight on this thread, and those that follow it. */
    private void fly(Flight first) {
        Flight mine = first;
        while (mine != null) {
            Flight next = end(mine, flown(mine));
            mine = next != null && next.begin() ? next : null;
        }
    }

    /** Flies it. Whatever happens, it has then ended: without that nothing would ever be fetched again. */
    private Outcome flown(Flight mine) {
        try {
            AtomicReference<@Nullable Outcome> outcome = new AtomicReference<>();
            mine.fly(() -> {
                Future<?> limit = in(timeoutNanos(), () -> tooLong(mine));
                try {
                    outcome.set(travel(mine));
                } finally {
                    stop(limit);
                }
            });
            Outcome brought = outcome.get();
            return brought == null ? unheard(mine, "failed, and why could not be told") : brought;
        } catch (Throwable t) {
            return LOST;
        }
    }

    private Outcome travel(Flight mine) {
        try {
            TokenUnavailableException over = known.over();
            return over != null ? new Outcome(null, over) : judge(fetched(mine.rejected()), mine);
        } catch (TokenUnavailableException e) {
            return failed(mine, e);
        } catch (TokenException e) {
            return failed(mine, TokenUnavailableException.of(name, List.of(e)));
        } catch (Throwable t) {
            // A source is anybody's code, and whoever waits for this flight must hear of its end. Only the class is
            // told: a message may hold what the source read.
            return failed(mine, unavailable("failed with " + t.getClass().getName()));
        }
    }

    private TokenDocument fetched(@Nullable Token rejected) throws TokenException {
        Optional<TokenDocument> answer = rejected == null ? source.fetch() : source.fetchInsteadOf(rejected);
        if (answer.isEmpty()) {
            throw TokenUnavailableException.of(
                    name, source.sources().stream().map(TokenSource::absence).toList());
        }
        return answer.get();
    }

    private Outcome failed(Flight mine, TokenUnavailableException e) {
        // Where it took too long that has been told, and an interruption is only what came of it.
        return mine.isDone() ? new Outcome(null, e) : failed(e);
    }

    private Outcome unheard(Flight mine, String why) {
        try {
            return failed(mine, unavailable(why));
        } catch (Throwable t) {
            return LOST;
        }
    }

    /** Ends a flight that this thread has begun and not flown. */
    private void land(Flight mine, Outcome outcome) {
        Flight next = end(mine, outcome);
        if (next != null) {
            begin(next);
        }
    }

    /** First the next one may begin, then those who wait are told. */
    private @Nullable Flight end(Flight mine, Outcome outcome) {
        Flight next = mine.end();
        flight = next;
        outcome.tell(mine);
        return next;
    }

    /** Those who wait are told so; the flight itself ends when its thread comes back, and what it brings is taken. */
    void tooLong(Flight mine) {
        TokenUnavailableException late = late();
        if (mine.completeExceptionally(late)) {
            try {
                failed(late);
            } finally {
                mine.interrupt();
            }
        }
    }

    /** Those who wait hear why nothing comes any more; the flight itself is not waited for. */
    void giveUp(TokenUnavailableException why) {
        Flight running = flight;
        for (Flight each = running; each != null; each = each.next()) {
            each.completeExceptionally(why);
        }
        if (running != null) {
            running.interrupt();
        }
    }

    // --- waiting for one ---

    Snapshot await(CompletableFuture<Snapshot> awaited) throws TokenUnavailableException {
        return await(awaited, timeoutNanos());
    }

    Snapshot await(CompletableFuture<Snapshot> awaited, long nanos) throws TokenUnavailableException {
        try {
            return awaited.get(nanos, TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw unavailable(e.getCause());
        } catch (TimeoutException e) {
            throw late();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw TokenUnavailableException.of(name, Reason.UNREACHABLE, "the waiting thread was interrupted");
        }
    }

    /**
     * What waits for the answer is the caller's code, and may block: it gets a thread that nobody else waits for. The
     * JDK's own pool may have just one.
     */
    CompletionStage<Token> later(CompletableFuture<Snapshot> fetched) {
        CompletableFuture<Token> answer = new CompletableFuture<>();
        if (fetched.isDone()) {
            var unused = fetched.whenComplete((snapshot, failure) -> answer(answer, snapshot, failure));
            return answer;
        }
        CompletableFuture<Snapshot> limited = fetched.copy();
        Future<?> limit = in(timeoutNanos(), () -> limited.completeExceptionally(late()));
        var unused = limited.handleAsync(
                        (snapshot, failure) -> {
                            stop(limit);
                            return answer(answer, snapshot, failure);
                        },
                        ANSWERS)
                // Where no thread was to be had for that.
                .exceptionally(failure -> answer(answer, null, failure));
        return answer;
    }

    private boolean answer(CompletableFuture<Token> answer, @Nullable Snapshot snapshot, @Nullable Throwable failure) {
        return snapshot != null
                ? answer.complete(snapshot.token())
                : answer.completeExceptionally(unavailable(failure));
    }

    long timeoutNanos() {
        return RefreshPolicy.nanos(policy.timeout());
    }

    /** A failure of this caller's own, since the stack of an exception that many threads throw is nobody's. */
    private TokenUnavailableException unavailable(@Nullable Throwable failure) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
        return cause instanceof TokenUnavailableException e ? TokenUnavailableException.of(name, e.attempts()) : late();
    }

    private TokenUnavailableException late() {
        return unavailable("did not answer within " + policy.timeout().toMillis() + " ms");
    }

    private TokenUnavailableException unavailable(String why) {
        return TokenUnavailableException.of(name, Reason.UNREACHABLE, described() + " " + why);
    }

    // --- doing something later ---

    /** Does something later; null if that cannot be had now, since then the schedule's beat must do. */
    @Nullable
    Future<?> in(long nanos, Runnable task) {
        try {
            return context.schedule().in(nanos, task);
        } catch (Throwable t) {
            warn("a plan", t);
            return null;
        }
    }

    static void stop(@Nullable Future<?> waiting) {
        if (waiting != null) {
            waiting.cancel(false);
        }
    }
}
