package io.keyturn.http;

import io.keyturn.config.ConfigException;
import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenListener;
import io.keyturn.policy.Destination;
import io.keyturn.policy.Endpoint;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.Snapshot;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.net.InetAddress;
import java.net.URI;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
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
    private final List<Binding> bindings;
    private final Map<String, List<Route>> routes;
    private final TokenListener events;
    private final Clock clock;
    private final OkHttpFace face;
    private volatile boolean closed;

    /** One endpoint of one token. */
    private record Route(Endpoint endpoint, Binding binding) {}

    /**
     * The bindings of an agent's tokens.
     *
     * @throws ConfigException if two tokens that go with every request have the same endpoint
     */
    public EndpointBindings(List<Binding> bindings, TokenListener events, Clock clock) {
        this.bindings = List.copyOf(bindings);
        this.events = events;
        this.clock = clock;
        this.routes = routes(bindings);
        this.face = new OkHttpFace(this);
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
                routes.add(new Route(endpoint, binding));
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
            requirePossible(use, url);
            // Unlike OkHttp, other clients send dot segments as they are: what they reach is for the server to say.
            binding = Endpoint.hasDotSegment(String.valueOf(uri.getPath())) ? null : find(url, use, null);
        }
        if (url == null || binding == null) {
            return new Attachment(uri, null);
        }
        Snapshot snapshot = admitted(binding, method.toUpperCase(Locale.ROOT), url, null);
        return new Attachment(uri, new Sent(this, binding, snapshot, null));
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
        List<Route> candidates = routes.get(url.host());
        if (candidates == null || (use != null && use.isNone())) {
            return null;
        }
        String named = use == null ? null : use.nameOrNull();
        Binding longest = null;
        for (Route route : candidates) {
            Binding binding = route.binding();
            if ((named != null && !named.equals(binding.name()))
                    || !route.endpoint().covers(url)) {
                continue;
            }
            if (named != null || hasPlaceholder(binding, request)) {
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
        List<Route> candidates = routes.get(url.host());
        if (candidates != null) {
            for (Route route : candidates) {
                if (!route.binding().cacheable() && route.endpoint().covers(url)) {
                    return false;
                }
            }
        }
        return true;
    }

    /** A request may name only a token that there is, and only at the token's endpoints. */
    void requirePossible(@Nullable TokenUse use, HttpUrl url) throws TokenDeniedException {
        String name = use == null ? null : use.nameOrNull();
        if (name == null) {
            return;
        }
        if (bindings.stream().noneMatch(binding -> binding.name().equals(name))) {
            String known = bindings.stream().map(Binding::name).collect(Collectors.joining(", "));
            throw denied(name, url, "no token is named '" + name + "'; known are: " + known);
        }
        if (find(url, use, null) == null) {
            throw denied(name, url, "token '" + name + "' may not go to " + place(url));
        }
    }

    /** The current token with what is sent of it, once every rule has agreed that it may go there. */
    Snapshot admitted(Binding binding, String method, HttpUrl url, @Nullable InetAddress address)
            throws TokenUnavailableException, TokenDeniedException {
        if (closed) {
            throw new TokenDeniedException(Reason.CLOSED, "agent closed", null);
        }
        Snapshot snapshot = binding.provider().snapshot();
        requireAllowed(binding, snapshot.token(), method, url, address);
        return snapshot;
    }

    /** Asks the token's policy whether it may go there. */
    void requireAllowed(Binding binding, Token token, String method, HttpUrl url, @Nullable InetAddress address)
            throws TokenDeniedException {
        try {
            binding.policy().check(token, new Destination(method, url, address));
        } catch (TokenDeniedException e) {
            report(binding.name(), url, e);
            throw e;
        } catch (RuntimeException e) {
            // A rule that cannot tell denies; what it says may hold anything.
            throw denied(
                    binding.name(), url, "a policy failed with " + e.getClass().getName());
        }
    }

    void overridden(Binding binding, HttpUrl url) {
        events.onEvent(new TokenEvent.Overridden(
                clock.instant(), binding.name(), place(url), binding.placement().field()));
    }

    TokenDeniedException denied(String token, HttpUrl url, String why) {
        TokenDeniedException denied = new TokenDeniedException(Reason.DESTINATION, why, null);
        report(token, url, denied);
        return denied;
    }

    private void report(String token, HttpUrl url, TokenDeniedException e) {
        events.onEvent(
                new TokenEvent.Denied(clock.instant(), token, place(url), e.reason(), String.valueOf(e.getMessage())));
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
