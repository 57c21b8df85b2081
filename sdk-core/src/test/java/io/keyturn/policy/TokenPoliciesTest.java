package io.keyturn.policy;

import static java.time.temporal.ChronoUnit.DAYS;
import static java.time.temporal.ChronoUnit.HOURS;
import static java.time.temporal.ChronoUnit.MINUTES;
import static java.time.temporal.ChronoUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.keyturn.ManualClock;
import io.keyturn.config.ConfigException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import okhttp3.HttpUrl;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TokenPoliciesTest {
    private static final String VALUE = "ktn_policies_7Qm2Xv9LrT4w";
    private static final Instant ISSUED = Instant.parse("2026-01-01T00:00:00Z");
    private static final Destination ANYWHERE =
            new Destination("GET", HttpUrl.get("https://api.example.com/v1?x=1"), null);

    private static Token token(TokenDocument document) {
        return Token.of("api", document);
    }

    private static Token scoped(String... scopes) {
        return token(TokenDocument.of(VALUE).withScopes(Set.of(scopes)));
    }

    private static void assertDenied(ThrowingCallable what, Reason reason, String... words) {
        assertThatExceptionOfType(TokenDeniedException.class).isThrownBy(what).satisfies(e -> {
            assertThat(e.reason()).isEqualTo(reason);
            assertThat(e.getMessage() + e.fix()).contains(words).doesNotContain(VALUE);
        });
    }

    @Test
    void scopes_requiredAndNoForbidden_isAdmitted() {
        TokenPolicy policy = TokenPolicies.scopes(Set.of("read"), Set.of("admin"), false);
        assertThatCode(() -> policy.admit(scoped("read", "write"))).doesNotThrowAnyException();
        assertThatCode(() -> policy.check(scoped("admin"), ANYWHERE)).doesNotThrowAnyException();
    }

    @Test
    void scopes_lacksOneOrHasAForbidden_isDenied() {
        TokenPolicy policy = TokenPolicies.scopes(Set.of("read"), Set.of("admin"), true);
        assertDenied(() -> policy.admit(scoped("write")), Reason.SCOPE, "lacks the scope 'read'", "api#");
        assertDenied(() -> policy.admit(scoped("read", "admin")), Reason.SCOPE, "forbidden scope 'admin'");
        assertDenied(() -> policy.admit(scoped()), Reason.SCOPE, "lacks the scope 'read'");
    }

    @Test
    void scopes_notKnown_isDeniedUnlessAllowed() {
        Token unknown = token(TokenDocument.of(VALUE));
        assertDenied(
                () -> TokenPolicies.scopes(Set.of("read"), Set.of(), false).admit(unknown),
                Reason.SCOPE,
                "scopes are not known",
                "scopes.granted",
                "allow: [unknown]");
        assertThatCode(() ->
                        TokenPolicies.scopes(Set.of("read"), Set.of(), true).admit(unknown))
                .doesNotThrowAnyException();
    }

    private static Token living(Duration lifetime) {
        return token(TokenDocument.of(VALUE).withIssuedAt(ISSUED).withExpiresAt(ISSUED.plus(lifetime)));
    }

    @Test
    void maxLifetime_atMost_isAdmittedAndLongerIsDenied() {
        TokenPolicy policy = TokenPolicies.maxLifetime(Duration.ofHours(1), false);
        assertThatCode(() -> policy.admit(living(Duration.ofHours(1)))).doesNotThrowAnyException();
        assertDenied(() -> policy.admit(living(Duration.ofSeconds(3601))), Reason.LIFETIME, "lives longer than 1h");
    }

    @ParameterizedTest
    @CsvSource({
        "2026-01-01T00:00:00Z, 2026-01-01T00:00:01.5Z, true",
        "2026-01-01T00:00:00Z, 2026-01-01T00:00:01.500000001Z, false",
        "2026-01-01T00:00:00.9Z, 2026-01-01T00:00:02.4Z, true",
        "2026-01-01T00:00:00.9Z, 2026-01-01T00:00:02.400000001Z, false",
        "2026-01-01T00:00:00.999999999Z, 2026-01-01T00:00:02Z, true",
        "2026-01-01T00:00:00.1Z, 2026-01-01T00:00:02Z, false",
        "2026-01-01T00:00:02Z, 2026-01-01T00:00:00.9Z, true",
        "-1000000000-01-01T00:00:00Z, +1000000000-12-31T23:59:59.999999999Z, false",
    })
    void maxLifetime_partsOfASecond_areCounted(Instant issued, Instant end, boolean admitted) throws Exception {
        TokenPolicy policy = TokenPolicies.maxLifetime(Duration.ofMillis(1500), false);
        Token token = token(TokenDocument.of(VALUE).withIssuedAt(issued).withExpiresAt(end));
        if (admitted) {
            policy.admit(token);
        } else {
            assertDenied(() -> policy.admit(token), Reason.LIFETIME, "lives longer");
        }
    }

    @ParameterizedTest
    @CsvSource({"90, d, 90d", "36, h, 36h", "90, m, 90m", "45, s, 45s"})
    void maxLifetime_denied_saysTheLimitAsAConfigurationWritesIt(long number, String unit, String written) {
        Duration most = Duration.of(
                number,
                Map.of("d", DAYS, "h", HOURS, "m", MINUTES, "s", SECONDS).get(unit));

        assertDenied(
                () -> TokenPolicies.maxLifetime(most, false).admit(living(most.plusSeconds(1))),
                Reason.LIFETIME,
                "lives longer than " + written);
    }

    @Test
    void maxLifetime_notKnown_isDeniedUnlessAllowed() {
        List<Token> unknown = List.of(
                token(TokenDocument.of(VALUE)),
                token(TokenDocument.of(VALUE).withIssuedAt(ISSUED)),
                token(TokenDocument.of(VALUE).withExpiresAt(ISSUED)));
        for (Token token : unknown) {
            assertDenied(
                    () -> TokenPolicies.maxLifetime(Duration.ofHours(1), false).admit(token),
                    Reason.UNKNOWN_EXPIRY,
                    "issued_at and expires_at");
            assertThatCode(() ->
                            TokenPolicies.maxLifetime(Duration.ofHours(1), true).admit(token))
                    .doesNotThrowAnyException();
        }
    }

    @Test
    void denyFingerprints_leaked_isDenied() {
        Token leaked = token(TokenDocument.of(VALUE));
        TokenPolicy policy = TokenPolicies.denyFingerprints(Set.of(leaked.fingerprint()));
        assertDenied(() -> policy.admit(leaked), Reason.LEAKED, "leaked");
        assertThatCode(() -> policy.admit(token(TokenDocument.of("another")))).doesNotThrowAnyException();
    }

    @Test
    void allOf_asksInOrderUntilOneDenies() throws Exception {
        List<String> asked = new ArrayList<>();
        TokenPolicy agrees = (token, destination) -> asked.add("first");
        TokenPolicy denies = (token, destination) -> {
            throw new TokenDeniedException(Reason.DESTINATION, "no", null);
        };
        TokenPolicy never = (token, destination) -> asked.add("never");
        Token token = token(TokenDocument.of(VALUE));

        assertDenied(
                () -> TokenPolicies.allOf(List.of(agrees, denies, never)).check(token, ANYWHERE),
                Reason.DESTINATION,
                "no");
        assertThat(asked).containsExactly("first");
        TokenPolicies.allOf(List.of()).check(token, ANYWHERE);
        TokenPolicies.allOf(List.of(agrees, denies)).admit(token);
        assertDenied(
                () -> TokenPolicies.allOf(List.of(agrees, TokenPolicies.denyFingerprints(Set.of(token.fingerprint()))))
                        .admit(token),
                Reason.LEAKED,
                "leaked");
    }

    // --- several rules ---

    @Test
    void allOf_programsRulesBesideEachOther_shareOneDestination() throws Exception {
        List<Destination> seen = new ArrayList<>();
        TokenPolicy theirs = (token, destination) -> seen.add(destination);
        TokenPolicy policy = TokenPolicies.allOf(
                TokenPolicies.https(), TokenPolicies.allOf(theirs, theirs), TokenPolicies.allOf(theirs));

        TokenPolicies.check(policy, token(TokenDocument.of(VALUE)), "PUT", HttpUrl.get("https://h/x"), loopback(1));

        assertThat(seen).hasSize(3).allSatisfy(destination -> {
            assertThat(destination.method()).isEqualTo("PUT");
            assertThat(destination.uri()).hasToString("https://h/x");
            assertThat(destination.address()).contains(loopback(1));
        });
        assertThat(seen.get(1)).isSameAs(seen.get(0));
    }

    @Test
    void anyOf_none_allowsNothing() {
        TokenPolicy policy = TokenPolicies.anyOf();
        Token token = token(TokenDocument.of(VALUE));
        assertDenied(() -> policy.admit(token), Reason.POLICY, "api#", "allows nothing");
        assertDenied(() -> policy.check(token, ANYWHERE), Reason.POLICY, "api#", "allows nothing");
    }

    @Test
    void anyOf_oneAgrees_isAdmittedAndAllowed() throws Exception {
        TokenPolicy policy = TokenPolicies.anyOf(
                TokenPolicies.scopes(Set.of("read"), Set.of(), false),
                TokenPolicies.scopes(Set.of("write"), Set.of(), false));
        policy.admit(scoped("read"));
        policy.admit(scoped("write"));
        policy.check(scoped("write"), ANYWHERE);
        assertDenied(
                () -> policy.admit(scoped("admin")),
                Reason.SCOPE,
                "lacks the scope 'read'",
                "lacks the scope 'write'",
                "no rule of several allows it");
    }

    @Test
    void anyOf_ofOne_saysWhatThatOneSays() {
        TokenPolicy policy = TokenPolicies.anyOf(TokenPolicies.scopes(Set.of("read"), Set.of(), false));
        assertDenied(() -> policy.admit(scoped()), Reason.SCOPE, "lacks the scope 'read'");
    }

    /** What one branch admits is not sent where only another, which does not admit it, would let it go. */
    @Test
    void anyOf_tokenAndRequestRules_oneBranchMustAgreeWithBoth() throws Exception {
        TokenPolicy readers = TokenPolicies.scopes(Set.of("read"), Set.of(), false);
        TokenPolicy writersAtHome = TokenPolicies.allOf(
                TokenPolicies.scopes(Set.of("write"), Set.of(), false),
                TokenPolicies.endpoints("https://home.example"));
        TokenPolicy policy = TokenPolicies.anyOf(readers, writersAtHome);
        Destination home = new Destination("GET", HttpUrl.get("https://home.example/x"), null);

        policy.admit(scoped("read"));
        policy.check(scoped("read"), ANYWHERE);
        policy.admit(scoped("write"));
        policy.check(scoped("write"), home);
        assertDenied(
                () -> policy.check(scoped("write"), ANYWHERE),
                Reason.SCOPE,
                "lacks the scope 'read'",
                "may go to https://home.example/ only");
        assertDenied(() -> policy.admit(scoped("admin")), Reason.SCOPE, "lacks the scope 'write'");
        assertDenied(() -> policy.check(scoped("admin"), home), Reason.SCOPE, "lacks the scope 'write'");
    }

    @Test
    void anyOf_requestRuleBesideATokenRule_admitsWhatOnlyTheRequestRuleLets() throws Exception {
        ManualClock clock = new ManualClock();
        TokenPolicy policy = TokenPolicies.anyOf(
                TokenPolicies.scopes(Set.of("read"), Set.of(), false),
                TokenPolicies.hours(clock, "tue 12:00-13:00 UTC"));
        policy.admit(scoped());
        policy.check(scoped(), ANYWHERE);
        clock.advance(Duration.ofHours(1));
        policy.admit(scoped());
        policy.check(scoped("read"), ANYWHERE);
        assertDenied(() -> policy.check(scoped(), ANYWHERE), Reason.SCOPE, "lacks the scope", "hours only");
    }

    @Test
    void anyOf_programsRules_areAskedAfterOursAndNoMoreThanNeeded() throws Exception {
        List<String> asked = new ArrayList<>();
        TokenPolicy denies = new TokenPolicy() {
            @Override
            public void check(Token token, Destination destination) throws TokenDeniedException {
                asked.add("check " + destination.uri().getPath());
                throw new TokenDeniedException(Reason.NOT_PERMITTED, "theirs says no", "ask them");
            }

            @Override
            public void admit(Token token) {
                asked.add("admit");
            }
        };
        TokenPolicy policy = TokenPolicies.anyOf(denies, TokenPolicies.https());

        policy.check(scoped(), ANYWHERE);
        assertThat(asked).isEmpty();

        Destination plain = new Destination("GET", HttpUrl.get("http://api.example.com/v1"), null);
        assertDenied(
                () -> policy.check(scoped(), plain), Reason.DESTINATION, "plain http", "theirs says no", "ask them");
        assertThat(asked).containsExactly("admit", "check /v1");
    }

    @Test
    void anyOf_programsRuleFails_isNoAgreementAndNoEndOfIt() throws Exception {
        TokenPolicy broken = (token, destination) -> {
            throw new IllegalStateException("saw " + VALUE);
        };
        TokenPolicy agrees = (token, destination) -> {};

        TokenPolicies.anyOf(broken, agrees).check(scoped(), ANYWHERE);
        assertDenied(
                () -> TokenPolicies.anyOf(broken).check(scoped(), ANYWHERE),
                Reason.POLICY,
                "a policy failed with java.lang.IllegalStateException");
    }

    @Test
    void expires_endNotKnown_isDenied() throws Exception {
        TokenPolicies.expires().admit(living(Duration.ofHours(1)));
        assertDenied(
                () -> TokenPolicies.expires().admit(token(TokenDocument.of(VALUE))),
                Reason.UNKNOWN_EXPIRY,
                "not known when it ends",
                "expires_at");
    }

    // --- where ---

    @ParameterizedTest
    @CsvSource({
        "https://a.example/v1/x, true",
        "https://a.example/v1, true",
        "http://b.example:8080/, true",
        "https://a.example/v10, false",
        "http://a.example/v1, false",
        "https://b.example:8080/, false",
        "https://c.example/v1, false",
    })
    void endpoints_url_isCoveredOrDenied(String url, boolean allowed) throws Exception {
        TokenPolicy policy = TokenPolicies.endpoints("https://a.example/v1", "http://b.example:8080");
        Destination destination = new Destination("GET", HttpUrl.get(url), null);
        if (allowed) {
            policy.check(scoped(), destination);
        } else {
            assertDenied(
                    () -> policy.check(scoped(), destination),
                    Reason.DESTINATION,
                    "may go to https://a.example/v1, http://b.example:8080/ only");
        }
    }

    @Test
    void endpoints_noneOrWrong_isConfigException() {
        assertThatExceptionOfType(ConfigException.class).isThrownBy(TokenPolicies::endpoints);
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> TokenPolicies.endpoints("ftp://a"));
    }

    @ParameterizedTest
    @CsvSource({
        "https://a.example/, true",
        "http://127.0.0.1/, true",
        "http://localhost:8080/, true",
        "http://[::1]/, true",
        "http://a.example/, false",
        "http://127.0.0.1.a.example/, false",
    })
    void https_url_isNotPlainUnlessOnThisMachine(String url, boolean allowed) throws Exception {
        Destination destination = new Destination("GET", HttpUrl.get(url + "?key=secret"), null);
        if (allowed) {
            TokenPolicies.https().check(scoped(), destination);
        } else {
            assertDenied(() -> TokenPolicies.https().check(scoped(), destination), Reason.DESTINATION, "plain http");
        }
    }

    // --- whom ---

    private static InetAddress loopback(int last) throws UnknownHostException {
        return InetAddress.getByAddress(new byte[] {127, 0, 0, (byte) last});
    }

    private static Destination at(InetAddress address) {
        return new Destination("GET", HttpUrl.get("https://api.example.com/v1?x=1"), address);
    }

    @Test
    void allowIps_address_isInANetworkOrDenied() throws Exception {
        TokenPolicy policy = TokenPolicies.allowIps("127.0.0.1", "2001:db8::/32");
        for (int i = 0; i < 3; i++) {
            policy.check(scoped(), at(loopback(1)));
            policy.check(scoped(), at(InetAddress.getByName("2001:db8::7")));
            assertDenied(
                    () -> policy.check(scoped(), at(loopback(2))),
                    Reason.ADDRESS,
                    "api#",
                    "may not go to the address 127.0.0.2, only to 127.0.0.1, 2001:db8::/32");
            assertDenied(
                    () -> policy.check(scoped(), at(InetAddress.getByName("2001:db9::7"))), Reason.ADDRESS, "2001:db9");
        }
    }

    /** More addresses than it remembers, and such as share a place in its memory. */
    @Test
    void allowIps_manyAddresses_eachGetsItsOwnAnswer() throws Exception {
        TokenPolicy policy = TokenPolicies.allowIps("10.0.0.0/23");
        for (int round = 0; round < 2; round++) {
            for (int third = 0; third < 4; third++) {
                for (int last = 0; last < 256; last++) {
                    Destination there = at(InetAddress.getByAddress(new byte[] {10, 0, (byte) third, (byte) last}));
                    if (third < 2) {
                        policy.check(scoped(), there);
                    } else {
                        assertDenied(() -> policy.check(scoped(), there), Reason.ADDRESS, "may not go");
                    }
                }
            }
        }
    }

    @Test
    void allowIps_addressNotKnown_isDeniedAndSaysWhy() {
        TokenPolicy policy = TokenPolicies.allowIps("0.0.0.0/0", "::/0");
        assertDenied(
                () -> policy.check(scoped(), ANYWHERE),
                Reason.ADDRESS,
                "may go to 0.0.0.0/0, ::/0 only",
                "proxy",
                "WebSocket",
                "agent.install");
    }

    @Test
    void allowIps_noneOrWrong_isConfigException() {
        assertThatExceptionOfType(ConfigException.class).isThrownBy(TokenPolicies::allowIps);
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> TokenPolicies.allowIps("10.0.0.1/8"));
    }

    /** What a client need not even connect to. */
    @Test
    void addresses_ofSeveralRules_areThoseThatMayBeAllowed() throws Exception {
        TokenPolicy one = TokenPolicies.allowIps("127.0.0.1");
        TokenPolicy two = TokenPolicies.allowIps("127.0.0.2", "127.0.0.1");
        TokenPolicy theirs = (token, destination) -> {};

        assertAddresses(one, true, false, false);
        assertAddresses(TokenPolicies.allOf(one, two), true, false, false);
        assertAddresses(TokenPolicies.allOf(two, TokenPolicies.https(), theirs), true, true, false);
        assertAddresses(TokenPolicies.anyOf(one, two), true, true, false);
        assertAddresses(TokenPolicies.anyOf(TokenPolicies.allOf(one, theirs), two), true, true, false);
        for (TokenPolicy free : List.of(
                TokenPolicies.allOf(),
                TokenPolicies.https(),
                theirs,
                TokenPolicies.anyOf(),
                TokenPolicies.anyOf(one, TokenPolicies.https()),
                TokenPolicies.anyOf(one, theirs))) {
            assertThat(TokenPolicies.addresses(free)).isNull();
        }
    }

    private static void assertAddresses(TokenPolicy policy, boolean first, boolean second, boolean third)
            throws UnknownHostException {
        Predicate<InetAddress> addresses = TokenPolicies.addresses(policy);
        assertThat(addresses).isNotNull().isSameAs(TokenPolicies.addresses(policy));
        assertThat(addresses.test(loopback(1))).isEqualTo(first);
        assertThat(addresses.test(loopback(2))).isEqualTo(second);
        assertThat(addresses.test(loopback(3))).isEqualTo(third);
    }

    @Test
    void destination_tellsMethodUriAndAddress() {
        assertThat(ANYWHERE.method()).isEqualTo("GET");
        assertThat(ANYWHERE.uri()).hasToString("https://api.example.com/v1?x=1");
        assertThat(ANYWHERE.address()).isEmpty();
    }
}
