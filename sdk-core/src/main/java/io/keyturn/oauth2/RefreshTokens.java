package io.keyturn.oauth2;

import io.keyturn.source.SourceException;
import io.keyturn.source.TokenStore;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * A refresh token while an agent uses it. A service may answer with the next one and take this one no longer (RFC 9700
 * 4.14.2), and whoever then sends this one again may lose both. So it is redeemed by one at a time, whoever of the agent's
 * tokens needs it, and the next one is kept before anything else is done with the answer: first here, then in its store.
 * What was sent is waited for to its end, even by an agent that closes, and if whoever asked gives up: its answer may hold
 * the one refresh token that is still good.
 *
 * <p>Shared by all sources of the agent with the same {@link Place}, and by those before and after a reload.
 */
final class RefreshTokens implements AutoCloseable {
    /** Nobody takes that long: each call is bounded. */
    private static final Duration LONGEST_TURN = Duration.ofSeconds(60);

    /** An agent that closes ends its calls after about that long. */
    private static final Duration LAST_MOMENT = Duration.ofSeconds(1);

    /** Whose turn it is: the next one waits for the end of this. It is no lock: who waits can be interrupted. */
    private final AtomicReference<CompletableFuture<@Nullable Void>> turns =
            new AtomicReference<>(CompletableFuture.completedFuture(null));

    /** What is not saved; written in turn. */
    private volatile @Nullable Kept kept;

    /** With what it was seen that the store can be written, until that is redeemed. */
    private volatile @Nullable Secret proved;

    /**
     * Where a refresh token comes from.
     *
     * @param source what the source is called
     * @param configured what that has, where the next one is not saved there: another is then another beginning; else null
     */
    record Place(
            HttpUrl tokenUrl,
            @Nullable String clientId,
            String source,
            @Nullable Secret configured) {}

    /**
     * A refresh token that is newer than what the configuration leads to.
     *
     * @param configured what it replaces; if another stands there by now, somebody has begun anew
     */
    private record Kept(Secret configured, TokenDocument current) {}

    /** Asks the service. */
    @FunctionalInterface
    interface Redemption {
        /** An answer that {@linkplain TokenAnswer#accepted has a token}. */
        TokenAnswer redeem(Secret refreshToken) throws SourceException;
    }

    /**
     * Redeems it.
     *
     * @param store where the next one is saved; null: it is kept here for as long as the agent lives
     * @throws SourceException if there is no access token, or the refresh token that came with it could not be saved: it is
     *     then saved first, the next time
     */
    TokenDocument redeem(Credential credential, @Nullable TokenStore store, Redemption redemption)
            throws SourceException {
        CompletableFuture<@Nullable Void> mine = new CompletableFuture<>();
        CompletableFuture<@Nullable Void> before = turns.getAndSet(mine);
        FutureTask<TokenDocument> turn = new FutureTask<>(() -> {
            try {
                return redeemInTurn(credential, store, redemption);
            } finally {
                mine.complete(null);
            }
        });
        try {
            await(before, credential);
            begin(turn);
        } catch (SourceException | Error e) {
            // There is no turn of this one then; who comes next still waits for the one before.
            var unused = before.whenComplete((done, failure) -> mine.complete(null));
            throw e;
        }
        return brought(turn, credential);
    }

    /** On a thread that nobody interrupts: whoever gives up a fetch must not give up what is answered to it. */
    private static void begin(FutureTask<TokenDocument> turn) {
        Thread thread = new Thread(turn, "keyturn-redeem");
        thread.setDaemon(true);
        thread.start();
    }

    private static TokenDocument brought(FutureTask<TokenDocument> turn, Credential credential) throws SourceException {
        try {
            return turn.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new SourceException(
                    Reason.UNREACHABLE,
                    credential + " is being redeemed, which was given up; a refresh token that comes of it is kept",
                    null);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof SourceException told) {
                throw told;
            }
            // A store may be anybody's code; its message may hold anything.
            String what =
                    e.getCause() == null ? "nothing" : e.getCause().getClass().getName();
            throw new SourceException(
                    Reason.UNREACHABLE, credential + " could not be redeemed: it failed with " + what, null);
        }
    }

    private TokenDocument redeemInTurn(Credential credential, @Nullable TokenStore store, Redemption redemption)
            throws SourceException {
        TokenDocument configured = credential.read();
        Kept unsaved = kept;
        TokenDocument current =
                unsaved != null && unsaved.configured.equals(configured.value()) ? unsaved.current : configured;
        if (store != null) {
            prove(store, current);
        }
        TokenAnswer answer = redemption.redeem(current.value());
        proved = null;
        TokenDocument next = answer.refreshToken().orElse(current);
        if (!next.value().equals(current.value())) {
            kept = new Kept((store == null ? configured : current).value(), next);
            if (store != null) {
                save(store, next);
            }
        }
        return answer.accessToken();
    }

    /**
     * Writes what is there once more, since what cannot be saved must not be redeemed. Not again until it was redeemed: who
     * watches the store would hear of it, and ask again.
     */
    private void prove(TokenStore store, TokenDocument current) throws SourceException {
        if (!current.value().equals(proved)) {
            save(store, current);
            proved = current.value();
        }
    }

    private void save(TokenStore store, TokenDocument refreshToken) throws SourceException {
        store.save(refreshToken);
        kept = null;
    }

    private static void await(CompletableFuture<@Nullable Void> before, Credential credential) throws SourceException {
        try {
            before.get(LONGEST_TURN.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new SourceException(Reason.UNREACHABLE, credential + ": the waiting thread was interrupted", null);
        } catch (TimeoutException | ExecutionException e) {
            throw new SourceException(
                    Reason.UNREACHABLE, credential + " is being redeemed by another token, without end", null);
        }
    }

    /** Gives the redemption that is under way a moment to come to its end, and forgets everything. */
    @Override
    public void close() {
        try {
            Objects.requireNonNull(turns.get()).get(LAST_MOMENT.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (TimeoutException | ExecutionException e) {
            // Its call ends with the agent.
        }
        kept = null;
        proved = null;
    }
}
