package io.keyturn.token;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/** What may be shown of a token: enough to tell two apart, too little to find one. */
final class Fingerprint {
    private static final int BYTES = 6;

    private Fingerprint() {}

    static String of(Secret value, @Nullable Secret key) {
        byte[] text = value.reveal().getBytes(UTF_8);
        try {
            byte[] digest = key == null ? MessageDigest.getInstance("SHA-256").digest(text) : hmac(key, text);
            return HexFormat.of().formatHex(digest, 0, BYTES);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has SHA-256 and HmacSHA256", e);
        }
    }

    private static byte[] hmac(Secret key, byte[] text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key.reveal().getBytes(UTF_8), "HmacSHA256"));
        return mac.doFinal(text);
    }
}
