package io.keyturn;

import io.keyturn.check.ConnectivityCheck.Subject;
import io.keyturn.config.Location;
import io.keyturn.http.Binding;
import io.keyturn.policy.RemotePolicy;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.KeyedProviders;
import io.keyturn.provider.LiveProvider;
import io.keyturn.provider.Providers;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Secret;
import java.util.List;
import okhttp3.OkHttpClient;
import org.jspecify.annotations.Nullable;

/**
 * A token while it is open.
 *
 * @param plan what it was made of
 * @param binding where it goes
 * @param provider who serves it; where there is one for each key, one that stands for all of them and has no token
 * @param remote who is asked about every request with it, after its own rules, or null
 */
record OpenToken(
        TokenPlan plan,
        Binding binding,
        LiveProvider provider,
        @Nullable RemotePolicy remote) {
    /**
     * Opens a token; its source is not asked yet.
     *
     * @param before the token of this name that it is to replace, or null
     * @param inForce what is asked of requests with any token at the time of the request, while this one is tried
     * @param remote who is asked about the requests of others
     */
    static OpenToken of(
            TokenPlan plan,
            @Nullable OpenToken before,
            @Nullable Secret fingerprintKey,
            OkHttpClient client,
            AgentThreads threads,
            TokenPolicy inForce,
            @Nullable RemotePolicy remote) {
        TokenOptions options = plan.options();
        TokenPolicy policy = options.policy();
        // A provider may outlive the policy that there is now.
        TokenPolicy ofTrials = TokenPolicies.allOf(List.of(policy, inForce));
        TokenIntake intake = new TokenIntake(plan.name(), options, ofTrials, fingerprintKey, client, threads.nanos());
        LiveProvider provider =
                provider(plan, plan.source(), intake, threads, before == null ? null : before.provider());
        // Where there is one for each key this one is never asked: it counts the versions of all of them.
        Providers providers = options.isPerKey()
                ? new KeyedProviders(key -> provider(plan, plan.source().forKey(key), intake, threads, provider))
                : Providers.one(provider);
        return new OpenToken(plan, binding(plan, policy, providers, remote), provider, remote);
    }

    private static LiveProvider provider(
            TokenPlan plan,
            TokenSource source,
            TokenIntake intake,
            AgentThreads threads,
            @Nullable LiveProvider before) {
        TokenOptions options = plan.options();
        return new LiveProvider(
                plan.name(),
                source,
                intake,
                options.placement()::form,
                options.refresh(),
                threads.context(source),
                before);
    }

    private static Binding binding(
            TokenPlan plan, TokenPolicy policy, Providers providers, @Nullable RemotePolicy remote) {
        TokenOptions options = plan.options();
        return new Binding(
                plan.name(),
                providers,
                options.endpoints(),
                options.placement(),
                options.isByName(),
                options.allow().contains("cache"),
                options.allow().contains("unknown"),
                options.rotatedFrom(),
                remote == null ? policy : TokenPolicies.allOf(List.of(policy, remote)));
    }

    String name() {
        return plan.name();
    }

    Providers providers() {
        return binding.providers();
    }

    /** How it is proved. */
    Subject subject() {
        TokenOptions options = plan.options();
        return new Subject(
                plan.name(),
                plan.at(),
                provider,
                options.endpoints(),
                options.check(),
                options.checkTarget(),
                options.isRequired(),
                options.isPerKey(),
                remote,
                null);
    }

    /** The same token, which the configuration now has in another line. */
    OpenToken at(@Nullable Location place) {
        return new OpenToken(plan.at(place), binding, provider, remote);
    }

    /** The same token, about which somebody else is asked now, or nobody. */
    OpenToken under(@Nullable RemotePolicy other) {
        return other == remote
                ? this
                : new OpenToken(plan, binding(plan, plan.options().policy(), providers(), other), provider, other);
    }
}
