package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.keyturn.config.ConfigException;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PlacementTest {
    private static String form(Placement placement, String value) {
        return placement.form(Token.of("t", TokenDocument.of(value))).reveal();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "A:B",
                "A B",
                "A\nB",
                "A\u0000",
                "Ä",
                "X-Kéy",
                "A/B",
                "(A)",
                "Host",
                "host",
                "Content-Length",
                "CONTENT-LENGTH",
                "Transfer-Encoding",
                "Connection",
                "Proxy-Connection",
                "Keep-Alive",
                "Upgrade",
                "TE",
                "Proxy-Authorization"
            })
    void header_nameThatCannotCarryAToken_isConfigException(String name) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> Placement.header(name))
                .withMessageContaining("header of this name");
    }

    @ParameterizedTest
    @ValueSource(strings = {"Authorization", "X-Api-Key", "x_api_key", "PRIVATE-TOKEN", "Cookie", "!#$%&'*+-.^_`|~1a"})
    void header_everyOtherName_isAPlace(String name) {
        assertThat(Placement.header(name)).hasToString("header " + name);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a\nb", "Tökén ", "\u0000", "\t"})
    void header_prefixThatCannotBeSent_isConfigException(String prefix) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> Placement.header("X-Api-Key", prefix))
                .withMessageContaining("prefix");
    }

    @ParameterizedTest
    @ValueSource(strings = {"a:b", "a\nb", "ü"})
    void basic_userThatCannotBeSent_isConfigException(String user) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> Placement.basic(user))
                .withMessageContaining("user");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " "})
    void query_nameBlank_isConfigException(String name) {
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> Placement.query(name));
    }

    @ParameterizedTest
    @CsvSource({
        "abc, Bearer abc",
        "Bearer abc, Bearer abc",
        "bearer abc, Bearer abc",
        "Bearer Bearer abc, Bearer Bearer abc",
        "Bearerabc, Bearer Bearerabc",
        "bear, Bearer bear"
    })
    void form_bearer_hasThePrefixOnce(String value, String sent) {
        assertThat(form(Placement.bearer(), value)).isEqualTo(sent);
    }

    @Test
    void form_otherPlacements_areAsTheirStandardsSay() {
        assertThat(form(Placement.header("X-Api-Key"), "abc")).isEqualTo("abc");
        assertThat(form(Placement.header("Authorization", "Token "), "abc")).isEqualTo("Token abc");
        assertThat(form(Placement.header("Authorization", "Token "), "Token abc"))
                .isEqualTo("Token abc");
        // RFC 7617 2
        assertThat(form(Placement.basic("Aladdin"), "open sesame")).isEqualTo("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assertThat(form(Placement.basic(""), "abc")).isEqualTo("Basic OmFiYw==");
        assertThat(form(Placement.query("key"), "a+b&c")).isEqualTo("a+b&c");
    }
}
