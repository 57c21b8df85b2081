package io.keyturn.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.annotation.JsonAutoDetect.Visibility;
import com.fasterxml.jackson.annotation.PropertyAccessor;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.keyturn.Canary;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.NotSerializableException;
import java.io.ObjectOutputStream;
import java.lang.reflect.Modifier;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class TokenTest {
    private static final Instant END = Instant.parse("2026-12-31T00:00:00Z");

    @RegisterExtension
    final Canary canary = new Canary();

    private static Token token(String name, String value) {
        return Token.of(name, TokenDocument.of(value));
    }

    // --- what is shown of it ---

    // sha256sum and openssl dgst -sha256 -hmac key-of-the-agent say the same.
    @ParameterizedTest
    @CsvSource({
        "abc, ba7816bf8f01, 200948163fdc",
        Canary.TOKEN + ", 5e789f93fb11, c0dfaf7e472d",
        "value-of-test-4231, 002f06ee5479, 081832742cae"
    })
    void fingerprint_withAndWithoutKey_asComputedElsewhere(String value, String plain, String keyed) {
        TokenDocument document = TokenDocument.of(value);

        assertThat(Token.of("t", document).fingerprint()).isEqualTo(plain);
        assertThat(Token.of("t", document, 2, Secret.of("key-of-the-agent")).fingerprint())
                .isEqualTo(keyed);
    }

    @Test
    void toString_withAndWithoutEnd() {
        Token endless = token("api_token", canary.token());
        Token ending = Token.of(
                "api_token", TokenDocument.of(canary.token()).withExpiresAt(END).withOrigin("file x"));

        canary.saw("toString", endless).saw("toString", ending);
        assertThat(endless).hasToString("api_token#5e789f93fb11");
        assertThat(ending).hasToString("api_token#5e789f93fb11 expires 2026-12-31T00:00:00Z");
    }

    // --- what it knows ---

    @Test
    void of_document_tellsWhatItKnows() {
        TokenDocument document = TokenDocument.of("abc")
                .withExpiresAt(END)
                .withIssuedAt(END.minusSeconds(60))
                .withScopes(Set.of("read"))
                .withVersion("v3");
        Token token = Token.of("t", document, 7, null);

        assertThat(token.name()).isEqualTo("t");
        assertThat(token.reveal()).isEqualTo("abc");
        assertThat(token.expiresAt()).contains(END);
        assertThat(token.issuedAt()).contains(END.minusSeconds(60));
        assertThat(token.scopes()).contains(Set.of("read"));
        assertThat(token.version()).contains("v3");
        assertThat(token.generation()).isEqualTo(7);
        assertThat(token("t", "abc").generation()).isEqualTo(1);
        assertThat(token("t", "abc").version()).isEmpty();
        assertThat(token("t", "abc").scopes()).isEmpty();
    }

    @Test
    void isExpired_boundary_endedAtItsEnd() {
        Token token = Token.of("t", TokenDocument.of("abc").withExpiresAt(END));

        assertThat(token.isExpired(END.minusNanos(1))).isFalse();
        assertThat(token.isExpired(END)).isTrue();
        assertThat(token.isExpired(END.plusNanos(1))).isTrue();
    }

    @Test
    void isExpired_noEnd_never() {
        assertThat(token("t", "abc").isExpired(Instant.MAX)).isFalse();
    }

    // --- equality ---

    @Test
    void equals_nameAndValue_nothingElse() {
        Token token = token("t", "abc");
        Token later = Token.of("t", TokenDocument.of("abc").withExpiresAt(END), 9, Secret.of("key"));

        assertThat(token)
                .isEqualTo(later)
                .hasSameHashCodeAs(later)
                .isNotEqualTo(token("other", "abc"))
                .isNotEqualTo(token("t", "abd"))
                .isNotEqualTo(token("t", "abcd"))
                .isNotEqualTo("abc");
    }

    @Test
    void secret_equalsAndHash_tellNothing() {
        Secret secret = Secret.of(canary.token());

        assertThat(secret)
                .isEqualTo(Secret.of(canary.token()))
                .isNotEqualTo(Secret.of(canary.token() + "x"))
                .isNotEqualTo(Secret.of(""))
                .isNotEqualTo(canary.token())
                .hasSameHashCodeAs(Secret.of("another"))
                .hasToString("[secret]");
        assertThat(secret.reveal()).isEqualTo(canary.token());
    }

    // --- ways out that nobody meant ---

    static Stream<Object> holders() {
        TokenDocument document = TokenDocument.of(Canary.TOKEN);
        return Stream.of(Secret.of(Canary.TOKEN), document, Token.of("t", document));
    }

    @ParameterizedTest
    @MethodSource("holders")
    void jackson_asItIs_refuses(Object holder) {
        canary.caught(JsonProcessingException.class, () -> new ObjectMapper().writeValueAsString(holder));
        canary.caught(JsonProcessingException.class, () -> new ObjectMapper().writeValueAsString(Map.of("a", holder)));
    }

    @ParameterizedTest
    @MethodSource("holders")
    void jackson_toldToLookAtEverything_hasNoValue(Object holder) throws IOException {
        ObjectMapper nosy = JsonMapper.builder()
                .disable(MapperFeature.REQUIRE_HANDLERS_FOR_JAVA8_OPTIONALS)
                .build()
                .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
                .setVisibility(PropertyAccessor.ALL, Visibility.ANY);

        canary.saw("JSON", nosy.writeValueAsString(List.of(holder)));
        canary.saw("tree", nosy.valueToTree(holder).toPrettyString());
    }

    @ParameterizedTest
    @MethodSource("holders")
    void javaSerialization_refuses(Object holder) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            canary.caught(NotSerializableException.class, () -> out.writeObject(holder));
            canary.caught(
                    NotSerializableException.class,
                    () -> out.writeObject(Optional.of(holder).stream().toArray(Object[]::new)));
        }
        canary.saw("bytes", bytes.toString(java.nio.charset.StandardCharsets.ISO_8859_1));
    }

    @ParameterizedTest
    @CsvSource({
        "abcdefghij, you are abcdefghij, true",
        "abcdefghij, cdefghij, true",
        "abcdefghij, abcdefg hij bcdefgh, false",
        "abc, xabcx, true",
        "abc, ab c, false",
    })
    void isRepeatedIn_eightInARow_isSeen(String value, String text, boolean repeated) {
        assertThat(token("t", value).isRepeatedIn(text)).isEqualTo(repeated);
        assertThat(Secret.of(value).isRepeatedIn(text)).isEqualTo(repeated);
    }

    @ParameterizedTest
    @CsvSource({"Bearer abc, true", "bearer abc, true", "Bearerabc, false", "abc, false"})
    void beginsWithBearer_thePrefixWasStored_isTold(String value, boolean told) {
        assertThat(token("t", value).beginsWithBearer()).isEqualTo(told);
    }

    /** Mappers that read fields, as Gson does, leave transient ones out. */
    @Test
    void secret_fields_areTransient() {
        assertThat(Secret.class.getDeclaredFields())
                .isNotEmpty()
                .allMatch(field ->
                        Modifier.isTransient(field.getModifiers()) && Modifier.isPrivate(field.getModifiers()));
    }

    /** The value lies in a Secret and nowhere else, so that the test before this one speaks for all. */
    @Test
    void tokenAndDocument_fields_holdTheValueInASecretOnly() {
        Token token = token("t", canary.token());

        assertThatThrownBy(() -> new ObjectMapper().writeValueAsString(token)).isInstanceOf(IOException.class);
        for (Object holder : List.of(token, TokenDocument.of(canary.token()))) {
            for (var field : holder.getClass().getDeclaredFields()) {
                field.setAccessible(true);
                try {
                    canary.saw("field " + field.getName(), field.get(holder));
                } catch (IllegalAccessException e) {
                    throw new AssertionError(e);
                }
            }
        }
    }

    // --- exceptions ---

    @Test
    void tokenException_tellsReasonAndFix() {
        TokenException e = new TokenException(Reason.UNSAFE_FILE, "it is so", "do this");

        assertThat(e).hasMessage("it is so").hasNoCause();
        assertThat(e.reason()).isEqualTo(Reason.UNSAFE_FILE);
        assertThat(e.fix()).isEqualTo("do this");
        assertThat(Reason.UNSAFE_FILE.word()).isEqualTo("unsafe_file");
    }
}
