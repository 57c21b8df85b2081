package io.keyturn.http;

import io.keyturn.token.Token;
import java.net.URI;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * What a request of any client needs in order to carry its token: the URL to send it to and the headers to add. For a URL
 * that is no endpoint of a token it is empty, and the request goes as it is. Made by {@code agent.authorize(…)}.
 *
 * <p>The headers are for this URL alone: a client that follows redirects must not carry them along.
 */
public final class Attachment {
    private static final Pattern AUTHORITY = Pattern.compile("([A-Za-z0-9._-]+)(?::[0-9]*)?");

    private final URI uri;
    private final @Nullable TokenUse use;
    private final @Nullable Sent sent;

    Attachment(URI uri, @Nullable TokenUse use, @Nullable Sent sent) {
        this.uri = uri;
        this.use = use;
        this.sent = sent;
    }

    /** Where to send the request: the same URL, unless the token stands in its query. */
    public URI uri() {
        if (sent == null || header() != null) {
            return uri;
        }
        HttpUrl url = Objects.requireNonNull(httpUrl(uri), "a URL that has a token");
        URI placed =
                sent.binding().placement().place(url, sent.snapshot().sent()).uri();
        boolean socket = uri.getScheme().toLowerCase(Locale.ROOT).startsWith("ws");
        return socket ? URI.create(placed.toString().replaceFirst("http", "ws")) : placed;
    }

    /**
     * What a request to this URL is sent to, a WebSocket's handshake too; null if that is not http. It is null, too, if
     * another client may see another host in it than OkHttp, which decodes escapes, maps other alphabets to ours and
     * does not mind how many slashes there are.
     */
    static @Nullable HttpUrl httpUrl(URI uri) {
        String scheme = String.valueOf(uri.getScheme()).toLowerCase(Locale.ROOT);
        boolean socket = scheme.equals("ws") || scheme.equals("wss");
        HttpUrl url = socket ? HttpUrl.parse("http" + uri.toString().substring("ws".length())) : HttpUrl.get(uri);
        return url != null && isPlainly(url.host(), uri) ? url : null;
    }

    private static boolean isPlainly(String host, URI uri) {
        String written = uri.getHost();
        if (written == null) {
            // Such as a name with an underscore, which is none to java.net.URI.
            Matcher authority = AUTHORITY.matcher(String.valueOf(uri.getRawAuthority()));
            return authority.matches() && authority.group(1).equalsIgnoreCase(host);
        }
        return written.startsWith("[") || written.equalsIgnoreCase(host);
    }

    /** The headers to set; none if there is no token for this URL, or its query carries it. */
    public Map<String, String> headers() {
        String header = header();
        return header == null || sent == null
                ? Map.of()
                : Map.of(header, sent.snapshot().sent().reveal());
    }

    private @Nullable String header() {
        return sent == null ? null : sent.binding().placement().header();
    }

    /** The token that is carried. */
    public Optional<Token> token() {
        return Optional.ofNullable(sent).map(Sent::token);
    }

    /**
     * Tells what the server answered. On 401 the source is asked once for all callers, which may block for the token's
     * fetch timeout.
     *
     * @param status the status code
     * @return whether another token is there now, so that it makes sense to authorize and send the request once more
     */
    public boolean answered(int status) {
        return status == 401 && sent != null && sent.by().invalidate(sent, use);
    }

    /** Tells which token is carried, never its value. */
    @Override
    public String toString() {
        return "Attachment[" + (sent == null ? "no token" : sent.token()) + "]";
    }
}
