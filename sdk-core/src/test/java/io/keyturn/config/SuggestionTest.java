package io.keyturn.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SuggestionTest {
    private static final Set<String> KNOWN = Set.of(
            "name",
            "api_token",
            "tokens",
            "start_timeout",
            "endpoint",
            "endpoints",
            "send_as",
            "env",
            "file",
            "first_of",
            "value",
            "check");

    @ParameterizedTest
    @CsvSource({
        "tokns, tokens",
        "token, tokens",
        "endpiont, endpoint",
        "endpont, endpoint",
        "endpoints_, endpoints",
        "Endpoint, endpoint",
        "ENDPOINT, endpoint",
        "sendAs, send_as",
        "send-as, send_as",
        "startTimeout, start_timeout",
        "api-token, api_token",
        "apitoken, api_token",
        "vlaue, value",
        "env_, env",
        "firstof, first_of",
        "chekc, check"
    })
    void of_nearWord_suggested(String written, String meant) {
        assertThat(Suggestion.of(written, KNOWN)).contains(meant);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "password", "x", "secret_key", "environment", "urls"})
    void of_farWord_nothing(String written) {
        assertThat(Suggestion.of(written, KNOWN)).isEmpty();
    }

    @Test
    void of_severalAreNear_nearestThenFirst() {
        assertThat(Suggestion.of("abcdefg", List.of("abcdxyg", "abcdefx", "abcxyfg")))
                .contains("abcdefx");
        assertThat(Suggestion.of("ax", List.of("ay", "ab"))).contains("ab");
        assertThat(Suggestion.of("env", Set.of())).isEmpty();
    }

    @Test
    void of_endlessWord_nothingAtOnce() {
        assertThat(Suggestion.of("x".repeat(1_000_000), Set.of("y".repeat(1_000_000))))
                .isEmpty();
    }
}
