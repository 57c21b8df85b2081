package io.keyturn.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.RecordingServer.Seen;
import java.net.URLEncoder;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import okhttp3.HttpUrl;

/** Every way to send a token, and how a server tells that it came, or that nothing of it did. */
enum SentAs {
    BEARER(Placement.bearer(), "Authorization") {
        @Override
        String expected(String token) {
            return "Bearer " + token;
        }
    },
    API_KEY(Placement.header("X-Api-Key"), "X-Api-Key") {
        @Override
        String expected(String token) {
            return token;
        }
    },
    PREFIXED(Placement.header("X-Vendor-Auth", "Token "), "X-Vendor-Auth") {
        @Override
        String expected(String token) {
            return "Token " + token;
        }
    },
    BASIC(Placement.basic("agent"), "Authorization") {
        @Override
        String expected(String token) {
            return "Basic " + Base64.getEncoder().encodeToString(("agent:" + token).getBytes(UTF_8));
        }
    },
    QUERY(Placement.query("api_key"), "api_key") {
        @Override
        String expected(String token) {
            return token;
        }

        @Override
        List<String> found(Seen request) {
            return HttpUrl.get("http://any" + request.target()).queryParameterValues("api_key");
        }
    };

    @SuppressWarnings("ImmutableEnumChecker") // it is immutable
    final Placement placement;

    final String field;

    SentAs(Placement placement, String field) {
        this.placement = placement;
        this.field = field;
    }

    /** What stands in the field. */
    abstract String expected(String token);

    /** What came in the field; empty if nothing did. */
    List<String> found(Seen request) {
        return request.header(field);
    }

    boolean carries(Seen request, String token) {
        return found(request).equals(List.of(expected(token)));
    }

    /** Whether anything at all came in the field, or the token in any form anywhere. */
    boolean leaks(Seen request, String token) {
        return !found(request).isEmpty() || forms(token).anyMatch(request::holds);
    }

    /** Every form in which a token could be found. */
    static Stream<String> forms(String token) {
        return Stream.of(
                token,
                URLEncoder.encode(token, UTF_8),
                URLEncoder.encode(URLEncoder.encode(token, UTF_8), UTF_8),
                BASIC.expected(token).substring("Basic ".length()),
                Base64.getEncoder().encodeToString(token.getBytes(UTF_8)));
    }
}
