package io.keyturn;

import io.keyturn.check.CheckReport;
import io.keyturn.check.ConnectivityCheck;
import io.keyturn.check.ConnectivityCheck.Subject;
import io.keyturn.check.Probe;
import io.keyturn.config.ConfigException;
import io.keyturn.event.TokenListener;
import io.keyturn.http.Binding;
import io.keyturn.http.EndpointBindings;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.LiveProvider;
import io.keyturn.provider.ProviderContext;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import okhttp3.OkHttpClient;
import org.jspecify.annotations.Nullable;

/** The tokens of an agent while it is open: their providers, where they go, and the threads that serve them. */
final class OpenTokens implements AutoCloseable {
    private static final int MOST_FETCHES = 4;
    private static final Duration EXPLAIN_LIMIT = Duration.ofSeconds(30);

    private final String agent;
    private final Clock clock;
    private final @Nullable OkHttpClient client;
    private final LongSupplier nanos = System::nanoTime;
    private final EventQueue events;
    private final ExecutorService fetches = fetchThreads();
    private final Map<String, Subject> subjects = new LinkedHashMap<>();
    private final EndpointBindings bindings;

    /**
     * Opens tokens; none is asked for yet.
     *
     * @throws ConfigException if two of them have the same endpoint
     */
    OpenTokens(
            String agent,
            List<TokenPlan> plans,
            @Nullable Secret fingerprintKey,
            Clock clock,
            @Nullable OkHttpClient client,
            List<TokenListener> listeners) {
        this.agent = agent;
        this.clock = clock;
        this.client = client;
        this.events = new EventQueue(listeners);
        ProviderContext context = new ProviderContext(clock, nanos, fetches, events);
        List<Binding> all = new ArrayList<>();
        for (TokenPlan plan : plans) {
            TokenPolicy policy = plan.options().policy();
            LiveProvider provider = provider(plan, policy, fingerprintKey, context);
            all.add(binding(plan, policy, provider));
            subjects.put(plan.name(), subject(plan, provider));
        }
        this.bindings = new EndpointBindings(all, events, clock);
        providers().forEach(LiveProvider::open);
    }

    private static ExecutorService fetchThreads() {
        ThreadPoolExecutor threads = new ThreadPoolExecutor(
                MOST_FETCHES,
                MOST_FETCHES,
                10,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                DaemonThreads.named("keyturn-fetch"));
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }

    private static LiveProvider provider(
            TokenPlan plan, TokenPolicy policy, @Nullable Secret fingerprintKey, ProviderContext context) {
        TokenOptions options = plan.options();
        return new LiveProvider(
                plan.name(),
                plan.source(),
                (document, generation) -> {
                    Token token = Token.of(plan.name(), options.completed(document), generation, fingerprintKey);
                    requireAdmitted(token, policy);
                    return token;
                },
                options.placement()::form,
                options.fetchTimeout(),
                context);
    }

    /** A rule that cannot tell refuses; what it says may hold anything. */
    private static void requireAdmitted(Token token, TokenPolicy policy) throws TokenDeniedException {
        try {
            policy.admit(token);
        } catch (RuntimeException e) {
            String why = "a policy failed with " + e.getClass().getName();
            throw new TokenDeniedException(Reason.DESTINATION, why, "mend the policy");
        }
    }

    private static Binding binding(TokenPlan plan, TokenPolicy policy, LiveProvider provider) {
        TokenOptions options = plan.options();
        return new Binding(
                plan.name(),
                provider,
                options.endpoints(),
                options.placement(),
                options.isByName(),
                options.allow().contains("cache"),
                policy);
    }

    private static Subject subject(TokenPlan plan, LiveProvider provider) {
        TokenOptions options = plan.options();
        return new Subject(
                plan.name(),
                plan.at(),
                provider,
                options.endpoints(),
                options.check(),
                options.checkTarget(),
                options.isRequired());
    }

    /**
     * Asks for all tokens, and waits for those without which the agent must not start.
     *
     * @throws TokenUnavailableException if one was not there in time
     */
    void awaitRequired(Duration limit) throws TokenUnavailableException {
        subjects().stream()
                .filter(subject -> !subject.required())
                .forEach(subject -> subject.provider().getAsync());
        StartUp.await(subjects().stream().filter(Subject::required).toList(), limit, nanos);
    }

    String agent() {
        return agent;
    }

    EndpointBindings bindings() {
        return bindings;
    }

    List<Subject> subjects() {
        return List.copyOf(subjects.values());
    }

    private List<LiveProvider> providers() {
        return subjects.values().stream().map(Subject::provider).toList();
    }

    LiveProvider provider(String name) {
        return subject(name).provider();
    }

    private Subject subject(String name) {
        Subject subject = subjects.get(name);
        if (subject == null) {
            throw new IllegalArgumentException(
                    "no token is named '" + name + "'; known are: " + String.join(", ", subjects.keySet()));
        }
        return subject;
    }

    // --- looking at them ---

    CheckReport check(Duration limit, Set<String> names) {
        OkHttpClient http = client == null ? new OkHttpClient() : client;
        try (Probe probe = new Probe(http, bindings.networkInterceptor(), limit, nanos)) {
            return TokenChecks.report(
                    agent, chosen(names), limit, subject -> ConnectivityCheck.prove(subject, probe, clock));
        }
    }

    CheckReport explain(Set<String> names) {
        return TokenChecks.report(
                agent, chosen(names), EXPLAIN_LIMIT, subject -> ConnectivityCheck.explain(subject, clock));
    }

    /** Those of these names, in the order of the configuration; all if there is no name. */
    private List<Subject> chosen(Set<String> names) {
        names.forEach(this::subject);
        return subjects().stream()
                .filter(subject -> names.isEmpty() || names.contains(subject.name()))
                .toList();
    }

    @Override
    public void close() {
        bindings.close();
        providers().forEach(LiveProvider::close);
        fetches.shutdownNow();
        events.close();
    }
}
