package io.keyturn;

import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.check.ConnectivityCheck;
import io.keyturn.check.ConnectivityCheck.Subject;
import io.keyturn.check.Status;
import io.keyturn.config.Problem;
import io.keyturn.token.Reason;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Looks at several tokens at the same time, each on a thread of its own, so that a source or an API that hangs takes no
 * other token's time and the whole ends in time.
 */
final class TokenChecks {
    private static final int MOST_THREADS = 8;

    /** What the look itself may need to notice that its time is over; it knows better why. */
    private static final Duration GRACE = Duration.ofMillis(100);

    private TokenChecks() {}

    static CheckReport report(
            String agent, List<Subject> subjects, Duration limit, Function<Subject, TokenCheck> look) {
        List<TokenCheck> found = together(subjects, limit, look);
        List<Problem> missing = new ArrayList<>();
        for (int i = 0; i < subjects.size(); i++) {
            missing.addAll(missing(subjects.get(i), found.get(i)));
        }
        return new CheckReport(agent, missing, found, List.of(), false);
    }

    private static List<TokenCheck> together(
            List<Subject> subjects, Duration limit, Function<Subject, TokenCheck> look) {
        long deadline = System.nanoTime() + limit.plus(GRACE).toNanos();
        ExecutorService threads = Executors.newFixedThreadPool(MOST_THREADS, DaemonThreads.named("keyturn-check"));
        try {
            List<Future<TokenCheck>> running = new ArrayList<>();
            subjects.forEach(subject -> running.add(threads.submit(() -> look.apply(subject))));
            List<TokenCheck> found = new ArrayList<>();
            for (int i = 0; i < subjects.size(); i++) {
                found.add(await(subjects.get(i), running.get(i), limit, deadline));
            }
            return found;
        } finally {
            threads.shutdownNow();
        }
    }

    private static TokenCheck await(Subject subject, Future<TokenCheck> running, Duration limit, long deadline) {
        try {
            return running.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            return ConnectivityCheck.unfinished(subject, "no answer within " + limit.toMillis() + " ms");
        } catch (ExecutionException e) {
            // A source, a rule or a client of the program's own threw it, and its message may hold anything.
            Throwable cause = Objects.requireNonNullElse(e.getCause(), e);
            return ConnectivityCheck.unfinished(
                    subject, "the check failed with " + cause.getClass().getName());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return ConnectivityCheck.unfinished(subject, "the check was interrupted");
        }
    }

    /** A variable or file that is not there is mended where it is configured, so the place is told. */
    private static List<Problem> missing(Subject subject, TokenCheck found) {
        return found.step("resolve")
                .filter(step -> step.status() == Status.FAIL)
                .flatMap(step -> missingReason(step)
                        .map(reason -> List.of(new Problem(subject.at(), reason, step.detail(), null))))
                .orElse(List.of());
    }

    private static Optional<Reason> missingReason(Step step) {
        return Stream.of(Reason.UNSET, Reason.ABSENT)
                .filter(reason -> reason.word().equals(step.reason()))
                .findFirst();
    }
}
