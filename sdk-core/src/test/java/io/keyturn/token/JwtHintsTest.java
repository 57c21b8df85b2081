package io.keyturn.token;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JwtHintsTest {
    private static final Instant RECEIVED = Instant.parse("2026-11-24T12:00:00Z");
    private static final String HEADER = encode("{\"alg\":\"RS256\"}");

    private static String encode(String text) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes(UTF_8));
    }

    private static String jwt(String claims) {
        return HEADER + "." + encode(claims) + ".c2lnbmF0dXJl";
    }

    private static TokenDocument parse(String text) throws TokenException {
        return TokenDocument.parse(text.getBytes(UTF_8), RECEIVED);
    }

    private static void assertOpaque(String text) throws TokenException {
        TokenDocument document = parse(text);
        assertThat(document.value().reveal()).isEqualTo(text);
        assertThat(document.expiresAt()).isEmpty();
        assertThat(document.issuedAt()).isEmpty();
        assertThat(document.scopes()).isEmpty();
    }

    @Test
    void parse_jsonWebToken_claimsAreHints() throws TokenException {
        TokenDocument document = parse(
                jwt("{\"sub\":\"ci\",\"aud\":[\"a\"],\"iat\":1767225600,\"exp\":1767229200,\"scope\":\"read write\"}"));

        assertThat(document.issuedAt()).contains(Instant.parse("2026-01-01T00:00:00Z"));
        assertThat(document.expiresAt()).contains(Instant.parse("2026-01-01T01:00:00Z"));
        assertThat(document.scopes()).contains(Set.of("read", "write"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    {"scp": ["read", "write"]}   | read,write
                    {"scp": "read write"}        | read,write
                    {"scope": ["read"]}          | read
                    """)
    void parse_scopeClaims_eitherForm(String claims, String scopes) throws TokenException {
        assertThat(parse(jwt(claims)).scopes()).contains(Set.of(scopes.split(",", -1)));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    {"exp": 1767229200}      | 2026-01-01T01:00:00Z
                    {"exp": 1767229200.9}    | 2026-01-01T01:00:00Z
                    {"exp": 1.7672292e9}     | 2026-01-01T01:00:00Z
                    {"exp": 0}               | 1970-01-01T00:00:00Z
                    {"exp": 253402300799}    | 9999-12-31T23:59:59Z
                    """)
    void parse_expiry_eachNumber(String claims, Instant end) throws TokenException {
        assertThat(parse(jwt(claims)).expiresAt()).contains(end);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{}",
                "null",
                "[]",
                "42",
                "\"exp\"",
                "not json",
                "{\"exp\": \"1767229200\"}",
                "{\"exp\": null}",
                "{\"exp\": true}",
                "{\"exp\": {}}",
                "{\"exp\": -1}",
                "{\"exp\": 1767229200000}",
                "{\"exp\": 99999999999999999999}",
                "{\"exp\": 1e309}",
                "{\"exp\": -1e309}",
                "{\"scp\": [1]}",
                "{\"scope\": {\"a\": 1}}",
                "{\"exp\": 1767229200",
                "{\"exp\": 1767229200, \"exp\": 1}",
                "{\"exp\": 1767229200, \"iat\": \"x\"}",
                "{\"scope\": \"read\", \"exp\": \"never\"}"
            })
    void parse_claimsWithoutSense_opaque(String claims) throws TokenException {
        assertOpaque(jwt(claims));
    }

    @Test
    void parse_onlyLooksLikeOne_opaque() throws TokenException {
        String claims = encode("{\"exp\":1767229200}");
        assertOpaque(HEADER + "." + claims);
        assertOpaque(HEADER + "." + claims + ".x.y");
        assertOpaque(HEADER + "..x");
        assertOpaque(HEADER + ".!!!.x");
        assertOpaque("abc." + claims + ".x");
        assertOpaque("eyJ");
        assertOpaque("eyJ..");
        assertOpaque(HEADER + "." + claims + "." + "x".repeat(16 * 1024));
    }

    @Test
    void parse_unsecuredOne_readAsWell() throws TokenException {
        assertThat(parse(HEADER + "." + encode("{\"exp\":1767229200}") + ".").expiresAt())
                .isPresent();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"exp\": 1e999999999}",
                "{\"exp\": -1e999999999}",
                "{\"exp\": 1e-999999999}",
                "{\"iat\": 1E2147483647}",
                "{\"other\": 1e999999999, \"exp\": 1767229200}",
                "{\"other\": [1e999999999, {\"a\": 1e999999999}]}"
            })
    void parse_hugeExponent_atOnce(String claims) {
        assertTimeoutPreemptively(Duration.ofSeconds(10), () -> parse(jwt(claims)));
        assertTimeoutPreemptively(
                Duration.ofSeconds(10),
                () -> parse(jwt("{\"exp\": " + "9".repeat(10_000) + ", \"iat\": 0." + "1".repeat(900) + "}")));
    }

    @Test
    void parse_explicitFields_win() throws TokenException {
        String token = jwt("{\"exp\":1767229200,\"iat\":1767225600,\"scope\":\"read\"}");
        TokenDocument explicit = parse("{\"token\":\"" + token
                + "\",\"expires_at\":\"2026-12-31\",\"issued_at\":\"2026-06-01\",\"scope\":\"write\"}");
        TokenDocument counted = parse("{\"token\":\"" + token + "\",\"expires_in\":60}");
        TokenDocument silent = parse("{\"token\":\"" + token + "\"}");

        assertThat(explicit.expiresAt()).contains(Instant.parse("2026-12-31T00:00:00Z"));
        assertThat(explicit.issuedAt()).contains(Instant.parse("2026-06-01T00:00:00Z"));
        assertThat(explicit.scopes()).contains(Set.of("write"));
        assertThat(counted.expiresAt()).contains(RECEIVED.plusSeconds(60));
        assertThat(silent.expiresAt()).contains(Instant.parse("2026-01-01T01:00:00Z"));
        assertThat(silent.scopes()).contains(Set.of("read"));
    }

    @Test
    void of_jsonWebToken_claimsAreHints() {
        assertThat(TokenDocument.of(jwt("{\"exp\":1767229200}")).expiresAt()).isPresent();
    }
}
