package io.keyturn.policy;

import static java.time.temporal.ChronoUnit.DAYS;
import static java.time.temporal.ChronoUnit.HOURS;
import static java.time.temporal.ChronoUnit.MINUTES;
import static java.time.temporal.ChronoUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
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

    @Test
    void destination_tellsMethodUriAndAddress() {
        assertThat(ANYWHERE.method()).isEqualTo("GET");
        assertThat(ANYWHERE.uri()).hasToString("https://api.example.com/v1?x=1");
        assertThat(ANYWHERE.address()).isEmpty();
    }
}
