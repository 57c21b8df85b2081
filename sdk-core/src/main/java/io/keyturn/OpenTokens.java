package io.keyturn;

import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.check.ConnectivityCheck;
import io.keyturn.check.ConnectivityCheck.Subject;
import io.keyturn.check.Probe;
import io.keyturn.event.TokenEvent;
import io.keyturn.http.Binding;
import io.keyturn.http.EndpointBindings;
import io.keyturn.policy.Destination;
import io.keyturn.policy.RemotePolicy;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.KeyedProviders;
import io.keyturn.provider.Providers;
import io.keyturn.provider.StableProvider;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenStatus;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceHost;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import okhttp3.OkHttpClient;
import org.jspecify.annotations.Nullable;

/**
 * The tokens of an agent while it is open: their providers, where they go, and the threads that serve them. What a
 * configuration says is put in force as a whole, the first time as at every reload.
 */
final class OpenTokens implements AutoCloseable {
    private static final Duration EXPLAIN_LIMIT = Duration.ofSeconds(30);

    private final Clock clock;
    private final Path folder;
    private final boolean onlyLooks;

    /** Who reads the configuration again; null if nobody does, and what the tokens were made of need not be kept. */
    private final @Nullable AgentPlan rereading;

    private final AgentThreads threads;
    private final boolean live;

    /** What the agent was started with: some of it is in force for its whole life. */
    private final AgentConfiguration started;

    /** Makes the connections of the agent's own calls. */
    private final OkHttpClient client;

    private final SourceHost host;
    private final EndpointBindings bindings;
    private final Map<Handle, StableProvider> handles = new ConcurrentHashMap<>();
    /** Tokens that were removed: should one come back, its versions are counted on. Used by the one who reloads. */
    private final Map<String, OpenToken> removed = new HashMap<>();

    /** The policy that is in force when it is asked; one rule for all tokens. */
    private final TokenPolicy inForce = TokenPolicies.allOf(this::checkInForce);

    private volatile Edition edition;
    private volatile @Nullable PolicyCalls policyCalls;
    private volatile @Nullable String outdated;
    private volatile AgentStatus.Phase phase = AgentStatus.Phase.STARTING;
    private volatile boolean closed;
    private final ProbeFiles probes;
    private final AnonymousOnce anonymous = new AnonymousOnce();

    /** What an application asked for. */
    private record Handle(String name, @Nullable String key) {}

    /**
     * What is in force.
     *
     * @param configuration without its tokens, which are open
     * @param tokens in the order of the configuration
     * @param byName the same; beside each other they take half the room of one map that keeps the order
     */
    private record Edition(
            AgentConfiguration configuration,
            List<OpenToken> tokens,
            Map<String, OpenToken> byName,
            @Nullable RemotePolicy policy) {
        static Edition of(
                AgentConfiguration configuration, Map<String, OpenToken> tokens, @Nullable RemotePolicy policy) {
            return new Edition(configuration.withoutTokens(), List.copyOf(tokens.values()), Map.copyOf(tokens), policy);
        }
    }

    /**
     * Opens tokens; none is asked for yet.
     *
     * @param live whether they are kept fresh, or only looked at
     */
    OpenTokens(AgentPlan plan, AgentConfiguration configuration, boolean live) {
        this.clock = plan.clock;
        this.folder = plan.folder;
        this.onlyLooks = plan.onlyLooks();
        this.rereading = plan.origin == null ? null : plan;
        this.live = live;
        this.threads = new AgentThreads(clock, configuration.poll(), plan.listeners);
        this.bindings = new EndpointBindings(List.of(), threads.events(), clock, threads::later);
        this.started = configuration.withoutTokens();
        this.client = plan.client == null ? configuration.http().client() : plan.client;
        this.host = new SourceHost(
                plan.variables, clock, threads.watcher(), client, threads::laterOnNetwork, !live || onlyLooks);
        RemotePolicy policy = policy(configuration, null);
        Map<String, OpenToken> tokens = opened(configuration, Map.of(), policy);
        this.edition = Edition.of(configuration, tokens, policy);
        bindings.replace(bound(tokens));
        this.probes = new ProbeFiles(
                configuration.statusFile(), configuration.readyFile(), this::status, threads, ProbeFiles.BEAT);
    }

    /** Who is to be asked; one that means the same stays, with what it remembers. */
    private @Nullable RemotePolicy policy(AgentConfiguration next, @Nullable Edition before) {
        PolicyOptions options = next.policy();
        if (options == null) {
            return null;
        }
        if (before != null && options.equals(before.configuration.policy())) {
            return before.policy;
        }
        PolicyCalls calls = policyCalls;
        if (calls == null) {
            calls = new PolicyCalls(client);
            policyCalls = calls;
        }
        return calls.policy(options, started.name());
    }

    private void checkInForce(Token token, Destination destination) throws TokenDeniedException {
        RemotePolicy policy = edition.policy;
        if (policy != null) {
            policy.check(token, destination);
        }
    }

    private Map<String, OpenToken> opened(
            AgentConfiguration next, Map<String, OpenToken> before, @Nullable RemotePolicy policy) {
        Map<String, OpenToken> tokens = new LinkedHashMap<>();
        Map<Set<String>, SourceContext> contexts = new HashMap<>();
        Map<TokenOptions, TokenIntake> intakes = new HashMap<>();
        for (TokenPlan written : next.tokens()) {
            SourceContext context = contexts.computeIfAbsent(
                    written.options().allow(), allow -> new SourceContext(host, folder, allow));
            TokenPlan token = opened(written, context);
            OpenToken present = before.get(token.name());
            if (present != null && present.isSame(token)) {
                tokens.put(token.name(), present.at(token.place()).under(policy));
                continue;
            }
            // One for all that say the same: there may be thousands.
            TokenIntake intake = intakes.computeIfAbsent(
                    token.options(),
                    options -> TokenIntake.of(options, inForce, started.fingerprintKey(), client, threads.nanos()));
            OpenToken earlier = present == null ? removed.get(token.name()) : present;
            tokens.put(token.name(), OpenToken.of(token, intake, earlier, threads, policy));
        }
        return tokens;
    }

    private TokenPlan opened(TokenPlan written, SourceContext context) {
        TokenPlan token = written.opened(context);
        AgentPlan again = rereading;
        return live && again != null && again.origin != null && token.inFile()
                ? token.with(new WrittenValue(token, again, again.origin, context))
                : token;
    }

    private static List<Binding> bound(Map<String, OpenToken> tokens) {
        return tokens.values().stream().map(OpenToken::binding).toList();
    }

    /** Lets what an application holds pass on to who serves it now. */
    private void follow(Handle handle, StableProvider provider) {
        OpenToken token = edition.byName.get(handle.name);
        if (token != null && token.providers().isPerKey() == (handle.key != null)) {
            provider.become(token.providers());
        }
    }

    /**
     * Begins to keep the tokens fresh, and waits for those without which the agent must not start.
     *
     * @throws TokenUnavailableException if one was not there in time
     */
    void start() throws TokenUnavailableException {
        probes.begin();
        await(edition.tokens, edition.configuration.startTimeout());
        phase = AgentStatus.Phase.RUNNING;
        probes.started();
    }

    /** Begins to keep the tokens fresh, and waits for none. */
    void watch() {
        for (OpenToken token : edition.tokens) {
            token.providers().open();
            if (!token.providers().isPerKey()) {
                var unused = token.provider().getAsync();
            }
        }
        phase = AgentStatus.Phase.RUNNING;
    }

    private void await(Iterable<OpenToken> tokens, Duration limit) throws TokenUnavailableException {
        List<Subject> required = new ArrayList<>();
        for (OpenToken token : tokens) {
            if (live) {
                token.providers().open();
            }
            if (token.providers().isPerKey()) {
                continue;
            }
            if (token.subject().required()) {
                required.add(token.subject());
            } else {
                var unused = token.provider().getAsync();
            }
        }
        StartUp.await(required, limit, threads.nanos());
    }

    /**
     * Puts another configuration in force. A token that means the same keeps its provider; the others begin once each
     * that is required has been found, all at the same moment.
     *
     * @throws TokenUnavailableException if one of them was not there in time; then nothing has changed
     */
    void become(AgentConfiguration next) throws TokenUnavailableException {
        Edition before = edition;
        RemotePolicy policy = policy(next, before);
        Map<String, OpenToken> tokens = opened(next, before.byName, policy);
        List<OpenToken> added = tokens.values().stream()
                .filter(token -> !isOpen(token, before.byName))
                .toList();
        try {
            await(added, next.startTimeout());
            bindings.replace(bound(tokens));
        } catch (TokenUnavailableException | RuntimeException e) {
            added.forEach(token -> token.providers().retire());
            throw e;
        }
        edition = Edition.of(next, tokens, policy);
        handles.forEach(this::follow);
        before.tokens.forEach(token -> {
            if (!tokens.containsKey(token.name())) {
                token.providers().remove();
                removed.put(token.name(), token);
            } else if (!isOpen(token, tokens)) {
                token.providers().retire();
            }
        });
        if (closed) {
            providers().forEach(Providers::close);
            closePolicy();
        }
        tell(before, added, next);
    }

    private static boolean isOpen(OpenToken token, Map<String, OpenToken> among) {
        OpenToken same = among.get(token.name());
        return same != null && same.provider() == token.provider();
    }

    private void tell(Edition before, List<OpenToken> added, AgentConfiguration next) {
        Set<String> changed = new LinkedHashSet<>();
        added.forEach(token -> changed.add(token.name()));
        before.tokens.stream()
                .map(OpenToken::name)
                .filter(name -> !edition.byName.containsKey(name))
                .forEach(changed::add);
        List<String> restart = next.needRestart(started);
        boolean wasOutdated = outdated != null;
        // Before it is told, since whoever hears of it may ask for the status.
        outdated = null;
        boolean otherPolicy = !Objects.equals(before.configuration.policy(), next.policy());
        if (!changed.isEmpty() || !restart.isEmpty() || wasOutdated || otherPolicy) {
            threads.events().onEvent(new TokenEvent.Reloaded(clock.instant(), List.copyOf(changed), restart));
        }
    }

    /** The configuration was changed and cannot be used, for this reason: what was in force stays. */
    void keep(String why) {
        outdated = why;
        threads.events().onEvent(new TokenEvent.ReloadFailed(clock.instant(), why));
    }

    String agent() {
        return started.name();
    }

    Set<Path> files() {
        return edition.configuration.files();
    }

    AgentThreads threads() {
        return threads;
    }

    EndpointBindings bindings() {
        return bindings;
    }

    private List<Providers> providers() {
        return edition.tokens.stream().map(OpenToken::providers).toList();
    }

    TokenProvider provider(String name) {
        return handle(name, null);
    }

    TokenProvider provider(String name, String key) throws TokenDeniedException {
        if (!KeyedProviders.isKey(key)) {
            throw new TokenDeniedException(Reason.KEY, EndpointBindings.noKey(key), null);
        }
        return handle(name, key);
    }

    private TokenProvider handle(String name, @Nullable String key) {
        StableProvider known = handles.get(new Handle(name, key));
        if (known != null) {
            return known;
        }
        OpenToken token = edition.byName.get(name);
        if (token == null) {
            throw unknown(name);
        }
        if (token.providers().isPerKey() != (key != null)) {
            throw new IllegalArgumentException("token '" + name
                    + (key == null ? "' is one for each key: provider(name, key)" : "' is the same for each key"));
        }
        Handle asked = new Handle(name, key);
        StableProvider handle = new StableProvider(token.providers(), key);
        StableProvider first = handles.putIfAbsent(asked, handle);
        if (first != null) {
            return first;
        }
        // Once more: a reload may have looked for handles before this one was there.
        follow(asked, handle);
        return handle;
    }

    void requireKnown(String name) {
        if (!edition.byName.containsKey(name)) {
            throw unknown(name);
        }
    }

    private IllegalArgumentException unknown(String name) {
        String known = edition.tokens.stream().map(OpenToken::name).collect(Collectors.joining(", "));
        return new IllegalArgumentException("no token is named '" + name + "'; known are: " + known);
    }

    // --- looking at them ---

    /** How they stand; nobody is asked. Of which there is one for each key, those are not told. */
    AgentStatus status() {
        Edition now = edition;
        List<TokenStatus> each = new ArrayList<>();
        Set<String> required = new LinkedHashSet<>();
        now.tokens.forEach(token -> {
            if (!token.providers().isPerKey()) {
                each.add(token.provider().status());
                if (token.subject().required()) {
                    required.add(token.name());
                }
            }
        });
        return new AgentStatus(agent(), clock.instant(), phase, each, required, outdated);
    }

    CheckReport check(Duration limit, Set<String> names) {
        try (Probe probe = new Probe(client, bindings.networkInterceptor(), limit, threads.nanos())) {
            return TokenChecks.report(agent(), chosen(names), limit, subject -> prove(subject, probe));
        }
    }

    private TokenCheck prove(Subject subject, Probe probe) {
        return onlyLooks
                ? anonymous.prove(subject, each -> ConnectivityCheck.prove(each, probe, clock))
                : ConnectivityCheck.prove(subject, probe, clock);
    }

    CheckReport explain(Set<String> names) {
        return TokenChecks.report(
                agent(), chosen(names), EXPLAIN_LIMIT, subject -> ConnectivityCheck.explain(subject, clock));
    }

    /** Those of these names, in the order of the configuration; all if there is no name. */
    private List<Subject> chosen(Set<String> names) {
        Edition now = edition;
        names.stream().filter(name -> !now.byName.containsKey(name)).findFirst().ifPresent(name -> {
            throw unknown(name);
        });
        String why = outdated;
        return now.tokens.stream()
                .filter(token -> names.isEmpty() || names.contains(token.name()))
                .map(token -> token.subject().outdated(why))
                .toList();
    }

    private void closePolicy() {
        PolicyCalls calls = policyCalls;
        if (calls != null) {
            calls.close();
        }
    }

    @Override
    public void close() {
        closed = true;
        bindings.close();
        closePolicy();
        providers().forEach(Providers::close);
        host.close();
        // After them, since this is the last status that is written.
        phase = AgentStatus.Phase.CLOSED;
        probes.closed();
        threads.close();
    }
}
