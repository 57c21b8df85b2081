package io.keyturn.policy;

import io.keyturn.config.ConfigException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * Where a token may go: a scheme, a host, a port and a path, below which it may go too. Paths are compared by whole
 * segments after OkHttp has resolved {@code ..} and its escapes, so that {@code /v1} covers {@code /v1/me} and neither
 * {@code /v10} nor {@code /v1/../admin}; nor does it cover what only some servers read as {@code ..}, such as
 * {@code /v1/..%2fadmin}, {@code /v1/..;/admin} and {@code /v1/%252e%252e/admin}. Immutable.
 */
public final class Endpoint {
    private static final Set<String> LOOPBACK = Set.of("localhost", "127.0.0.1", "::1");

    /** A scheme, a host without escapes or an address, and a port; OkHttp is more lenient than a reader would think. */
    private static final Pattern BEGINNING =
            Pattern.compile("(?i)https?://([a-z0-9._-]+|\\[[0-9a-f:.]+])(:[0-9]+)?(/.*)?");

    /** A dot, a slash, a backslash or a semicolon that is escaped any number of times. */
    private static final Pattern ESCAPED = Pattern.compile("(?i)%(?:25)*(?:(2e)|(2f|5c)|3b)");

    private final HttpUrl url;
    private final String[] path;
    private final String host;
    private final int port;
    private final boolean https;

    private Endpoint(HttpUrl url, String[] path) {
        this.url = url;
        this.path = path;
        this.host = url.host();
        this.port = url.port();
        this.https = url.isHttps();
    }

    /**
     * An endpoint as it is written in a configuration.
     *
     * @param allowInsecure whether plain http may leave this machine
     * @throws ConfigException if it is not one
     */
    public static Endpoint parse(String text, boolean allowInsecure) {
        String lower = text.toLowerCase(Locale.ROOT);
        if (!lower.startsWith("https://") && !lower.startsWith("http://")) {
            throw new ConfigException("must be a URL that begins with https:// (or http://)");
        }
        if (text.chars().anyMatch(c -> c <= ' ' || c > '~')) {
            // A look-alike of another alphabet would be seen by nobody: the name is to be written in its ASCII form.
            throw new ConfigException("must be ASCII: write an international host name in its xn-- form");
        }
        if (text.indexOf('\\') >= 0 || text.indexOf('@') >= 0 || text.indexOf('#') >= 0 || text.indexOf('?') >= 0) {
            throw new ConfigException("must have no user, query, fragment or backslash");
        }
        HttpUrl url = BEGINNING.matcher(text).matches() ? httpUrl(text) : null;
        if (url == null) {
            throw new ConfigException("is not a valid URL: scheme, host, perhaps a port from 1 to 65535, and a path");
        }
        if (!url.isHttps() && !allowInsecure && !isLoopback(url)) {
            throw new ConfigException("must be https://, since a token in plain http can be read on its way"
                    + " (or allow: [insecure_http])");
        }
        List<String> segments = url.pathSegments();
        if (hasDotSegment(text.replaceAll("(?i)%2e", ".")) || segments.stream().anyMatch(Endpoint::hasDotSegment)) {
            throw new ConfigException("must have no '.' or '..' in its path");
        }
        boolean open = segments.get(segments.size() - 1).isEmpty();
        List<String> path = open ? segments.subList(0, segments.size() - 1) : segments;
        return new Endpoint(url, path.toArray(String[]::new));
    }

    /** A URL of any text; null if it is none. */
    public static @Nullable HttpUrl httpUrl(String text) {
        return orNull(HttpUrl::parse, text);
    }

    /** Where a reference leads, such as a redirect's; null if that is no URL. */
    public static @Nullable HttpUrl httpUrl(HttpUrl from, String reference) {
        return orNull(from::resolve, reference);
    }

    /** OkHttp fails at an IPv6 address with more parts than there are, instead of saying that it is none (seen: 5.5.1). */
    private static @Nullable HttpUrl orNull(Function<String, @Nullable HttpUrl> reading, String text) {
        try {
            return reading.apply(text);
        } catch (IndexOutOfBoundsException e) {
            return null;
        }
    }

    /** Whether a URL's host is this machine, by its name: plain http to it is read by nobody on the way. */
    public static boolean isLoopback(HttpUrl url) {
        return LOOPBACK.contains(url.host());
    }

    /** Whether a request to this URL goes to this endpoint. */
    public boolean covers(HttpUrl target) {
        return target.port() == port
                && target.isHttps() == https
                && target.host().equals(host)
                && (path.length == 0 || coversPath(target.pathSegments()));
    }

    private boolean coversPath(List<String> segments) {
        int size = segments.size();
        if (size < path.length) {
            return false;
        }
        int i = 0;
        for (; i < path.length; i++) {
            if (!segments.get(i).equals(path[i])) {
                return false;
            }
        }
        for (; i < size; i++) {
            if (hasDotSegment(segments.get(i))) {
                return false;
            }
        }
        return true;
    }

    /**
     * Whether a path has a part that is {@code .} or {@code ..}, also where a server would first have to decode it once
     * more, to take a backslash for a slash, or to cut off a {@code ;} and what follows.
     *
     * @param decoded the path, or a segment of it, without escapes
     */
    public static boolean hasDotSegment(String decoded) {
        return mayHaveDots(decoded) && hasDotsWithin(decoded);
    }

    /** One look at each character is all that most segments cost. */
    private static boolean mayHaveDots(String decoded) {
        for (int i = 0; i < decoded.length(); i++) {
            char c = decoded.charAt(i);
            if (c == '.' || c == '%') {
                return true;
            }
        }
        return false;
    }

    private static boolean hasDotsWithin(String decoded) {
        if (decoded.indexOf('%') >= 0) {
            String further = ESCAPED.matcher(decoded)
                    .replaceAll(found -> found.group(1) != null ? "." : found.group(2) != null ? "/" : ";");
            return hasDots(further);
        }
        return hasDots(decoded);
    }

    private static boolean hasDots(String decoded) {
        int start = 0;
        for (int i = 0; i <= decoded.length(); i++) {
            if (i == decoded.length() || decoded.charAt(i) == '/' || decoded.charAt(i) == '\\') {
                if (isDots(decoded, start, i)) {
                    return true;
                }
                start = i + 1;
            }
        }
        return false;
    }

    private static boolean isDots(String text, int start, int end) {
        int dots = start;
        while (dots < end && dots < start + 2 && text.charAt(dots) == '.') {
            dots++;
        }
        return dots > start && (dots == end || text.charAt(dots) == ';');
    }

    /** The host, as URLs have it. */
    public String host() {
        return host;
    }

    /** How many segments of a path it names: of two endpoints that cover a URL, the deeper one is meant. */
    public int depth() {
        return path.length;
    }

    /** What a target that begins with a slash is relative to: the endpoint's scheme, host and port. */
    public HttpUrl url() {
        return url;
    }

    /** Whether two endpoints cover the same. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Endpoint endpoint
                && Arrays.equals(path, endpoint.path)
                && url.host().equals(endpoint.url.host())
                && url.port() == endpoint.url.port()
                && url.isHttps() == endpoint.url.isHttps();
    }

    @Override
    public int hashCode() {
        return url.host().hashCode() * 31 + Arrays.hashCode(path);
    }

    @Override
    public String toString() {
        return url.toString();
    }
}
