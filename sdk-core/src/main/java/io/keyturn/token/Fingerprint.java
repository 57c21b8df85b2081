package io.keyturn.token;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/** What may be shown of a token: enough to tell two apart, too little to find one. */
final class Fingerprint {
    private static final int BITS = 48;

    private Fingerprint() {}

    /** The number that the first digits of the hash are. */
    static long of(Secret value, @Nullable Secret key) {
        byte[] text = value.reveal().getBytes(UTF_8);
        try {
            byte[] digest = key == null ? MessageDigest.getInstance("SHA-256").digest(text) : hmac(key, text);
            return ByteBuffer.wrap(digest).getLong() >>> (Long.SIZE - BITS);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has SHA-256 and HmacSHA256", e);
        }
    }

    /** Twelve hexadecimal digits. */
    static String text(long fingerprint) {
        return HexFormat.of().toHexDigits(fingerprint, BITS / 4);
    }

    private static byte[] hmac(Secret key, byte[] text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key.reveal().getBytes(UTF_8), "HmacSHA256"));
        return mac.doFinal(text);
    }
}
