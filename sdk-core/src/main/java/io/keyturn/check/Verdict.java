package io.keyturn.check;

import org.jspecify.annotations.Nullable;

/** What an answer to the check's request says of the token. */
record Verdict(
        Status status,
        @Nullable String reason,
        String detail,
        @Nullable String fix) {
    /** Judges; a redirect's target is told unless it repeats the token. */
    static Verdict of(Probe.Answer answer, CheckRequest request, Echo echo) {
        int status = answer.status();
        if (request.expected().contains(status)) {
            return new Verdict(Status.PASS, null, String.valueOf(status), null);
        }
        if (status == 401) {
            return new Verdict(
                    Status.FAIL,
                    "unauthenticated",
                    "unauthenticated (401): the API does not accept this token",
                    "is it the token of this API, was it revoked, is send_as what the API wants?");
        }
        if (status == 403) {
            return new Verdict(
                    Status.FAIL,
                    "not_permitted",
                    "not permitted (403): the API knows the token and forbids the request",
                    "give the token's owner the right, or check a request that it may make");
        }
        if (status >= 300 && status < 400) {
            String location = answer.location();
            boolean isTold = location != null && !echo.isIn(location);
            return new Verdict(
                    Status.FAIL,
                    "redirected",
                    "redirected (" + status + ")" + (isTold ? " to " + location : ""),
                    "name the final URL in check; a redirect to a login page is no proof");
        }
        if (status == 429) {
            return new Verdict(
                    Status.UNKNOWN,
                    "rate_limited",
                    "rate limited (429): the token could not be tried",
                    "try again later");
        }
        if (status >= 500) {
            return new Verdict(
                    Status.UNKNOWN,
                    "server_error",
                    "server error (" + status + "): the token could not be tried",
                    "look at the API's own health");
        }
        return new Verdict(
                Status.FAIL,
                "unexpected_status",
                "unexpected status (" + status + ")",
                "is the path right? name what is expected in check: {request: …, expect: [" + status + "]}");
    }
}
