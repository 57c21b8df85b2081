package io.keyturn;

import io.keyturn.check.CheckRequest;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import io.keyturn.http.Placement;
import io.keyturn.policy.Endpoint;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.RefreshPolicy;
import io.keyturn.token.TokenDocument;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * Where a token may go, how it is sent and what it must be. A program sets it in {@code builder.token(name, source, t ->
 * …)}; a configuration file sets the same through {@link Settings}, so that a key, its type and its default stand here
 * and nowhere else.
 *
 * <p>What is wrong in itself is a {@link ConfigException} at once; what needs the other options to be judged, such as an
 * endpoint in plain http, is one when the agent starts.
 */
public final class TokenOptions {
    private static final Set<String> RELAXATIONS =
            Set.of("insecure_http", "group_read", "world_read", "cache", "unknown", "unsafe_check", "ephemeral");

    /** Every key of a token but those of its source. */
    static final Set<String> KEYS = Set.of(
            "endpoint",
            "endpoints",
            "send_as",
            "attach",
            "required",
            "per_key",
            "allow",
            "refresh",
            "expires_at",
            "issued_at",
            "scopes",
            "max_lifetime",
            "deny_fingerprints",
            "allow_ips",
            "hours",
            "check",
            "verify",
            "accept_rotated_from",
            "unused_after",
            "rotate");

    private static final Pattern SCOPE = Pattern.compile("[\\x21\\x23-\\x5B\\x5D-\\x7E]+");
    private static final Pattern FINGERPRINT = Pattern.compile("[0-9A-Fa-f]{12}");

    /** RFC 9110 5.6.2. */
    private static final Pattern HEADER = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+");

    private static final String VERIFY_NEEDS_CHECK = "verify needs a check: the request that a new token is tried with";

    private static final String NO_CACHE_PER_KEY =
            "a token for each key cannot have its answers cached: one account would be served another's";

    private static final Pattern SHARE = Pattern.compile("([1-9][0-9]?)%");

    private static final Map<String, String> LATER = Map.ofEntries(later("unused_after"), later("rotate"));

    // Immutable, and replaced: most tokens set none of them, and there may be thousands of tokens.
    private List<String> writtenEndpoints = List.of();
    private List<Endpoint> endpoints = List.of();
    private Set<String> allow = Set.of();
    private List<TokenPolicy> policies = List.of();
    private Set<String> granted = Set.of();
    private Set<String> requiredScopes = Set.of();
    private Set<String> forbiddenScopes = Set.of();
    private Set<String> leaked = Set.of();
    private List<String> networks = List.of();
    private List<String> hours = List.of();
    private Placement placement = Placement.bearer();
    private boolean byName;
    private boolean endpointsAreWrong;
    private boolean required = true;
    private boolean verified;
    private boolean perKey;
    private RefreshPolicy refresh = RefreshPolicy.defaults();
    private @Nullable String rotatedFrom;
    private @Nullable Duration maxLifetime;
    private @Nullable Instant expiresAt;
    private @Nullable Instant issuedAt;
    private @Nullable CheckRequest check;

    /** Tells the hours; the agent's, which nobody knows yet while the options are set. */
    private Clock clock = Clock.systemUTC();

    TokenOptions() {}

    static Map.Entry<String, String> later(String key) {
        return Map.entry(key, "'" + key + "' is not supported yet");
    }

    // --- as a program sets it ---

    /** Where the token may go: URLs; it goes to everything below their paths too. Without one it is attached nowhere. */
    public TokenOptions endpoint(String... urls) {
        writtenEndpoints = and(writtenEndpoints, List.of(urls));
        return this;
    }

    /** Where in a request the token stands; {@link Placement#bearer()} unless it is said. */
    public TokenOptions sendAs(Placement where) {
        placement = where;
        return this;
    }

    /** Attaches the token only to requests that ask for it by name, so that two tokens may share an endpoint. */
    public TokenOptions attachByName() {
        byName = true;
        return this;
    }

    /** Lets the agent start without the token; then attaching it fails, and the check warns. */
    public TokenOptions optional() {
        required = false;
        return this;
    }

    /**
     * Relaxes rules: {@code insecure_http}, {@code group_read}, {@code world_read}, {@code cache}, {@code unknown},
     * {@code unsafe_check}, {@code ephemeral}.
     *
     * @throws ConfigException if there is no such word
     */
    public TokenOptions allow(String... words) {
        for (String word : words) {
            if (!RELAXATIONS.contains(word)) {
                throw new ConfigException("a word of allow is one of "
                        + String.join(", ", RELAXATIONS.stream().sorted().toList()));
            }
            allow = and(allow, word);
        }
        return this;
    }

    /** The request that proves the token, such as {@code GET /v1/me}. */
    public TokenOptions check(String request) {
        return check(CheckRequest.parse(request));
    }

    /** The request that proves the token. */
    public TokenOptions check(CheckRequest request) {
        check = request;
        return this;
    }

    /** When the token is fetched anew; {@link RefreshPolicy#defaults()} unless it is said. */
    public TokenOptions refresh(RefreshPolicy policy) {
        refresh = policy;
        return this;
    }

    /**
     * Tries a new token with the {@link #check(String) check}'s request before it replaces one that lives. One that the API
     * refuses with 401 or 403 is not taken; one that cannot be tried is.
     */
    public TokenOptions verify() {
        verified = true;
        return this;
    }

    /**
     * Takes the next token from this header of an answer, if the request carried the current one. It serves until the
     * source has another, a server rejects it, or it ends.
     *
     * @throws ConfigException if there can be no such header
     */
    public TokenOptions acceptRotatedFrom(String header) {
        if (!HEADER.matcher(header).matches()) {
            throw new ConfigException("must be the name of a header, such as X-New-Access-Token");
        }
        rotatedFrom = header;
        return this;
    }

    /** When the token ends, which an opaque one cannot say itself. */
    public TokenOptions expiresAt(Instant end) {
        expiresAt = end;
        return this;
    }

    /** When the token was issued, which an opaque one cannot say itself. */
    public TokenOptions issuedAt(Instant issued) {
        issuedAt = issued;
        return this;
    }

    /** What the token may be used for, which an opaque one cannot say itself. */
    public TokenOptions grantedScopes(String... scopes) {
        granted = andScopes(granted, scopes);
        return this;
    }

    /** Scopes without which the token is refused. */
    public TokenOptions requireScopes(String... scopes) {
        requiredScopes = andScopes(requiredScopes, scopes);
        return this;
    }

    /** Scopes with which the token is refused. */
    public TokenOptions forbidScopes(String... scopes) {
        forbiddenScopes = andScopes(forbiddenScopes, scopes);
        return this;
    }

    /** The longest that the token may live from its issue to its end; a longer one is refused. */
    public TokenOptions maxLifetime(Duration most) {
        maxLifetime = requirePositive("the longest lifetime", most);
        return this;
    }

    /**
     * Fingerprints of tokens that are known to have leaked; they are refused.
     *
     * @throws ConfigException if one is no fingerprint: it would never be found
     */
    public TokenOptions denyFingerprints(String... fingerprints) {
        for (String fingerprint : fingerprints) {
            if (!FINGERPRINT.matcher(fingerprint).matches()) {
                throw new ConfigException("a fingerprint is 12 hexadecimal digits, as the check prints them");
            }
            leaked = and(leaked, fingerprint.toLowerCase(Locale.ROOT));
        }
        return this;
    }

    /**
     * Whom the token may be sent to: networks such as {@code 203.0.113.0/24} and {@code 2001:db8::/32}, and addresses, as
     * in {@link TokenPolicies#allowIps}. Where nobody tells whom a request reaches, it is denied: behind a proxy, for a
     * WebSocket, and of a client other than OkHttp.
     *
     * @throws ConfigException if one is no network
     */
    public TokenOptions allowIps(String... addresses) {
        // Wrong ones are to be told here, and not when the rule is made of all.
        var unused = TokenPolicies.allowIps(addresses);
        networks = and(networks, List.of(addresses));
        return this;
    }

    /**
     * When the token may be used, by the agent's clock: spans such as {@code mon-fri 08:00-18:00 Europe/Berlin}, as in
     * {@link TokenPolicies#hours}. Outside of them a request that would carry it is denied.
     *
     * @throws ConfigException if one is no span
     */
    public TokenOptions hours(String... spans) {
        var unused = TokenPolicies.hours(clock, spans);
        hours = and(hours, List.of(spans));
        return this;
    }

    /** A rule of the program's own, asked after ours. */
    public TokenOptions policy(TokenPolicy rule) {
        policies = and(policies, List.of(rule));
        return this;
    }

    /** A name with a space in it would be no scope at all, and one that is forbidden would never be found (RFC 6749 3.3). */
    private static Set<String> andScopes(Set<String> known, String... scopes) {
        Set<String> all = known;
        for (String scope : scopes) {
            if (!SCOPE.matcher(scope).matches()) {
                throw new ConfigException("a scope is one word; several are a list, such as [read, write]");
            }
            all = and(all, scope);
        }
        return all;
    }

    private static Set<String> and(Set<String> some, String another) {
        Set<String> all = new LinkedHashSet<>(some);
        all.add(another);
        return Collections.unmodifiableSet(all);
    }

    private static <T> List<T> and(List<T> some, List<T> others) {
        List<T> all = new ArrayList<>(some);
        all.addAll(others);
        return List.copyOf(all);
    }

    /** There is one for each key: the builder says so, together with where they come from. */
    void perKey() {
        perKey = true;
    }

    private static Duration requirePositive(String what, Duration duration) {
        if (duration.isZero() || duration.isNegative()) {
            throw new ConfigException(what + " must be longer than no time");
        }
        return duration;
    }

    // --- as a configuration sets it ---

    /** Which relaxations are wanted, which is known before anything else is read. */
    void readAllow(Settings token) {
        token.each("allow", word -> allow(word.text()));
    }

    void read(Settings token) {
        token.refuse(LATER);
        endpoints = and(endpoints, readEndpoints(token));
        placement = token.read("send_as", placement, TokenOptions::placement);
        byName = token.read("attach", byName, value -> switch (value.text()) {
            case "always" -> false;
            case "by_name" -> true;
            default -> throw value.wrong("must be always or by_name");
        });
        required = token.flag("required", required);
        token.get("refresh").ifPresent(this::readRefresh);
        expiresAt = token.date("expires_at");
        issuedAt = token.date("issued_at");
        token.get("scopes").ifPresent(this::readScopes);
        maxLifetime = token.has("max_lifetime") ? token.duration("max_lifetime", Duration.ofDays(1)) : null;
        token.each("deny_fingerprints", value -> denyFingerprints(value.text()));
        restrict(token, "allow_ips", value -> allowIps(value.text()));
        restrict(token, "hours", value -> hours(value.text()));
        check = token.read("check", this::checkWithin).orElse(null);
        verified = token.flag("verify", verified);
        if (verified && !token.has("check")) {
            token.get("verify").ifPresent(verify -> verify.note(VERIFY_NEEDS_CHECK));
        }
        perKey = token.flag("per_key", perKey);
        if (perKey && allow.contains("cache")) {
            token.get("allow").ifPresent(words -> words.note(NO_CACHE_PER_KEY));
        }
        token.read("accept_rotated_from", header -> acceptRotatedFrom(header.text()));
    }

    /** A list of what is allowed; an empty one could mean nothing or everything. */
    private static void restrict(Settings token, String key, Settings.Parser<TokenOptions> parser) {
        token.each(key, parser);
        token.get(key)
                .filter(list -> list.items().isEmpty())
                .ifPresent(list -> list.note("must not be empty: leave '" + key + "' out if everything is allowed"));
    }

    private CheckRequest checkWithin(Settings value) {
        CheckRequest request = CheckRequest.read(value);
        if (!endpointsAreWrong) {
            request.within(endpoints, allow.contains("unsafe_check"));
        }
        return request;
    }

    private List<Endpoint> readEndpoints(Settings token) {
        if (token.has("endpoint") && token.has("endpoints")) {
            token.note("'endpoint' and 'endpoints' are one key: give one of them");
        }
        String key = token.has("endpoints") ? "endpoints" : "endpoint";
        List<Endpoint> good = token.each(key, url -> Endpoint.parse(url.text(), allow.contains("insecure_http")));
        int written = token.get(key).map(list -> list.items().size()).orElse(0);
        endpointsAreWrong = good.size() < written;
        return good;
    }

    private void readRefresh(Settings map) {
        if (!map.isMap()) {
            map.note("must be a map with the keys before, every and timeout");
        }
        refresh = map.read("before", refresh, this::before);
        if (map.has("every")) {
            refresh = refresh.withEvery(map.duration("every", Duration.ofMinutes(1)));
        }
        refresh = refresh.withTimeout(map.duration("timeout", refresh.timeout()));
    }

    private RefreshPolicy before(Settings value) {
        Matcher share = SHARE.matcher(value.text());
        if (share.matches()) {
            return refresh.withShare(Integer.parseInt(share.group(1)) / 100.0);
        }
        if (value.text().endsWith("%")) {
            throw value.wrong("must be a part of the lifetime from 1% to 99%, or a duration such as 5m");
        }
        return refresh.withBefore(value.duration());
    }

    private void readScopes(Settings scopes) {
        if (!scopes.isMap()) {
            scopes.note("must be a map with the keys granted, require and forbid");
        }
        scopes.each("granted", value -> grantedScopes(value.text()));
        scopes.each("require", value -> requireScopes(value.text()));
        scopes.each("forbid", value -> forbidScopes(value.text()));
    }

    private static Placement placement(Settings value) {
        if (!value.isMap()) {
            if (!value.text().equals("bearer")) {
                throw value.wrong("must be bearer, {header: NAME}, {basic: USER} or {query: NAME}");
            }
            return Placement.bearer();
        }
        List<String> kinds =
                List.of("header", "basic", "query").stream().filter(value::has).toList();
        if (kinds.size() != 1) {
            throw value.wrong("must have exactly one of the keys header, basic and query");
        }
        String kind = kinds.get(0);
        if (kind.equals("header")) {
            String prefix = value.text("prefix", "");
            return value.read(kind, Placement.bearer(), name -> Placement.header(name.text(), prefix));
        }
        return value.read(
                kind,
                Placement.bearer(),
                name -> kind.equals("basic") ? Placement.basic(name.text()) : Placement.query(name.text()));
    }

    // --- as the agent uses it ---

    /** Everything that was set: what two options must have in common to be the same. */
    private List<Object> all() {
        return Arrays.asList(
                writtenEndpoints,
                endpoints,
                allow,
                policies,
                granted,
                requiredScopes,
                forbiddenScopes,
                leaked,
                networks,
                hours,
                placement,
                byName,
                required,
                verified,
                perKey,
                refresh,
                rotatedFrom,
                maxLifetime,
                expiresAt,
                issuedAt,
                check);
    }

    /** Whether these options mean the same, so that a reload may leave a token as it is. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof TokenOptions options && all().equals(options.all());
    }

    /** Of what tells most apart. Hashing a record takes the loading of classes that a look needs for nothing else. */
    @Override
    public int hashCode() {
        return Objects.hash(endpoints, placement);
    }

    /** Judges what a program has set, now that everything is known. */
    void complete() {
        boolean insecure = allow.contains("insecure_http");
        for (String url : writtenEndpoints) {
            endpoints = and(endpoints, List.of(Endpoint.parse(url, insecure)));
        }
        writtenEndpoints = List.of();
        checkTarget();
        if (verified && check == null) {
            throw new ConfigException(VERIFY_NEEDS_CHECK);
        }
        if (perKey && allow.contains("cache")) {
            throw new ConfigException(NO_CACHE_PER_KEY);
        }
    }

    @Nullable
    HttpUrl checkTarget() {
        return check == null ? null : check.within(endpoints, allow.contains("unsafe_check"));
    }

    /** What is known of a token with what the configuration adds; what the token says itself stays. */
    TokenDocument completed(TokenDocument document) {
        TokenDocument known = document;
        if (expiresAt != null && known.expiresAt().isEmpty()) {
            known = known.withExpiresAt(expiresAt);
        }
        if (issuedAt != null && known.issuedAt().isEmpty()) {
            known = known.withIssuedAt(issuedAt);
        }
        return granted.isEmpty() || known.scopes().isPresent() ? known : known.withScopes(granted);
    }

    void tellTimeBy(Clock agents) {
        clock = agents;
    }

    TokenPolicy policy() {
        boolean unknown = allow.contains("unknown");
        List<TokenPolicy> all = new ArrayList<>();
        if (!leaked.isEmpty()) {
            all.add(TokenPolicies.denyFingerprints(leaked));
        }
        if (!requiredScopes.isEmpty() || !forbiddenScopes.isEmpty()) {
            all.add(TokenPolicies.scopes(requiredScopes, forbiddenScopes, unknown));
        }
        if (maxLifetime != null) {
            all.add(TokenPolicies.maxLifetime(maxLifetime, unknown));
        }
        if (!networks.isEmpty()) {
            all.add(TokenPolicies.allowIps(networks.toArray(String[]::new)));
        }
        if (!hours.isEmpty()) {
            all.add(TokenPolicies.hours(clock, hours.toArray(String[]::new)));
        }
        all.addAll(policies);
        return TokenPolicies.allOf(all);
    }

    Set<String> allow() {
        return allow;
    }

    List<Endpoint> endpoints() {
        return endpoints;
    }

    Placement placement() {
        return placement;
    }

    boolean isByName() {
        return byName;
    }

    boolean isRequired() {
        return required;
    }

    RefreshPolicy refresh() {
        return refresh;
    }

    boolean isPerKey() {
        return perKey;
    }

    boolean isVerified() {
        return verified;
    }

    @Nullable
    String rotatedFrom() {
        return rotatedFrom;
    }

    @Nullable
    CheckRequest check() {
        return check;
    }
}
