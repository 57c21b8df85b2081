package io.keyturn.oauth2;

import static io.keyturn.config.Written.map;
import static io.keyturn.oauth2.TokenServiceRig.issued;
import static io.keyturn.oauth2.TokenServiceRig.write;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import java.net.URLEncoder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a token service is sent, to the last character. */
class TokenRequestTest {
    private static final String EXCHANGE = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange";
    private static final String JWT_BEARER = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    private static final String ASSERTION =
            "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=";

    /** In place of a secret, where it is sent. */
    private static final String SENT = URLEncoder.encode(Canary.TOKEN, UTF_8);

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final TokenServiceRig rig = new TokenServiceRig();

    @BeforeEach
    void answer() {
        rig.answers(200, issued("access-1", "expires_in", 60));
    }

    @AfterEach
    void close() {
        rig.close();
    }

    static Stream<Arguments> forms() {
        return Stream.of(
                arguments(
                        List.of("client_id", "agent", "client_secret", Canary.TOKEN, "auth", "post"),
                        "grant_type=client_credentials&client_id=agent&client_secret=" + SENT),
                arguments(
                        List.of("client_id", "agent", "client_secret", Canary.TOKEN), "grant_type=client_credentials"),
                arguments(
                        List.of(
                                "grant", "client_credentials",
                                "client_id", "agent",
                                "client_secret", Canary.TOKEN,
                                "scope", List.of("read", "write"),
                                "audience", List.of("https://api.example.com"),
                                "resource", List.of("https://a.example.com/x?y=1", "urn:b"),
                                "params", map("tenant", "ä b", "secret", Canary.TOKEN)),
                        "grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example.com"
                                + "&resource=https%3A%2F%2Fa.example.com%2Fx%3Fy%3D1&resource=urn%3Ab&tenant=%C3%A4+b"
                                + "&secret=" + SENT),
                arguments(
                        List.of("client_id", "agent", "client_secret", Canary.TOKEN, "scope", " read  write "),
                        "grant_type=client_credentials&scope=read+write"),
                arguments(
                        List.of("client_assertion", Canary.TOKEN), "grant_type=client_credentials&" + ASSERTION + SENT),
                arguments(
                        List.of("client_id", "agent", "client_assertion", Canary.TOKEN),
                        "grant_type=client_credentials&client_id=agent&" + ASSERTION + SENT),
                arguments(
                        List.of(
                                "grant",
                                "token_exchange",
                                "client_id",
                                "agent",
                                "subject_token",
                                Canary.TOKEN,
                                "audience",
                                List.of("a", "b")),
                        "grant_type=" + EXCHANGE + "&subject_token=" + SENT
                                + "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt"
                                + "&audience=a&audience=b&client_id=agent"),
                arguments(
                        List.of(
                                "grant",
                                "token_exchange",
                                "subject_token",
                                Canary.TOKEN,
                                "subject_token_type",
                                "urn:ietf:params:oauth:token-type:access_token",
                                "client_assertion",
                                Canary.TOKEN),
                        "grant_type=" + EXCHANGE + "&subject_token=" + SENT
                                + "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&"
                                + ASSERTION + SENT),
                arguments(
                        List.of("grant", "jwt_bearer", "assertion", Canary.TOKEN, "scope", "read"),
                        "grant_type=" + JWT_BEARER + "&assertion=" + SENT + "&scope=read"),
                arguments(
                        List.of(
                                "grant", "jwt_bearer",
                                "assertion", Canary.TOKEN,
                                "client_id", "agent",
                                "client_secret", Canary.TOKEN,
                                "auth", "post"),
                        "grant_type=" + JWT_BEARER + "&assertion=" + SENT + "&client_id=agent&client_secret=" + SENT),
                arguments(
                        List.of("grant", "refresh_token", "client_id", "app", "refresh_token", Canary.TOKEN),
                        "grant_type=refresh_token&refresh_token=" + SENT + "&client_id=app"),
                arguments(
                        List.of(
                                "grant", "refresh_token",
                                "client_id", "app",
                                "client_secret", Canary.TOKEN,
                                "auth", "post",
                                "refresh_token", Canary.TOKEN,
                                "scope", "read"),
                        "grant_type=refresh_token&scope=read&refresh_token=" + SENT + "&client_id=app&client_secret="
                                + SENT));
    }

    @ParameterizedTest
    @MethodSource("forms")
    void fetch_grantAndProof_sendsExactlyThis(List<Object> keysAndValues, String form) throws Exception {
        TokenSource source = rig.source(rig.context("ephemeral"), keysAndValues.toArray());
        canary.saw("source", source).saw("describe", source.describe());

        assertThat(source.fetch().orElseThrow().value().reveal()).isEqualTo("access-1");

        assertThat(rig.form()).isEqualTo(form);
        assertThat(rig.server.only().method()).isEqualTo("POST");
        assertThat(rig.server.only().header("Content-Type")).containsExactly("application/x-www-form-urlencoded");
        assertThat(rig.server.only().header("Accept")).containsExactly("application/json");
        boolean basic = keysAndValues.contains("client_secret") && !keysAndValues.contains("post");
        assertThat(rig.server.only().header("Authorization")).hasSize(basic ? 1 : 0);
    }

    /** RFC 6749 2.3.1: both are form-encoded first, so that a colon in the name is not taken for the one between them. */
    @Test
    void fetch_basic_encodesNameAndSecretFirst() throws Exception {
        rig.source(rig.context(), "client_id", "a:b c", "client_secret", canary.token())
                .fetch();

        String both = "a%3Ab+c:" + SENT;
        assertThat(rig.server.only().header("Authorization"))
                .containsExactly("Basic " + Base64.getEncoder().encodeToString(both.getBytes(UTF_8)));
        assertThat(rig.form()).isEqualTo("grant_type=client_credentials");
    }

    @Test
    void fetch_urlWithQuery_keepsItAndNeverShowsIt() throws Exception {
        rig.answers(500, "");
        TokenSource source = rig.source(
                rig.context(),
                "token_url",
                rig.tokenUrl() + "?tenant=" + Canary.WORD,
                "client_id",
                "agent",
                "client_secret",
                canary.token());

        SourceException e = canary.caught(SourceException.class, source::fetch);

        Canary.assertNotIn(e);
        assertThat(source.describe()).doesNotContain("tenant");
        assertThat(rig.server.only().target().getQuery()).isEqualTo("tenant=" + Canary.WORD);
    }

    // --- what is proved with, afresh each time ---

    @ParameterizedTest
    @MethodSource("inFiles")
    void fetch_credentialReplacedBetween_sendsTheNewOne(String parameter, List<Object> keysAndValues) throws Exception {
        Path file = folder.resolve("credential");
        write(file, canary.token());
        TokenSource source = rig.source(rig.context("ephemeral"), inFile(keysAndValues, file));
        source.fetch();

        write(file, "next-one");
        source.fetch();

        assertThat(rig.asked().get(0).body()).contains(parameter + "=" + SENT);
        assertThat(rig.asked().get(1).body()).contains(parameter + "=next-one").doesNotContain(SENT);
    }

    /** Each credential where it stands, in a file. */
    static Stream<Arguments> inFiles() {
        return Stream.of(
                arguments("client_secret", List.of("client_id", "agent", "client_secret", "FILE", "auth", "post")),
                arguments("client_assertion", List.of("client_assertion", "FILE")),
                arguments("subject_token", List.of("grant", "token_exchange", "subject_token", "FILE")),
                arguments("assertion", List.of("grant", "jwt_bearer", "assertion", "FILE")));
    }

    private static Object[] inFile(List<Object> keysAndValues, Path file) {
        return keysAndValues.stream()
                .map(each -> each.equals("FILE") ? map("file", file.toString()) : each)
                .toArray();
    }

    @ParameterizedTest
    @MethodSource("inFiles")
    void fetch_credentialNotThere_saysWhichAndSendsNothing(String key, List<Object> keysAndValues) {
        Path file = folder.resolve("credential");
        TokenSource source = rig.source(rig.context("ephemeral"), inFile(keysAndValues, file));

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e).hasMessage(key + ": file " + file + " does not exist");
        assertThat(e.reason()).isEqualTo(Reason.ABSENT);
        assertThat(rig.asked()).isEmpty();
    }

    @Test
    void fetch_variableNotSet_saysWhich() {
        TokenSource source =
                rig.source(rig.context(), "client_id", "agent", "client_secret", map("env", "CLIENT_SECRET"));

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e).hasMessage("client_secret: environment variable CLIENT_SECRET is not set");
        assertThat(e.reason()).isEqualTo(Reason.UNSET);
    }

    // --- assertions that end ---

    @ParameterizedTest
    @MethodSource("assertions")
    void fetch_assertionThatHasExpired_isSaidAndNotSent(String key, List<Object> keysAndValues) throws Exception {
        Path file = folder.resolve("assertion");
        write(file, Jwts.until(ManualClock.START.plusSeconds(10), Canary.WORD));
        TokenSource source = rig.source(rig.context(), inFile(keysAndValues, file));
        source.fetch();
        rig.server.forget();
        rig.clock.advance(Duration.ofSeconds(10));

        SourceException e = canary.caught(SourceException.class, source::fetch);

        Canary.assertNotIn(e);
        assertThat(e)
                .hasMessage(key + ": what is in file " + file + " expired at 2026-11-24T12:00:10Z, so it was not sent");
        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e.fix()).contains("replace it");
        assertThat(e.retryAfter()).contains(Duration.ofSeconds(1));
        assertThat(rig.asked()).isEmpty();
    }

    static Stream<Arguments> assertions() {
        return inFiles().filter(each -> !each.get()[0].equals("client_secret"));
    }

    @ParameterizedTest
    @MethodSource("assertions")
    void fetch_assertionThatEnds_saysNothingOfTheToken(String key, List<Object> keysAndValues) throws Exception {
        rig.answers(200, issued("access-1"));
        Path file = folder.resolve("assertion");
        write(file, Jwts.until(ManualClock.START.plusSeconds(10), "signature"));

        assertThat(rig.source(rig.context(), inFile(keysAndValues, file))
                        .fetch()
                        .orElseThrow())
                .satisfies(token -> assertThat(token.expiresAt()).isEmpty());
    }

    // --- what it is, to others ---

    @Test
    void describe_eachGrant_tellsWhoAsksWhomForWhat() {
        assertThat(rig.source(rig.context(), "client_id", "agent", "client_secret", canary.token())
                        .describe())
                .isEqualTo("oauth2 client_credentials at " + rig.tokenUrl() + " (client agent)");
        assertThat(rig.source(rig.context(), "grant", "jwt_bearer", "assertion", canary.token())
                        .describe())
                .isEqualTo("oauth2 jwt_bearer at " + rig.tokenUrl());
    }

    /** It would issue a token for each. */
    @Test
    void every_any_isNotAskedWithoutReason() {
        assertThat(rig.source(rig.context(), "client_id", "agent", "client_secret", canary.token())
                        .every())
                .isEmpty();
    }

    @Test
    void equals_sameSettings_isTheSame() {
        Object[] keys = {"client_id", "agent", "client_secret", map("env", "SECRET"), "params", map("a", "b")};
        TokenSource source = rig.source(rig.context(), keys);

        assertThat(rig.source(rig.context(), keys)).isEqualTo(source).hasSameHashCodeAs(source);
        assertThat(rig.source(rig.context(), "client_id", "agent", "client_secret", map("env", "SECRET")))
                .isNotEqualTo(source);
        keys[5] = map("a", "c");
        assertThat(rig.source(rig.context(), keys)).isNotEqualTo(source);
        keys[5] = map("a", "b");
        keys[3] = map("env", "OTHER");
        assertThat(rig.source(rig.context(), keys)).isNotEqualTo(source);
    }
}
