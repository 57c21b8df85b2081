package io.keyturn.http;

import io.keyturn.config.ConfigException;
import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenListener;
import io.keyturn.policy.Endpoint;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.KeyedProviders;
import io.keyturn.provider.LiveProvider;
import io.keyturn.provider.Snapshot;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.net.InetAddress;
import java.net.URI;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import okhttp3.HttpUrl;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/**
 * Which token goes with which request: every endpoint of every token, and the one place where it is decided. The clients'
 * faces ask it for each hop of a call. Safe for any number of threads.
 *
 * <p>Made by the agent; an application says {@code agent.install(…)} or {@code agent.authorize(…)}.
 */
public final class EndpointBindings {
    private static final int MOST_SHOWN = 40;

    private final TokenListener events;
    private final Clock clock;
    private final OkHttpFace face;
    private volatile Table table;
    private volatile boolean closed;

    /** One endpoint of one token. */
    private record Route(Endpoint endpoint, Binding binding, boolean alone) {}

    /** All that a configuration says, replaced as a whole: no request sees a part of it. */
    private record Table(Map<String, Binding> byName, Routes where, boolean restrictsAddresses) {
        static Table of(List<Binding> bindings) {
            Map<String, Binding> names = new LinkedHashMap<>();
            bindings.forEach(binding -> names.put(binding.name(), binding));
            boolean restricts = bindings.stream().anyMatch(binding -> binding.addresses() != null);
            return new Table(names, Routes.of(routes(bindings)), restricts);
        }
    }

    /**
     * The bindings of an agent's tokens.
     *
     * @param later does something after some time, on a thread that may be blocked
     * @throws ConfigException if two tokens that go with every request have the same endpoint
     */
    public EndpointBindings(
            List<Binding> bindings, TokenListener events, Clock clock, BiConsumer<Duration, Runnable> later) {
        this.events = events;
        this.clock = clock;
        this.table = Table.of(bindings);
        this.face = new OkHttpFace(this, later);
    }

    /**
     * From the next hop on, these tokens go to these endpoints and no others.
     *
     * @throws ConfigException if two tokens that go with every request have the same endpoint; then nothing changes
     */
    public void replace(List<Binding> bindings) {
        table = Table.of(bindings);
    }

    /**
     * Where to look for the endpoint of a URL, the deepest first. A few are compared one by one: each request brings a text of
     * its own for the host, and to look it up its hash would have to be computed.
     *
     * @param only the one endpoint of a whole agent, which is how most begin; null if there are more, or it needs a wish
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Routes(@Nullable Route only, Route[] few, Map<String, Route[]> byHost) {
        private static final int FEW = 8;
        private static final Route[] NONE = {};

        static Routes of(Map<String, List<Route>> byHost) {
            Map<String, Route[]> arrays = new HashMap<>();
            byHost.forEach((host, routes) -> arrays.put(host, array(routes)));
            Route[] all = arrays.values().stream().flatMap(Arrays::stream).toArray(Route[]::new);
            Route only = all.length == 1 && all[0].alone ? all[0] : null;
            return all.length <= FEW ? new Routes(only, all, Map.of()) : new Routes(null, NONE, arrays);
        }

        /** Where there is no choice, nobody needs to look for a placeholder that would make it. */
        private static Route[] array(List<Route> routes) {
            Route only = routes.get(0);
            boolean alone = routes.size() == 1 && !only.binding.byName();
            return alone ? new Route[] {new Route(only.endpoint, only.binding, true)} : routes.toArray(NONE);
        }

        /** All that may cover a URL on this host, and perhaps some that do not. */
        Route[] of(String host) {
            return byHost.isEmpty() ? few : byHost.getOrDefault(host, NONE);
        }
    }

    /** By host, the deepest endpoint first, so that the first that covers a URL is the longest match. */
    private static Map<String, List<Route>> routes(List<Binding> bindings) {
        Map<String, List<Route>> byHost = new HashMap<>();
        for (Binding binding : bindings) {
            for (Endpoint endpoint : binding.endpoints()) {
                List<Route> routes = byHost.computeIfAbsent(endpoint.host(), host -> new ArrayList<>());
                for (Route route : routes) {
                    requireNoTie(route, binding, endpoint);
                }
                routes.add(new Route(endpoint, binding, false));
            }
        }
        byHost.values()
                .forEach(list -> list.sort(Comparator.comparingInt(
                                (Route route) -> route.endpoint().depth())
                        .reversed()));
        return byHost;
    }

    private static void requireNoTie(Route route, Binding binding, Endpoint endpoint) {
        boolean bothAlways = !route.binding().byName() && !binding.byName();
        boolean sameToken = route.binding().name().equals(binding.name());
        if (bothAlways && !sameToken && route.endpoint().equals(endpoint)) {
            throw new ConfigException("tokens '" + route.binding().name() + "' and '" + binding.name()
                    + "' have the same endpoint " + endpoint + ": let one of them say attach: by_name");
        }
    }

    /** The text that stands for a token where an SDK insists on a key. */
    public static String placeholder(String token) {
        return "keyturn:" + token;
    }

    // --- the faces ---

    /** Makes the client attach tokens. Installing twice is the same as once. */
    public OkHttpClient.Builder install(OkHttpClient.Builder builder) {
        face.installOn(builder);
        return builder;
    }

    /**
     * Attaches tokens from wherever a client takes one interceptor. On the wire it attaches hop by hop, and does not try
     * again after a 401. Around the call it puts the token into the call's own request: it tries again after a 401,
     * follows a redirect to an endpoint of the same token, and fails the call at any other.
     */
    public Interceptor interceptor() {
        return face.alone();
    }

    /**
     * Attaches this version on the wire, whatever the current one is, and asks the policy before it does. For a token that
     * is tried before it becomes the current one.
     */
    public static Interceptor carrying(Snapshot candidate, Placement placement, TokenPolicy policy) {
        return chain -> {
            Request request = chain.request();
            InetAddress address = OkHttpFace.address(chain.connection());
            TokenPolicies.check(policy, candidate.token(), request.method(), request.url(), address);
            return chain.proceed(placement.place(request, candidate.sent()).build());
        };
    }

    /** Attaches a token hop by hop and does nothing else: no second try after a 401. For the connectivity check. */
    public Interceptor networkInterceptor() {
        return face.onTheWire();
    }

    /** What of ours the request carried that was answered by this response. */
    public Optional<Token> sentWith(Response response) {
        Response network = response.networkResponse();
        Sent sent = network == null ? null : Sent.by(this, network.request());
        return Optional.ofNullable(sent).map(Sent::token);
    }

    /** The request as it may be logged: with name and fingerprint of each token that agents have put into it. */
    public static Request redacted(Request request) {
        return Sent.redacted(request);
    }

    /**
     * What a request of another client needs in order to carry its token.
     *
     * @throws TokenUnavailableException if there is no token
     * @throws TokenDeniedException if a rule forbids it
     */
    public Attachment authorize(String method, URI uri, Optional<TokenUse> wish)
            throws TokenUnavailableException, TokenDeniedException {
        HttpUrl url = Attachment.httpUrl(uri);
        TokenUse use = wish.orElse(null);
        Binding binding = null;
        if (url != null) {
            requirePossible(use, url, null);
            // Unlike OkHttp, other clients send dot segments as they are: what they reach is for the server to say.
            binding = Endpoint.hasDotSegment(String.valueOf(uri.getPath())) ? null : find(url, use, null);
        }
        if (url == null || binding == null) {
            if (TokenUse.isDemand(use)) {
                throw new TokenDeniedException(
                        Reason.DESTINATION,
                        "no token goes to a URL that is not http, or has '.' or '..' in its path",
                        "write the URL that the server answers");
            }
            return new Attachment(uri, use, null);
        }
        Snapshot snapshot = admitted(binding, use, method.toUpperCase(Locale.ROOT), url, null);
        return new Attachment(uri, use, Sent.of(this, binding, snapshot, null));
    }

    /** From now on a request to a declared endpoint fails; it never goes out bare. */
    public void close() {
        closed = true;
    }

    // --- what the faces ask ---

    /**
     * The token for a URL; null if it gets none.
     *
     * @param request what the caller has set already; null where that is not known
     */
    @Nullable
    Binding find(HttpUrl url, @Nullable TokenUse use, @Nullable Request request) {
        Routes where = table.where;
        Route only = where.only;
        if (only != null && use == null) {
            return only.endpoint.covers(url) ? only.binding : null;
        }
        if (use != null && use.isNone()) {
            return null;
        }
        return chosen(where.of(url.host()), url, use, request);
    }

    private static @Nullable Binding chosen(
            Route[] candidates, HttpUrl url, @Nullable TokenUse use, @Nullable Request request) {
        String named = use == null ? null : use.nameOrNull();
        boolean keyed = TokenUse.keyOf(use) != null;
        Binding longest = null;
        for (Route route : candidates) {
            Binding binding = route.binding();
            if ((named != null && !named.equals(binding.name()))
                    || (keyed && !binding.providers().isPerKey())
                    || !route.endpoint().covers(url)) {
                continue;
            }
            if (named != null || route.alone() || hasPlaceholder(binding, request)) {
                return binding;
            }
            if (longest == null && !binding.byName()) {
                longest = binding;
            }
        }
        return longest;
    }

    private static boolean hasPlaceholder(Binding binding, @Nullable Request request) {
        String existing = request == null ? null : binding.placement().existing(request);
        return existing != null && binding.isPlaceholder(existing);
    }

    /** Whether answers from this URL may lie in a cache: they may unless one of its tokens forbids it. */
    boolean isCacheable(HttpUrl url) {
        for (Route route : table.where.of(url.host())) {
            if (!route.binding().cacheable() && route.endpoint().covers(url)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Whom a request to this URL may be sent to, if the rules of its token say so; null if they do not, or if it carries
     * another credential.
     */
    @Nullable
    Predicate<InetAddress> addresses(HttpUrl url, @Nullable TokenUse use, Request request) {
        Binding binding = table.restrictsAddresses ? find(url, use, request) : null;
        if (binding == null) {
            return null;
        }
        String existing = binding.placement().existing(request);
        return existing == null || binding.isPlaceholder(existing) ? binding.addresses() : null;
    }

    /** Tells that a name has no address that the rules of its token allow. */
    TokenDeniedException noAddress(HttpUrl url, @Nullable TokenUse use, Request request, List<InetAddress> found) {
        Binding binding = find(url, use, request);
        String addresses = found.stream().map(InetAddress::getHostAddress).collect(Collectors.joining(", "));
        String token = binding == null ? "" : binding.name();
        return denied(
                token,
                url,
                new TokenDeniedException(
                        Reason.ADDRESS,
                        "token '" + token + "' may go to no address that " + url.host() + " has: " + addresses,
                        "are they the API's, as its operator publishes them? then add them to allow_ips"));
    }

    /**
     * A request may name only a token that there is, and only at the token's endpoints; so with a key, or scopes.
     *
     * @param request what the caller has set already; null where that is not known
     */
    void requirePossible(@Nullable TokenUse use, HttpUrl url, @Nullable Request request) throws TokenDeniedException {
        if (use == null) {
            return;
        }
        String name = use.nameOrNull();
        if (name != null) {
            requireNamed(name, use, url);
        } else if (TokenUse.isDemand(use) && find(url, use, request) == null) {
            boolean keyed = TokenUse.keyOf(use) != null;
            String which = keyed ? "no token of which there is one for each key" : "no token";
            String why = keyed ? "" : ", and the request demands " + use;
            throw denied("", url, which + " goes to " + place(url) + why);
        }
    }

    private void requireNamed(String name, TokenUse use, HttpUrl url) throws TokenDeniedException {
        Map<String, Binding> names = table.byName;
        Binding binding = names.get(name);
        if (binding == null) {
            String known = String.join(", ", names.keySet());
            throw denied(name, url, "no token is named '" + name + "'; known are: " + known);
        }
        if (find(url, use, null) == null) {
            boolean keyless =
                    TokenUse.keyOf(use) != null && !binding.providers().isPerKey();
            throw denied(
                    name,
                    url,
                    "token '" + name + (keyless ? "' is the same for each key" : "' may not go to " + place(url)));
        }
    }

    /** The current token with what is sent of it, once every rule has agreed that it may go there. */
    Snapshot admitted(
            Binding binding, @Nullable TokenUse use, String method, HttpUrl url, @Nullable InetAddress address)
            throws TokenUnavailableException, TokenDeniedException {
        if (closed) {
            throw new TokenDeniedException(Reason.CLOSED, "agent closed", null);
        }
        Snapshot snapshot = provider(binding, use, url).snapshot();
        requireScopes(binding, use, snapshot.token(), url);
        requireAllowed(binding, snapshot.token(), method, url, address);
        return snapshot;
    }

    private LiveProvider provider(Binding binding, @Nullable TokenUse use, HttpUrl url) throws TokenDeniedException {
        String key = TokenUse.keyOf(use);
        if (binding.providers().isPerKey() && (key == null || !KeyedProviders.isKey(key))) {
            String why = key == null
                    ? "token '" + binding.name() + "' is one for each key, and the request names none: TokenUse.key(…)"
                    : noKey(key);
            TokenDeniedException denied = new TokenDeniedException(Reason.KEY, why, null);
            throw denied(binding.name(), url, denied);
        }
        return binding.providers().of(key);
    }

    /** Why a text is no key. It is shown as far as it is printable, since it is no secret but may be anything. */
    public static String noKey(String key) {
        String shown = key.length() > MOST_SHOWN ? key.substring(0, MOST_SHOWN) + "…" : key;
        return "'" + shown.replaceAll("[^ -~…]", "?")
                + "' is no key: that is 1 to 128 letters, digits, '_', '.' and '-'," + " and begins with no dot";
    }

    /** A request may demand scopes: where nobody knows which the token has, it is not known that it has them. */
    private void requireScopes(Binding binding, @Nullable TokenUse use, Token token, HttpUrl url)
            throws TokenDeniedException {
        Set<String> demanded = TokenUse.scopesOf(use);
        if (demanded.isEmpty()) {
            return;
        }
        Optional<Set<String>> scopes = token.scopes();
        if (scopes.isEmpty()) {
            if (!binding.allowsUnknown()) {
                throw denied(
                        binding.name(),
                        url,
                        new TokenDeniedException(
                                Reason.SCOPE,
                                "token " + token + ": its scopes are not known, and the request demands " + use,
                                "name them in scopes.granted, or allow: [unknown]"));
            }
            return;
        }
        for (String scope : demanded) {
            if (!scopes.get().contains(scope)) {
                String why = "token " + token + " lacks the scope '" + scope + "', which the request demands";
                throw denied(binding.name(), url, new TokenDeniedException(Reason.SCOPE, why, null));
            }
        }
    }

    /** Asks the token's policy whether it may go there. */
    void requireAllowed(Binding binding, Token token, String method, HttpUrl url, @Nullable InetAddress address)
            throws TokenDeniedException {
        try {
            TokenPolicies.check(binding.policy(), token, method, url, address);
        } catch (TokenDeniedException e) {
            throw denied(binding.name(), url, e);
        } catch (RuntimeException e) {
            // A rule that cannot tell denies; what it says may hold anything.
            throw denied(
                    binding.name(), url, "a policy failed with " + e.getClass().getName());
        }
    }

    /**
     * Tells that a server answered 401 to what was sent. It is the name's present provider that is told: the one that the
     * request found may have been replaced since.
     *
     * @return whether another token is there now
     */
    boolean invalidate(Sent sent, @Nullable TokenUse use) {
        String name = sent.binding().name();
        String key = TokenUse.keyOf(use);
        Binding asked = null;
        Binding present = table.byName.get(name);
        boolean another = false;
        while (!another && present != null && !present.equals(asked)) {
            // Once more if it was replaced while it was asked: its successor is the one to answer.
            asked = present;
            another = present.providers().isPerKey() == (key != null)
                    && present.providers().of(key).invalidate(sent.token());
            present = table.byName.get(name);
        }
        return another;
    }

    /** Which version of a token requests get; 0 if there is none. Nobody is asked. */
    long generation(String name, @Nullable String key) {
        Binding present = table.byName.get(name);
        boolean fits = present != null && present.providers().isPerKey() == (key != null);
        LiveProvider provider = present != null && fits ? present.providers().ifOpen(key) : null;
        return provider == null ? 0 : provider.status().generation();
    }

    /** Takes the next token out of an answer of an endpoint, if the configuration says in which header it comes. */
    void takeRotated(Sent sent, @Nullable TokenUse use, Response response) {
        String header = sent.binding().rotatedFrom();
        String value = header == null ? null : response.header(header);
        if (value == null || value.isBlank()) {
            return;
        }
        try {
            String origin = "response header " + header + " of "
                    + place(response.request().url());
            LiveProvider provider = sent.binding().providers().of(TokenUse.keyOf(use));
            provider.offer(TokenDocument.of(value).withOrigin(origin), sent.token());
        } catch (IllegalArgumentException e) {
            // Not a token. The answer is the caller's, whatever else stands in it.
            events.onEvent(new TokenEvent.RefreshFailed(
                    clock.instant(),
                    sent.binding().name(),
                    Reason.MALFORMED,
                    "response header " + header + " holds no token"));
        }
    }

    void overridden(Binding binding, HttpUrl url) {
        events.onEvent(new TokenEvent.Overridden(
                clock.instant(), binding.name(), place(url), binding.placement().field()));
    }

    TokenDeniedException denied(String token, HttpUrl url, String why) {
        return denied(token, url, new TokenDeniedException(Reason.DESTINATION, why, null));
    }

    /** Tells whoever listens, too. */
    private TokenDeniedException denied(String token, HttpUrl url, TokenDeniedException e) {
        events.onEvent(
                new TokenEvent.Denied(clock.instant(), token, place(url), e.reason(), String.valueOf(e.getMessage())));
        return e;
    }

    /** A URL without its query, in which a caller may have put a secret, and without a user. */
    static String place(HttpUrl url) {
        return new HttpUrl.Builder()
                .scheme(url.scheme())
                .host(url.host())
                .port(url.port())
                .encodedPath(url.encodedPath())
                .build()
                .toString();
    }
}
