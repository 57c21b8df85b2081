package io.keyturn.policy;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.keyturn.FuzzCase;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/** An endpoint as somebody writes it, and a URL as somebody else asks for it. */
class EndpointFuzzTest {
    /** The first line is the endpoint, the second what is asked for. */
    @FuzzTest(maxDuration = "30s")
    void covers(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        if (FuzzCase.holdsSecret(text)) {
            return;
        }
        String[] lines = text.split("\n", 2);
        String written = lines[0];
        FuzzCase.answer(() -> Endpoint.parse(FuzzCase.withSecret(written, Arrays.hashCode(input)), false));
        Endpoint strict = FuzzCase.answer(() -> Endpoint.parse(written, false));
        Endpoint endpoint = FuzzCase.answer(() -> Endpoint.parse(written, true));
        assertThat(strict == null || strict.equals(endpoint)).isTrue();
        if (endpoint == null) {
            return;
        }
        sound(endpoint, strict != null);
        HttpUrl url = lines.length == 1 ? null : HttpUrl.parse(lines[1]);
        if (url != null) {
            asked(endpoint, url);
        }
    }

    private static void asked(Endpoint endpoint, HttpUrl url) {
        boolean covered = endpoint.covers(url);
        if (covered) {
            sameServer(endpoint, url);
        }
        // What else is asked of the same place makes no difference; another place does.
        assertThat(endpoint.covers(
                        url.newBuilder().query("a=https://x").fragment("f").build()))
                .isEqualTo(covered);
        assertThat(endpoint.covers(url.newBuilder().username("u").password("p").build()))
                .isEqualTo(covered);
        for (String host : List.of("evil.test", "api.example.com.evil.test", "example.com", "x.api.example.com")) {
            HttpUrl elsewhere = url.newBuilder().host(host).build();
            assertThat(endpoint.covers(elsewhere) && !endpoint.host().equals(host))
                    .isFalse();
        }
        int port = url.port() == 1 ? 2 : url.port() - 1;
        assertThat(covered && endpoint.covers(url.newBuilder().port(port).build()))
                .isFalse();
        String scheme = url.isHttps() ? "http" : "https";
        assertThat(covered && endpoint.covers(url.newBuilder().scheme(scheme).build()))
                .isFalse();
    }

    private static void sound(Endpoint endpoint, boolean strict) {
        HttpUrl url = endpoint.url();
        assertThat(endpoint.covers(url)).isTrue();
        assertThat(endpoint.covers(url.newBuilder().addPathSegment("x").build()))
                .isTrue();
        assertThat(url.username() + url.password()).isEmpty();
        assertThat(url.query()).isNull();
        assertThat(url.fragment()).isNull();
        assertThat(url.isHttps()
                        || !strict
                        || List.of("localhost", "127.0.0.1", "::1").contains(url.host()))
                .isTrue();
        Endpoint again = Endpoint.parse(endpoint.toString(), !strict);
        assertThat(again).isEqualTo(endpoint).hasSameHashCodeAs(endpoint);
        assertThat(again).hasToString(endpoint.toString());
    }

    /** Another reading of the same URL, by its text alone. */
    private static void sameServer(Endpoint endpoint, HttpUrl url) {
        assertThat(url.scheme()).isEqualTo(endpoint.url().scheme());
        assertThat(url.host()).isEqualTo(endpoint.host());
        assertThat(url.port()).isEqualTo(endpoint.url().port());
        if (endpoint.depth() == 0) {
            return;
        }
        String wire = url.encodedPath();
        List<String> asked = folded(wire);
        List<String> declared = folded(endpoint.url().encodedPath());
        assertThat(asked)
                .as("%s leaves %s on a server that decodes before it folds", wire, endpoint)
                .isNotNull();
        if (!declared.isEmpty() && declared.get(declared.size() - 1).isEmpty()) {
            declared.remove(declared.size() - 1);
        }
        assertThat(asked.subList(0, Math.min(asked.size(), declared.size()))).isEqualTo(declared);
    }

    /** What the most careless server makes of a path: decoded first, a backslash for a slash, cut at a semicolon, folded. */
    private static @Nullable List<String> folded(String encodedPath) {
        // A stray % stands for itself.
        String escaped = encodedPath.replace("+", "%2B").replaceAll("%(?![0-9a-fA-F]{2})", "%25");
        String decoded = URLDecoder.decode(escaped, StandardCharsets.UTF_8).replace('\\', '/');
        List<String> segments = new ArrayList<>();
        String[] parts = decoded.substring(1).split("/", -1);
        for (String part : parts) {
            String name = part.indexOf(';') < 0 ? part : part.substring(0, part.indexOf(';'));
            if (name.equals("..")) {
                if (segments.isEmpty()) {
                    return null;
                }
                segments.remove(segments.size() - 1);
            } else if (!name.equals(".")) {
                segments.add(part);
            }
        }
        return segments;
    }
}
