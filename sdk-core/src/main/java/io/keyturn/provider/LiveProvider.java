package io.keyturn.provider;

import io.keyturn.event.TokenEvent;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The current version of a token, kept fresh. {@link #get} reads one volatile field: no lock, no clock, no I/O. Whoever
 * finds no token there joins the one fetch that is under way, or begins it. Ends and refreshes come from the
 * {@link Schedule}, changes from the source's {@linkplain TokenSource#watch watch}. No lock is held while a source is
 * asked.
 *
 * <p>Made by the agent; an application has a {@link TokenProvider}.
 */
public final class LiveProvider extends Fetcher implements TokenProvider, Providers, AutoCloseable {
    // What changes what is known is in Keeper, and what asks the source in Fetcher: here is who and what leads to that.

    private static final Duration LONGEST_WAIT = Duration.ofDays(1);

    private static final VarHandle TIMER = handle(MethodHandles.lookup(), "timer", Future.class);
    private static final VarHandle TAKING = handle(MethodHandles.lookup(), "taking", boolean.class);
    private static final VarHandle REJECTION = handle(MethodHandles.lookup(), "rejection", Rejection.class);

    /** What waits for the next moment that the wall clock tells. */
    @SuppressWarnings("UnusedVariable") // used through TIMER
    private volatile @Nullable Future<?> timer;

    /** Whether a token is being taken that an answer has brought. */
    private volatile boolean taking;

    /** What was rejected last. */
    private volatile @Nullable Rejection rejection;

    private volatile Watch watch = Watch.none();

    /** Where it stands in the schedule, or -1; the schedule's. */
    int slot = -1;

    /**
     * A provider that has asked nothing yet.
     *
     * @param form what is sent of a token
     * @param before the provider that this one takes the place of, whose versions it goes on counting; null if there is
     *     none
     */
    public LiveProvider(
            String name,
            TokenSource source,
            Intake intake,
            Function<Token, Secret> form,
            RefreshPolicy policy,
            ProviderContext context,
            @Nullable LiveProvider before) {
        super(name, source, intake, form, policy, context, before);
    }

    /** Begins to hear of the source's changes and of what is due. */
    @Override
    public void open() {
        watch = source.watch(this::changed);
        context.schedule().add(this);
        if (known.over() != null) {
            // It was closed meanwhile.
            leave();
        }
    }

    // --- what callers ask ---

    @Override
    public Token get() throws TokenUnavailableException {
        Known seen = known;
        Token token = seen.token();
        return token != null ? token : await(missing(seen)).token();
    }

    /** The current token, if there is one that lives. */
    @Nullable
    Token current() {
        return known.token();
    }

    /** The current token with what is sent of it; waits and fails as {@link #get} does. */
    public Snapshot snapshot() throws TokenUnavailableException {
        Known seen = known;
        Snapshot living = seen.living();
        return living != null ? living : await(missing(seen));
    }

    @Override
    public CompletionStage<Token> getAsync() {
        Known seen = known;
        Snapshot living = seen.living();
        return living != null ? CompletableFuture.completedFuture(living.token()) : later(missing(seen));
    }

    @Override
    public Token refresh() throws TokenUnavailableException {
        return await(fetchAnew()).token();
    }

    @Override
    public boolean invalidate(Token rejected) {
        long begun = context.nanos().getAsLong();
        Rejection told = rejection;
        if (!Rejection.repeats(told, rejected, begun)
                && REJECTION.compareAndSet(this, told, new Rejection(rejected.generation(), begun))) {
            tell(() -> TokenEvent.Rejected.of(context.clock().instant(), rejected));
        }
        while (true) {
            Known seen = known;
            Snapshot now = seen.last();
            if (now == null || now.token().generation() != rejected.generation()) {
                return seen.living() != null;
            }
            if (seen.superseded() != null) {
                // What brought it was an answer of the API, which now refuses it: the source's own counts again.
                withoutOffer(seen);
                continue;
            }
            long passed = context.nanos().getAsLong() - begun;
            if (seen.isQuiet(begun + passed)) {
                return false;
            }
            // What another flight brings may have been read before the server refused this version.
            Flight asked = fetch(seen, rejected);
            boolean younger = asked.isFor(rejected) || asked.isToCome();
            try {
                if (await(asked, timeoutNanos() - passed).token().generation() != rejected.generation()) {
                    return true;
                }
            } catch (TokenUnavailableException e) {
                return false;
            }
            if (younger) {
                return false;
            }
        }
    }

    /**
     * Takes the next token out of the answer to a request that carried this one. It serves until the source has another
     * than the one that it replaces, or a server rejects it. Never blocks.
     *
     * @param sentWith the token that the request carried; if another is current by now, the offer comes too late
     */
    public void offer(TokenDocument document, Token sentWith) {
        Known seen = known;
        // One at a time: many answers bring the same at once, and to try it takes a thread.
        if (isOutdated(seen, document, sentWith) || !TAKING.compareAndSet(this, false, true)) {
            return;
        }
        try {
            context.fetches().execute(() -> {
                try {
                    take(document, sentWith);
                } finally {
                    taking = false;
                }
            });
        } catch (Throwable t) {
            taking = false;
            log.warn(
                    "an offered token {} could not be taken: {}",
                    name,
                    t.getClass().getName());
        }
    }

    /** Why the source gave nothing when it was last asked, while the token before it still serves. */
    public Optional<TokenUnavailableException> lastFailure() {
        return Optional.ofNullable(known.failure());
    }

    /** Since when the source has given nothing whenever it was asked. */
    public Optional<Instant> failingSince() {
        return Optional.ofNullable(known.failingSince());
    }

    /** How the token stands; asks nothing. */
    public TokenStatus status() {
        return TokenStatus.of(name, known, context);
    }

    /** Where the token comes from. */
    public TokenSource source() {
        return source;
    }

    // --- one for every request ---

    @Override
    public boolean isPerKey() {
        return false;
    }

    @Override
    public LiveProvider of(@Nullable String key) {
        return this;
    }

    @Override
    public LiveProvider ifOpen(@Nullable String key) {
        return this;
    }

    // --- how it ends ---

    /** Hands out nothing any more. A fetch under way is not waited for, neither here nor by those who wait for it now. */
    @Override
    public void close() {
        close(TokenUnavailableException.of(name, Reason.CLOSED, "agent closed"));
    }

    /** Hands out nothing any more, since the configuration names this token no longer. */
    @Override
    public void remove() {
        close(TokenUnavailableException.of(name, Reason.REMOVED, "it was removed from the configuration"));
    }

    private void close(TokenUnavailableException why) {
        forget(why);
        end(why);
    }

    /**
     * Another provider has taken its place. Requests that found this one still get its token; nothing is asked any more.
     */
    @Override
    public void retire() {
        TokenUnavailableException why =
                TokenUnavailableException.of(name, Reason.REMOVED, "the configuration was changed");
        freeze(why);
        end(why);
    }

    /** What is known has ended before, so whoever hears of the end finds nothing that was found after it. */
    private void end(TokenUnavailableException why) {
        leave();
        giveUp(why);
    }

    private void leave() {
        context.schedule().remove(this);
        waitFor(null);
        safely("the end of its watch", watch::close);
    }

    // --- what time brings ---

    /** Looks whether anything is due. Called by the schedule, once a poll. */
    void beat(boolean clockStepped) {
        if (clockStepped) {
            safely("a step of the clock", this::stepped);
        }
        safely("a look at it", this::look);
        if (clockStepped) {
            plan();
        }
    }

    private void due() {
        safely("a look at it", this::look);
        plan();
    }

    private void look() {
        Known now = known;
        Instant wall = context.clock().instant();
        long nanos = context.nanos().getAsLong();
        if (now.isExpired(wall)) {
            expire(now);
        }
        Flight waiting = flight;
        if (waiting != null && waiting.isKeptWaiting(nanos, timeoutNanos())) {
            tooLong(waiting);
        } else if (waiting == null && now.isDue(wall, nanos)) {
            var unused = fetch(known, null);
        }
    }

    /** Waits for the next moment that the wall clock tells; the schedule's beat brings the rest. */
    @Override
    @SuppressWarnings("ReferenceEquality") // whether it is still what was planned for
    void plan() {
        safely("its plan", () -> {
            Known now;
            do {
                now = known;
                Instant wall = context.clock().instant();
                Instant next = now.nextAt(wall);
                waitFor(next == null ? null : in(nanosBetween(wall, next), this::due));
                // Whoever plans last must have planned for what is known then.
            } while (now != known);
        });
    }

    private void waitFor(@Nullable Future<?> next) {
        stop((Future<?>) TIMER.getAndSet(this, next));
    }

    private static long nanosBetween(Instant wall, Instant next) {
        Duration left = Duration.between(wall, next);
        return (left.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : left).toNanos();
    }
}
