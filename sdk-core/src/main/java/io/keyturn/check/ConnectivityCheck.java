package io.keyturn.check;

import io.keyturn.check.CheckReport.SourceCheck;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.config.Location;
import io.keyturn.policy.Endpoint;
import io.keyturn.policy.RemotePolicy;
import io.keyturn.provider.LiveProvider;
import io.keyturn.provider.Snapshot;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * Walks the way of a request with one token and says how each step ended: is it there, does it live, may it be used, can
 * its API be reached, does the API accept it, and does the API refuse a request without it. The steps after the one that
 * failed are skipped. It only looks: nothing is written, and a 401 makes no source be asked again.
 */
public final class ConnectivityCheck {
    /**
     * A token that is to be proved.
     *
     * @param at where its source is configured
     * @param request what proves it, or null
     * @param target where that request goes, or null
     * @param required whether it is a failure that there is none
     * @param perKey whether there is one for each key, of which none is asked here
     * @param policy who is asked about each request with it, or null
     * @param outdated why what the configuration says now is not in force; null if it is
     */
    public record Subject(
            String name,
            Location at,
            LiveProvider provider,
            List<Endpoint> endpoints,
            @Nullable CheckRequest request,
            @Nullable HttpUrl target,
            boolean required,
            boolean perKey,
            @Nullable RemotePolicy policy,
            @Nullable String outdated) {
        /** The same token, while the configuration of an agent was changed and cannot be used. */
        public Subject outdated(@Nullable String why) {
            return new Subject(name, at, provider, endpoints, request, target, required, perKey, policy, why);
        }

        /** The same token, proved by another request to the same place. */
        public Subject asking(CheckRequest other) {
            return new Subject(name, at, provider, endpoints, other, target, required, perKey, policy, outdated);
        }
    }

    private final Subject subject;
    private final Clock clock;
    private final Steps steps;

    private ConnectivityCheck(Subject subject, Clock clock) {
        this.subject = subject;
        this.clock = clock;
        this.steps = new Steps(subject.policy != null);
        if (subject.outdated == null) {
            steps.passed("config", subject.at.toString());
        } else {
            steps.add(
                    "config",
                    Status.WARN,
                    "degraded",
                    "the configuration was changed and cannot be used, so what it said before is in force: "
                            + subject.outdated,
                    "mend the file; it is read again when it changes");
        }
    }

    /** Proves a token; blocks until that is done, or the probe's time is over. */
    public static TokenCheck prove(Subject subject, Probe probe, Clock clock) {
        return new ConnectivityCheck(subject, clock).prove(probe);
    }

    /** Asks each source what it has, up to the one that the token comes from; no network but the sources' own. */
    public static TokenCheck explain(Subject subject, Clock clock) {
        List<SourceCheck> sources = subject.perKey ? List.of() : sources(subject.provider.source());
        ConnectivityCheck check = new ConnectivityCheck(subject, clock);
        Snapshot snapshot = check.resolve();
        if (subject.policy != null) {
            check.steps.add(
                    "policy",
                    Status.SKIP,
                    "not_asked",
                    subject.policy.describe() + " is asked before each request",
                    "'keyturn check' asks it");
        }
        return describe(subject, snapshot, null, sources, check.steps.taken());
    }

    /** Only that it is configured: nothing is asked. */
    public static TokenCheck declare(String name, Location at, List<Endpoint> endpoints) {
        Steps steps = new Steps(false);
        steps.passed("config", at.toString());
        return new TokenCheck(
                name, null, null, null, List.of(), texts(endpoints), List.of(), null, null, null, steps.taken());
    }

    /** That the look at a token did not come to its end, and why; the text must not hold a value. */
    public static TokenCheck unfinished(Subject subject, String why) {
        ConnectivityCheck check = new ConnectivityCheck(subject, Clock.systemUTC());
        check.steps.add(
                "resolve",
                Status.UNKNOWN,
                Reason.UNREACHABLE.word(),
                subject.provider.source().describe() + ": " + why,
                "look at the source itself, or give the check more time");
        return describe(subject, null, null, List.of(), check.steps.all());
    }

    private static List<SourceCheck> sources(TokenSource all) {
        List<SourceCheck> answers = new ArrayList<>();
        boolean over = false;
        for (TokenSource source : all.sources()) {
            if (over) {
                answers.add(new SourceCheck(source.describe(), false, "not asked"));
                continue;
            }
            try {
                over = source.fetch().isPresent();
                String why =
                        over ? "has the token" : String.valueOf(source.absence().getMessage());
                answers.add(new SourceCheck(source.describe(), over, why));
            } catch (SourceException e) {
                over = true;
                answers.add(new SourceCheck(source.describe(), false, String.valueOf(e.getMessage())));
            }
        }
        return answers;
    }

    private static TokenCheck describe(
            Subject subject,
            @Nullable Snapshot snapshot,
            @Nullable String identity,
            List<SourceCheck> sources,
            List<Step> steps) {
        Token token = snapshot == null ? null : snapshot.token();
        return new TokenCheck(
                subject.name,
                token == null ? null : token.fingerprint(),
                token == null ? null : token.version().orElse(null),
                snapshot == null ? null : snapshot.source(),
                sources,
                texts(subject.endpoints),
                token == null ? List.of() : token.scopes().map(List::copyOf).orElse(List.of()),
                token == null ? null : token.expiresAt().orElse(null),
                token == null ? null : subject.provider.status().refreshAt(),
                identity,
                steps);
    }

    private static List<String> texts(List<Endpoint> endpoints) {
        return endpoints.stream().map(Endpoint::toString).toList();
    }

    // --- the token itself ---

    private TokenCheck prove(Probe probe) {
        Snapshot snapshot = resolve();
        String identity = snapshot == null ? null : new ApiCheck(subject, snapshot, probe, steps).run();
        return describe(subject, snapshot, identity, List.of(), steps.all());
    }

    private @Nullable Snapshot resolve() {
        if (subject.perKey) {
            steps.add(
                    "resolve",
                    Status.WARN,
                    "per_key",
                    "there is a token for each key, and none is asked here",
                    "ask for one in the program: agent.provider(name, key)");
            return null;
        }
        try {
            Snapshot snapshot = subject.provider.snapshot();
            if (!isActive(snapshot.token())) {
                return null;
            }
            resolved(snapshot);
            expiry(snapshot.token());
            steps.passed(
                    "scopes",
                    snapshot.token()
                            .scopes()
                            .map(scopes -> String.join(" ", scopes))
                            .orElse("not known"));
            return snapshot;
        } catch (TokenUnavailableException e) {
            unresolved(e);
            return null;
        }
    }

    private void resolved(Snapshot snapshot) {
        Optional<TokenUnavailableException> failure = subject.provider.lastFailure();
        if (failure.isPresent()) {
            steps.add(
                    "resolve",
                    Status.WARN,
                    "degraded",
                    failure.get().why() + since() + "; the last good token serves",
                    Fix.of(failure.get()));
        } else if (snapshot.token().beginsWithBearer()) {
            steps.add(
                    "resolve",
                    Status.WARN,
                    "prefixed",
                    snapshot.source() + ": the token begins with 'Bearer '",
                    "store the token alone; what is sent has the prefix once");
        } else {
            steps.passed("resolve", snapshot.source());
        }
    }

    /** Asks who issued it; where that is not possible it counts as active. */
    private boolean isActive(Token token) {
        TokenSource source = subject.provider.source();
        try {
            if (source.isActive(token).orElse(true)) {
                return true;
            }
            steps.add(
                    "resolve",
                    Status.FAIL,
                    Reason.REVOKED.word(),
                    source.describe() + ": its issuer says that the token is not active",
                    "a request that the API refuses with 401 has it fetched anew");
        } catch (SourceException e) {
            steps.add("resolve", Status.UNKNOWN, e.reason().word(), String.valueOf(e.getMessage()), Fix.of(e));
        }
        return false;
    }

    private String since() {
        return subject.provider
                .failingSince()
                .map(since -> " since " + since.truncatedTo(ChronoUnit.SECONDS))
                .orElse("");
    }

    private void expiry(Token token) {
        Instant refresh = subject.provider.status().refreshAt();
        if (token.expiresAt().isEmpty()) {
            // That a file is looked at beside its events is nobody's concern; that a store is asked is.
            String next = refresh == null || subject.provider.source().isLocal()
                    ? ""
                    : "; asked for again at " + refresh.truncatedTo(ChronoUnit.SECONDS);
            steps.passed("expiry", "not known" + next);
            return;
        }
        Instant end = token.expiresAt().get();
        Duration left = Duration.between(clock.instant(), end);
        Duration soon = token.issuedAt()
                .map(issued -> Duration.between(issued, end).dividedBy(5))
                .orElse(Duration.ofDays(1));
        String detail = "ends at " + end + ", in " + human(left)
                + (refresh == null ? "" : "; fetched anew at " + refresh.truncatedTo(ChronoUnit.SECONDS));
        if (left.compareTo(soon) < 0) {
            steps.add("expiry", Status.WARN, "expires_soon", detail, "store its successor there before then");
        } else {
            steps.passed("expiry", detail);
        }
    }

    private static String human(Duration time) {
        if (time.toDays() > 1) {
            return time.toDays() + " days";
        }
        if (time.toHours() > 1) {
            return time.toHours() + " hours";
        }
        return time.toMinutes() > 1 ? time.toMinutes() + " minutes" : time.toSeconds() + " s";
    }

    private void unresolved(TokenUnavailableException e) {
        Reason reason = e.reason();
        String step = step(reason);
        if (!step.equals("resolve")) {
            // There is a token, and it is refused for what it is.
            steps.passed("resolve", subject.provider.source().describe());
        }
        boolean missing = reason == Reason.UNSET || reason == Reason.ABSENT;
        steps.add(step, missing && !subject.required ? Status.WARN : status(reason), reason.word(), e.why(), Fix.of(e));
    }

    private static Status status(Reason reason) {
        return switch (reason) {
            case UNREACHABLE, STORE_UNREACHABLE, SEALED -> Status.UNKNOWN;
            case HELD_BY_AGENT -> Status.SKIP;
            default -> Status.FAIL;
        };
    }

    private static String step(Reason reason) {
        return switch (reason) {
            case EXPIRED, UNKNOWN_EXPIRY, LIFETIME -> "expiry";
            case SCOPE -> "scopes";
            default -> "resolve";
        };
    }
}
