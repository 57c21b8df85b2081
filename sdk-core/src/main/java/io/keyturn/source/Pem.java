package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import java.io.ByteArrayInputStream;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Keys and certificates as PEM text (RFC 7468), from a {@linkplain SourceContext#pem source} of it. */
public final class Pem {
    private static final Pattern BLOCK =
            Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\\s]*)-----END \\1-----");
    private static final List<String> ALGORITHMS = List.of("RSA", "EC");

    private Pem() {}

    /**
     * The one private key in it: PKCS #8, not encrypted, of RSA or an elliptic curve.
     *
     * @param origin where it was found, for messages
     * @throws SourceException if there is none, or more than one
     */
    public static PrivateKey privateKey(Secret pem, String origin) throws SourceException {
        int others = 0;
        List<byte[]> keys = new ArrayList<>();
        for (MatchResult block : blocks(pem)) {
            if (block.group(1).equals("PRIVATE KEY")) {
                keys.add(content(block, origin));
            } else if (block.group(1).endsWith("PRIVATE KEY")) {
                others++;
            }
        }
        if (keys.size() != 1 || others > 0) {
            throw malformed(
                    origin + " must hold one private key of PKCS #8 (-----BEGIN PRIVATE KEY-----), not encrypted",
                    "openssl pkcs8 -topk8 -nocrypt -in key.pem -out key8.pem");
        }
        for (String algorithm : ALGORITHMS) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(keys.get(0)));
            } catch (GeneralSecurityException e) {
                // Then it is of another algorithm; what Java has to say of it may quote it.
            }
        }
        throw malformed(origin + " holds a private key that is neither of RSA nor of an elliptic curve", null);
    }

    /**
     * The certificates in it, in their order; at least one.
     *
     * @param origin where they were found, for messages
     * @throws SourceException if there is none, or one cannot be read
     */
    public static List<X509Certificate> certificates(Secret pem, String origin) throws SourceException {
        List<X509Certificate> found = new ArrayList<>();
        for (MatchResult block : blocks(pem)) {
            if (block.group(1).equals("CERTIFICATE")) {
                found.add(certificate(content(block, origin), origin));
            }
        }
        if (found.isEmpty()) {
            throw malformed(origin + " holds no certificate (-----BEGIN CERTIFICATE-----)", null);
        }
        return found;
    }

    private static X509Certificate certificate(byte[] encoded, String origin) throws SourceException {
        try {
            return (X509Certificate)
                    CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(encoded));
        } catch (CertificateException e) {
            throw malformed(origin + " holds a certificate that cannot be read", null);
        }
    }

    private static List<MatchResult> blocks(Secret pem) {
        return BLOCK.matcher(pem.reveal()).results().toList();
    }

    private static byte[] content(MatchResult block, String origin) throws SourceException {
        try {
            return Base64.getMimeDecoder().decode(block.group(2));
        } catch (IllegalArgumentException e) {
            throw malformed(origin + " holds a PEM block that is no base64", null);
        }
    }

    private static SourceException malformed(String message, @Nullable String fix) {
        return new SourceException(Reason.MALFORMED, message, fix);
    }
}
