package io.keyturn.token;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.keyturn.Canary;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenDocumentTest {
    private static final Instant RECEIVED = Instant.parse("2026-11-24T12:00:00Z");
    private static final String T = Canary.TOKEN;
    private static final int LENGTH = T.length();

    @RegisterExtension
    final Canary canary = new Canary();

    private static TokenDocument parse(String text) throws TokenException {
        return TokenDocument.parse(text.getBytes(UTF_8), RECEIVED);
    }

    /** What the documents of services have in common. */
    private static TokenDocument json(String more) throws TokenException {
        return parse("{\"token\": \"" + T + "\"" + more + "}");
    }

    // --- plain text ---

    static Stream<Arguments> notTokens() {
        return Stream.of(
                arguments("", "it is empty"),
                arguments("\n", "it is empty"),
                arguments("\r\n", "it is empty"),
                arguments("\uFEFF", "it is empty"),
                arguments("   ", "it is nothing but white space"),
                arguments("\t\n", "it is nothing but white space"),
                arguments("\n\n", "it is nothing but white space"),
                arguments(T + "\n\n", "a header cannot carry the character at index " + LENGTH + " (a line break)"),
                arguments(T + "\n" + T, "a header cannot carry the character at index " + LENGTH + " (a line break)"),
                arguments(T + "\r" + T, "a header cannot carry the character at index " + LENGTH + " (a line break)"),
                arguments("\n" + T, "a header cannot carry the character at index 0 (a line break)"),
                arguments(
                        T + "\u0000" + T,
                        "a header cannot carry the character at index " + LENGTH + " (a control character)"),
                arguments("ab\tcd" + T, "a header cannot carry the character at index 2 (a control character)"),
                arguments("ab\u007f" + T, "a header cannot carry the character at index 2 (a control character)"),
                arguments("abc\u00e9" + T, "a header cannot carry the character at index 3 (not ASCII)"),
                arguments("abc\ud83d\ude00" + T, "a header cannot carry the character at index 3 (not ASCII)"),
                arguments("\uFEFF\uFEFF" + T, "a header cannot carry the character at index 0 (not ASCII)"),
                arguments("\u00a0" + T, "a header cannot carry the character at index 0 (not ASCII)"),
                arguments(" " + T, "it begins or ends with white space"),
                arguments(T + " ", "it begins or ends with white space"),
                arguments("<html><body>" + T + "</body></html>\n", "it looks like HTML or XML"),
                arguments("<!DOCTYPE html>\n<html>\n" + T, "it looks like HTML or XML"),
                arguments(
                        "-----BEGIN PRIVATE KEY-----\n" + T + "\n-----END PRIVATE KEY-----\n",
                        "looks like a PEM block"),
                arguments("[\"" + T + "\"]", "it looks like a list"),
                arguments(T + "x".repeat(65_537 - LENGTH), "it is longer than 65,536 characters"));
    }

    @ParameterizedTest
    @MethodSource("notTokens")
    void parse_plainTextThatIsNoToken_saysWhereNeverWhat(String text, String why) {
        TokenException e = canary.caught(TokenException.class, () -> parse(text));

        assertThat(e)
                .hasMessageStartingWith("not a token: ")
                .hasMessageEndingWith(why)
                .hasNoCause();
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
    }

    @ParameterizedTest
    @MethodSource("notTokens")
    void parse_textWithoutTime_refusesTheSame(String text, String why) {
        TokenException e = canary.caught(TokenException.class, () -> TokenDocument.parse(text));

        assertThat(e).hasMessageEndingWith(why);
    }

    @Test
    void parse_notUtf8_refused() {
        byte[] latin = (T + "\u00e9").getBytes(StandardCharsets.ISO_8859_1);
        byte[] utf16 = T.getBytes(StandardCharsets.UTF_16);
        byte[] overlong = {'a', (byte) 0xC0, (byte) 0x8A};
        byte[] surrogate = {'a', (byte) 0xED, (byte) 0xA0, (byte) 0x80};

        for (byte[] bytes : List.of(latin, utf16, overlong, surrogate)) {
            assertThat(canary.caught(TokenException.class, () -> TokenDocument.parse(bytes, RECEIVED)))
                    .hasMessage("not a token: it is not valid UTF-8");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n", "\r\n"})
    void parse_trailingLineBreakOrMark_stripped(String end) throws TokenException {
        assertThat(parse(T + end).value().reveal()).isEqualTo(T);
        assertThat(parse("\uFEFF" + T + end).value().reveal()).isEqualTo(T);
        assertThat(TokenDocument.parse("\uFEFF" + T + end).value().reveal()).isEqualTo(T);
        assertThat(TokenDocument.decode((T + end).getBytes(UTF_8))).isEqualTo(T);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "0123", "1e10", "NO", "Bearer abc", "a b", "~!@#$%^&*()_+{}|:\"<>?`-=[]\\;',./"})
    void parse_plainText_isTheTokenAsWritten(String text) throws TokenException {
        TokenDocument document = parse(text);

        assertThat(document.value().reveal()).isEqualTo(text);
        assertThat(document.expiresAt()).isEmpty();
        assertThat(document.issuedAt()).isEmpty();
        assertThat(document.scopes()).isEmpty();
        assertThat(document.version()).isEmpty();
        assertThat(document.origin()).isEmpty();
    }

    @Test
    void parse_longest_accepted() throws TokenException {
        String longest = "x".repeat(65_536);

        assertThat(parse(longest).value().reveal()).isEqualTo(longest);
    }

    @Test
    void of_valueThatNoHeaderCarries_refusedWithoutIt() {
        IllegalArgumentException e =
                canary.caught(IllegalArgumentException.class, () -> TokenDocument.of(T + "\n" + T));

        assertThat(e).hasMessageContaining("index " + LENGTH).hasNoCause();
    }

    @Test
    void of_value_keptAsItStands() {
        assertThat(TokenDocument.of(T).value()).isEqualTo(Secret.of(T));
    }

    // --- JSON ---

    static Stream<Arguments> notDocuments() {
        return Stream.of(
                // cut short
                arguments("{", "it is not valid JSON, or repeats a key, at line 1, column 2"),
                arguments("{\"token\"", "it is not valid JSON"),
                arguments("{\"token\":", "it is not valid JSON"),
                arguments("{\"token\": \"" + T, "it is not valid JSON"),
                arguments("{\"token\": \"" + T + "\"", "it is not valid JSON"),
                arguments("{\"token\": \"" + T + "\",\n \"expires_in\": ", "at line 2, column"),
                arguments("{\"token\": \"" + T + "\", \"scopes\": [\"a\"", "it is not valid JSON"),
                // not JSON
                arguments("{token: \"" + T + "\"}", "it is not valid JSON"),
                arguments("{'token': '" + T + "'}", "it is not valid JSON"),
                arguments("{\"token\": " + T + "}", "it is not valid JSON"),
                arguments("{\"token\": \"" + T + "\",}", "it is not valid JSON"),
                arguments("{\"token\": \"" + T + "\n\"}", "it is not valid JSON"),
                arguments("{\"token\": \"" + T + "\"} // " + T, "it is not valid JSON"),
                // more than one
                arguments("{\"token\": \"" + T + "\"} x", "it is not valid JSON"),
                arguments("{\"token\": \"" + T + "\"} {}", "something follows the JSON object"),
                arguments("{\"token\": \"" + T + "\"} 1", "something follows the JSON object"),
                arguments("{\"token\": \"" + T + "\"}\u0000", "it is not valid JSON"),
                arguments("{\"token\": \"" + T + "\", \"token\": \"" + T + "\"}", "or repeats a key, at line 1"),
                arguments("{\"token\": \"" + T + "\", \"a\": {\"b\": 1, \"b\": 2}}", "or repeats a key"),
                arguments(
                        "{\"token\": \"" + T + "\", \"access_token\": \"" + T + "\"}",
                        "it has both /token and /access_token"),
                arguments("{\"access_token\": \"" + T + "\", \"token\": null}", "it has both /access_token and /token"),
                // another type
                arguments("{}", "the JSON object has neither /token nor /access_token"),
                arguments("{\"" + T + "\": 1}", "the JSON object has neither /token nor /access_token"),
                arguments("{\"Token\": \"" + T + "\"}", "the JSON object has neither /token nor /access_token"),
                arguments("{\"data\": {\"token\": \"" + T + "\"}}", "has neither /token nor /access_token"),
                arguments("{\"token\": null}", "/token must be text"),
                arguments("{\"access_token\": null}", "/access_token must be text"),
                arguments("{\"token\": 1234567890123}", "/token must be text"),
                arguments("{\"token\": true}", "/token must be text"),
                arguments("{\"token\": [\"" + T + "\"]}", "/token must be text"),
                arguments("{\"token\": {\"value\": \"" + T + "\"}}", "/token must be text"),
                // a token that is none
                arguments("{\"token\": \"\"}", "it is empty"),
                arguments("{\"token\": \" \"}", "it is nothing but white space"),
                arguments("{\"token\": \"" + T + "\\n\"}", "at index " + LENGTH + " (a line break)"),
                arguments("{\"token\": \"" + T + "\\u0000\"}", "at index " + LENGTH + " (a control character)"),
                arguments("{\"token\": \"" + T + "\\u00e9\"}", "at index " + LENGTH + " (not ASCII)"),
                // what else it says
                arguments(
                        more("\"expires_in\": -1"),
                        "/expires_in must be a whole number of seconds from 1 to 3153600000"),
                arguments(more("\"expires_in\": 0"), "/expires_in must be a whole number"),
                arguments(more("\"expires_in\": 3153600001"), "/expires_in must be a whole number"),
                arguments(more("\"expires_in\": 99999999999999999999999999"), "/expires_in must be a whole number"),
                arguments(more("\"expires_in\": 1.5"), "/expires_in must be a whole number"),
                arguments(more("\"expires_in\": 1e999999999"), "/expires_in must be a whole number"),
                arguments(more("\"expires_in\": \"\""), "/expires_in must be a whole number"),
                arguments(more("\"expires_in\": \"1h\""), "/expires_in must be a whole number"),
                arguments(more("\"expires_in\": \"" + T + "\""), "/expires_in must be a whole number"),
                arguments(more("\"expires_in\": true"), "/expires_in must be a whole number"),
                arguments(more("\"expires_in\": [1]"), "/expires_in must be a whole number"),
                arguments(more("\"scopes\": 1"), "/scopes must be text"),
                arguments(more("\"scopes\": [\"a\", 1]"), "/scopes/1 must be text"),
                arguments(more("\"scopes\": [null]"), "/scopes/0 must be text"),
                arguments(more("\"scopes\": [[\"" + T + "\"]]"), "/scopes/0 must be text"),
                arguments(more("\"scope\": {\"a\": true}"), "/scope must be text"),
                arguments(more("\"expires_at\": \"tomorrow\""), "/expires_at must be a time such as"),
                arguments(more("\"expires_at\": \"" + T + "\""), "/expires_at must be a time such as"),
                arguments(more("\"expires_at\": \"2026-02-30\""), "/expires_at must be a time such as"),
                arguments(more("\"expires_at\": \"2026-12-31T00:00:00\""), "/expires_at must be a time such as"),
                arguments(more("\"expires_at\": \"+10000-01-01T00:00:00Z\""), "/expires_at must be a time such as"),
                arguments(more("\"expires_at\": \"1969-12-31T23:59:59Z\""), "/expires_at must be a time such as"),
                arguments(more("\"expires_at\": -1"), "/expires_at must be a time such as"),
                // in milliseconds it would be the year 58,000
                arguments(more("\"expires_at\": 1798675200000"), "/expires_at must be a time such as"),
                arguments(more("\"expires_at\": 1e999999999"), "/expires_at must be a time such as"),
                arguments(more("\"expires_at\": 9223372036854775808"), "/expires_at must be a time such as"),
                arguments(more("\"expires_at\": true"), "/expires_at must be a time such as"),
                arguments(more("\"expires_at\": {}"), "/expires_at must be a time such as"),
                arguments(more("\"issued_at\": \"soon\""), "/issued_at must be a time such as"),
                arguments(more("\"issued_at\": [1]"), "/issued_at must be a time such as"));
    }

    private static String more(String members) {
        return "{\"token\": \"" + T + "\", " + members + "}";
    }

    @ParameterizedTest
    @MethodSource("notDocuments")
    void parse_badJson_saysWhereNeverWhat(String text, String why) {
        TokenException e = canary.caught(TokenException.class, () -> parse(text));

        assertThat(e)
                .hasMessageStartingWith("not a token: ")
                .hasMessageContaining(why)
                .hasNoCause();
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
        assertThat(canary.caught(TokenException.class, () -> TokenDocument.parse(text)))
                .hasMessage(e.getMessage());
    }

    @Test
    void parse_jsonNestedBeyondMeasure_refused() {
        String deep = "{\"token\": \"" + T + "\", \"a\": " + "[".repeat(100_000);

        assertThat(canary.caught(TokenException.class, () -> parse(deep))).hasMessageContaining("not valid JSON");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"token\": \"abc\"}",
                "{\"access_token\": \"abc\"}",
                "\uFEFF{\"token\": \"abc\"}\n",
                "\n  {\"token\":\"abc\"}  \n\n",
                "{\"token_type\": \"Bearer\", \"token\": \"abc\", \"refresh_token\": null, \"nested\": {\"token\": 1}}",
                "{\"token\": \"\\u0061bc\", \"expires_in\": null, \"scope\": null, \"expires_at\": null}"
            })
    void parse_json_tokenFound(String text) throws TokenException {
        TokenDocument document = parse(text);

        assertThat(document.value().reveal()).isEqualTo("abc");
        assertThat(document.expiresAt()).isEmpty();
        assertThat(document.scopes()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    "scopes": ["read", "write"]     | read,write
                    "scopes": "read write"          | read,write
                    "scope": "read write"           | read,write
                    "scope": "  read   write "      | read,write
                    "scope": ["write", "read"]      | write,read
                    "scope": "read"                 | read
                    "scope": "read read"            | read
                    """)
    void parse_scopes_eitherForm(String member, String expected) throws TokenException {
        Set<String> scopes = json(", " + member).scopes().orElseThrow();

        assertThat(scopes).containsExactly(expected.split(",", -1));
        assertThatThrownBy(() -> scopes.add("admin")).isInstanceOf(UnsupportedOperationException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"scope\": \"\"", "\"scope\": \" \"", "\"scopes\": []"})
    void parse_noScopes_knownToBeNone(String member) throws TokenException {
        assertThat(json(", " + member).scopes()).contains(Set.of());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    "expires_in": 86400                                                   | 2026-11-25T12:00:00Z | 2026-11-24T12:00:00Z
                    "expires_in": "86400"                                                 | 2026-11-25T12:00:00Z | 2026-11-24T12:00:00Z
                    "expires_in": 1                                                       | 2026-11-24T12:00:01Z | 2026-11-24T12:00:00Z
                    "expires_in": 3153600000                                              | 2126-10-31T12:00:00Z | 2026-11-24T12:00:00Z
                    "expires_in": 60, "issued_at": "2026-01-01T00:00:00Z"                 | 2026-01-01T00:01:00Z | 2026-01-01T00:00:00Z
                    "issued_at": 1767225600, "expires_in": 60                             | 2026-01-01T00:01:00Z | 2026-01-01T00:00:00Z
                    "issued_at": 1767225600                                               |                      | 2026-01-01T00:00:00Z
                    "expires_at": 1767225600                                              | 2026-01-01T00:00:00Z |
                    "expires_at": 1767225600.75                                           | 2026-01-01T00:00:00Z |
                    "expires_at": "2026-12-31T00:00:00Z"                                  | 2026-12-31T00:00:00Z |
                    "expires_at": "2026-12-31T01:00:00+01:00"                             | 2026-12-31T00:00:00Z |
                    "expires_at": "2026-12-31T00:00:00.5Z"                                | 2026-12-31T00:00:00.500Z |
                    "expires_at": "2026-12-31"                                            | 2026-12-31T00:00:00Z |
                    "expires_at": "9999-12-31T23:59:59Z"                                  | 9999-12-31T23:59:59Z |
                    "expires_at": 0                                                       | 1970-01-01T00:00:00Z |
                    "expires_in": 60, "expires_at": "2026-12-31T00:00:00Z"                | 2026-12-31T00:00:00Z |
                    "expires_in": 60, "expires_at": null                                  | 2026-11-24T12:01:00Z | 2026-11-24T12:00:00Z
                    """)
    void parse_times_eachForm(String members, Instant end, Instant issued) throws TokenException {
        TokenDocument document = json(", " + members);

        assertThat(document.expiresAt().orElse(null)).isEqualTo(end);
        assertThat(document.issuedAt().orElse(null)).isEqualTo(issued);
    }

    @Test
    void parse_textWithoutTime_expiresInNeedsIssuedAt() throws TokenException {
        TokenDocument unknown = TokenDocument.parse("{\"token\": \"abc\", \"expires_in\": 60}");
        TokenDocument known = TokenDocument.parse(
                "{\"token\": \"abc\", \"expires_in\": 60, \"issued_at\": \"2026-01-01T00:00:00Z\"}");

        assertThat(unknown.expiresAt()).isEmpty();
        assertThat(unknown.issuedAt()).isEmpty();
        assertThat(known.expiresAt()).contains(Instant.parse("2026-01-01T00:01:00Z"));
    }

    // --- the object ---

    @Test
    void with_eachProperty_changesACopy() {
        TokenDocument plain = TokenDocument.of("abc");
        Set<String> granted = new LinkedHashSet<>(List.of("read"));
        TokenDocument full = plain.withExpiresAt(RECEIVED.plusSeconds(1))
                .withIssuedAt(RECEIVED)
                .withScopes(granted)
                .withVersion("7")
                .withOrigin("file x");
        granted.add("admin");

        assertThat(full.expiresAt()).contains(RECEIVED.plusSeconds(1));
        assertThat(full.issuedAt()).contains(RECEIVED);
        assertThat(full.scopes()).contains(Set.of("read"));
        assertThat(full.version()).contains("7");
        assertThat(full.origin()).contains("file x");
        assertThat(full.value().reveal()).isEqualTo("abc");
        assertThat(plain.expiresAt()).isEmpty();
        assertThat(plain.origin()).isEmpty();
    }

    @Test
    void toString_anything_withoutTheValue() throws TokenException {
        TokenDocument document = json(", \"expires_at\": \"2026-12-31\", \"scope\": \"read\"");

        canary.saw("toString", document);
        assertThat(document).hasToString("TokenDocument[secret, expires 2026-12-31T00:00:00Z]");
        assertThat(TokenDocument.of(T)).hasToString("TokenDocument[secret]");
    }
}
