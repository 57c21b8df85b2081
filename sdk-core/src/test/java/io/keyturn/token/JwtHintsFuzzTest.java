package io.keyturn.token;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.keyturn.FuzzCase;
import java.time.Instant;
import java.util.Base64;

/** A token of three parts, of which the middle one may be anything: an odd claim makes no token unusable. */
class JwtHintsFuzzTest {
    private static final String HEADER = "eyJhbGciOiJub25lIn0.";
    private static final Instant LATEST = Instant.parse("9999-12-31T23:59:59Z");

    @FuzzTest(maxDuration = "30s")
    void read(byte[] claims) {
        accepted(HEADER + Base64.getUrlEncoder().withoutPadding().encodeToString(claims) + ".c2ln");
        // What is no base64 at all, as far as a header can carry it.
        String raw = new String(claims, US_ASCII).replaceAll("[^!-~]", "_");
        accepted("eyJ" + raw);
    }

    private static void accepted(String value) {
        TokenDocument document = FuzzCase.answer(() -> TokenDocument.of(value));
        assertThat(document).isNotNull();
        assertThat(document.value().reveal()).isEqualTo(value);
        document.expiresAt().ifPresent(end -> assertThat(end).isBetween(Instant.EPOCH, LATEST));
        document.issuedAt().ifPresent(issued -> assertThat(issued).isBetween(Instant.EPOCH, LATEST));
        document.scopes().ifPresent(scopes -> assertThat(scopes).doesNotContainNull());
        assertThat(document.toString()).doesNotContain(value);
    }
}
