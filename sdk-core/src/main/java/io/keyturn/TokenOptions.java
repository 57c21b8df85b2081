package io.keyturn;

import io.keyturn.check.CheckRequest;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import io.keyturn.http.Placement;
import io.keyturn.policy.Endpoint;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
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

    private static final Map<String, String> LATER = Map.ofEntries(
            later("per_key"),
            later("verify"),
            later("accept_rotated_from"),
            later("unused_after"),
            later("rotate"),
            later("allow_ips"),
            later("hours"));

    private final List<String> writtenEndpoints = new ArrayList<>();
    private final List<Endpoint> endpoints = new ArrayList<>();
    private final Set<String> allow = new LinkedHashSet<>();
    private final List<TokenPolicy> policies = new ArrayList<>();
    private final Set<String> granted = new LinkedHashSet<>();
    private final Set<String> requiredScopes = new LinkedHashSet<>();
    private final Set<String> forbiddenScopes = new LinkedHashSet<>();
    private final Set<String> leaked = new LinkedHashSet<>();
    private Placement placement = Placement.bearer();
    private boolean byName;
    private boolean endpointsAreWrong;
    private boolean required = true;
    private Duration fetchTimeout = Duration.ofSeconds(10);
    private @Nullable Duration maxLifetime;
    private @Nullable Instant expiresAt;
    private @Nullable Instant issuedAt;
    private @Nullable CheckRequest check;

    TokenOptions() {}

    static Map.Entry<String, String> later(String key) {
        return Map.entry(key, "'" + key + "' is not supported yet");
    }

    // --- as a program sets it ---

    /** Where the token may go: URLs; it goes to everything below their paths too. Without one it is attached nowhere. */
    public TokenOptions endpoint(String... urls) {
        writtenEndpoints.addAll(List.of(urls));
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
            allow.add(word);
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

    /** How long one fetch from the source may take; 10 s unless it is said. */
    public TokenOptions fetchTimeout(Duration timeout) {
        fetchTimeout = requirePositive("the fetch timeout", timeout);
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
        addScopes(granted, scopes);
        return this;
    }

    /** Scopes without which the token is refused. */
    public TokenOptions requireScopes(String... scopes) {
        addScopes(requiredScopes, scopes);
        return this;
    }

    /** Scopes with which the token is refused. */
    public TokenOptions forbidScopes(String... scopes) {
        addScopes(forbiddenScopes, scopes);
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
            leaked.add(fingerprint.toLowerCase(Locale.ROOT));
        }
        return this;
    }

    /** A rule of the program's own, asked after ours. */
    public TokenOptions policy(TokenPolicy rule) {
        policies.add(rule);
        return this;
    }

    /** A name with a space in it would be no scope at all, and one that is forbidden would never be found (RFC 6749 3.3). */
    private static void addScopes(Set<String> known, String... scopes) {
        for (String scope : scopes) {
            if (!SCOPE.matcher(scope).matches()) {
                throw new ConfigException("a scope is one word; several are a list, such as [read, write]");
            }
            known.add(scope);
        }
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
        endpoints.addAll(readEndpoints(token));
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
        check = token.read("check", this::checkWithin).orElse(null);
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

    private void readRefresh(Settings refresh) {
        if (!refresh.isMap()) {
            refresh.note("must be a map with the key timeout");
        }
        fetchTimeout = refresh.duration("timeout", fetchTimeout);
        refresh.refuse(Map.ofEntries(later("before"), later("every")));
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

    /** Judges what a program has set, now that everything is known. */
    void complete() {
        boolean insecure = allow.contains("insecure_http");
        for (String url : writtenEndpoints) {
            endpoints.add(Endpoint.parse(url, insecure));
        }
        writtenEndpoints.clear();
        checkTarget();
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

    TokenPolicy policy() {
        boolean unknown = allow.contains("unknown");
        List<TokenPolicy> all = new ArrayList<>();
        if (!leaked.isEmpty()) {
            all.add(TokenPolicies.denyFingerprints(Set.copyOf(leaked)));
        }
        if (!requiredScopes.isEmpty() || !forbiddenScopes.isEmpty()) {
            all.add(TokenPolicies.scopes(requiredScopes, forbiddenScopes, unknown));
        }
        if (maxLifetime != null) {
            all.add(TokenPolicies.maxLifetime(maxLifetime, unknown));
        }
        all.addAll(policies);
        return TokenPolicies.allOf(all);
    }

    Set<String> allow() {
        return Set.copyOf(allow);
    }

    List<Endpoint> endpoints() {
        return List.copyOf(endpoints);
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

    Duration fetchTimeout() {
        return fetchTimeout;
    }

    @Nullable
    CheckRequest check() {
        return check;
    }
}
