package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.keyturn.FuzzCase;
import io.keyturn.TokenAgent;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/**
 * Any URI, of which another client than OkHttp makes a request. It goes where {@link URI} says that it goes, and sends the
 * path as it is written; a token may be there only if that is the endpoint.
 */
class AuthorizeFuzzTest {
    private static TokenAgent agent;

    @BeforeAll
    static void start() throws IOException {
        agent = TokenAgent.builder()
                .token("a", TokenSources.value(FuzzCase.SECRET), t -> t.endpoint("https://api.example.com/v1"))
                .token(
                        "b",
                        TokenSources.value(FuzzCase.SECRET),
                        t -> t.endpoint("http://127.0.0.1:8080").sendAs(Placement.query("key")))
                .start();
    }

    @AfterAll
    static void close() {
        agent.close();
    }

    @FuzzTest(maxDuration = "30s")
    void authorize(byte[] input) throws UnknownHostException {
        URI uri;
        try {
            uri = new URI(new String(input, StandardCharsets.UTF_8));
        } catch (URISyntaxException | NumberFormatException e) {
            // The latter of an address with a number that is too long: Java's own mistake.
            return;
        }
        if (FuzzCase.holdsSecret(uri.toString())) {
            return;
        }
        Attachment attachment = FuzzCase.answer(() -> agent.authorize("GET", uri));
        if (attachment == null || attachment.token().isEmpty()) {
            if (attachment != null) {
                assertThat(attachment.uri()).isEqualTo(uri);
                assertThat(attachment.headers()).isEmpty();
            }
            return;
        }
        assertThat(FuzzCase.holdsSecret(attachment.toString())).isFalse();
        boolean a = attachment.token().get().name().equals("a");
        assertThat(uri.getHost()).as("the host of %s", uri).isNotNull();
        String host = uri.getHost().toLowerCase(Locale.ROOT);
        // What an address of IPv6 stands for, Java's sockets take it for, too.
        String shown = host.startsWith("[") ? InetAddress.getByName(host).getHostAddress() : host;
        assertThat(shown).isEqualTo(a ? "api.example.com" : "127.0.0.1");
        String scheme = uri.getScheme().toLowerCase(Locale.ROOT);
        assertThat(scheme).isIn(a ? new Object[] {"https", "wss"} : new Object[] {"http", "ws"});
        assertThat(uri.getPort()).isIn(a ? new Object[] {-1, 443} : new Object[] {8080});
        if (a) {
            assertThat(attachment.uri()).isEqualTo(uri);
            assertThat(attachment.headers()).containsOnlyKeys("Authorization");
            assertThat(uri.getRawPath()).matches("(?is)/(v|%76)(1|%31)(/.*)?");
        } else {
            assertThat(attachment.uri().getHost()).isEqualTo("127.0.0.1");
            assertThat(attachment.uri().getRawQuery()).endsWith("key=" + FuzzCase.SECRET);
        }
        assertThat(("/" + uri.getPath() + "/").replace('\\', '/').replaceAll(";[^/]*", ""))
                .doesNotContain("/../", "/./");
    }
}
