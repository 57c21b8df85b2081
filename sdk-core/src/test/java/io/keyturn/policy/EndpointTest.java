package io.keyturn.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.keyturn.config.ConfigException;
import okhttp3.HttpUrl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EndpointTest {
    private static Endpoint endpoint(String text) {
        return Endpoint.parse(text, false);
    }

    private static boolean covers(String endpoint, String url) {
        return endpoint(endpoint).covers(HttpUrl.get(url));
    }

    /** OkHttp throws at it; a server may send it as where to go next. */
    @Test
    void httpUrl_noAddress_isNull() {
        assertThat(Endpoint.httpUrl("https://[1:2:3:4:5:6:7:8:9]/")).isNull();
        assertThat(Endpoint.httpUrl(HttpUrl.get("https://api.example.com"), "//[1:2:3:4:5:6:7:8:9]/"))
                .isNull();
        assertThat(Endpoint.httpUrl(HttpUrl.get("https://api.example.com/a"), "b"))
                .isEqualTo(HttpUrl.get("https://api.example.com/b"));
    }

    // --- parse ---

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "api.example.com",
                "//api.example.com",
                "file:///etc/passwd",
                "ftp://api.example.com",
                "ws://api.example.com",
                "javascript:alert(1)",
                "https",
                "https:",
                "https:/api.example.com",
                "httpsx://api.example.com"
            })
    void parse_notHttp_isConfigException(String text) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> endpoint(text))
                .withMessageContaining("must be a URL that begins with https://");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://user@api.example.com",
                "https://user:password@api.example.com",
                "https://api.example.com@evil.example",
                "https://api.example.com/#fragment",
                "https://api.example.com#",
                "https://api.example.com/?query",
                "https://api.example.com\\@evil.example",
                "https:\\\\api.example.com\\"
            })
    void parse_userQueryFragmentOrBackslash_isConfigException(String text) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> endpoint(text))
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("password"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://",
                "https:///",
                "https:///api.example.com",
                "https://[1:2:3:4:5:6:7:8:9]/",
                "https://api.example.com:65536",
                "https://api.example.com:0",
                "https://api.example.com:-1",
                "https://api.example.com:+1",
                "https://api.example.com:",
                "https://api.example.com:/v1",
                "https://api.example.com:port",
                "https://api.example.com:99999999999999999999",
                "https://api%2eexample.com",
                "https://%61pi.example.com",
                "https://api.example.com%2f.evil.example",
                "https://[::1",
                "https://::1",
                "https://[fe80::1%25eth0]",
                "https://[not:an:address]",
                "https://api..example.com",
                "https://api,example.com",
                "https://api;example.com",
                "https://*.example.com"
            })
    void parse_notAValidUrl_isConfigException(String text) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> endpoint(text))
                .withMessageContaining("is not a valid URL");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://\u0430pi.example.com", // a Cyrillic letter
                "https://api.ex\u00e4mple.com",
                "https://api\u3002example.com", // another full stop
                "https://api.example.com\u200b",
                "https://api.example.com/v1\n",
                "https://api.example.com/v 1",
                "https://api.exam\tple.com",
                "https://api.example.com\u0000"
            })
    void parse_notAscii_isConfigException(String text) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> endpoint(text))
                .withMessageContaining("must be ASCII");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://api.example.com/v1/../admin",
                "https://api.example.com/v1/%2e%2e/admin",
                "https://api.example.com/v1/.%2E",
                "https://api.example.com/v1/..%2fadmin",
                "https://api.example.com/v1/..;/admin",
                "https://api.example.com/."
            })
    void parse_dotSegments_isConfigException(String text) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> endpoint(text))
                .withMessageContaining("must have no '.' or '..' in its path");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://api.example.com",
                "HTTP://api.example.com",
                "http://127.0.0.1.evil.example",
                "http://localhost.evil.example",
                "http://localhost.",
                "http://127.1",
                "http://0.0.0.0",
                "http://[::2]",
                "http://10.0.0.1"
            })
    void parse_plainHttpOverANetwork_isAllowedOnlyWhereSaid(String text) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> endpoint(text))
                .withMessageContaining("must be https://")
                .withMessageContaining("insecure_http");
        assertThat(Endpoint.parse(text, true)).isNotNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://localhost:8080",
                "http://127.0.0.1/v1",
                "http://[::1]:1",
                "http://[0:0::1]",
                "http://LOCALHOST"
            })
    void parse_plainHttpOnLoopback_isAllowed(String text) {
        assertThat(endpoint(text).url().isHttps()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "HTTPS://API.Example.COM, https://api.example.com/",
        "https://api.example.com:443/v1, https://api.example.com/v1",
        "https://api.example.com:8443, https://api.example.com:8443/",
        "https://xn--e1awd7f.example/, https://xn--e1awd7f.example/",
        "https://api_1.example-host.com, https://api_1.example-host.com/",
        "https://[2001:DB8::1]:8443/v1, https://[2001:db8::1]:8443/v1",
        "https://api/v1.2/a..b, https://api/v1.2/a..b"
    })
    void parse_valid_printsAsItIsCompared(String text, String printed) {
        assertThat(endpoint(text)).hasToString(printed);
    }

    // --- covers ---

    @ParameterizedTest
    @CsvSource({
        // endpoint, url, covered
        "https://api.example.com, https://api.example.com/, true",
        "https://api.example.com, https://API.EXAMPLE.COM:443/any/where?x, true",
        "https://api.example.com, http://api.example.com/, false",
        "https://api.example.com, http://api.example.com:443/, false",
        "https://api.example.com, https://api.example.com:444/, false",
        "https://api.example.com, https://example.com/, false",
        "https://api.example.com, https://www.api.example.com/, false",
        "https://api.example.com, https://api.example.com.evil.example/, false",
        "https://api.example.com, https://evil.example/api.example.com, false",
        "https://api.example.com, https://api.example.com./, false",
        "https://api.example.com., https://api.example.com/, false",
        "https://api.example.com., https://api.example.com./, true",
        "https://api.example.com:8443, https://api.example.com:8443/, true",
        "https://api.example.com:8443, https://api.example.com/, false",
        "https://[::1]:8443, https://[0:0:0:0:0:0:0:1]:8443/, true",
        "https://[::1], https://127.0.0.1/, false",
        "https://127.0.0.1, https://localhost/, false",
        "https://api.example.com/v1, https://api.example.com/v1, true",
        "https://api.example.com/v1, https://api.example.com/v1/, true",
        "https://api.example.com/v1/, https://api.example.com/v1, true",
        "https://api.example.com/v1, https://api.example.com/v1/me/x, true",
        "https://api.example.com/v1, https://api.example.com/v1?x=/v2, true",
        "https://api.example.com/v1, https://api.example.com/v1#x, true",
        "https://api.example.com/v1, https://api.example.com/v1/x/..y, true",
        "https://api.example.com/v1, https://api.example.com/v1/a/../b, true",
        "https://api.example.com/v1, https://api.example.com/%76%31/me, true",
        "https://api.example.com/%761, https://api.example.com/v1/me, true",
        "https://api.example.com/v1, https://api.example.com/v10, false",
        "https://api.example.com/v1, https://api.example.com/v1.0, false",
        "https://api.example.com/v1, https://api.example.com/v, false",
        "https://api.example.com/v1, https://api.example.com/, false",
        "https://api.example.com/v1, https://api.example.com/V1, false",
        "https://api.example.com/v1, https://api.example.com//v1, false",
        "https://api.example.com/v1, https://api.example.com/v1/../admin, false",
        "https://api.example.com/v1, https://api.example.com/v1/%2e%2e/admin, false",
        "https://api.example.com/v1, https://api.example.com/v1/%2E./admin, false",
        "https://api.example.com/v1, https://api.example.com/v1/..%2fadmin, false",
        "https://api.example.com/v1, https://api.example.com/v1/x%2f..%2F..%2fadmin, false",
        "https://api.example.com/v1, https://api.example.com/v1/..%5cadmin, false",
        "https://api.example.com/v1, https://api.example.com/v1/..;x=y/admin, false",
        "https://api.example.com/v1, https://api.example.com/v1%2fme, false",
        "https://api.example.com/v1, https://api.example.com/v1%5cme, false",
        "https://api.example.com/a/b, https://api.example.com/a/b/c, true",
        "https://api.example.com/a/b, https://api.example.com/a/c, false",
        "https://api.example.com/a/b, https://api.example.com/a%2fb, false"
    })
    void covers_schemeHostPortAndPath_asASideBySideComparison(String endpoint, String url, boolean covered) {
        assertThat(covers(endpoint, url)).isEqualTo(covered);
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", ".", "/..", "../", "a/../b", "a\\..\\b", "..;", ".;x", "a/..;x/b", "\\.."})
    void hasDotSegment_whatSomeServerResolves_is(String path) {
        assertThat(Endpoint.hasDotSegment(path)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/", "a", "...", "..a", "a..", ".a", "a.", "a/.b/c..d", ";..", "a;/..b", "..a;"})
    void hasDotSegment_dotsInAName_isNot(String path) {
        assertThat(Endpoint.hasDotSegment(path)).isFalse();
    }

    // --- which is deeper, which are the same ---

    @Test
    void depth_isTheNumberOfSegments() {
        assertThat(endpoint("https://a.example").depth()).isZero();
        assertThat(endpoint("https://a.example/").depth()).isZero();
        assertThat(endpoint("https://a.example/v1").depth()).isEqualTo(1);
        assertThat(endpoint("https://a.example/v1/").depth()).isEqualTo(1);
        assertThat(endpoint("https://a.example/v1/x").depth()).isEqualTo(2);
    }

    @Test
    void equals_sameCoverage_isEqual() {
        assertThat(endpoint("https://a.example/v1"))
                .isEqualTo(endpoint("HTTPS://A.example:443/v1/"))
                .hasSameHashCodeAs(endpoint("HTTPS://A.example:443/v1/"))
                .isNotEqualTo(endpoint("https://a.example/v2"))
                .isNotEqualTo(endpoint("https://b.example/v1"))
                .isNotEqualTo(endpoint("https://a.example:444/v1"))
                .isNotEqualTo(Endpoint.parse("http://a.example:443/v1", true))
                .isNotEqualTo("https://a.example/v1");
    }
}
