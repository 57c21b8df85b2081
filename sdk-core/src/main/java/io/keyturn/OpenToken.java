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
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A token while it is open. What it was made of is not kept, since there may be thousands.
 *
 * @param place where its source is configured in a file; null if the program has it
 * @param intake what it has in common with the other tokens that have the same options
 * @param binding where it goes
 * @param provider who serves it; where there is one for each key, one that stands for all of them and has no token
 * @param remote who is asked about every request with it, after its own rules, or null
 */
record OpenToken(
        @Nullable Location place,
        TokenIntake intake,
        Binding binding,
        LiveProvider provider,
        @Nullable RemotePolicy remote) {
    /**
     * Opens a token; its source is not asked yet.
     *
     * @param intake of its options
     * @param before the token of this name that it is to replace, or null
     * @param remote who is asked about the requests of others
     */
    static OpenToken of(
            TokenPlan plan,
            TokenIntake intake,
            @Nullable OpenToken before,
            AgentThreads threads,
            @Nullable RemotePolicy remote) {
        LiveProvider provider =
                provider(plan.name(), plan.source(), intake, threads, before == null ? null : before.provider());
        // Where there is one for each key this one is never asked: it counts the versions of all of them.
        Providers providers = intake.options().isPerKey()
                ? new KeyedProviders(key -> provider(plan.name(), plan.source().forKey(key), intake, threads, provider))
                : provider;
        Binding binding = binding(plan.name(), intake, providers, remote);
        return new OpenToken(plan.place(), intake, binding, provider, remote);
    }

    private static LiveProvider provider(
            String name, TokenSource source, TokenIntake intake, AgentThreads threads, @Nullable LiveProvider before) {
        return new LiveProvider(
                name, source, intake, intake.form(), intake.options().refresh(), threads.context(source), before);
    }

    private static Binding binding(
            String name, TokenIntake intake, Providers providers, @Nullable RemotePolicy remote) {
        TokenOptions options = intake.options();
        TokenPolicy policy = intake.ownPolicy();
        return new Binding(
                name,
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
        return binding.name();
    }

    Providers providers() {
        return binding.providers();
    }

    /** How it is proved. */
    Subject subject() {
        TokenOptions options = intake.options();
        return new Subject(
                name(),
                TokenPlan.at(place, name()),
                provider,
                options.endpoints(),
                options.check(),
                options.checkTarget(),
                options.isRequired(),
                options.isPerKey(),
                remote,
                null);
    }

    /** Whether it means the same as a token that has been opened, too, wherever that was written. */
    boolean isSame(TokenPlan opened) {
        return provider.source().equals(opened.source()) && intake.options().equals(opened.options());
    }

    /** The same token, which the configuration now has in another line. */
    OpenToken at(@Nullable Location other) {
        return new OpenToken(other, intake, binding, provider, remote);
    }

    /** The same token, about which somebody else is asked now, or nobody. */
    OpenToken under(@Nullable RemotePolicy other) {
        return other == remote
                ? this
                : new OpenToken(place, intake, binding(name(), intake, providers(), other), provider, other);
    }
}
