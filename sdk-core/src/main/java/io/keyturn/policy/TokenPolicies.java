package io.keyturn.policy;

import io.keyturn.config.ConfigException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.net.InetAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * The rules that come with the SDK. All are immutable, for any number of threads, and none blocks. A rule on the token
 * itself is asked when a token is resolved, any other before each request; what a rule needs to know and is not told, it
 * does not allow.
 */
public final class TokenPolicies {
    private TokenPolicies() {}

    // --- several rules ---

    /** Every rule must agree; they are asked in order. No rule at all allows everything. */
    public static TokenPolicy allOf(List<TokenPolicy> rules) {
        return AllOf.of(rules);
    }

    /** Every rule must agree; they are asked in order. No rule at all allows everything. */
    public static TokenPolicy allOf(TokenPolicy... rules) {
        return allOf(List.of(rules));
    }

    /**
     * One rule must agree; no rule at all allows nothing. A token is admitted if one of them admits it. A request passes if
     * one of them both admits the token and allows the request: with {@code anyOf(scopes(…), hours(…))} a token that lacks
     * the scopes is admitted, since there are hours for it, and is sent at these hours only. So before each request the
     * program's own rules in it are asked to {@link TokenPolicy#admit admit}, too. The SDK's are asked before the program's.
     */
    public static TokenPolicy anyOf(List<TokenPolicy> rules) {
        return new AnyOf(rules);
    }

    /** One rule must agree, as in {@link #anyOf(List)}. */
    public static TokenPolicy anyOf(TokenPolicy... rules) {
        return anyOf(List.of(rules));
    }

    // --- on the token ---

    /**
     * The scopes that a token must and must not have.
     *
     * @param allowUnknown whether a token whose scopes are not known passes
     */
    public static TokenPolicy scopes(Set<String> required, Set<String> forbidden, boolean allowUnknown) {
        return new OfTokens.Scopes(required, forbidden, allowUnknown);
    }

    /**
     * The longest that a token may live, from its issue to its end.
     *
     * @param allowUnknown whether a token passes of which one of the two is not known
     */
    public static TokenPolicy maxLifetime(Duration most, boolean allowUnknown) {
        return new OfTokens.MaxLifetime(most, allowUnknown);
    }

    /** It must be known when a token ends. */
    public static TokenPolicy expires() {
        return new OfTokens.Expires();
    }

    /** Tokens that are known to have leaked, by their fingerprints. */
    public static TokenPolicy denyFingerprints(Set<String> leaked) {
        return new OfTokens.Leaked(Set.copyOf(leaked));
    }

    // --- on the request ---

    /**
     * Where a token may go, as in {@code endpoint}: what these URLs do not cover is refused. It narrows what the token's
     * own endpoints say, for a branch of {@link #anyOf}; it attaches a token nowhere.
     *
     * @throws ConfigException if there is none, or one is none
     */
    public static TokenPolicy endpoints(String... urls) {
        List<Endpoint> endpoints =
                Arrays.stream(urls).map(url -> Endpoint.parse(url, true)).toList();
        if (endpoints.isEmpty()) {
            throw new ConfigException("must name an endpoint: without one nothing would be allowed");
        }
        return new Endpoints(endpoints);
    }

    /** Only requests that nobody reads on their way: https, or plain http that does not leave this machine. */
    public static TokenPolicy https() {
        return new Https();
    }

    /**
     * When a token may be used, such as {@code mon-fri 08:00-18:00 Europe/Berlin} or {@code sat,sun 22:00-06:00 UTC}: days,
     * hours of a 24 hour clock and a time zone. It is used while a clock on the wall there shows a time within one of the
     * spans, the end not included. Where the end comes before the start, it is the next day's. {@code 00:00-24:00} is the
     * whole day.
     *
     * @throws ConfigException if there is none, or one is wrong
     */
    public static TokenPolicy hours(Clock clock, String... spans) {
        return new Hours(Arrays.stream(spans).map(WeeklySpan::parse).toList(), clock);
    }

    /**
     * Whom a token may be sent to: networks such as {@code 203.0.113.0/24} and {@code 2001:db8::/32}, and addresses. What is
     * asked for is the address that the client is connected to. Where it is not known, the request is refused: behind a
     * proxy, for a WebSocket, and of a client other than OkHttp. An IPv6 address that stands for an IPv4 one is that one.
     *
     * @throws ConfigException if there is none, or one is wrong: numbers with leading zeros, a zone, or an address where a
     *     network is meant
     */
    public static TokenPolicy allowIps(String... networks) {
        return new AllowedAddresses(Arrays.stream(networks).map(Network::parse).toList());
    }

    private record Endpoints(List<Endpoint> endpoints) implements Rule, Rule.Refusal {
        @Override
        public @Nullable Refusal refusal(Token token, String method, HttpUrl url, @Nullable InetAddress address) {
            for (int i = 0; i < endpoints.size(); i++) {
                if (endpoints.get(i).covers(url)) {
                    return null;
                }
            }
            return this;
        }

        @Override
        public TokenDeniedException denial(Token token, @Nullable HttpUrl url, @Nullable InetAddress address) {
            String allowed = endpoints.stream().map(Endpoint::toString).collect(Collectors.joining(", "));
            return new TokenDeniedException(
                    Reason.DESTINATION, "token " + token + " may go to " + allowed + " only", null);
        }
    }

    private record Https() implements Rule, Rule.Refusal {
        @Override
        public @Nullable Refusal refusal(Token token, String method, HttpUrl url, @Nullable InetAddress address) {
            return url.isHttps() || Endpoint.isLoopback(url) ? null : this;
        }

        @Override
        public TokenDeniedException denial(Token token, @Nullable HttpUrl url, @Nullable InetAddress address) {
            return new TokenDeniedException(
                    Reason.DESTINATION, "token " + token + " may not go where others can read it: plain http", null);
        }
    }

    // --- for the clients' faces ---

    /**
     * Asks a policy about a request, as {@link TokenPolicy#check} does. Nothing is made for it unless the program has rules
     * of its own.
     *
     * @param address whom the client is connected to; null where that is not known
     * @throws TokenDeniedException if the token may not go there
     */
    public static void check(TokenPolicy policy, Token token, String method, HttpUrl url, @Nullable InetAddress address)
            throws TokenDeniedException {
        if (policy instanceof Rule rule) {
            rule.check(token, method, url, address);
        } else {
            policy.check(token, new Destination(method, url, address));
        }
    }

    /**
     * Whom a client may connect to at all for a request that is to carry the token, so that it need not try the others;
     * null if that is not restricted. The policy is asked all the same. The same object at each call.
     */
    public static @Nullable Predicate<InetAddress> addresses(TokenPolicy policy) {
        return policy instanceof Rule rule ? rule.addresses() : null;
    }
}
