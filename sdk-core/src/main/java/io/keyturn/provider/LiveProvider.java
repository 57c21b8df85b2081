package io.keyturn.provider;

import io.keyturn.event.TokenEvent;
import io.keyturn.provider.Known.Setback;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The provider of an agent's token. {@link #get} reads one volatile field; whoever finds no token there that lives joins
 * the one fetch that is under way, or begins it. No lock is held while a source is asked.
 *
 * <p>Made by the agent; an application has a {@link TokenProvider}.
 */
public final class LiveProvider implements TokenProvider, AutoCloseable {
    private final String name;
    private final TokenSource source;
    private final String description;
    private final Intake intake;
    private final Function<Token, Secret> form;
    private final Duration timeout;
    private final ProviderContext context;

    private final Rejections rejections = new Rejections();
    private final AtomicReference<@Nullable Flight> flight = new AtomicReference<>();
    private volatile Known known = Known.NOTHING;
    private volatile boolean closed;
    private Watch watch = Watch.none();

    /** A fetch that is under way. */
    private static final class Flight extends CompletableFuture<Snapshot> {
        private final long beganNanos;

        Flight(long beganNanos) {
            this.beganNanos = beganNanos;
        }
    }

    /**
     * A provider that has asked nothing yet.
     *
     * @param form what is sent of a token
     * @param timeout how long a caller waits for one fetch
     */
    public LiveProvider(
            String name,
            TokenSource source,
            Intake intake,
            Function<Token, Secret> form,
            Duration timeout,
            ProviderContext context) {
        this.name = name;
        this.source = source;
        this.description = source.describe();
        this.intake = intake;
        this.form = form;
        this.timeout = timeout;
        this.context = context;
    }

    /** Begins to hear of the source's changes. */
    public void open() {
        watch = source.watch(this::changed);
    }

    // --- what callers ask ---

    @Override
    public Token get() throws TokenUnavailableException {
        return snapshot().token();
    }

    /** The current token with what is sent of it; waits and fails as {@link #get} does. */
    public Snapshot snapshot() throws TokenUnavailableException {
        Known seen = known;
        Snapshot living = seen.living(context.clock());
        return living != null ? living : await(missing(seen));
    }

    @Override
    public CompletionStage<Token> getAsync() {
        Known seen = known;
        Snapshot living = seen.living(context.clock());
        return living != null ? CompletableFuture.completedFuture(living.token()) : within(timeout, missing(seen));
    }

    @Override
    public Token refresh() throws TokenUnavailableException {
        return await(fetchAnew()).token();
    }

    /** {@link #refresh} without waiting; it fails after this time, or after the fetch timeout if that is shorter. */
    public CompletionStage<Token> refreshAsync(Duration most) {
        return within(most.compareTo(timeout) < 0 ? most : timeout, fetchAnew());
    }

    @Override
    public boolean invalidate(Token rejected) {
        if (rejections.isNews(rejected, context.nanos().getAsLong())) {
            context.events().onEvent(TokenEvent.Rejected.of(context.clock().instant(), rejected));
        }
        Known seen = known;
        Snapshot now = seen.snapshot();
        if (now == null || now.token().generation() != rejected.generation()) {
            return now != null;
        }
        if (seen.isQuiet(context.nanos())) {
            return false;
        }
        try {
            return await(fetch(seen)).token().generation() != rejected.generation();
        } catch (TokenUnavailableException e) {
            return false;
        }
    }

    /** Why the source gave nothing when it was last asked, or that it hangs, while the token before it still serves. */
    public Optional<TokenUnavailableException> lastFailure() {
        Flight running = flight.get();
        boolean hangs = running != null && context.nanos().getAsLong() - running.beganNanos > timeout.toNanos();
        return Optional.ofNullable(hangs ? late(timeout) : known.failure());
    }

    /** Where the token comes from. */
    public TokenSource source() {
        return source;
    }

    /** Hands out nothing any more. A fetch under way is not waited for, neither here nor by those who wait for it now. */
    @Override
    public void close() {
        closed = true;
        known = Known.NOTHING;
        Flight running = flight.get();
        if (running != null) {
            running.completeExceptionally(closedNow());
        }
        watch.close();
    }

    // --- the one fetch under way ---

    /** What a caller who found no living token waits for. */
    private CompletableFuture<Snapshot> missing(Known seen) {
        TokenUnavailableException failure = seen.failure();
        return failure != null && seen.isQuiet(context.nanos()) ? CompletableFuture.failedFuture(failure) : fetch(seen);
    }

    /** A fetch that begins after this call: what is under way may have read the source before it. */
    private CompletableFuture<Snapshot> fetchAnew() {
        Flight running = flight.get();
        return running == null
                ? fetch(known)
                : running.handle((snapshot, failure) -> known).thenCompose(this::fetch);
    }

    /**
     * The fetch that is under way, or a new one.
     *
     * @param seen what the caller knew when it decided to ask
     */
    private CompletableFuture<Snapshot> fetch(Known seen) {
        Flight mine = new Flight(context.nanos().getAsLong());
        Flight running = flight.compareAndExchange(null, mine);
        if (running != null) {
            return running;
        }
        Known now = known;
        TokenUnavailableException failure = now.failure();
        Snapshot living = now.living(context.clock());
        if (closed) {
            fail(mine, closedNow());
        } else if (now.fetches() == seen.fetches()) {
            begin(mine);
        } else if (failure != null) {
            // Between the caller's look and its turn somebody else has asked. That is this caller's answer, too.
            fail(mine, failure);
        } else if (living != null) {
            land(mine, living);
        } else {
            begin(mine);
        }
        return mine;
    }

    private void begin(Flight mine) {
        try {
            context.fetches().execute(() -> fly(mine));
        } catch (Throwable t) {
            // No thread to be had: whoever waits must hear of it.
            failed(mine, unavailable("could not be asked (" + t.getClass().getName() + ")"));
        }
    }

    /** The source says that it changed: when this returns, what it has now is handed out. */
    private void changed() {
        try {
            refresh();
        } catch (TokenUnavailableException e) {
            // An event has told why, or will once the fetch has ended. The token before it stays.
        }
    }

    private void fly(Flight mine) {
        try {
            Known before = known;
            Snapshot found = ask(before);
            publish(before.snapshot(), found);
            land(mine, found);
        } catch (TokenUnavailableException e) {
            failed(mine, e);
        } catch (TokenException e) {
            failed(mine, TokenUnavailableException.of(name, List.of(e)));
        } catch (Throwable t) {
            // A source is anybody's code, and whoever waits for this flight must hear of its end. Only the class is
            // told: a message may hold what the source read.
            failed(mine, unavailable("failed with " + t.getClass().getName()));
        }
    }

    /** Asks the source. Only the thread of the one flight is here. */
    private Snapshot ask(Known before) throws TokenException {
        Optional<TokenDocument> answer = source.fetch();
        if (answer.isEmpty()) {
            throw TokenUnavailableException.of(
                    name, source.sources().stream().map(TokenSource::absence).toList());
        }
        TokenDocument document = answer.get();
        Token token = intake.accept(document, before.generation(document));
        Instant end = token.expiresAt().orElse(Instant.MAX);
        String origin = document.origin().orElse(description);
        if (token.isExpired(context.clock().instant())) {
            throw TokenUnavailableException.of(name, Reason.EXPIRED, origin + " has a token that expired at " + end);
        }
        return new Snapshot(token, form.apply(token), origin);
    }

    private void publish(@Nullable Snapshot before, Snapshot found) throws TokenUnavailableException {
        boolean same =
                before != null && before.token().generation() == found.token().generation();
        learn(found, same ? new Setback(null, context.nanos().getAsLong()) : null);
        if (closed) {
            throw closedNow();
        }
        if (!same) {
            Instant now = context.clock().instant();
            context.events()
                    .onEvent(
                            before == null
                                    ? TokenEvent.Resolved.of(now, found.token(), found.source())
                                    : TokenEvent.Swapped.of(now, before.token(), found.token(), found.source()));
        }
    }

    private void failed(Flight mine, TokenUnavailableException e) {
        learn(known.snapshot(), new Setback(e, context.nanos().getAsLong()));
        try {
            if (!closed) {
                context.events()
                        .onEvent(new TokenEvent.RefreshFailed(context.clock().instant(), name, e.reason(), e.why()));
            }
        } finally {
            fail(mine, e);
        }
    }

    private void learn(@Nullable Snapshot snapshot, @Nullable Setback setback) {
        known = known.and(snapshot, setback);
        if (closed) {
            // It was closed while the source answered, and what it forgot must not come back.
            known = Known.NOTHING;
        }
    }

    /** Ends a flight: first the next one may begin, then those who wait are told. */
    private void land(Flight mine, Snapshot found) {
        flight.compareAndSet(mine, null);
        mine.complete(found);
    }

    private void fail(Flight mine, TokenUnavailableException failure) {
        flight.compareAndSet(mine, null);
        mine.completeExceptionally(failure);
    }

    // --- waiting for it ---

    private Snapshot await(CompletableFuture<Snapshot> awaited) throws TokenUnavailableException {
        try {
            return awaited.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw unavailable(e.getCause(), timeout);
        } catch (TimeoutException e) {
            throw late(timeout);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw TokenUnavailableException.of(name, Reason.UNREACHABLE, "the waiting thread was interrupted");
        }
    }

    private CompletionStage<Token> within(Duration most, CompletableFuture<Snapshot> fetched) {
        CompletableFuture<Token> answer = new CompletableFuture<>();
        var unused = fetched.copy()
                .orTimeout(most.toNanos(), TimeUnit.NANOSECONDS)
                .handle((snapshot, failure) -> failure == null
                        ? answer.complete(snapshot.token())
                        : answer.completeExceptionally(unavailable(failure, most)));
        return answer;
    }

    /** A failure of this caller's own, since the stack of an exception that many threads throw is nobody's. */
    private TokenUnavailableException unavailable(@Nullable Throwable failure, Duration most) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
        return cause instanceof TokenUnavailableException e
                ? TokenUnavailableException.of(name, e.attempts())
                : late(most);
    }

    private TokenUnavailableException late(Duration most) {
        return unavailable("did not answer within " + most.toMillis() + " ms");
    }

    private TokenUnavailableException unavailable(String why) {
        return TokenUnavailableException.of(name, Reason.UNREACHABLE, description + " " + why);
    }

    private TokenUnavailableException closedNow() {
        return TokenUnavailableException.of(name, Reason.CLOSED, "agent closed");
    }
}
