package io.keyturn.check;

import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.ConnectivityCheck.Subject;
import io.keyturn.http.TokenUse;
import io.keyturn.policy.Destination;
import io.keyturn.policy.RemotePolicy;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.Snapshot;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import javax.net.ssl.SSLException;
import okhttp3.HttpUrl;
import okhttp3.Request;
import org.jspecify.annotations.Nullable;

/** The part of a check that asks the API: with the token, which must be accepted, and without it, which must not. */
final class ApiCheck {
    private final Subject subject;
    private final Snapshot snapshot;
    private final Probe probe;
    private final Steps steps;

    ApiCheck(Subject subject, Snapshot snapshot, Probe probe, Steps steps) {
        this.subject = subject;
        this.snapshot = snapshot;
        this.probe = probe;
        this.steps = steps;
    }

    /** Takes the steps; answers whom the API says that the token belongs to, if it says that. */
    @Nullable
    String run() {
        if (subject.endpoints().isEmpty()) {
            steps.add(
                    "reach",
                    Status.WARN,
                    "no_endpoint",
                    "no endpoint is declared: the token is attached nowhere",
                    "add endpoint: https://… to the token");
            return null;
        }
        CheckRequest request = subject.request();
        HttpUrl target = subject.target();
        if (!policyAllows(request, target)) {
            return null;
        }
        if (request == null || target == null) {
            reachOnly(subject.endpoints().get(0).url());
            return null;
        }
        return authenticate(request, target);
    }

    /**
     * Asks the agent's policy about the check's request, and where there is none whether it answers at all.
     *
     * @return whether a request would be sent
     */
    private boolean policyAllows(@Nullable CheckRequest request, @Nullable HttpUrl target) {
        RemotePolicy policy = subject.policy();
        if (policy == null) {
            return true;
        }
        boolean isRequest = request != null && target != null;
        String method = request == null ? "GET" : request.method();
        HttpUrl url = target == null ? subject.endpoints().get(0).url() : target;
        try {
            policy.prove(snapshot.token(), new Destination(method, url, null));
        } catch (TokenDeniedException e) {
            if (e.reason() != Reason.POLICY || isRequest) {
                return denied(e, policy);
            }
        }
        steps.passed(
                "policy", policy.describe() + (isRequest ? " allows " + method + " " + url.encodedPath() : " answers"));
        return true;
    }

    private boolean denied(TokenDeniedException e, RemotePolicy policy) {
        boolean unasked = e.reason() == Reason.POLICY_UNREACHABLE;
        boolean sent = unasked && policy.allowsUnasked();
        steps.add(
                "policy",
                sent ? Status.WARN : unasked ? Status.UNKNOWN : Status.FAIL,
                e.reason().word(),
                e.getMessage() + (sent ? "; requests are sent meanwhile (on_error: allow)" : ""),
                Fix.of(e));
        return sent;
    }

    private void reachOnly(HttpUrl endpoint) {
        Probe.Answer answer = probe.send(new Request.Builder().url(endpoint).head(), TokenUse.none(), null);
        if (reached(answer, endpoint)) {
            steps.add(
                    "authenticate",
                    Status.WARN,
                    "no_check",
                    "nothing proves that the token works",
                    "add check: GET /… to the token, a request that needs it");
        }
    }

    private boolean reached(Probe.Answer answer, HttpUrl url) {
        if (answer.failure() instanceof TokenException e) {
            Status status = e.reason() == Reason.POLICY_UNREACHABLE ? Status.UNKNOWN : Status.FAIL;
            steps.add("authenticate", status, e.reason().word(), String.valueOf(e.getMessage()), Fix.of(e));
            return false;
        }
        if (answer.failure() != null) {
            unreachable("reach", answer, url);
            return false;
        }
        steps.passed("reach", place(url) + ": " + answer.connection());
        return true;
    }

    private void unreachable(String step, Probe.Answer answer, HttpUrl url) {
        steps.add(
                step,
                Status.UNKNOWN,
                "unreachable",
                "unreachable: " + place(url) + ": " + answer.connection(),
                answer.failure() instanceof SSLException
                        ? "let Java trust who issued the certificate (-Djavax.net.ssl.trustStore=…), or mend the server's"
                        : "is the address right, is the server up, does a firewall or proxy stand between?");
    }

    private static String place(HttpUrl url) {
        String host = url.host().contains(":") ? "[" + url.host() + "]" : url.host();
        return host + ":" + url.port();
    }

    private @Nullable String authenticate(CheckRequest request, HttpUrl target) {
        Probe.Answer answer = probe.send(request(request, target), TokenUse.named(subject.name()), request.identity());
        if (!reached(answer, target)) {
            return null;
        }
        Echo echo = new Echo(snapshot);
        Verdict verdict = Verdict.of(answer, request, echo);
        boolean passed = verdict.status() == Status.PASS;
        String named = answer.identity();
        String identity = !passed || named == null || echo.isIn(named) ? null : named;
        String whom = passed && request.identity() != null ? whom(request.identity(), named, identity) : "";
        steps.add(new Step(
                "authenticate",
                verdict.status(),
                verdict.reason(),
                request.method() + " " + target.encodedPath() + ": " + verdict.detail() + whom,
                verdict.fix(),
                answer.status(),
                answer.millis()));
        if (passed) {
            anonymous(request, target);
        }
        return identity;
    }

    private static String whom(String pointer, @Nullable String named, @Nullable String identity) {
        if (identity != null) {
            return ", as " + identity;
        }
        return named == null
                ? "; the answer names nobody at " + pointer
                : "; whom the answer names is not shown, since it repeats a part of the token";
    }

    /** An endpoint that answers the same without a token proves nothing of the token. */
    private void anonymous(CheckRequest request, HttpUrl target) {
        if (request.refused().isEmpty()) {
            steps.add(
                    "anonymous",
                    Status.SKIP,
                    "off",
                    "not tried, as the configuration wants it",
                    "remove anonymous: off to have it tried");
            return;
        }
        Probe.Answer answer = probe.send(request(request, target), TokenUse.none(), null);
        int status = answer.status();
        if (answer.failure() != null) {
            unreachable("anonymous", answer, target);
        } else if (request.refused().contains(status)) {
            steps.add(new Step(
                    "anonymous", Status.PASS, null, "without the token: " + status, null, status, answer.millis()));
        } else {
            steps.add(new Step(
                    "anonymous",
                    Status.WARN,
                    "proves_nothing",
                    "proves nothing: without the token the answer is " + status,
                    request.expected().contains(status)
                            ? "check a path that only the token can read"
                            : "if that is how the API refuses, say so: check: {request: …, anonymous: [" + status
                                    + "]}",
                    status,
                    answer.millis()));
        }
    }

    private static Request.Builder request(CheckRequest request, HttpUrl target) {
        return new Request.Builder().url(target).method(request.method(), Probe.body(request.method()));
    }
}
