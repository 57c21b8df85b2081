package io.keyturn.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.config.ConfigException;
import io.keyturn.token.Secret;
import java.util.Base64;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import okhttp3.HttpUrl;
import okhttp3.Request;
import org.jspecify.annotations.Nullable;

/** A token in a header. */
final class HeaderPlacement extends Placement {
    /**
     * What HTTP needs for itself, and what OkHttp does not send over HTTP/2: a token there would break the request, change
     * where it goes, or be lost.
     */
    private static final Set<String> TAKEN = Set.of(
            "host",
            "content-length",
            "content-type",
            "content-encoding",
            "transfer-encoding",
            "connection",
            "proxy-connection",
            "keep-alive",
            "encoding",
            "upgrade",
            "te",
            "trailer",
            "expect",
            "accept-encoding",
            "cache-control",
            "proxy-authorization");

    /** A literal wherever a request gets it: OkHttp checks its characters when it is compiled, not with each request. */
    private static final String AUTHORIZATION = "Authorization";

    static final HeaderPlacement BEARER = withPrefix(AUTHORIZATION, "Bearer ");

    private final String name;
    private final boolean isAuthorization;
    private final String prefix;
    private final @Nullable String user;

    private HeaderPlacement(String name, String prefix, @Nullable String user) {
        this.name = name;
        this.isAuthorization = name.equals(AUTHORIZATION);
        this.prefix = prefix;
        this.user = user;
    }

    static HeaderPlacement withPrefix(String name, String prefix) {
        if (!isToken(name) || TAKEN.contains(name.toLowerCase(Locale.ROOT))) {
            throw new ConfigException("a token cannot be sent in a header of this name");
        }
        if (!prefix.chars().allMatch(c -> c >= ' ' && c <= '~')) {
            throw new ConfigException("the prefix of a header must be printable ASCII");
        }
        return new HeaderPlacement(name, prefix, null);
    }

    static HeaderPlacement ofUser(String user) {
        if (!user.chars().allMatch(c -> c >= ' ' && c <= '~' && c != ':')) {
            throw new ConfigException("the user's name must be printable ASCII without a colon");
        }
        return new HeaderPlacement(AUTHORIZATION, "Basic ", user);
    }

    /** A token that was stored together with its prefix gets it once, not twice. */
    static String withoutPrefix(String value, String prefix) {
        boolean twice = !prefix.isBlank() && value.regionMatches(true, 0, prefix, 0, prefix.length());
        return twice ? value.substring(prefix.length()) : value;
    }

    /** RFC 9110 5.6.2. */
    private static boolean isToken(String name) {
        return !name.isEmpty()
                && name.chars()
                        .allMatch(c -> (Character.isLetterOrDigit(c) && c < 128) || "!#$%&'*+-.^_`|~".indexOf(c) >= 0);
    }

    @Override
    Secret form(String value) {
        if (user == null) {
            return Secret.of(prefix + withoutPrefix(value, prefix));
        }
        byte[] pair = (user + ":" + value).getBytes(UTF_8);
        return Secret.of(prefix + Base64.getEncoder().encodeToString(pair));
    }

    @Override
    String shown(String instead) {
        return prefix + instead;
    }

    @Override
    String field() {
        return "header " + name;
    }

    @Override
    @Nullable
    String existing(Request request) {
        return isAuthorization ? last(request.headers(), AUTHORIZATION) : last(request.headers(), name);
    }

    @Override
    Request.Builder place(Request request, Secret form) {
        Request.Builder placed = request.newBuilder();
        String value = form.reveal();
        if (existing(request) != null) {
            return placed.header(name, value);
        }
        return isAuthorization ? placed.addHeader(AUTHORIZATION, value) : placed.addHeader(name, value);
    }

    @Override
    Request.Builder remove(Request request) {
        return request.newBuilder().removeHeader(name);
    }

    @Override
    String header() {
        return name;
    }

    @Override
    HttpUrl place(HttpUrl url, Secret form) {
        return url;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof HeaderPlacement same
                && name.equalsIgnoreCase(same.name)
                && prefix.equals(same.prefix)
                && Objects.equals(user, same.user);
    }

    @Override
    public int hashCode() {
        return prefix.hashCode();
    }

    @Override
    public String toString() {
        return field();
    }
}
