package io.keyturn.oauth2;

import static io.keyturn.config.Written.map;
import static io.keyturn.oauth2.TokenServiceRig.issued;
import static io.keyturn.oauth2.TokenServiceRig.write;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.crypto.RSASSAVerifier;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import java.net.URLDecoder;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.time.Duration;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A client that signs what it says of itself (RFC 7523 3). */
class SignedAssertionTest {
    private static final KeyPair RSA = Jwts.keys("RSA", 2048);
    private static final KeyPair EC = Jwts.keys("EC", 256);

    /** The middle of what only the key itself has. */
    private static final String SECRET =
            Jwts.pem(RSA.getPrivate()).lines().skip(8).findFirst().orElseThrow();

    @RegisterExtension
    final Canary canary = new Canary(SECRET);

    @TempDir
    Path folder;

    private final TokenServiceRig rig = new TokenServiceRig();
    private Path key;

    @BeforeEach
    void answer() throws Exception {
        rig.answers(200, issued("access-1"));
        key = folder.resolve("key.pem");
        write(key, Jwts.pem(RSA.getPrivate()));
    }

    @AfterEach
    void close() {
        rig.close();
    }

    private TokenSource source(Object... more) {
        Object[] all = new Object[more.length + 4];
        all[0] = "client_id";
        all[1] = "agent";
        all[2] = "private_key";
        all[3] = map("file", key.toString());
        System.arraycopy(more, 0, all, 4, more.length);
        return rig.source(rig.context(), all);
    }

    private Map<String, String> form(int request) {
        Map<String, String> form = new LinkedHashMap<>();
        for (String pair : rig.asked().get(request).body().split("&", -1)) {
            form.put(
                    pair.substring(0, pair.indexOf('=')),
                    URLDecoder.decode(pair.substring(pair.indexOf('=') + 1), UTF_8));
        }
        return form;
    }

    private SignedJWT assertion(int request) throws Exception {
        return SignedJWT.parse(form(request).get("client_assertion"));
    }

    private static void assertSigned(SignedJWT jwt, KeyPair pair) throws Exception {
        JWSVerifier verifier = pair.getPublic() instanceof ECPublicKey curve
                ? new ECDSAVerifier(curve)
                : new RSASSAVerifier((RSAPublicKey) pair.getPublic());
        assertThat(jwt.verify(verifier)).isTrue();
    }

    @Test
    void fetch_rsaKey_signsWhoItIsForOneMinute() throws Exception {
        source().fetch();

        assertThat(form(0))
                .containsOnlyKeys("grant_type", "client_id", "client_assertion_type", "client_assertion")
                .containsEntry("grant_type", "client_credentials")
                .containsEntry("client_id", "agent")
                .containsEntry("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        SignedJWT jwt = assertion(0);
        assertSigned(jwt, RSA);
        assertThat(jwt.getHeader().toJSONObject()).isEqualTo(Map.of("alg", "RS256", "typ", "JWT"));
        JWTClaimsSet claims = jwt.getJWTClaimsSet();
        assertThat(claims.getClaims()).containsOnlyKeys("iss", "sub", "aud", "jti", "iat", "exp");
        assertThat(claims.getIssuer()).isEqualTo("agent");
        assertThat(claims.getSubject()).isEqualTo("agent");
        assertThat(claims.getAudience()).containsExactly(rig.tokenUrl());
        assertThat(claims.getIssueTime()).isEqualTo(Date.from(ManualClock.START));
        assertThat(claims.getExpirationTime()).isEqualTo(Date.from(ManualClock.START.plusSeconds(60)));
        // One audience as text: some services take no list, even of one.
        assertThat(jwt.getPayload().toJSONObject().get("aud")).isEqualTo(rig.tokenUrl());
    }

    @Test
    void fetch_again_neverTheSameAssertion() throws Exception {
        TokenSource source = source();
        source.fetch();
        rig.clock.advance(Duration.ofSeconds(30));
        source.fetch();

        assertThat(assertion(0).getJWTClaimsSet().getJWTID())
                .isNotEqualTo(assertion(1).getJWTClaimsSet().getJWTID());
        assertThat(assertion(1).getJWTClaimsSet().getExpirationTime())
                .isEqualTo(Date.from(ManualClock.START.plusSeconds(90)));
    }

    @Test
    void fetch_keyReplaced_signsWithTheNewOne() throws Exception {
        TokenSource source = source("key_id", "k1");
        source.fetch();
        write(key, Jwts.pem(EC.getPrivate()));
        source.fetch();

        assertSigned(assertion(0), RSA);
        assertThat(assertion(0).getHeader().getKeyID()).isEqualTo("k1");
        assertSigned(assertion(1), EC);
        assertThat(assertion(1).getHeader().getAlgorithm().getName()).isEqualTo("ES256");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "RSA|2048|ES256|is a key for RS256, and algorithm says ES256",
                "EC|256|RS256|is a key for ES256, and algorithm says RS256",
                "RSA|1024|RS256|cannot sign RS256, which needs a key of 2048 bits at least",
                "EC|384|ES256|cannot sign ES256, which needs a key of the curve P-256"
            })
    void fetch_keyThatDoesNotFit_isSaidAndNothingSent(String type, int bits, String algorithm, String why)
            throws Exception {
        write(key, Jwts.pem(Jwts.keys(type, bits).getPrivate()));

        SourceException e = canary.caught(SourceException.class, source("algorithm", algorithm)::fetch);

        assertThat(e).hasMessage("private_key (file " + key + ") " + why);
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
        assertThat(e.getCause()).isNull();
        assertThat(rig.asked()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "CERTIFICATE", "PRIVATE KEY"})
    void fetch_whatIsNoKey_isSaidAndNotRepeated(String label) throws Exception {
        String body = label.equals("PRIVATE KEY")
                ? SECRET
                : Jwts.pem(RSA.getPrivate()).replaceAll("-.*-", "");
        write(key, "-----BEGIN " + label + "-----\n" + body + "\n-----END " + label + "-----\n");

        SourceException e = canary.caught(SourceException.class, source()::fetch);

        assertThat(e).hasMessageContaining("private_key: file " + key);
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
        assertThat(rig.asked()).isEmpty();
    }

    @Test
    void fetch_keyNotThere_isAbsent() throws Exception {
        key = folder.resolve("none.pem");

        SourceException e = canary.caught(SourceException.class, source()::fetch);

        assertThat(e).hasMessage("private_key: file " + key + " does not exist");
        assertThat(e.reason()).isEqualTo(Reason.ABSENT);
    }

    @Test
    void fetch_serviceThatDoesNotKnowTheKey_tellsWhich() {
        rig.answers(400, "{\"error\":\"invalid_client\",\"error_description\":\"Unable to load public key\"}");

        SourceException e = canary.caught(SourceException.class, source()::fetch);

        assertThat(e).hasMessageContaining("refuses the client (400 invalid_client)");
        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e.fix())
                .isEqualTo("does the service know whose private_key (file " + key
                        + ") is, and is the clock of this machine right?");
    }
}
