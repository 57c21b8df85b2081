package io.keyturn.check;

import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What a check found. It prints as a table for people ({@link #toString}) and as one JSON document ({@link #toJson});
 * neither holds a value. Immutable.
 *
 * @param agent the agent's name
 * @param errors what is wrong with the configuration, in the order of the file
 * @param tokens each token and how its steps ended
 * @param needs what the configuration needs from outside, where that was asked
 * @param strict whether a warning counts as a failure
 */
public record CheckReport(
        String agent, List<Problem> errors, List<TokenCheck> tokens, List<Need> needs, boolean strict) {
    /** The reasons for which there is no token at all. */
    private static final Set<String> MISSING = Set.of("unset", "absent", "invalid");

    /**
     * One step on the way of a token.
     *
     * @param step {@code config}, {@code resolve}, {@code expiry}, {@code scopes}, {@code policy} (where one is
     *     asked), {@code reach}, {@code authenticate} or {@code anonymous}
     * @param status how it ended
     * @param reason why, as one stable word; null if it passed
     * @param detail what was found
     * @param fix what mends it; null if it passed
     * @param httpStatus the status code that was answered, or 0
     * @param millis how long it took, or -1
     */
    public record Step(
            String step,
            Status status,
            @Nullable String reason,
            String detail,
            @Nullable String fix,
            int httpStatus,
            long millis) {}

    /**
     * One of the sources of a token.
     *
     * @param source what it is
     * @param chosen whether the token came from it
     * @param why what it answered
     */
    public record SourceCheck(String source, boolean chosen, String why) {}

    /**
     * What is known of a token, and its steps. Unknown is null, or empty.
     *
     * @param source where it came from
     * @param sources what each source answered, where that was asked
     * @param refreshAt when the source is asked again by itself
     * @param identity whom the API says that it belongs to
     */
    public record TokenCheck(
            String name,
            @Nullable String fingerprint,
            @Nullable String version,
            @Nullable String source,
            List<SourceCheck> sources,
            List<String> endpoints,
            List<String> scopes,
            @Nullable Instant expiresAt,
            @Nullable Instant refreshAt,
            @Nullable String identity,
            List<Step> steps) {
        /** The worst of its steps. */
        public Status status() {
            return Status.worst(steps.stream().map(Step::status).toList());
        }

        /** How this step ended, if it was taken. */
        public Optional<Step> step(String name) {
            return steps.stream().filter(step -> step.step().equals(name)).findFirst();
        }
    }

    /** Whether everything works: no failure, nothing unknown, and where the report is strict no warning. */
    public boolean ok() {
        return exitCode() == 0;
    }

    /** The worst of all tokens; a failure where the configuration is wrong. */
    public Status status() {
        return errors.isEmpty()
                ? Status.worst(tokens.stream().map(TokenCheck::status).toList())
                : Status.FAIL;
    }

    /**
     * How a command that reports this ends: 0 it works, 1 a token does not, 2 the configuration is wrong or what it names
     * is not there, 3 it could not be told. Where tokens differ, 2 comes before 1, and 1 before 3.
     */
    public int exitCode() {
        if (!errors.isEmpty() || anyStep(step -> step.status() == Status.FAIL && MISSING.contains(step.reason()))) {
            return 2;
        }
        return switch (status()) {
            case FAIL -> 1;
            case UNKNOWN -> 3;
            default -> anyStep(this::isBad) ? 1 : 0;
        };
    }

    private boolean anyStep(Predicate<Step> test) {
        return tokens.stream().anyMatch(token -> token.steps().stream().anyMatch(test));
    }

    /** Whether this token works, as {@link #ok()} says it of all. */
    boolean ok(TokenCheck token) {
        return token.steps().stream().noneMatch(this::isBad);
    }

    private boolean isBad(Step step) {
        return switch (step.status()) {
            case FAIL, UNKNOWN -> true;
            // An optional token that is not there is fine, however strict the report is.
            case WARN -> strict && !MISSING.contains(step.reason());
            case SKIP, PASS -> false;
        };
    }

    /** The same report, in which a warning counts as a failure. */
    public CheckReport asStrict() {
        return new CheckReport(agent, errors, tokens, needs, true);
    }

    /** What was found about one token. */
    public Optional<TokenCheck> token(String name) {
        return tokens.stream().filter(token -> token.name().equals(name)).findFirst();
    }

    /** One JSON document, {@code "schema": 1}; see {@code docs/check.md}. */
    public String toJson() {
        return JsonReport.write(this);
    }

    /** A table for people, perhaps in the colours of a terminal. */
    public String render(boolean colour) {
        return new TextReport(colour).render(this);
    }

    /** A table for people. */
    @Override
    public String toString() {
        return render(false);
    }
}
