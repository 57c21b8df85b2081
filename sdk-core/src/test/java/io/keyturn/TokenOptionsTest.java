package io.keyturn;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.keyturn.check.CheckRequest;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Problem;
import io.keyturn.config.References;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import io.keyturn.http.Placement;
import io.keyturn.policy.Destination;
import io.keyturn.policy.Endpoint;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.RefreshPolicy;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The keys of a token beside its source, as a configuration and as a program sets them. */
class TokenOptionsTest {
    private static final References NOTHING = new References() {
        @Override
        public @Nullable String variable(String name) {
            return name.equals("TOKEN") ? Canary.TOKEN : null;
        }

        @Override
        public @Nullable String file(String path) {
            return null;
        }
    };

    private static final String API = "https://api.example.com";

    @RegisterExtension
    final Canary canary = new Canary();

    private Settings settings;

    private TokenOptions read(Object... keysAndValues) {
        settings = Written.in("agent.yaml", map("t", map(keysAndValues))).open(NOTHING);
        Settings token = settings.get("t").orElseThrow();
        TokenOptions options = new TokenOptions();
        options.readAllow(token);
        options.read(token);
        return options;
    }

    private List<String> problems() {
        List<String> problems =
                settings.problems().stream().map(Problem::toString).toList();
        canary.saw("problems", problems);
        return problems;
    }

    private TokenOptions right(Object... keysAndValues) {
        TokenOptions options = read(keysAndValues);
        assertThat(problems()).isEmpty();
        return options;
    }

    private static Token token(TokenDocument document) {
        return Token.of("t", document);
    }

    // --- defaults ---

    @Test
    void read_nothing_defaults() {
        for (TokenOptions options : List.of(right(), new TokenOptions())) {
            assertThat(options.endpoints()).isEmpty();
            assertThat(options.placement()).hasToString("header Authorization");
            assertThat(options.isByName()).isFalse();
            assertThat(options.isRequired()).isTrue();
            assertThat(options.allow()).isEmpty();
            assertThat(options.refresh()).isEqualTo(RefreshPolicy.defaults());
            assertThat(options.check()).isNull();
            assertThat(options.checkTarget()).isNull();
            TokenDocument document = TokenDocument.of("abc");
            assertThat(options.completed(document)).isSameAs(document);
            assertThatCode(() -> options.policy().admit(token(document))).doesNotThrowAnyException();
        }
    }

    // --- endpoint, endpoints ---

    @Test
    void read_endpointOrEndpoints_theSameKey() {
        List<Endpoint> expected = List.of(Endpoint.parse(API, false));
        assertThat(right("endpoint", API).endpoints()).isEqualTo(expected);
        assertThat(right("endpoints", API).endpoints()).isEqualTo(expected);
        assertThat(right("endpoint", List.of(API)).endpoints()).isEqualTo(expected);
        assertThat(right("endpoints", List.of(API, "http://127.0.0.1:8080/v1")).endpoints())
                .hasSize(2);
        assertThat(right("endpoints", List.of()).endpoints()).isEmpty();
    }

    @Test
    void read_endpointAndEndpoints_oneOfThem() {
        read("endpoint", API, "endpoints", List.of(API));

        assertThat(problems())
                .containsExactly("agent.yaml:2:3 t: 'endpoint' and 'endpoints' are one key: give one of them");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "api.example.com",
                "/v1",
                "file:///etc/passwd",
                "ftp://example.com",
                "https://",
                "https://ci@example.com",
                "https://ci:pass@example.com",
                "https://example.com/#f",
                "https://example.com/?q=1",
                "https://example.com:65536",
                "https://example.com:0",
                "https://ex\u0430mple.com",
                "https://exa mple.com",
                "https:\\\\example.com",
                "http://example.com",
                "https://${UNSET}",
                "${TOKEN}"
            })
    void read_badEndpoint_wrongAtTheValue(String url) {
        read("endpoint", List.of(API, url), "check", "GET /health");

        assertThat(problems()).hasSize(1).allMatch(problem -> problem.startsWith("agent.yaml:4:7 t.endpoint[1]: "));
    }

    @Test
    void read_plainHttp_whereAllowed() {
        assertThat(right("allow", "insecure_http", "endpoint", "http://example.com")
                        .endpoints())
                .hasSize(1);
        assertThat(right("endpoint", "http://localhost:8080", "allow", List.of("insecure_http"))
                        .allow())
                .containsExactly("insecure_http");
    }

    // --- send_as ---

    static Stream<Arguments> placements() {
        return Stream.of(
                arguments("bearer", "header Authorization", "Bearer abc"),
                arguments(map("header", "X-Api-Key"), "header X-Api-Key", "abc"),
                arguments(map("header", "Authorization", "prefix", "Token "), "header Authorization", "Token abc"),
                arguments(map("prefix", "Token ", "header", "X"), "header X", "Token abc"),
                arguments(map("header", "X", "prefix", ""), "header X", "abc"),
                arguments(map("basic", "ci"), "header Authorization", "Basic Y2k6YWJj"),
                arguments(map("query", "key"), "query parameter key", "abc"));
    }

    @ParameterizedTest
    @MethodSource("placements")
    void read_sendAs_eachForm(Object written, String field, String sent) {
        Placement placement = right("send_as", written).placement();

        assertThat(placement).hasToString(field);
        assertThat(placement.form(token(TokenDocument.of("abc"))).reveal()).isEqualTo(sent);
    }

    static Stream<Arguments> badPlacements() {
        String forms = "must be bearer, {header: NAME}, {basic: USER} or {query: NAME}";
        String one = "must have exactly one of the keys header, basic and query";
        String header = "a token cannot be sent in a header of this name";
        return Stream.of(
                arguments("Bearer", "agent.yaml:2:12 t.send_as: " + forms),
                arguments("", "agent.yaml:2:12 t.send_as: " + forms),
                arguments("X-Api-Key", "agent.yaml:2:12 t.send_as: " + forms),
                arguments(List.of("bearer"), "agent.yaml:3:5 t.send_as: must be text, and is a list"),
                arguments(map("header", "X", "query", "q"), "agent.yaml:3:5 t.send_as: " + one),
                arguments(
                        map("prefix", "X"),
                        "agent.yaml:3:5 t.send_as: " + one + "\nagent.yaml:3:5 t.send_as: unknown key 'prefix'"),
                arguments(
                        map("heder", "X"),
                        "agent.yaml:3:5 t.send_as: " + one
                                + "\nagent.yaml:3:5 t.send_as: unknown key 'heder', did you mean 'header'?"),
                arguments(map("basic", "ci", "prefix", "X"), "agent.yaml:4:5 t.send_as: unknown key 'prefix'"),
                arguments(map("header", "Host"), "agent.yaml:3:13 t.send_as.header: " + header),
                arguments(map("header", "content-length"), "agent.yaml:3:13 t.send_as.header: " + header),
                arguments(map("header", "A:B"), "agent.yaml:3:13 t.send_as.header: " + header),
                arguments(map("header", ""), "agent.yaml:3:13 t.send_as.header: " + header),
                arguments(map("header", "X Y"), "agent.yaml:3:13 t.send_as.header: " + header),
                arguments(map("header", "X\nY"), "agent.yaml:3:13 t.send_as.header: " + header),
                arguments(map("header", "\u0425"), "agent.yaml:3:13 t.send_as.header: " + header),
                arguments(map("header", map("a", "b")), "agent.yaml:4:7 t.send_as.header: must be text, and is a map"),
                arguments(
                        map("header", "X", "prefix", "a\nb"),
                        "agent.yaml:3:13 t.send_as.header: the prefix of a header must be printable ASCII"),
                arguments(
                        map("basic", "a:b"),
                        "agent.yaml:3:12 t.send_as.basic: the user's name must be printable ASCII without a colon"),
                arguments(map("query", ""), "agent.yaml:3:12 t.send_as.query: a query parameter needs a name"));
    }

    @ParameterizedTest
    @MethodSource("badPlacements")
    void read_badSendAs_wrongAtItsPlace(Object written, String expected) {
        read("send_as", written);

        assertThat(String.join("\n", problems())).isEqualTo(expected);
    }

    // --- allow ---

    @ParameterizedTest
    @ValueSource(
            strings = {"insecure_http", "group_read", "world_read", "cache", "unknown", "unsafe_check", "ephemeral"})
    void allow_knownWord_heard(String word) {
        assertThat(right("allow", word).allow()).containsExactly(word);
        assertThat(new TokenOptions().allow(word).allow()).containsExactly(word);
    }

    @Test
    void read_unknownWord_notedWithoutIt() {
        TokenOptions options = read("allow", List.of("cache", "${TOKEN}", "world-read", map("a", "b")));

        assertThat(options.allow()).containsExactly("cache");
        String known =
                "a word of allow is one of cache, ephemeral, group_read, insecure_http, unknown, unsafe_check, world_read";
        assertThat(problems())
                .containsExactly(
                        "agent.yaml:4:7 t.allow[1]: " + known,
                        "agent.yaml:5:7 t.allow[2]: " + known,
                        "agent.yaml:6:7 t.allow[3]: must be text, and is a map");
    }

    // --- the check ---

    @Test
    void read_check_withinTheEndpoints() {
        assertThat(right("endpoint", API, "check", "GET /health").checkTarget()).hasToString(API + "/health");
        assertThat(right("endpoint", API + "/v1", "check", "HEAD /v1/me").checkTarget())
                .hasToString(API + "/v1/me");
        assertThat(right("endpoint", API, "check", "get " + API + "/x?y=1").checkTarget())
                .hasToString(API + "/x?y=1");
        CheckRequest request = right(
                        "endpoint",
                        API,
                        "check",
                        map(
                                "request",
                                "GET /me",
                                "expect",
                                List.of("200", "3xx"),
                                "anonymous",
                                "off",
                                "identity",
                                "/login"))
                .check();
        assertThat(request.method()).isEqualTo("GET");
        assertThat(request.expected()).contains(200, 300, 399).doesNotContain(201);
        assertThat(request.refused()).isEmpty();
        assertThat(request.identity()).isEqualTo("/login");
        assertThat(right("endpoint", API, "allow", "unsafe_check", "check", "POST /introspect")
                        .check()
                        .method())
                .isEqualTo("POST");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    GET /v2/me                     | lies outside the token's endpoints: https://api.example.com/v1
                    GET /v10                       | lies outside the token's endpoints: https://api.example.com/v1
                    GET /v1/../admin               | lies outside the token's endpoints: https://api.example.com/v1
                    GET https://other.example.com/ | lies outside the token's endpoints: https://api.example.com/v1
                    GET http://api.example.com/v1  | lies outside the token's endpoints: https://api.example.com/v1
                    POST /v1/me                    | must be GET, HEAD or OPTIONS, since it is sent again and again (or allow: [unsafe_check])
                    /v1/me                         | must be a method and a target, such as GET /v1/me
                    GET                            | must be a method and a target, such as GET /v1/me
                    GET v1/me                      | the target must be a path that begins with a slash, or a URL, without fragment
                    ${TOKEN}                       | must be a method and a target, such as GET /v1/me
                    """)
    void read_badCheck_wrongAtTheValue(String request, String why) {
        read("endpoint", API + "/v1", "check", request);

        assertThat(problems()).containsExactly("agent.yaml:3:10 t.check: " + why);
    }

    @Test
    void read_checkWithoutEndpoint_wrongAtTheValue() {
        read("check", "GET /health");

        assertThat(problems())
                .containsExactly("agent.yaml:2:10 t.check: needs an endpoint: without one the token may go nowhere");
    }

    // --- words, flags and times ---

    @Test
    void read_attachRequiredRefresh_heard() {
        assertThat(right("attach", "by_name").isByName()).isTrue();
        assertThat(right("attach", "always").isByName()).isFalse();
        assertThat(right("required", "false").isRequired()).isFalse();
        RefreshPolicy defaults = RefreshPolicy.defaults();
        assertThat(right("refresh", map("timeout", "3s")).refresh())
                .isEqualTo(defaults.withTimeout(Duration.ofSeconds(3)));
        assertThat(right("refresh", map("before", "10%")).refresh()).isEqualTo(defaults.withShare(0.1));
        assertThat(right("refresh", map("before", "5m")).refresh())
                .isEqualTo(defaults.withBefore(Duration.ofMinutes(5)));
        assertThat(right("refresh", map("every", "30s")).refresh())
                .isEqualTo(defaults.withEvery(Duration.ofSeconds(30)));
    }

    static Stream<Arguments> mistakes() {
        String time = "must be a day such as 2026-12-31, or an instant such as 2026-12-31T12:00:00Z";
        String duration = "must be a duration such as 500ms, 10s, 5m, 12h or 90d, of at most 36500d";
        String scope = "a scope is one word; several are a list, such as [read, write]";
        String fingerprint = "a fingerprint is 12 hexadecimal digits, as the check prints them";
        return Stream.of(
                arguments("attach", "by-name", "agent.yaml:2:11 t.attach: must be always or by_name"),
                arguments("required", "no", "agent.yaml:2:13 t.required: must be true or false"),
                arguments(
                        "refresh",
                        "20%",
                        "agent.yaml:2:12 t.refresh: must be a map with the keys before, every and timeout"),
                arguments(
                        "refresh",
                        map("before", "100%"),
                        "agent.yaml:3:13 t.refresh.before: must be a part of the lifetime from 1% to 99%, or a duration"
                                + " such as 5m"),
                arguments("refresh", map("before", "soon"), "agent.yaml:3:13 t.refresh.before: " + duration),
                arguments("refresh", map("every", "60"), "agent.yaml:3:12 t.refresh.every: " + duration),
                arguments(
                        "accept_rotated_from",
                        "X New",
                        "agent.yaml:2:24 t.accept_rotated_from: must be the name of a header, such as X-New-Access-Token"),
                arguments(
                        "verify",
                        "true",
                        "agent.yaml:2:11 t.verify: verify needs a check: the request that a new token is tried with"),
                arguments("refresh", map("timeout", "0s"), "agent.yaml:3:14 t.refresh.timeout: " + duration),
                arguments(
                        "refresh",
                        map("timout", "1s"),
                        "agent.yaml:3:5 t.refresh: unknown key 'timout', did you mean 'timeout'?"),
                arguments("expires_at", "soon", "agent.yaml:2:15 t.expires_at: " + time),
                arguments("issued_at", "2026-02-30", "agent.yaml:2:14 t.issued_at: " + time),
                arguments("max_lifetime", "90", "agent.yaml:2:17 t.max_lifetime: " + duration),
                arguments(
                        "scopes",
                        List.of("read"),
                        "agent.yaml:3:5 t.scopes: must be a map with the keys granted, require and forbid"),
                arguments(
                        "scopes",
                        map("required", "read"),
                        "agent.yaml:3:5 t.scopes: unknown key 'required', did you mean 'require'?"),
                arguments("scopes", map("forbid", "admin write"), "agent.yaml:3:13 t.scopes.forbid: " + scope),
                arguments("scopes", map("require", ""), "agent.yaml:3:14 t.scopes.require: " + scope),
                arguments(
                        "scopes", map("granted", List.of("a", "b\"c")), "agent.yaml:5:9 t.scopes.granted[1]: " + scope),
                arguments(
                        "deny_fingerprints",
                        List.of("3f9a1c2b44d0", "3f9a1c2b44d", "${TOKEN}"),
                        "agent.yaml:4:7 t.deny_fingerprints[1]: " + fingerprint
                                + "\nagent.yaml:5:7 t.deny_fingerprints[2]: " + fingerprint));
    }

    @ParameterizedTest
    @MethodSource("mistakes")
    void read_mistake_wrongAtItsPlace(String key, Object value, String expected) {
        read(key, value);

        assertThat(String.join("\n", problems())).isEqualTo(expected);
    }

    // --- what a token is by its configuration ---

    @Test
    void completed_opaqueToken_knowsWhatTheConfigurationSays() {
        TokenDocument known = right(
                        "expires_at",
                        "2026-12-31",
                        "issued_at",
                        "2026-01-01T00:00:00Z",
                        "scopes",
                        map("granted", List.of("a", "b")))
                .completed(TokenDocument.of("abc").withOrigin("file x"));

        assertThat(known.expiresAt()).contains(Instant.parse("2026-12-31T00:00:00Z"));
        assertThat(known.issuedAt()).contains(Instant.parse("2026-01-01T00:00:00Z"));
        assertThat(known.scopes()).contains(Set.of("a", "b"));
        assertThat(known.value().reveal()).isEqualTo("abc");
        assertThat(known.origin()).contains("file x");
    }

    /** Else a configuration could talk a forbidden scope away, or a token that was replaced would end with its predecessor. */
    @Test
    void completed_tokenThatSaysItself_stays() {
        TokenDocument says = TokenDocument.of("abc")
                .withExpiresAt(Instant.parse("2027-06-01T00:00:00Z"))
                .withIssuedAt(Instant.parse("2027-01-01T00:00:00Z"))
                .withScopes(Set.of("admin"));
        TokenOptions options = right(
                "expires_at",
                "2026-12-31",
                "issued_at",
                "2026-01-01",
                "scopes",
                map("granted", "read", "forbid", "admin"));

        TokenDocument known = options.completed(says);

        assertThat(known.expiresAt()).isEqualTo(says.expiresAt());
        assertThat(known.issuedAt()).isEqualTo(says.issuedAt());
        assertThat(known.scopes()).contains(Set.of("admin"));
        assertThat(canary.caught(
                                TokenDeniedException.class,
                                () -> options.policy().admit(token(known)))
                        .reason())
                .isEqualTo(Reason.SCOPE);
    }

    static Stream<Arguments> rules() {
        Instant issued = Instant.parse("2026-01-01T00:00:00Z");
        TokenDocument opaque = TokenDocument.of(Canary.TOKEN);
        TokenDocument lasting = opaque.withIssuedAt(issued).withExpiresAt(issued.plus(Duration.ofDays(91)));
        TokenDocument reading = opaque.withScopes(Set.of("read"));
        return Stream.of(
                arguments("scopes", map("require", List.of("read")), reading, null),
                arguments("scopes", map("require", List.of("read", "write")), reading, Reason.SCOPE),
                arguments("scopes", map("forbid", "read"), reading, Reason.SCOPE),
                arguments("scopes", map("forbid", "admin"), reading, null),
                arguments("scopes", map("forbid", "admin"), opaque, Reason.SCOPE),
                arguments("scopes", map("granted", "read"), opaque, null),
                arguments("max_lifetime", "91d", lasting, null),
                arguments("max_lifetime", "90d", lasting, Reason.LIFETIME),
                arguments("max_lifetime", "90d", opaque, Reason.UNKNOWN_EXPIRY),
                arguments("deny_fingerprints", "5e789f93fb11", opaque, Reason.LEAKED),
                arguments("deny_fingerprints", List.of("000000000000", "5E789F93FB11"), opaque, Reason.LEAKED),
                arguments("deny_fingerprints", "000000000000", opaque, null));
    }

    @ParameterizedTest
    @MethodSource("rules")
    void policy_rule_admitsOrSaysWhy(String key, Object value, TokenDocument document, @Nullable Reason denied) {
        TokenOptions options = right(key, value);

        if (denied == null) {
            assertThatCode(() -> options.policy().admit(token(document))).doesNotThrowAnyException();
        } else {
            TokenDeniedException e = canary.caught(
                    TokenDeniedException.class, () -> options.policy().admit(token(document)));
            assertThat(e.reason()).isEqualTo(denied);
        }
    }

    @Test
    void policy_unknownWhereARuleAsks_asAllowed() {
        TokenOptions options = right("allow", "unknown", "scopes", map("require", "read"), "max_lifetime", "90d");

        assertThatCode(() -> options.policy().admit(token(TokenDocument.of("abc"))))
                .doesNotThrowAnyException();
    }

    // --- allow_ips, hours ---

    private static Reason denial(TokenOptions options, String address) {
        Token token = token(TokenDocument.of("abc"));
        try {
            options.policy()
                    .check(token, new Destination("GET", HttpUrl.get(API + "/v1"), InetAddress.getByName(address)));
            return null;
        } catch (TokenDeniedException e) {
            return e.reason();
        } catch (UnknownHostException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void read_allowIps_onlyTheseNetworks() {
        for (TokenOptions options : List.of(
                right("allow_ips", List.of("203.0.113.0/24", "2001:db8::/32")),
                new TokenOptions().allowIps("203.0.113.0/24").allowIps("2001:db8::/32"))) {
            assertThat(denial(options, "203.0.113.7")).isNull();
            assertThat(denial(options, "2001:db8::7")).isNull();
            assertThat(denial(options, "203.0.114.7")).isEqualTo(Reason.ADDRESS);
        }
        assertThat(denial(right("allow_ips", "203.0.113.7"), "203.0.113.7")).isNull();
        assertThat(denial(right(), "203.0.114.7")).isNull();
    }

    @Test
    void read_hours_byTheAgentsClock() {
        ManualClock clock = new ManualClock();
        for (TokenOptions options : List.of(
                right("hours", List.of("tue 12:00-13:00 UTC", "wed 12:00-13:00 UTC")),
                right("hours", "tue 12:00-13:00 UTC"),
                new TokenOptions().hours("tue 12:00-13:00 UTC"))) {
            options.tellTimeBy(clock);
            assertThat(denial(options, "127.0.0.1")).isNull();
            options.tellTimeBy(Clock.offset(clock, Duration.ofHours(1)));
            assertThat(denial(options, "127.0.0.1")).isEqualTo(Reason.HOURS);
        }
    }

    @Test
    void read_allowIpsOrHoursWrong_saidAtTheItem() {
        read(
                "allow_ips",
                List.of("203.0.113.0/24", "203.0.113.7/24", canary.token()),
                "hours",
                List.of("weekdays 08:00-18:00 UTC", "mon 08:00-18:00 UTC", canary.token()));

        assertThat(problems())
                .hasSize(4)
                .satisfiesExactly(
                        problem -> assertThat(problem)
                                .startsWith("agent.yaml:4:7 t.allow_ips[1]: must be a network")
                                .contains("203.0.113.0/24"),
                        problem -> assertThat(problem)
                                .startsWith("agent.yaml:5:7 t.allow_ips[2]: must be a network")
                                .contains("2001:db8::/32"),
                        problem -> assertThat(problem).startsWith("agent.yaml:7:7 t.hours[0]: must have days"),
                        problem -> assertThat(problem)
                                .startsWith("agent.yaml:9:7 t.hours[2]: must be days, hours and a zone")
                                .contains("mon-fri 08:00-18:00 Europe/Berlin"));
    }

    /** Nothing allowed, or everything? */
    @Test
    void read_allowIpsOrHoursEmpty_isRefused() {
        read("allow_ips", List.of(), "hours", List.of());

        assertThat(problems())
                .containsExactly(
                        "agent.yaml:3:5 t.allow_ips: must not be empty: leave 'allow_ips' out if everything is allowed",
                        "agent.yaml:4:5 t.hours: must not be empty: leave 'hours' out if everything is allowed");
        assertThat(canary.caught(ConfigException.class, () -> new TokenOptions().allowIps()))
                .hasMessageContaining("name a network");
        assertThat(canary.caught(ConfigException.class, () -> new TokenOptions().hours()))
                .hasMessageContaining("name a span");
    }

    @Test
    void equals_allowIpsOrHoursChanged_isNotTheSame() {
        TokenOptions options = right("allow_ips", "203.0.113.7", "hours", "tue 12:00-13:00 UTC");
        assertThat(options)
                .isEqualTo(right("allow_ips", "203.0.113.7", "hours", "tue 12:00-13:00 UTC"))
                .isNotEqualTo(right("allow_ips", "203.0.113.8", "hours", "tue 12:00-13:00 UTC"))
                .isNotEqualTo(right("allow_ips", "203.0.113.7", "hours", "tue 12:00-14:00 UTC"));
    }

    // --- as a program sets it ---

    @Test
    void program_everyOption_theSameAsAConfiguration() throws TokenDeniedException {
        TokenOptions options = new TokenOptions()
                .endpoint(API + "/v1", "http://example.com")
                .sendAs(Placement.header("X-Api-Key"))
                .attachByName()
                .optional()
                .allow("insecure_http", "unknown")
                .check("GET /v1/me")
                .refresh(RefreshPolicy.defaults().withTimeout(Duration.ofSeconds(3)))
                .expiresAt(Instant.parse("2026-12-31T00:00:00Z"))
                .issuedAt(Instant.parse("2026-12-01T00:00:00Z"))
                .grantedScopes("read", "write")
                .requireScopes("read")
                .forbidScopes("admin")
                .maxLifetime(Duration.ofDays(31))
                .denyFingerprints("000000000000");
        options.complete();

        assertThat(options.endpoints())
                .extracting(Endpoint::toString)
                .containsExactly(API + "/v1", "http://example.com/");
        assertThat(options.placement()).hasToString("header X-Api-Key");
        assertThat(options.isByName()).isTrue();
        assertThat(options.isRequired()).isFalse();
        assertThat(options.refresh().timeout()).isEqualTo(Duration.ofSeconds(3));
        assertThat(options.checkTarget()).hasToString(API + "/v1/me");
        TokenDocument known = options.completed(TokenDocument.of("abc"));
        assertThat(known.scopes()).contains(Set.of("read", "write"));
        options.policy().admit(token(known));
    }

    @Test
    void program_whatIsWrongInItself_saidAtOnce() {
        TokenOptions options = new TokenOptions();
        String token = canary.token();

        for (Runnable mistake : List.<Runnable>of(
                () -> options.allow("cache", token),
                () -> options.check(token),
                () -> options.acceptRotatedFrom("X New " + token),
                () -> options.maxLifetime(Duration.ofSeconds(-1)),
                () -> options.grantedScopes("a b " + token),
                () -> options.requireScopes(""),
                () -> options.forbidScopes("a b"),
                () -> options.denyFingerprints(token),
                () -> options.allowIps("10.0.0.0/8", token),
                () -> options.hours("mon 08:00-18:00 UTC", token))) {
            ConfigException e = canary.caught(ConfigException.class, mistake::run);
            assertThat(e.problems()).hasSize(1);
        }
        assertThat(options.refresh()).isEqualTo(RefreshPolicy.defaults());
    }

    @Test
    void complete_whatNeedsTheOthers_saidAtTheEnd() {
        TokenOptions http = new TokenOptions().endpoint("http://example.com");
        TokenOptions outside = new TokenOptions().check("GET /v2").endpoint(API + "/v1");
        TokenOptions fine = new TokenOptions().endpoint("http://example.com").allow("insecure_http");

        assertThat(canary.caught(ConfigException.class, http::complete)).hasMessageContaining("insecure_http");
        assertThat(canary.caught(ConfigException.class, outside::complete)).hasMessageContaining("lies outside");
        assertThatCode(fine::complete).doesNotThrowAnyException();
        assertThatCode(fine::complete).as("once more").doesNotThrowAnyException();
        assertThat(fine.endpoints()).hasSize(1);
    }

    @Test
    void policy_ofTheProgram_askedAfterOurs() {
        TokenOptions options = new TokenOptions().policy((token, destination) -> {
            throw new TokenDeniedException(Reason.DESTINATION, "not on Sundays", null);
        });

        assertThat(canary.caught(
                        TokenDeniedException.class,
                        () -> options.policy()
                                .check(
                                        token(TokenDocument.of(canary.token())),
                                        new Destination("GET", HttpUrl.get(API), null))))
                .hasMessage("not on Sundays");
    }
}
