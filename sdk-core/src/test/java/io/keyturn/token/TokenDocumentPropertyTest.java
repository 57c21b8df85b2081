package io.keyturn.token;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever stands in a file, it is a token, or a {@link TokenException} that does not repeat it. */
class TokenDocumentPropertyTest {
    private static final String T = Canary.TOKEN;
    private static final int ROUNDS = 5_000;
    private static final List<String> SEEDS = List.of(
            T,
            "\uFEFF" + T + "\r\n",
            "{\"token\": \"" + T + "\", \"scopes\": [\"read\",\"write\"], \"expires_in\": 86400}",
            "{\"access_token\":\"" + T
                    + "\",\"scope\":\"read write\",\"expires_in\":\"3600\",\"token_type\":\"bearer\"}",
            "{\"token\":\"" + T
                    + "\",\"expires_at\":\"2026-12-31T00:00:00Z\",\"issued_at\":1767225600,\"x\":{\"y\":[1.5e3]}}",
            "eyJhbGciOiJSUzI1NiJ9."
                    + Base64.getUrlEncoder()
                            .encodeToString(
                                    ("{\"exp\":1767229200,\"iat\":1e9,\"scp\":[\"" + T + "\"]}").getBytes(UTF_8))
                    + "." + T.replace('.', '_'),
            "<html>" + T + "</html>",
            "-----BEGIN KEY-----\n" + T);
    private static final List<String> PIECES = List.of(
            "\u0000",
            "\n",
            "\r",
            " ",
            "\"",
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "null",
            "true",
            "-1",
            "1e999",
            "0",
            "\\u0000",
            "\\",
            "\uFEFF",
            "\u00e9",
            "\ud83d\ude00",
            "\"token\":",
            "\"expires_in\":",
            "\"expires_at\":",
            "\"scope\":",
            "<",
            ".",
            "eyJ",
            T,
            "9".repeat(400),
            "[".repeat(300));

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void parse_anything_tokenOrTokenExceptionWithoutIt(long seed) {
        Random random = new Random(seed);
        Set<String> messages = new TreeSet<>();
        int refused = 0;
        for (int i = 0; i < ROUNDS; i++) {
            byte[] bytes = mutated(random);
            try {
                TokenDocument document = TokenDocument.parse(bytes, Instant.ofEpochSecond(random.nextLong(1L << 33)));
                assertThat(document.value().reveal()).matches("[ -~]+");
                messages.add(document.toString());
                messages.add(Token.of("t", document).toString());
            } catch (TokenException e) {
                refused++;
                assertThat(e).hasNoCause();
                messages.add(String.valueOf(e));
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + ", round " + i + ": " + new String(bytes, UTF_8), e);
            }
        }
        assertThat(refused).as("of both kinds, so that both are tried").isBetween(ROUNDS / 10, ROUNDS * 9 / 10);
        new Canary().saw("messages", messages).assertUnseen();
    }

    private static byte[] mutated(Random random) {
        StringBuilder text = new StringBuilder(SEEDS.get(random.nextInt(SEEDS.size())));
        for (int i = random.nextInt(4); i > 0; i--) {
            int at = random.nextInt(text.length() + 1);
            switch (random.nextInt(5)) {
                case 0 -> text.insert(at, PIECES.get(random.nextInt(PIECES.size())));
                case 1 -> text.setLength(at);
                case 2 -> text.delete(at, Math.min(text.length(), at + 1 + random.nextInt(6)));
                case 3 -> text.replace(at, Math.min(text.length(), at + 1), PIECES.get(random.nextInt(PIECES.size())));
                default -> text.insert(at, text.substring(random.nextInt(text.length() + 1)));
            }
        }
        byte[] bytes = text.toString().getBytes(UTF_8);
        if (bytes.length > 0 && random.nextInt(4) == 0) {
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        }
        return bytes;
    }
}
