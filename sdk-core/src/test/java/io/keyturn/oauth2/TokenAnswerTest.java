package io.keyturn.oauth2;

import static io.keyturn.oauth2.TokenServiceRig.issued;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the answers of a token service mean. */
class TokenAnswerTest {
    @RegisterExtension
    final Canary canary = new Canary();

    private final TokenServiceRig rig = new TokenServiceRig();

    @AfterEach
    void close() {
        rig.close();
    }

    private TokenSource source(String... scope) {
        return rig.source(
                rig.context(),
                "client_id",
                "agent",
                "client_secret",
                canary.token(),
                "scope",
                List.of(scope),
                "audience",
                "api");
    }

    private TokenDocument token(String answer, String... scope) throws SourceException {
        rig.answers(200, answer);
        TokenDocument document = source(scope).fetch().orElseThrow();
        canary.saw("document", document);
        return document;
    }

    private SourceException failure(TokenSource source) {
        SourceException e = canary.caught(SourceException.class, source::fetch);
        canary.saw("fix", e.fix());
        return e;
    }

    // --- a token ---

    @Test
    void fetch_fullAnswer_isRead() throws Exception {
        TokenDocument document = token(
                issued(canary.token(), "expires_in", 60, "scope", "read write", "refresh_token", Canary.WORD), "read");

        assertThat(document.value().reveal()).isEqualTo(canary.token());
        assertThat(document.issuedAt()).contains(ManualClock.START);
        assertThat(document.expiresAt()).contains(ManualClock.START.plusSeconds(60));
        assertThat(document.scopes().orElseThrow()).containsExactly("read", "write");
        assertThat(document.version()).isEmpty();
    }

    /** RFC 6749 5.1. */
    @Test
    void fetch_withoutScope_hasWhatWasAsked() throws Exception {
        assertThat(token(issued("a"), "read", "write").scopes().orElseThrow()).containsExactly("read", "write");
        assertThat(token(issued("a")).scopes()).isEmpty();
        assertThat(token(issued("a", "scope", ""), "read").scopes().orElseThrow())
                .isEmpty();
    }

    /** The time that the answer took is not added to the life of the token. */
    @Test
    void fetch_slowAnswer_lifeCountsFromBeforeItWasAsked() throws Exception {
        rig.answers(asked -> {
            rig.clock.advance(Duration.ofSeconds(7));
            return Answer.ok(issued("a", "expires_in", 60));
        });

        assertThat(source().fetch().orElseThrow().expiresAt()).contains(ManualClock.START.plusSeconds(60));
    }

    @Test
    void fetch_withoutExpiresIn_isWhatTheTokenItselfSays() throws Exception {
        Instant end = ManualClock.START.plusSeconds(90);

        assertThat(token(issued("opaque")).expiresAt()).isEmpty();
        assertThat(token(issued(Jwts.until(end, "signature"))).expiresAt()).contains(end);
        assertThat(token(issued(Jwts.until(end, "signature"), "expires_in", 30)).expiresAt())
                .contains(ManualClock.START.plusSeconds(30));
    }

    @Test
    void fetch_oddButUsual_isTaken() throws Exception {
        assertThat(token("{\"access_token\":\"a\",\"expires_in\":\"3599\"}").expiresAt())
                .contains(ManualClock.START.plusSeconds(3599));
        assertThat(token("{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":null,\"scope\":null}")
                        .expiresAt())
                .isEmpty();
        assertThat(token("{\"access_token\":\"a\",\"scope\":[\"read\"],\"issued_at\":\"1420262924658\"}")
                        .scopes()
                        .orElseThrow())
                .containsExactly("read");
    }

    static Stream<Arguments> malformed() {
        String half = "{\"access_token\":\"" + Canary.TOKEN;
        return Stream.of(
                arguments("<html>" + Canary.TOKEN + "</html>", "something that is no JSON object"),
                arguments("", "something that is no JSON object"),
                arguments("[]", "something that is no JSON object"),
                arguments(half, "something that is no JSON object"),
                arguments(half + "\"} x", "something that is no JSON object"),
                arguments(half + "\",\"access_token\":\"b\"}", "something that is no JSON object"),
                arguments("{}", "without an access_token"),
                arguments("{\"access_token\":null}", "without an access_token"),
                arguments("{\"access_token\":12345678}", "without an access_token"),
                arguments("{\"access_token\":\"\"}", "it is empty"),
                arguments(half + "\\u0000\"}", "a header cannot carry the character at index 29"),
                arguments(half + "\\r\\nX: y\"}", "a header cannot carry the character at index 29"),
                arguments(half + "\",\"expires_in\":0}", "an expires_in that is no whole number"),
                arguments(half + "\",\"expires_in\":-1}", "an expires_in that is no whole number"),
                arguments(half + "\",\"expires_in\":1.5}", "an expires_in that is no whole number"),
                arguments(half + "\",\"expires_in\":\"soon\"}", "an expires_in that is no whole number"),
                arguments(half + "\",\"expires_in\":99999999999999999999}", "an expires_in that is no whole number"),
                arguments(half + "\",\"token_type\":\"DPoP\"}", "of the type dpop, and only Bearer is supported"),
                arguments(half + "\",\"token_type\":\"mac\"}", "of the type mac, and only Bearer is supported"),
                arguments(
                        half + "\",\"token_type\":\"" + Canary.TOKEN + "\"}",
                        "of an unknown type, and only Bearer is supported"),
                arguments(half + "\",\"token_type\":\"N_A\"}", "of an unknown type, and only Bearer is supported"));
    }

    @ParameterizedTest
    @MethodSource("malformed")
    void fetch_whatIsNoToken_isMalformedAndNotRepeated(String answer, String why) {
        rig.answers(200, answer);

        SourceException e = failure(source());

        assertThat(e).hasMessageContaining(" answered 200 ").hasMessageContaining(why);
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void fetch_fiveMebibytes_isMalformed() {
        rig.answers(200, "{\"access_token\":\"" + "x".repeat(5 * 1024 * 1024) + "\"}");

        SourceException e = failure(source());

        assertThat(e).hasMessageEndingWith(" answered more than 1 MiB: not a token");
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
    }

    /** RFC 8693 2.2.1: what is issued in exchange need not be an access token. */
    @Test
    void fetch_exchangedForNoAccessToken_isTaken() throws Exception {
        rig.answers(200, "{\"access_token\":\"a\",\"token_type\":\"N_A\",\"issued_token_type\":\"urn:x:jwt\"}");

        TokenSource source = rig.source(rig.context(), "grant", "token_exchange", "subject_token", canary.token());

        assertThat(source.fetch().orElseThrow().value().reveal()).isEqualTo("a");
    }

    @Test
    void fetch_exchangedForAProofOfAnotherKind_isMalformed() {
        rig.answers(200, "{\"access_token\":\"a\",\"token_type\":\"DPoP\"}");

        SourceException e =
                failure(rig.source(rig.context(), "grant", "token_exchange", "subject_token", canary.token()));

        assertThat(e).hasMessageEndingWith("of the type dpop, and only Bearer is supported");
    }

    // --- refusals ---

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "401|invalid_client|LOGIN_REFUSED|refuses the client (401 invalid_client)|client_secret (the value itself)",
                "400|invalid_client|LOGIN_REFUSED|refuses the client (400 invalid_client)|client_secret (the value itself)",
                "401|unauthorized_client|LOGIN_REFUSED|refuses the client (401 unauthorized_client)|client_secret",
                "401|nobody_knows|LOGIN_REFUSED|refuses the client (401)|client_secret",
                "400|unauthorized_client|LOGIN_REFUSED|does not let client agent use client_credentials|another grant",
                "400|invalid_grant|LOGIN_REFUSED|refuses the client (400 invalid_grant)|client_secret",
                "400|invalid_scope|NOT_PERMITTED|no token of the scope read write (400 invalid_scope)|scope",
                "400|invalid_target|NOT_PERMITTED|no token for api (400 invalid_target)|audience",
                "403|access_denied|NOT_PERMITTED|no token (403 access_denied)|allow it there",
                "403|nobody_knows|NOT_PERMITTED|forbids the request (403)|allow it there",
                "400|unsupported_grant_type|INVALID|does not know client_credentials|another grant",
                "400|invalid_request|INVALID|does not understand the request (400 invalid_request)|params",
                "400|use_dpop_nonce|INVALID|wants DPoP|Bearer",
                "400|login_required|LOGIN_REFUSED|wants a person to log in|log in",
                "400|nobody_knows|INVALID|does not say why in a way that is known (400)|address",
                "200|invalid_client|LOGIN_REFUSED|refuses the client (200 invalid_client)|client_secret",
                "400|temporarily_unavailable|STORE_UNREACHABLE|fails (400 temporarily_unavailable)|health",
                "500|server_error|STORE_UNREACHABLE|fails (500)|health",
                "400||INVALID|does not say why in a way that is known (400)|address",
                "401||LOGIN_REFUSED|refuses the client (401)|client_secret",
                "403||NOT_PERMITTED|forbids the request (403)|allow it there",
                "502||STORE_UNREACHABLE|fails (502)|health",
                "302||INVALID|redirects instead of answering (302)|address",
                "404||INVALID|is no token service (404)|path",
                "405||INVALID|is no token service (405)|path"
            })
    void fetch_refusal_hasItsOwnMessageAndFix(int status, String code, Reason reason, String message, String fix) {
        String description = Canary.TOKEN + " is wrong";
        rig.answers(
                status,
                code == null
                        ? "<html>" + description
                        : "{\"error\":\"" + code + "\",\"error_description\":\"" + description + "\"}");

        SourceException e = failure(source("read", "write"));

        assertThat(e)
                .hasMessageStartingWith("oauth2 client_credentials at " + rig.tokenUrl() + " (client agent) ")
                .hasMessageContaining(message);
        assertThat(e.reason()).isEqualTo(reason);
        assertThat(e.fix()).contains(fix);
        assertThat(e.getMessage()).doesNotContain("nobody_knows");
    }

    @ParameterizedTest
    @CsvSource({
        "jwt_bearer, assertion, LOGIN_REFUSED, refuses the assertion (400 invalid_grant)",
        "token_exchange, subject_token, LOGIN_REFUSED, refuses the subject_token (400 invalid_grant)",
        "refresh_token, refresh_token, REVOKED, no longer takes the refresh token (400 invalid_grant)"
    })
    void fetch_invalidGrant_isTheGrantsOwn(String grant, String key, Reason reason, String message) {
        rig.answers(400, "{\"error\":\"invalid_grant\",\"error_description\":\"" + Canary.TOKEN + "\"}");

        SourceException e =
                failure(rig.source(rig.context("ephemeral"), "client_id", "a", "grant", grant, key, canary.token()));

        assertThat(e).hasMessageContaining(message);
        assertThat(e.reason()).isEqualTo(reason);
        assertThat(e.fix()).contains("the value itself");
    }

    @ParameterizedTest
    @ValueSource(ints = {429, 503})
    void fetch_busy_tellsWhenToAskAgain(int status) {
        rig.answers(asked -> Answer.of(status, "").with("Retry-After", "42"));

        SourceException e = failure(source());

        assertThat(e.reason()).isEqualTo(Reason.STORE_UNREACHABLE);
        assertThat(e.retryAfter()).contains(Duration.ofSeconds(42));
        assertThat(rig.asked()).hasSize(1);
    }

    @Test
    void fetch_nobodyThere_isUnreachable() {
        TokenSource source = source();
        rig.server.close();

        SourceException e = failure(source);

        assertThat(e).hasMessage("oauth2 " + rig.tokenUrl() + " is unreachable (nobody accepts connections there)");
        assertThat(e.reason()).isEqualTo(Reason.STORE_UNREACHABLE);
    }

    /** What it leads to would be sent the client's secret. */
    @Test
    void fetch_redirect_isNotFollowed() {
        rig.answers(asked -> Answer.redirect(307, rig.server.url("/elsewhere")));

        failure(source());

        assertThat(rig.server.seen("/elsewhere")).isEmpty();
    }
}
