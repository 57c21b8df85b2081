package io.keyturn;

import io.keyturn.check.CheckRequest;
import io.keyturn.check.Trial;
import io.keyturn.http.EndpointBindings;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.Intake;
import io.keyturn.provider.Snapshot;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.util.List;
import java.util.function.Function;
import java.util.function.LongSupplier;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import org.jspecify.annotations.Nullable;

/**
 * Makes tokens of what sources answer, as the configuration wants them: with what it knows of them, if their policy admits
 * them and, where that is wanted, if their API does. Tokens that have the same options share one.
 *
 * @param form what is sent of a token
 * @param ownPolicy what the options say of a token's requests
 * @param policy what a token is asked that is not in force yet
 */
record TokenIntake(
        TokenOptions options,
        Function<Token, Secret> form,
        TokenPolicy ownPolicy,
        TokenPolicy policy,
        @Nullable Secret fingerprintKey,
        OkHttpClient client,
        LongSupplier nanos)
        implements Intake {
    /**
     * What tokens with these options have in common.
     *
     * @param inForce what is asked of requests with any token at the time of the request, while one is tried: a provider may
     *     outlive the policy that there is now
     */
    static TokenIntake of(
            TokenOptions options,
            TokenPolicy inForce,
            @Nullable Secret fingerprintKey,
            OkHttpClient client,
            LongSupplier nanos) {
        TokenPolicy own = options.policy();
        return new TokenIntake(
                options,
                options.placement()::form,
                own,
                TokenPolicies.allOf(List.of(own, inForce)),
                fingerprintKey,
                client,
                nanos);
    }

    @Override
    public Token accept(String name, TokenDocument document, long generation) throws TokenException {
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
