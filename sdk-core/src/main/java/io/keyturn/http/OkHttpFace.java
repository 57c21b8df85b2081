package io.keyturn.http;

import io.keyturn.policy.Endpoint;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.Snapshot;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import okhttp3.Connection;
import okhttp3.ConnectionPool;
import okhttp3.Headers;
import okhttp3.HttpUrl;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okhttp3.Route;
import org.jspecify.annotations.Nullable;

/**
 * The bindings as OkHttp sees them: one interceptor around the call, which keeps answers out of the cache and tries again
 * after a 401, and one on the wire, which attaches the token hop by hop. OkHttp builds every hop from the caller's
 * request, so what is added on the wire never rides along to where a redirect leads.
 *
 * <p>A WebSocket, and a client that takes only one interceptor, have no such place on the wire. There the token is put
 * into the call's own request. A redirect to an endpoint of the same token takes it along, where OkHttp leaves it in; any
 * other ends the call.
 */
final class OkHttpFace {
    private static final Pattern DIGITS = Pattern.compile("[0-9]+");

    /** Upgrade, Connection, Sec-WebSocket-Key and Sec-WebSocket-Version. */
    private static final int HEADERS_OF_A_HANDSHAKE = 4;

    private final EndpointBindings bindings;
    private final Seam seam = Seam.ofThisOkHttp();
    private final HeaderTables tables;
    private final Interceptor aroundTheCall = this::aroundTheCall;
    private final Interceptor onTheWire = this::onTheWire;
    private final Interceptor alone = this::alone;
    private final Seam.Retry retry = this::retry;

    OkHttpFace(EndpointBindings bindings, BiConsumer<Duration, Runnable> later) {
        this.bindings = bindings;
        this.tables = new HeaderTables(later, bindings::generation);
    }

    void installOn(OkHttpClient.Builder builder) {
        if (!builder.interceptors().contains(aroundTheCall)) {
            builder.addInterceptor(aroundTheCall);
        }
        if (!builder.networkInterceptors().contains(onTheWire)) {
            builder.addNetworkInterceptor(onTheWire);
        }
    }

    Interceptor alone() {
        return alone;
    }

    Interceptor onTheWire() {
        return onTheWire;
    }

    private Response aroundTheCall(Interceptor.Chain chain) throws IOException {
        Request request = chain.request();
        TokenUse use = request.tag(TokenUse.class);
        bindings.requirePossible(use, request.url(), request);
        if (isHandshake(request.headers())) {
            return inTheRequest(chain, "a WebSocket's handshake");
        }
        Predicate<InetAddress> allowed = bindings.addresses(request.url(), use, request);
        if (allowed != null) {
            return connectingOnly(allowed, chain, use);
        }
        return seam.proceed(chain, bypassesCache(chain, request), retry);
    }

    /** Most requests have fewer headers here than a WebSocket's handshake must have (RFC 6455 4.1), so nobody reads them. */
    private static boolean isHandshake(Headers headers) {
        return headers.size() >= HEADERS_OF_A_HANDSHAKE
                && "websocket".equalsIgnoreCase(Placement.last(headers, "Upgrade"));
    }

    /** Keeps OkHttp from connecting where the token may not go. Where it has connected is asked on the wire all the same. */
    private Response connectingOnly(Predicate<InetAddress> allowed, Interceptor.Chain chain, @Nullable TokenUse use)
            throws IOException {
        Request request = chain.request();
        String host = request.url().host();
        try {
            return seam.proceed(seam.connectingOnly(chain, host, allowed), bypassesCache(chain, request), retry);
        } catch (Seam.NoneAllowed e) {
            throw bindings.noAddress(request.url(), use, request, e.found());
        }
    }

    /** Most clients have no cache: then nobody needs to know. */
    private boolean bypassesCache(Interceptor.Chain chain, Request request) {
        return seam.mayCache(chain) && !bindings.isCacheable(request.url());
    }

    private Response alone(Interceptor.Chain chain) throws IOException {
        if (chain.connection() != null) {
            return onTheWire(chain);
        }
        Request request = chain.request();
        bindings.requirePossible(request.tag(TokenUse.class), request.url(), request);
        return inTheRequest(chain, "agent.interceptor()");
    }

    // --- on the wire ---

    /**
     * Decides first, and keeps nothing of that but what is sent. With more to keep in mind the compiler has no register left
     * for OkHttp's look at each character of a header, which then takes twice its time.
     */
    private Response onTheWire(Interceptor.Chain chain) throws IOException {
        Request request = seam.asSentByCaller(chain.request());
        Sent sent = toBeSent(request, chain);
        if (sent == null) {
            return keepOutOfCache(chain, request, null, chain.proceed(request));
        }
        Response response = withCountableDelay(chain.proceed(sent.placedIn(request)));
        bindings.takeRotated(sent, request.tag(TokenUse.class), response);
        return keepOutOfCache(
                chain,
                request,
                sent,
                inHeader(sent) ? response : withoutToken(sent.withoutEcho(response), request, sent));
    }

    /** What of ours goes with this hop; null if nothing does. */
    private @Nullable Sent toBeSent(Request request, Interceptor.Chain chain) throws IOException {
        Binding binding = lacking(request);
        if (binding == null) {
            return null;
        }
        Connection connection = chain.connection();
        requireNobodyBetween(binding, request.url(), connection);
        Sent sent = admit(binding, request, address(connection));
        if (connection != null && HeaderTables.isKeptBy(connection)) {
            rememberIn(connection, chain, sent, request.tag(TokenUse.class));
        }
        return sent;
    }

    /** Whose token belongs into the request; null if none does, it is there, or the caller has set a credential of its own. */
    private @Nullable Binding lacking(Request request) {
        Binding binding = bindings.find(request.url(), request.tag(TokenUse.class), request);
        return binding == null || isCarried(request) || isOverridden(binding, request) ? null : binding;
    }

    private static boolean inHeader(Sent sent) {
        return sent.binding().placement().header() != null;
    }

    /** The answer as if the request had not carried the token, but for the tag that says so. */
    private static Response withoutToken(Response response, Request request, Sent sent) {
        Request without = request.newBuilder().tag(Sent.class, sent).build();
        return response.newBuilder().request(without).build();
    }

    /**
     * What the cache sees of a hop to an endpoint. A call that began elsewhere may have a cache: then the answer is
     * marked, since the marks on the call's own request came too late. Where caching is allowed, OkHttp would write the
     * request's headers that {@code Vary} names to the disk: it is handed the request without ours.
     */
    private Response keepOutOfCache(Interceptor.Chain chain, Request request, @Nullable Sent sent, Response response) {
        if (!seam.mayCache(chain)) {
            return response;
        }
        boolean forbidden = sent != null && !sent.binding().cacheable();
        if (forbidden || !bindings.isCacheable(request.url())) {
            return response.newBuilder().header("Cache-Control", "no-store").build();
        }
        return sent == null ? response : withoutToken(response, request, sent);
    }

    /** What is to be put into the request. */
    private Sent admit(Binding binding, Request request, @Nullable InetAddress address) throws IOException {
        TokenUse use = request.tag(TokenUse.class);
        Snapshot snapshot = bindings.admitted(binding, use, request.method(), request.url(), address);
        return Sent.of(bindings, binding, snapshot, request.tag(Sent.class));
    }

    /** Whether the token is in the call's own request already, for want of a place on the wire. */
    private boolean isCarried(Request request) {
        Sent sent = Sent.by(bindings, request);
        return sent != null && sent.isIn(request);
    }

    /** Whether the caller has set this credential itself; then the caller's stays. */
    private boolean isOverridden(Binding binding, Request request) {
        String existing = binding.placement().existing(request);
        if (existing == null || binding.isPlaceholder(existing)) {
            return false;
        }
        bindings.overridden(binding, request.url());
        return true;
    }

    /** Plain http is for this machine unless it is allowed, and what a proxy elsewhere is asked for leaves this machine. */
    private void requireNobodyBetween(Binding binding, HttpUrl url, @Nullable Connection connection)
            throws TokenDeniedException {
        if (url.isHttps() || connection == null || !Endpoint.isLoopback(url)) {
            return;
        }
        Proxy proxy = connection.route().proxy();
        if (proxy.type() != Proxy.Type.DIRECT && !isHere(proxy, connection.route())) {
            throw bindings.denied(
                    binding.name(),
                    url,
                    EndpointBindings.place(url) + " is plain http, and a proxy that is not on this machine would read"
                            + " the token");
        }
    }

    private static boolean isHere(Proxy proxy, Route route) {
        // A SOCKS proxy's own address is not the route's.
        SocketAddress address = proxy.type() == Proxy.Type.HTTP ? route.socketAddress() : proxy.address();
        InetAddress resolved = address instanceof InetSocketAddress socket ? socket.getAddress() : null;
        return resolved != null && resolved.isLoopbackAddress();
    }

    /** Of a query nothing is remembered: OkHttp keeps the path out of the table. */
    private void rememberIn(Connection connection, Interceptor.Chain chain, Sent sent, @Nullable TokenUse use) {
        ConnectionPool pool = inHeader(sent) ? seam.pool(chain) : null;
        if (pool != null) {
            tables.carry(connection, pool, sent.snapshot(), TokenUse.keyOf(use));
        }
    }

    /** OkHttp heeds this header where it may try again, and fails in the caller's thread if it cannot count so far. */
    private static Response withCountableDelay(Response response) {
        String delay = response.code() == 503 || response.code() == 408 ? response.header("Retry-After") : null;
        if (delay == null || !DIGITS.matcher(delay).matches()) {
            return response;
        }
        try {
            Integer.parseInt(delay);
            return response;
        } catch (NumberFormatException e) {
            return response.newBuilder()
                    .header("Retry-After", String.valueOf(Integer.MAX_VALUE))
                    .build();
        }
    }

    static @Nullable InetAddress address(@Nullable Connection connection) {
        if (connection == null || connection.route().proxy().type() != Proxy.Type.DIRECT) {
            return null;
        }
        // Not the route's address: a socket factory of the program's may have connected to another.
        return connection.socket().getInetAddress();
    }

    // --- in the call's own request ---

    private Response inTheRequest(Interceptor.Chain chain, String what) throws IOException {
        Request request = chain.request();
        Binding binding = lacking(request);
        if (binding == null) {
            return seam.proceed(chain, bypassesCache(chain, request), retry);
        }
        if (!seam.canRefuseRedirects()) {
            throw bindings.denied(
                    binding.name(),
                    request.url(),
                    what + " carries a token only with OkHttp 5.4 or later, which can refuse a redirect that would"
                            + " carry it elsewhere; other requests of a client made with agent.install() get theirs");
        }
        Sent sent = admit(binding, request, null);
        Response response =
                seam.proceedGuarded(chain, sent.placedIn(request), retry, next -> refusal(binding, request, next));
        Sent answered = sentBy(response);
        bindings.takeRotated(answered == null ? sent : answered, request.tag(TokenUse.class), response);
        return response.newBuilder()
                .request(sent.takenOutOf(response.request()))
                .build();
    }

    /** Why a redirect must not be followed; null if the token may go along and does. */
    private @Nullable IOException refusal(Binding binding, Request callers, Request next) {
        Sent sent = Sent.by(bindings, next);
        Binding there = bindings.find(next.url(), callers.tag(TokenUse.class), callers);
        if (sent == null || !sent.isIn(next) || !binding.equals(there)) {
            return bindings.denied(
                    binding.name(),
                    next.url(),
                    "a redirect to " + EndpointBindings.place(next.url())
                            + " was not followed: the token would have gone where it does not belong, or would not have"
                            + " gone where it does");
        }
        try {
            bindings.requireAllowed(binding, sent.token(), next.method(), next.url(), null);
            return null;
        } catch (TokenDeniedException e) {
            return e;
        }
    }

    // --- after a 401 ---

    /** The request that is worth a second try after this 401, or null. */
    private @Nullable Request retry(Response response) throws IOException {
        Sent sent = sentBy(response);
        if (sent == null || isSecondTry(response, sent)) {
            return null;
        }
        boolean changed = bindings.invalidate(sent, response.request().tag(TokenUse.class));
        Request request = response.request();
        if (!changed || !canBeSentAgain(request.body())) {
            return null;
        }
        // Where the token stands in the call's own request, it must be replaced there.
        boolean carried = Sent.by(bindings, request) != null;
        return carried ? admit(sent.binding(), request, null).placedIn(request) : request;
    }

    /** Whether the try before this one was refused too, with another version of the token. */
    private boolean isSecondTry(Response response, Sent sent) {
        Response prior = response.priorResponse();
        Sent before = prior == null || prior.code() != 401 ? null : sentBy(prior);
        return before != null
                && before.binding().name().equals(sent.binding().name())
                && before.token().generation() != sent.token().generation();
    }

    private static boolean canBeSentAgain(@Nullable RequestBody body) {
        return body == null || !(body.isOneShot() || body.isDuplex());
    }

    private @Nullable Sent sentBy(Response response) {
        Response network = response.networkResponse();
        return network == null ? null : Sent.by(bindings, network.request());
    }
}
