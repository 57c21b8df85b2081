package io.keyturn.provider;

import io.keyturn.event.TokenEvent;
import io.keyturn.provider.Flight.Outcome;
import io.keyturn.provider.Known.Moment;
import io.keyturn.provider.Known.Plan;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps what is known of a token, and is all that changes it: what a source or a response header brings is judged, tried
 * and taken, a failure is counted, and the end comes. Each step replaces the {@link Known} that it has seen by another; if
 * somebody else was first, it looks at what is known now.
 *
 * <p>It is the lowest part of a {@link LiveProvider}: on it stands {@link Fetcher}, which asks the source, and on that the
 * provider, which answers callers and looks at the clock. Each calls those below it, and {@link #plan} is all that is
 * called above. They are one object and not three, since there may be thousands of tokens.
 */
abstract class Keeper {
    /** Has the name that people know. */
    static final Logger log = LoggerFactory.getLogger(LiveProvider.class);

    private static final VarHandle KNOWN = handle(MethodHandles.lookup(), "known", Known.class);

    final String name;
    final TokenSource source;
    final RefreshPolicy policy;
    final ProviderContext context;
    private final Intake intake;
    private final Function<Token, Secret> form;
    private final Optional<Duration> every;
    private final boolean shared;
    private final Versions versions;

    /** Read by the parts above, written here only. */
    volatile Known known;

    /** Whether this one has found a version, and not only heard of one from who was before it. */
    private volatile boolean found;

    /** Who served the name before, as long as this one has found nothing: it may still find another version. */
    private volatile @Nullable Keeper predecessor;

    /** A handle on a field, and no object that holds it: there may be thousands of tokens. */
    static VarHandle handle(MethodHandles.Lookup owner, String field, Class<?> type) {
        try {
            return owner.findVarHandle(owner.lookupClass(), field, type);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    Keeper(
            String name,
            TokenSource source,
            Intake intake,
            Function<Token, Secret> form,
            RefreshPolicy policy,
            ProviderContext context,
            @Nullable Keeper before) {
        this.name = name;
        this.source = source;
        this.intake = intake;
        this.form = form;
        this.policy = policy;
        this.every = Optional.ofNullable(policy.every()).or(source::every);
        this.shared = !source.isLocal();
        this.context = context;
        this.versions = before == null ? new Versions() : before.versions;
        // One that has found nothing has nothing to tell: so no chain of them is kept.
        this.predecessor = before == null || before.found ? before : before.predecessor;
        this.known = Known.after(
                before == null ? null : before.known.last(), context.nanos().getAsLong());
    }

    /** Called when a fetch or an offer has changed what is known: it may be due at another time now. */
    abstract void plan();

    // --- what a source brings ---

    /** Makes the current token of what the source has, if it may be that. */
    Outcome judge(TokenDocument document, Flight mine) throws TokenException {
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
        Keeper earlier = predecessor;
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

    /** The version that a document holds, with all that belongs to it. Null if somebody else was given its number. */
    private @Nullable Snapshot version(TokenDocument document, Known before) throws TokenException {
        Token token = versions.version(document, before.last(), generation -> accepted(document, generation));
        return token == null
                ? null
                : new Snapshot(token, form.apply(token), document.origin().orElse(null), source);
    }

    private Token accepted(TokenDocument document, long generation) throws TokenException {
        Token token = intake.accept(name, document, generation);
        if (token.isExpired(context.clock().instant())) {
            String end = token.expiresAt().map(Instant::toString).orElse("");
            String origin = document.origin().orElseGet(this::described);
            throw TokenUnavailableException.of(name, Reason.EXPIRED, origin + " has a token that expired at " + end);
        }
        return token;
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

    /** The source gave nothing, and why; what it gave before stays. */
    Outcome failed(TokenUnavailableException e) {
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

    // --- what a response header brings ---

    static boolean isOutdated(Known seen, TokenDocument document, Token sentWith) {
        Snapshot living = seen.living();
        return living == null
                || seen.over() != null
                || living.token().generation() != sentWith.generation()
                || living.token().isOf(document);
    }

    /** Takes what a response header has brought, if it may be that. */
    void take(TokenDocument document, Token sentWith) {
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

    // --- what a server's refusal, time and the end do ---

    /** What a response header brought is refused, unless something else is known by now: the source's own counts again. */
    void withoutOffer(Known seen) {
        KNOWN.compareAndSet(this, seen, seen.withoutOffer());
    }

    /** Somebody set the clock, or the machine slept. */
    void stepped() {
        Known before = known;
        if (before.over() == null) {
            Known after = before.stepped(
                    found, context.clock().instant(), context.nanos().getAsLong());
            KNOWN.compareAndSet(this, before, after);
        }
    }

    /** The token has ended. */
    void expire(Known seen) {
        Snapshot ended = seen.living();
        if (ended != null && KNOWN.compareAndSet(this, seen, seen.expired())) {
            tell(() -> TokenEvent.Expired.of(context.clock().instant(), ended.token()));
        }
    }

    /** Nothing is known any more, and nothing will be. */
    void forget(TokenUnavailableException why) {
        known = Known.ended(why, context.nanos().getAsLong());
        versions.forget();
    }

    /** What is handed out stays, and nothing more becomes known. */
    void freeze(TokenUnavailableException why) {
        Known before = known;
        while (before.over() == null && !KNOWN.compareAndSet(this, before, before.retired(why))) {
            before = known;
        }
    }

    // --- what all of it needs ---

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

    /** The source is anybody's code, and what it is called is no reason to fail where a failure is to be told. */
    String described() {
        try {
            return source.describe();
        } catch (Throwable t) {
            return "its source";
        }
    }

    /** An event that cannot be told is no reason to stop. */
    void tell(Supplier<TokenEvent> event) {
        safely("an event", () -> context.events().onEvent(event.get()));
    }

    /** Of an error, too: whatever it was, the next fetch comes. Only the class is told. */
    void safely(String what, Runnable step) {
        try {
            step.run();
        } catch (Throwable t) {
            warn(what, t);
        }
    }

    void warn(String what, Throwable failure) {
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
}
