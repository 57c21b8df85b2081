package io.keyturn;

import io.keyturn.check.CheckRequest;
import io.keyturn.check.Trial;
import io.keyturn.http.EndpointBindings;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.Intake;
import io.keyturn.provider.Snapshot;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.util.function.LongSupplier;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import org.jspecify.annotations.Nullable;

/**
 * Makes tokens of what sources answer, as the configuration wants them: with what it knows of them, if their policy admits
 * them and, where that is wanted, if their API does.
 */
record TokenIntake(
        String name,
        TokenOptions options,
        TokenPolicy policy,
        @Nullable Secret fingerprintKey,
        OkHttpClient client,
        LongSupplier nanos)
        implements Intake {
    @Override
    public Token accept(TokenDocument document, long generation) throws TokenException {
        Token token = Token.of(name, options.completed(document), generation, fingerprintKey);
        try {
            policy.admit(token);
        } catch (RuntimeException e) {
            // A rule that cannot tell refuses; what it says may hold anything.
            String why = "a policy failed with " + e.getClass().getName();
            throw new TokenDeniedException(Reason.DESTINATION, why, "mend the policy");
        }
        return token;
    }

    @Override
    public void prove(Snapshot candidate) throws TokenException {
        CheckRequest request = options.check();
        HttpUrl target = options.checkTarget();
        if (options.isVerified() && request != null && target != null) {
            Trial.run(
                    request,
                    target,
                    client,
                    EndpointBindings.carrying(candidate, options.placement(), policy),
                    options.refresh().timeout(),
                    nanos);
        }
    }
}
