package io.keyturn.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import io.keyturn.config.References;
import io.keyturn.config.Settings;
import io.keyturn.policy.Endpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckRequestTest {
    private static final References NONE = new References() {
        @Override
        public String variable(String name) {
            return null;
        }

        @Override
        public String file(String path) {
            return null;
        }
    };

    private static Settings text(String path, String text) {
        return Settings.text(Location.of(path), references -> text);
    }

    private static Settings list(String path, String... items) {
        return Settings.list(
                Location.of(path),
                Stream.of(items).map(item -> text(path, item)).toList());
    }

    private static Settings check(Object... keysAndValues) {
        List<Settings.Entry> entries = new ArrayList<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            String key = (String) keysAndValues[i];
            Settings value = keysAndValues[i + 1] instanceof Settings s
                    ? s
                    : text("check." + key, (String) keysAndValues[i + 1]);
            entries.add(new Settings.Entry(key, value.at(), value));
        }
        return Settings.map(Location.of("check"), entries).open(NONE);
    }

    private static List<String> wrong(Settings settings) {
        CheckRequest.read(settings);
        return settings.problems().stream().map(Problem::toString).toList();
    }

    private static CheckRequest good(Settings settings) {
        CheckRequest request = CheckRequest.read(settings);
        settings.finish();
        return request;
    }

    // --- as it is written ---

    @ParameterizedTest
    @CsvSource({
        "GET /v1/me, GET, /v1/me",
        "get /, GET, /",
        "OPTIONS   /a?b=c, OPTIONS, /a?b=c",
        "HEAD HTTPS://a.example/b, HEAD, HTTPS://a.example/b"
    })
    void parse_methodAndTarget_areRead(String text, String method, String target) {
        CheckRequest request = CheckRequest.parse(text);

        assertThat(request.method()).isEqualTo(method);
        assertThat(request.target()).isEqualTo(target);
        assertThat(request.expected()).hasSize(100).contains(200, 204, 299).doesNotContain(199, 300);
        assertThat(request.refused()).containsExactlyInAnyOrder(401, 403);
        assertThat(request.identity()).isNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/me",
                "GET",
                "GET me",
                "GET  ",
                "GET /a b",
                "G3T /me",
                "GET ftp://a.example/",
                "GET /me#top",
                "GET file:///etc"
            })
    void parse_anythingElse_isRefused(String text) {
        assertThatThrownBy(() -> CheckRequest.parse(text))
                .isInstanceOf(ConfigException.class)
                .message()
                .satisfiesAnyOf(
                        message -> assertThat(message).isEqualTo("must be a method and a target, such as GET /v1/me"),
                        message -> assertThat(message)
                                .isEqualTo(
                                        "the target must be a path that begins with a slash, or a URL, without fragment"));
    }

    @Test
    void read_text_isTheShortForm() {
        assertThat(CheckRequest.read(text("check", "GET /me").open(NONE))).isEqualTo(CheckRequest.parse("GET /me"));
    }

    @Test
    void read_map_hasEverything() {
        CheckRequest request = good(check(
                "request",
                "POST /me",
                "expect",
                list("check.expect", "200", "404"),
                "anonymous",
                list("check.anonymous", "401", "4xx"),
                "identity",
                "/user/login"));

        assertThat(request.method()).isEqualTo("POST");
        assertThat(request.expected()).containsExactlyInAnyOrder(200, 404);
        assertThat(request.refused()).hasSize(100).contains(400, 499);
        assertThat(request.identity()).isEqualTo("/user/login");
    }

    @Test
    void read_mapWithRequestAlone_hasTheDefaults() {
        assertThat(good(check("request", "GET /me"))).isEqualTo(CheckRequest.parse("GET /me"));
        assertThat(good(check("request", "GET /me", "expect", "204")).expected())
                .containsExactly(204);
    }

    @Test
    void read_anonymousOff_isNotTried() {
        assertThat(good(check("request", "GET /me", "anonymous", "off")).refused())
                .isEmpty();
    }

    @Test
    void read_wrongValues_areToldTogether() {
        assertThat(wrong(check(
                        "request", "me",
                        "expect", list("check.expect", "200", "2x", "600", "0"),
                        "anonymous", "never",
                        "identity", "login",
                        "exepct", "200")))
                .containsExactlyInAnyOrder(
                        "check.request: must be a method and a target, such as GET /v1/me",
                        "check.expect: must be a status such as 200, or a class of them such as 2xx",
                        "check.expect: must be a status such as 200, or a class of them such as 2xx",
                        "check.expect: must be a status such as 200, or a class of them such as 2xx",
                        "check.anonymous: must be a status such as 200, or a class of them such as 2xx",
                        "check.identity: must be a JSON pointer that begins with a slash, such as /login",
                        "check.exepct: unknown key 'exepct', did you mean 'expect'?");
    }

    @Test
    void read_mapWithoutRequest_saysSo() {
        assertThat(wrong(check("expect", "200"))).containsExactly("check: 'request' is missing");
    }

    // --- where it may go ---

    private static String target(String request, boolean allowUnsafe, String... endpoints) {
        List<Endpoint> all =
                Stream.of(endpoints).map(url -> Endpoint.parse(url, false)).toList();
        return CheckRequest.parse(request).within(all, allowUnsafe).toString();
    }

    @ParameterizedTest
    @CsvSource({
        "GET /v1/me, https://a.example/v1, https://a.example/v1/me",
        "GET /me, https://a.example, https://a.example/me",
        "GET https://a.example/v1/me?x=1, https://a.example/v1, https://a.example/v1/me?x=1",
        "GET https://A.example:443/v1/me, https://a.example/v1, https://a.example/v1/me"
    })
    void within_anEndpoint_isTheUrlThatIsAsked(String request, String endpoint, String url) {
        assertThat(target(request, false, endpoint)).isEqualTo(url);
    }

    @Test
    void within_severalEndpoints_isTheFirstThatCoversIt() {
        assertThat(target("GET /v2/me", false, "https://a.example/v1", "https://b.example/v2"))
                .isEqualTo("https://b.example/v2/me");
    }

    @ParameterizedTest
    @CsvSource({
        "GET /v2/me, https://a.example/v1",
        "GET /v1/../admin, https://a.example/v1",
        "GET /v1/%2e%2e/admin, https://a.example/v1",
        "GET //b.example/me, https://a.example",
        "GET http://a.example/me, https://a.example",
        "GET https://a.example:8443/me, https://a.example",
        "GET https://a.example@b.example/me, https://a.example",
        "GET /v10, https://a.example/v1"
    })
    void within_noEndpoint_isRefused(String request, String endpoint) {
        assertThatThrownBy(() -> target(request, false, endpoint))
                .isInstanceOf(ConfigException.class)
                .hasMessage("lies outside the token's endpoints: " + Endpoint.parse(endpoint, false));
    }

    @Test
    void within_nothingDeclared_isRefused() {
        assertThatThrownBy(() -> target("GET /me", false))
                .hasMessage("needs an endpoint: without one the token may go nowhere");
    }

    @ParameterizedTest
    @ValueSource(strings = {"POST", "PUT", "DELETE", "PATCH", "BREW"})
    void within_methodThatChangesSomething_needsTheWord(String method) {
        assertThatThrownBy(() -> target(method + " /me", false, "https://a.example"))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("must be GET, HEAD or OPTIONS")
                .hasMessageContaining("allow: [unsafe_check]");
        assertThat(target(method + " /me", true, "https://a.example")).isEqualTo("https://a.example/me");
    }
}
