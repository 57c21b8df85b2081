package io.keyturn;

import io.keyturn.check.ConnectivityCheck.Subject;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Waits for the tokens without which an agent must not start. All are asked at the same time; those that are not there
 * are asked again by their own providers, when a file appears or their next try is due, and are looked at until the time
 * is over.
 */
final class StartUp {
    private static final Duration PAUSE = Duration.ofMillis(20);

    /** What may be mended while the agent starts; anything else is told at once. */
    private static final Set<Reason> WORTH_WAITING = Set.of(
            Reason.ABSENT,
            Reason.UNREACHABLE,
            Reason.STORE_UNREACHABLE,
            Reason.SEALED,
            Reason.MALFORMED,
            Reason.EXPIRED);

    private final LongSupplier nanos;
    private final Duration limit;
    private final long deadline;

    private StartUp(Duration limit, LongSupplier nanos) {
        this.nanos = nanos;
        this.limit = limit;
        this.deadline = nanos.getAsLong() + limit.toNanos();
    }

    /**
     * Waits.
     *
     * @throws TokenUnavailableException if a token was not there in time; those of the others are its suppressed ones
     */
    static void await(List<Subject> required, Duration limit, LongSupplier nanos) throws TokenUnavailableException {
        new StartUp(limit, nanos).await(required);
    }

    private void await(List<Subject> required) throws TokenUnavailableException {
        List<Subject> missing = required;
        while (true) {
            Map<Subject, TokenUnavailableException> failures = ask(missing);
            if (failures.isEmpty()) {
                return;
            }
            boolean hopeless = failures.values().stream().anyMatch(StartUp::isHopeless);
            if (hopeless || left().isNegative() || isInterruptedWithin(PAUSE)) {
                throw together(failures.values().stream().toList());
            }
            missing = List.copyOf(failures.keySet());
        }
    }

    private Map<Subject, TokenUnavailableException> ask(List<Subject> missing) {
        Map<Subject, CompletionStage<Token>> asked = new LinkedHashMap<>();
        missing.forEach(subject -> asked.put(subject, subject.provider().getAsync()));
        Map<Subject, TokenUnavailableException> failures = new LinkedHashMap<>();
        asked.forEach((subject, answer) -> {
            try {
                // One that comes when the time is over is given a moment, too.
                long most = Math.max(left().toNanos(), PAUSE.toNanos());
                answer.toCompletableFuture().get(most, TimeUnit.NANOSECONDS);
            } catch (ExecutionException e) {
                failures.put(subject, failure(subject, e.getCause()));
            } catch (TimeoutException e) {
                String why = subject.provider().source().describe() + " did not answer within the " + limit.toMillis()
                        + " ms of the start";
                failures.put(subject, TokenUnavailableException.of(subject.name(), Reason.UNREACHABLE, why));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                failures.put(subject, failure(subject, e));
            }
        });
        return failures;
    }

    private static TokenUnavailableException failure(Subject subject, @Nullable Throwable cause) {
        return cause instanceof TokenUnavailableException e
                ? e
                : TokenUnavailableException.of(subject.name(), Reason.UNREACHABLE, "the start was interrupted");
    }

    private static boolean isHopeless(TokenUnavailableException failure) {
        return failure.attempts().stream().noneMatch(StartUp::isWorthWaiting);
    }

    /** What wants to be asked again may have another answer then, whatever it has now. */
    private static boolean isWorthWaiting(TokenException attempt) {
        return WORTH_WAITING.contains(attempt.reason())
                || (attempt instanceof SourceException source
                        && source.retryAfter().isPresent());
    }

    private static TokenUnavailableException together(List<TokenUnavailableException> failures) {
        TokenUnavailableException first = failures.get(0);
        failures.stream().skip(1).forEach(first::addSuppressed);
        return first;
    }

    private boolean isInterruptedWithin(Duration pause) {
        try {
            TimeUnit.NANOSECONDS.sleep(pause.toNanos());
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return true;
        }
    }

    private Duration left() {
        return Duration.ofNanos(deadline - nanos.getAsLong());
    }
}
