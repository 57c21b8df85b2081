package io.keyturn.check;

import io.keyturn.http.TokenUse;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.util.function.LongSupplier;
import okhttp3.HttpUrl;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Request;

/** One token on its API, before it replaces another. */
public final class Trial {
    private Trial() {}

    /**
     * Sends the check's request with a token and looks at nothing but whether the API refuses it: one that cannot be
     * reached, or is broken, says nothing of the token, and neither does a policy that gives no decision. Blocks.
     *
     * @param target where the request goes
     * @param carrying attaches the token that is tried
     * @throws TokenException if the API answers 401 or 403, unless the request expects that; or if a rule denies the
     *     request
     */
    public static void run(
            CheckRequest request,
            HttpUrl target,
            OkHttpClient client,
            Interceptor carrying,
            Duration limit,
            LongSupplier nanos)
            throws TokenException {
        Probe.Answer answer;
        try (Probe probe = new Probe(client, carrying, limit, nanos)) {
            Request.Builder asked =
                    new Request.Builder().url(target).method(request.method(), Probe.body(request.method()));
            answer = probe.send(asked, TokenUse.none(), null);
        }
        if (answer.failure() instanceof TokenException denied && denied.reason() != Reason.POLICY_UNREACHABLE) {
            throw denied;
        }
        boolean refused = (answer.status() == 401 || answer.status() == 403)
                && !request.expected().contains(answer.status());
        if (refused) {
            throw new TokenException(
                    answer.status() == 401 ? Reason.UNAUTHENTICATED : Reason.NOT_PERMITTED,
                    request.method() + " " + target.encodedPath() + ": the API refuses the new token ("
                            + answer.status() + ")",
                    "store a token there that the API accepts");
        }
    }
}
