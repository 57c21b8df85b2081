package io.keyturn.oauth2;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import java.security.PrivateKey;
import java.security.interfaces.ECPrivateKey;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a client says of itself and signs (RFC 7523 3). The one class that needs Nimbus, which is there only where somebody
 * has added it: without that not even its name can be used.
 */
final class SignedAssertion {
    private static final Duration LIFETIME = Duration.ofSeconds(60);

    private SignedAssertion() {}

    /**
     * One that nobody has seen yet, good for one minute.
     *
     * @param origin where the key was found, for messages
     * @param algorithm {@code RS256} or {@code ES256}; null: what the key is for
     * @throws SourceException if it cannot be signed with this key
     */
    static Secret by(
            PrivateKey key,
            String origin,
            @Nullable String algorithm,
            String clientId,
            String audience,
            @Nullable String keyId,
            Instant now)
            throws SourceException {
        boolean curve = key instanceof ECPrivateKey;
        String wanted = curve ? "ES256" : "RS256";
        if (algorithm != null && !algorithm.equals(wanted)) {
            throw cannot(origin, "is a key for " + wanted + ", and algorithm says " + algorithm);
        }
        JWTClaimsSet claims = new JWTClaimsSet.Builder()
                .issuer(clientId)
                .subject(clientId)
                .audience(audience)
                .jwtID(UUID.randomUUID().toString())
                .issueTime(Date.from(now))
                .expirationTime(Date.from(now.plus(LIFETIME)))
                .build();
        JWSHeader header = new JWSHeader.Builder(JWSAlgorithm.parse(wanted))
                .type(JOSEObjectType.JWT)
                .keyID(keyId)
                .build();
        SignedJWT jwt = new SignedJWT(header, claims);
        try {
            JWSSigner signer = curve ? new ECDSASigner((ECPrivateKey) key) : new RSASSASigner(key);
            jwt.sign(signer);
            return Secret.of(jwt.serialize());
        } catch (JOSEException | RuntimeException e) {
            // Replaced, not wrapped: nobody has promised what is in it.
            throw cannot(
                    origin,
                    curve
                            ? "cannot sign ES256, which needs a key of the curve P-256"
                            : "cannot sign RS256, which needs a key of 2048 bits at least");
        }
    }

    private static SourceException cannot(String origin, String why) {
        return new SourceException(Reason.MALFORMED, origin + " " + why, "give a key that the service takes");
    }
}
