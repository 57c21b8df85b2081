package io.keyturn;

import io.keyturn.check.CheckReport;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import io.keyturn.event.TokenListener;
import io.keyturn.http.Attachment;
import io.keyturn.http.EndpointBindings;
import io.keyturn.http.TokenUse;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/**
 * Answers one question for a program that calls APIs: which token do I send now? It resolves tokens, attaches each to the
 * requests it is for and to no other, and proves that they work. Keep it open as long as the clients that it was
 * installed on; safe for any number of threads.
 *
 * <pre>{@code
 * try (TokenAgent agent = YamlConfig.load(Path.of("agent.yaml")).start()) {
 *     OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();
 * }
 * }</pre>
 */
public final class TokenAgent implements AutoCloseable {
    private static final Duration CHECK_LIMIT = Duration.ofSeconds(30);

    private final OpenTokens tokens;
    private final @Nullable Reloading reloading;

    TokenAgent(OpenTokens tokens, @Nullable Reloading reloading) {
        this.tokens = tokens;
        this.reloading = reloading;
    }

    /** An agent without tokens yet. */
    public static Builder builder() {
        return new Builder();
    }

    /** The name that the configuration gives the agent. */
    public String name() {
        return tokens.agent();
    }

    /**
     * A token by its name, to be used anywhere. The provider stays the same for the agent's life.
     *
     * @throws IllegalArgumentException if there is no such token, and the message lists those there are; or if there is one
     *     for each key
     */
    public TokenProvider provider(String name) {
        return tokens.provider(name);
    }

    /**
     * A token of which there is one for each key, such as an account. It stays the same for the agent's life; a key whose
     * token was not asked for in a long time is opened again when it is.
     *
     * @throws IllegalArgumentException if there is no such token, or it is the same for each key
     * @throws TokenDeniedException if that is no key: 1 to 128 letters, digits, {@code _}, {@code .} and {@code -} that
     *     begin with no dot
     */
    public TokenProvider provider(String name, String key) throws TokenDeniedException {
        return tokens.provider(name, key);
    }

    /** Makes a client's requests to declared endpoints carry their token. Installing twice is the same as once. */
    public OkHttpClient.Builder install(OkHttpClient.Builder builder) {
        return tokens.bindings().install(builder);
    }

    /** A client like this one, whose requests to declared endpoints carry their token. */
    public OkHttpClient install(OkHttpClient client) {
        return install(client.newBuilder()).build();
    }

    /**
     * For an SDK that takes one OkHttp interceptor and nothing else. As a network interceptor it attaches hop by hop, and
     * there is no second try after a 401. As an application interceptor it needs OkHttp 5.4; it tries again after a 401,
     * interceptors after it see the token, and a redirect is followed within the token's own endpoints: any other fails the
     * call. Prefer {@link #install(OkHttpClient.Builder)}.
     */
    public Interceptor interceptor() {
        return tokens.bindings().interceptor();
    }

    /**
     * What a request of any other client needs in order to carry its token. For a URL that is no endpoint it is empty.
     *
     * @throws TokenUnavailableException if there is no token
     * @throws TokenDeniedException if a rule forbids it, or the agent is closed
     */
    public Attachment authorize(String method, URI uri, TokenUse... use)
            throws TokenUnavailableException, TokenDeniedException {
        return tokens.bindings().authorize(method, uri, Arrays.stream(use).reduce(TokenUse::and));
    }

    /**
     * The headers of {@link #authorize} for libraries that take a supplier; it throws {@link UncheckedIOException} where
     * {@code authorize} throws.
     */
    public Supplier<Map<String, String>> headersFor(String method, URI uri, TokenUse... use) {
        return () -> {
            try {
                return authorize(method, uri, use).headers();
            } catch (TokenUnavailableException | TokenDeniedException e) {
                throw new UncheckedIOException(e);
            }
        };
    }

    /**
     * A text for SDKs that insist on an API key: a header that holds it, with or without its prefix, counts as not set,
     * and is filled on the endpoints of this token. Anywhere else it is a harmless word.
     *
     * @throws IllegalArgumentException if there is no such token
     */
    public String placeholder(String name) {
        tokens.requireKnown(name);
        return EndpointBindings.placeholder(name);
    }

    /** Which token a request carried that was answered by this response: its name, fingerprint and generation. */
    public Optional<Token> sentWith(Response response) {
        return tokens.bindings().sentWith(response);
    }

    /**
     * A request as it may be logged: name and fingerprint stand where a token was put into a header or into the query, by
     * this agent or another. Nothing else is changed, and what the program has put there itself is not hidden. For network
     * interceptors, event listeners and {@code response.networkResponse().request()}.
     */
    public Request redacted(Request request) {
        return EndpointBindings.redacted(request);
    }

    /**
     * Tells a listener what happens to tokens from now on, as {@link Builder#listener} does.
     *
     * @return ends the telling when it is closed
     */
    public AutoCloseable listen(TokenListener listener) {
        return tokens.threads().events().add(listener);
    }

    /** How the agent stands by what it knows: nothing is asked, and no file is looked at. Never blocks. */
    public AgentStatus status() {
        return tokens.status();
    }

    /** Proves each token, within 30 s for all of them. Blocks. */
    public CheckReport check() {
        return tokens.check(CHECK_LIMIT, Set.of());
    }

    /**
     * Ends the agent. Its providers hand out nothing any more, and a request to a declared endpoint fails with "agent
     * closed": it never goes out bare. Returns within 2 s; may be called again.
     */
    @Override
    public void close() {
        if (reloading != null) {
            reloading.close();
        }
        tokens.close();
    }

    /**
     * What an agent is made of. For one thread. Tokens of a configuration and of the program may be mixed.
     *
     * <p>{@link #start} makes an agent; {@link #check}, {@link #explain} and {@link #validate} look without starting one.
     */
    public static final class Builder {
        private final AgentPlan plan = new AgentPlan();

        private Builder() {}

        /** The agent's name in reports and events; {@code agent} unless it is said here or in the settings. */
        public Builder name(String name) {
            plan.name = name;
            return this;
        }

        /**
         * A token.
         *
         * @throws ConfigException if an option is wrong, or the name: it is letters, digits, {@code _}, {@code .} and
         *     {@code -}, and begins with a letter or {@code _}
         */
        public Builder token(String name, TokenSource source, Consumer<TokenOptions> options) {
            plan.token(name, source, options);
            return this;
        }

        /**
         * A token of which there is one for each key, such as an account: requests name theirs by {@link TokenUse#key}.
         *
         * @param sources the source of a key's token; asked again when that token was not used in a long time
         */
        public Builder tokenPerKey(String name, Function<String, TokenSource> sources, Consumer<TokenOptions> options) {
            plan.token(name, new KeyedSource(sources, null), t -> {
                options.accept(t);
                t.perKey();
            });
            return this;
        }

        /** A token that is attached nowhere, for {@link TokenAgent#provider}. */
        public Builder token(String name, TokenSource source) {
            return token(name, source, options -> {});
        }

        /**
         * A configuration: a map with the key {@code agent}.
         *
         * @param folder what its relative paths are relative to
         */
        public Builder settings(Settings settings, Path folder) {
            plan.settings = settings;
            plan.folder = folder;
            return this;
        }

        /**
         * Reads the settings anew whenever this file, or one that it names, changes. What it says then is put in force as a
         * whole, once each new required token has been found: a token that means the same keeps its provider, and a file
         * with an error changes nothing.
         *
         * @param parser makes settings of what stands in the file, or throws a {@link ConfigException}
         */
        public Builder reloadFrom(Path file, Function<byte[], Settings> parser) {
            plan.origin = new Reloading.Origin(file.toAbsolutePath(), parser);
            return this;
        }

        /** Where variables are looked up; {@link System#getenv} unless it is said. */
        public Builder environment(Function<String, @Nullable String> variables) {
            plan.variables = variables;
            return this;
        }

        /**
         * Whom to ask before a token goes with a request: {@code p -> p.opa("http://127.0.0.1:8181/v1/data/agent/allow")}. It
         * is asked about every token, after the token's own rules, on the thread of the request. Nobody is asked unless it is
         * said here or in the settings.
         *
         * @throws ConfigException if an option is wrong
         */
        public Builder policy(Consumer<PolicyOptions> options) {
            plan.policy(options);
            return this;
        }

        /** The clock that tells when a token ends; the system's unless it is said. */
        public Builder clock(Clock clock) {
            plan.clock = clock;
            return this;
        }

        /** The client of the agent's own calls, with the program's proxy and certificates; tokens are not attached to it. */
        public Builder httpClient(OkHttpClient client) {
            plan.client = client;
            return this;
        }

        /** Is told what happens to tokens. May be called several times. */
        public Builder listener(TokenListener listener) {
            plan.listeners.add(listener);
            return this;
        }

        /** The key of the fingerprints' HMAC; plain SHA-256 unless it is said here or in the settings. */
        public Builder fingerprintKey(Secret key) {
            plan.fingerprintKey = key;
            return this;
        }

        /**
         * Where the agent writes its {@link TokenAgent#status status} for probes, whenever it changes and every 10 s; the
         * last one says that it is closed. Every user may read it. None unless it is said here or in the settings.
         */
        public Builder statusFile(Path file) {
            plan.statusFile = file.toAbsolutePath().normalize();
            return this;
        }

        /**
         * A file that is there only while the agent runs and every required token is usable. What an earlier run has left is
         * removed when this one starts. None unless it is said here or in the settings.
         */
        public Builder readyFile(Path file) {
            plan.readyFile = file.toAbsolutePath().normalize();
            return this;
        }

        /**
         * How long {@link #start} tries a required token that is not there yet; 10 s unless it is said.
         *
         * @throws ConfigException if it is not positive
         */
        public Builder startTimeout(Duration timeout) {
            plan.startTimeout(timeout);
            return this;
        }

        /**
         * Makes the agent and waits for its required tokens.
         *
         * @throws ConfigException with everything that is wrong with the configuration, or a variable that is not set
         * @throws TokenUnavailableException if a required token was not there in time
         */
        public TokenAgent start() throws TokenUnavailableException {
            return opened(plan.start());
        }

        /**
         * Makes an agent that only looks, for somebody who watches it: it waits for no token, writes no file, and its
         * {@link TokenAgent#check check} sends the request without a token once, however often it is called.
         *
         * @throws ConfigException with everything that is wrong with the configuration, or a variable that is not set
         */
        public TokenAgent watch() {
            return opened(plan.watch());
        }

        private TokenAgent opened(OpenTokens tokens) {
            Reloading reloading = plan.origin == null ? null : new Reloading(plan.origin, plan, tokens);
            if (reloading != null) {
                reloading.open();
            }
            return new TokenAgent(tokens, reloading);
        }

        /**
         * Proves the tokens without starting an agent, and without waiting for a token that is not there.
         *
         * @param limit the time for everything
         * @param names the tokens to look at; all if there is none
         */
        public CheckReport check(Duration limit, Set<String> names) {
            return plan.look(tokens -> tokens.check(limit, names));
        }

        /** Tells which source gives each token, and why the others do not. */
        public CheckReport explain(Set<String> names) {
            return plan.look(tokens -> tokens.explain(names));
        }

        /** Tells whether the configuration is right and what it needs. No source is asked, and there is no network. */
        public CheckReport validate() {
            return plan.validate();
        }
    }
}
