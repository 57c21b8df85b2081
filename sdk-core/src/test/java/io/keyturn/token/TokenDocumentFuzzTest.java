package io.keyturn.token;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.keyturn.FuzzCase;
import java.time.Instant;
import java.util.Arrays;

/** Whatever bytes a file, a variable or a service holds. */
class TokenDocumentFuzzTest {
    private static final Instant NOW = Instant.parse("2026-11-25T00:00:00Z");
    private static final Instant LATEST = Instant.parse("9999-12-31T23:59:59Z");

    @FuzzTest(maxDuration = "30s")
    void parse(byte[] input) {
        if (FuzzCase.holdsSecret(new String(input, UTF_8))) {
            return;
        }
        read(input);
        // The same with a secret in it, which no error may tell of.
        int where = Arrays.hashCode(input);
        read(FuzzCase.withSecret(new String(input, UTF_8), where).getBytes(UTF_8));
    }

    private static void read(byte[] bytes) {
        TokenDocument document = FuzzCase.answer(() -> TokenDocument.parse(bytes, NOW));
        if (document == null) {
            return;
        }
        String value = document.value().reveal();
        assertThat(value).isNotBlank().hasSizeLessThanOrEqualTo(64 * 1024).matches("[ -~]+");
        assertThat(value).doesNotStartWith(" ").doesNotEndWith(" ");
        if (value.length() >= 8) {
            // Shorter ones may stand in the name of the class.
            assertThat(document.toString()).doesNotContain(value);
        }
        document.expiresAt().ifPresent(end -> assertThat(end).isBetween(Instant.EPOCH, LATEST.plusSeconds(1)));
        document.issuedAt().ifPresent(issued -> assertThat(issued).isBetween(Instant.EPOCH, LATEST));

        TokenDocument again = FuzzCase.answer(() -> TokenDocument.parse(bytes, NOW));
        assertThat(again).isNotNull();
        assertThat(again.value()).isEqualTo(document.value());
        assertThat(again.expiresAt()).isEqualTo(document.expiresAt());
        assertThat(again.scopes()).isEqualTo(document.scopes());

        if (!value.startsWith("{")) {
            // A token that was taken out of a document is a document of itself.
            TokenDocument plain = FuzzCase.answer(() -> TokenDocument.parse(value));
            assertThat(plain).isNotNull();
            assertThat(plain.value()).isEqualTo(document.value());
        }
    }
}
