package io.keyturn;

import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.check.CheckRequest;
import io.keyturn.check.ConnectivityCheck.Subject;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * For checks that are repeated: what an API answered to the request without a token is kept, and it is not sent again.
 * Whoever guards the API would take that for an attack.
 */
final class AnonymousOnce {
    private static final String STEP = "anonymous";

    private final Map<Asked, Step> answers = new ConcurrentHashMap<>();

    private record Asked(CheckRequest request, @Nullable HttpUrl target) {}

    /** Proves a token, and does without that request if it was answered before. */
    TokenCheck prove(Subject subject, Function<Subject, TokenCheck> proof) {
        CheckRequest request = subject.request();
        if (request == null || request.refused().isEmpty()) {
            return proof.apply(subject);
        }
        Asked asked = new Asked(request, subject.target());
        Step known = answers.get(asked);
        TokenCheck found = proof.apply(known == null ? subject : without(subject, request));
        if (known == null) {
            found.step(STEP).filter(step -> step.httpStatus() > 0).ifPresent(step -> answers.put(asked, step));
            return found;
        }
        return with(known, found);
    }

    private static Subject without(Subject subject, CheckRequest request) {
        CheckRequest withToken =
                new CheckRequest(request.method(), request.target(), request.expected(), Set.of(), request.identity());
        return subject.asking(withToken);
    }

    /** The answer of then, where the check has come as far as that. */
    private static TokenCheck with(Step known, TokenCheck found) {
        List<Step> steps = found.steps().stream()
                .map(step -> step.step().equals(STEP) && "off".equals(step.reason()) ? known : step)
                .toList();
        return new TokenCheck(
                found.name(),
                found.fingerprint(),
                found.version(),
                found.source(),
                found.sources(),
                found.endpoints(),
                found.scopes(),
                found.expiresAt(),
                found.refreshAt(),
                found.identity(),
                steps);
    }
}
