package io.keyturn.provider;

import io.keyturn.event.TokenEvent;
import io.keyturn.provider.Known.Moment;
import io.keyturn.provider.Known.Plan;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
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
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The current version of a token, kept fresh. {@link #get} reads one volatile field: no lock, no clock, no I/O. Whoever
 * finds no token there joins the one fetch that is under way, or begins it. Ends and refreshes come from the
 * {@link Schedule}, changes from the source's {@linkplain TokenSource#watch watch}. No lock is held while a source is
 * asked.
 *
 * <p>Made by the agent; an application has a {@link TokenProvider}.
 */
public final class LiveProvider implements TokenProvider, Providers, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(LiveProvider.class);
    private static final Duration LONGEST_WAIT = Duration.ofDays(1);

    // Handles on fields, and no objects that hold them: there may be thousands of tokens.
    private static final VarHandle KNOWN = handle("known", Known.class);
    private static final VarHandle FLIGHT = handle("flight", Flight.class);
    private static final VarHandle TIMER = handle("timer", Future.class);
    private static final VarHandle TAKING = handle("taking", boolean.class);
    private static final VarHandle REJECTION = handle("rejection", Rejection.class);

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

    private final String name;
    private final TokenSource source;
    private final Intake intake;
    private final Function<Token, Secret> form;
    private final RefreshPolicy policy;
    private final Optional<Duration> every;
    private final boolean shared;
    private final ProviderContext context;

    /**
     * The version that was numbered last. Shared with the providers of this name that were before this one, so that no
     * number is used twice, and a value that two of them find at once is one version.
     */
    private final AtomicReference<Numbered> numbered;

    private volatile Known known;

    /** The fetch under way, if there is one. */
    private volatile @Nullable Flight flight;

    /** What waits for the next moment that the wall clock tells. */
    @SuppressWarnings("UnusedVariable") // used through TIMER
    private volatile @Nullable Future<?> timer;

    /** Whether a token is being taken that an answer has brought. */
    private volatile boolean taking;

    /** What was rejected last. */
    private volatile @Nullable Rejection rejection;

    private volatile boolean found;

    /** Who served the name before, as long as this one has found nothing: it may still find another version. */
    private volatile @Nullable LiveProvider predecessor;

    private volatile Watch watch = Watch.none();

    /** Where it stands in the schedule, or -1; the schedule's. */
    int slot = -1;

    private static VarHandle handle(String field, Class<?> type) {
        try {
            return MethodHandles.lookup().findVarHandle(LiveProvider.class, field, type);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

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
        this.name = name;
        this.source = source;
        this.intake = intake;
        this.form = form;
        this.policy = policy;
        this.every = Optional.ofNullable(policy.every()).or(source::every);
        this.shared = !source.isLocal();
        this.context = context;
        this.numbered = before == null ? new AtomicReference<>(Numbered.NONE) : before.numbered;
        // One that has found nothing has nothing to tell: so no chain of them is kept.
        this.predecessor = before == null || before.found ? before : before.predecessor;
        this.known = Known.after(
                before == null ? null : before.known.last(), context.nanos().getAsLong());
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
                KNOWN.compareAndSet(this, seen, seen.withoutOffer());
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
        known = Known.ended(why, context.nanos().getAsLong());
        numbered.updateAndGet(Numbered::forgotten);
        end(why);
    }

    /**
     * Another provider has taken its place. Requests that found this one still get its token; nothing is asked any more.
     */
    @Override
    public void retire() {
        TokenUnavailableException why =
                TokenUnavailableException.of(name, Reason.REMOVED, "the configuration was changed");
        Known before = known;
        while (before.over() == null && !KNOWN.compareAndSet(this, before, before.retired(why))) {
            before = known;
        }
        end(why);
    }

    /** What is known has ended before, so whoever hears of the end finds nothing that was found after it. */
    private void end(TokenUnavailableException why) {
        leave();
        Flight running = flight;
        for (Flight each = running; each != null; each = each.next()) {
            each.completeExceptionally(why);
        }
        if (running != null) {
            running.interrupt();
        }
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

    private void stepped() {
        Known before = known;
        if (before.over() == null) {
            Known after = before.stepped(
                    found, context.clock().instant(), context.nanos().getAsLong());
            KNOWN.compareAndSet(this, before, after);
        }
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

    private void expire(Known seen) {
        Snapshot ended = seen.living();
        if (ended != null && KNOWN.compareAndSet(this, seen, seen.expired())) {
            tell(() -> TokenEvent.Expired.of(context.clock().instant(), ended.token()));
        }
    }

    /** Waits for the next moment that the wall clock tells; the schedule's beat brings the rest. */
    @SuppressWarnings("ReferenceEquality") // whether it is still what was planned for
    private void plan() {
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

    /** Does something later; null if that cannot be had now, since then the schedule's beat must do. */
    private @Nullable Future<?> in(long nanos, Runnable task) {
        try {
            return context.schedule().in(nanos, task);
        } catch (Throwable t) {
            warn("a plan", t);
            return null;
        }
    }

    private static void stop(@Nullable Future<?> waiting) {
        if (waiting != null) {
            waiting.cancel(false);
        }
    }

    // --- the one fetch under way ---

    /** What a caller who found no living token waits for. */
    private CompletableFuture<Snapshot> missing(Known seen) {
        TokenUnavailableException failure = seen.failure();
        return failure != null
                        && seen.over() == null
                        && seen.isFailing(context.nanos().getAsLong())
                ? CompletableFuture.failedFuture(failure)
                : fetch(seen, null);
    }

    /** A fetch that begins after this call: what is under way may have read the source before it. */
    private CompletableFuture<Snapshot> fetchAnew() {
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
    private Flight fetch(Known seen, @Nullable Token rejected) {
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

    /**
     * The source says that it changed. The fetch is made on this thread, since the others may all be waiting for one that
     * is queued behind them; if one is under way already, another follows it, and is waited for.
     */
    private void changed() {
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
    private void tooLong(Flight mine) {
        TokenUnavailableException late = late();
        if (mine.completeExceptionally(late)) {
            try {
                failed(late);
            } finally {
                mine.interrupt();
            }
        }
    }

    /** How a flight has ended: exactly one of the two is there. */
    private record Outcome(
            @Nullable Snapshot found, @Nullable TokenUnavailableException failure) {
        void tell(Flight flight) {
            if (failure != null) {
                flight.completeExceptionally(failure);
            } else {
                flight.complete(found);
            }
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

    /** The number that was given last, and what got it; null once nobody may have that any more. */
    private record Numbered(long generation, @Nullable Token token) {
        static final Numbered NONE = new Numbered(0, null);

        Numbered forgotten() {
            return new Numbered(generation, null);
        }
    }

    /** Makes the current token of what the source has, if it may be that. */
    private Outcome judge(TokenDocument document, Flight mine) throws TokenException {
        boolean proved = false;
        while (true) {
            Known before = inherited();
            if (before.over() != null) {
                return new Outcome(null, before.over());
            }
            Snapshot kept = kept(document, before);
            Snapshot found = kept == null ? version(document, before) : kept;
            if (found == null) {
                continue;
            }
            if (!proved && !before.isSame(found)) {
                prove(before, found);
                proved = true;
            }
            boolean rejected = mine.isFor(found.token());
            Known after =
                    kept == null ? before.found(found, rejected, rules(), now()) : before.unchanged(rules(), now());
            if (KNOWN.compareAndSet(this, before, after)) {
                told(before, found);
                return new Outcome(found, null);
            }
        }
    }

    /** What is known, with the version that was last in force under this name. */
    private Known inherited() {
        LiveProvider earlier = predecessor;
        Known mine = known;
        Snapshot last = earlier == null || mine.token() != null ? null : earlier.known.last();
        if (last == null || mine.over() != null || mine.isSame(last)) {
            return mine;
        }
        KNOWN.compareAndSet(this, mine, mine.after(last));
        return known;
    }

    /** What a response header brought, as long as the source still has what that replaced; else null. */
    private @Nullable Snapshot kept(TokenDocument document, Known before) throws TokenException {
        Snapshot living = before.living();
        return living != null
                        && before.superseded() != null
                        && before.isSuperseded(
                                intake.accept(name, document, living.token().generation()))
                ? living
                : null;
    }

    /** The same value is the same version, whatever else is known of it. Null if somebody else was given a number. */
    private @Nullable Snapshot version(TokenDocument document, Known before) throws TokenException {
        Numbered newest = Objects.requireNonNull(numbered.get());
        Snapshot last = before.last();
        Token same = last != null && last.token().isOf(document)
                ? last.token()
                : newest.token != null && newest.token.isOf(document) ? newest.token : null;
        long generation = same == null ? newest.generation + 1 : same.generation();
        Token token = intake.accept(name, document, generation);
        if (token.isExpired(context.clock().instant())) {
            String end = token.expiresAt().map(Instant::toString).orElse("");
            String origin = document.origin().orElseGet(this::described);
            throw TokenUnavailableException.of(name, Reason.EXPIRED, origin + " has a token that expired at " + end);
        }
        return same != null || numbered.compareAndSet(newest, new Numbered(generation, token))
                ? new Snapshot(token, form.apply(token), document.origin().orElse(null), source)
                : null;
    }

    /** Tries a token on its API before it replaces one that lives. */
    private void prove(Known before, Snapshot candidate) throws TokenException {
        if (before.living() == null) {
            return;
        }
        try {
            intake.prove(candidate);
        } catch (TokenException e) {
            tell(() -> TokenEvent.SwapRefused.of(context.clock().instant(), candidate.token(), e));
            throw e;
        }
    }

    private void told(Known before, Snapshot taken) {
        found = true;
        predecessor = null;
        plan();
        if (!before.isSame(taken)) {
            Snapshot last = before.last();
            tell(() -> {
                Instant now = context.clock().instant();
                return last == null
                        ? TokenEvent.Resolved.of(now, taken.token(), taken.source())
                        : TokenEvent.Swapped.of(now, last.token(), taken.token(), taken.source());
            });
        }
    }

    private Outcome failed(Flight mine, TokenUnavailableException e) {
        // Where it took too long that has been told, and an interruption is only what came of it.
        return mine.isDone() ? new Outcome(null, e) : failed(e);
    }

    private Outcome failed(TokenUnavailableException e) {
        Moment now = now();
        boolean counted = false;
        Known before = known;
        while (!counted && before.over() == null) {
            counted = KNOWN.compareAndSet(this, before, before.failed(e, rules(), now));
            before = known;
        }
        if (counted) {
            plan();
            tell(() -> new TokenEvent.RefreshFailed(now.wall(), name, e.reason(), e.why()));
        }
        return new Outcome(null, e);
    }

    /** An event that cannot be told is no reason to stop. */
    private void tell(Supplier<TokenEvent> event) {
        safely("an event", () -> context.events().onEvent(event.get()));
    }

    /** Of an error, too: whatever it was, the next fetch comes. Only the class is told. */
    private void safely(String what, Runnable step) {
        try {
            step.run();
        } catch (Throwable t) {
            warn(what, t);
        }
    }

    private void warn(String what, Throwable failure) {
        try {
            log.warn(
                    "token {}: {} failed with {}",
                    name,
                    what,
                    failure.getClass().getName());
        } catch (Throwable t) {
            // Then not even that can be told.
        }
    }

    /** Made whenever a fetch ends, and not kept: there may be thousands of tokens. */
    private Plan rules() {
        return new Plan(policy, every, shared);
    }

    private Moment now() {
        return new Moment(
                context.clock().instant(),
                context.nanos().getAsLong(),
                context.random().getAsDouble());
    }

    // --- what a response header brings ---

    private static boolean isOutdated(Known seen, TokenDocument document, Token sentWith) {
        Snapshot living = seen.living();
        return living == null
                || seen.over() != null
                || living.token().generation() != sentWith.generation()
                || living.token().isOf(document);
    }

    private void take(TokenDocument document, Token sentWith) {
        try {
            boolean proved = false;
            boolean taken = false;
            Known before = known;
            while (!taken && !isOutdated(before, document, sentWith)) {
                Snapshot offered = version(document, before);
                if (offered == null) {
                    before = known;
                    continue;
                }
                if (!proved) {
                    prove(before, offered);
                    proved = true;
                }
                taken = KNOWN.compareAndSet(this, before, before.offered(offered, rules(), now()));
                if (taken) {
                    told(before, offered);
                }
                before = known;
            }
        } catch (TokenException e) {
            tell(() -> new TokenEvent.RefreshFailed(
                    context.clock().instant(), name, e.reason(), String.valueOf(e.getMessage())));
        } catch (Throwable t) {
            warn("an offered token", t);
        }
    }

    // --- waiting for a fetch ---

    private Snapshot await(CompletableFuture<Snapshot> awaited) throws TokenUnavailableException {
        return await(awaited, timeoutNanos());
    }

    private Snapshot await(CompletableFuture<Snapshot> awaited, long nanos) throws TokenUnavailableException {
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
    private CompletionStage<Token> later(CompletableFuture<Snapshot> fetched) {
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

    private long timeoutNanos() {
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

    /** The source is anybody's code, and what it is called is no reason to fail where a failure is to be told. */
    private String described() {
        try {
            return source.describe();
        } catch (Throwable t) {
            return "its source";
        }
    }

    private TokenUnavailableException unavailable(String why) {
        return TokenUnavailableException.of(name, Reason.UNREACHABLE, described() + " " + why);
    }
}
