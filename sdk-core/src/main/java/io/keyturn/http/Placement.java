package io.keyturn.http;

import io.keyturn.config.ConfigException;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import okhttp3.Headers;
import okhttp3.HttpUrl;
import okhttp3.Request;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/**
 * Where in a request a token stands. What is sent of it is made once a version ({@link #form}) and put into each request.
 * Immutable.
 */
public abstract sealed class Placement permits HeaderPlacement, QueryPlacement {
    Placement() {}

    /** {@code Authorization: Bearer TOKEN} (RFC 6750 2.1), the default. */
    public static Placement bearer() {
        return HeaderPlacement.BEARER;
    }

    /**
     * A header that holds the token and nothing else, such as {@code X-Api-Key}.
     *
     * @throws ConfigException if there can be no such header, or HTTP itself needs it
     */
    public static Placement header(String name) {
        return header(name, "");
    }

    /**
     * A header that holds a prefix and the token; a space between them belongs to the prefix.
     *
     * @throws ConfigException if there can be no such header, or HTTP itself needs it
     */
    public static Placement header(String name, String prefix) {
        return HeaderPlacement.withPrefix(name, prefix);
    }

    /**
     * HTTP Basic authentication (RFC 7617) with the token as the password.
     *
     * @throws ConfigException if the user's name holds a colon or what is not ASCII
     */
    public static Placement basic(String user) {
        return HeaderPlacement.ofUser(user);
    }

    /**
     * A parameter of the URL's query. URLs are logged in many places: take a header where the API offers one.
     *
     * @throws ConfigException if the name is empty
     */
    public static Placement query(String name) {
        return new QueryPlacement(name);
    }

    /** What is sent of a version of a token. */
    public final Secret form(Token token) {
        return form(token.reveal());
    }

    abstract Secret form(String value);

    /** What is shown to people in its place. */
    abstract String shown(String instead);

    /** The header or parameter that it takes, for people. */
    abstract String field();

    /** What the request has in this place already; null if nothing. */
    abstract @Nullable String existing(Request request);

    /** The request with it, instead of whatever stands there. */
    abstract Request.Builder place(Request request, Secret form);

    /** The request without it. */
    abstract Request.Builder remove(Request request);

    /** The header that carries the token, or null if the URL does. */
    abstract @Nullable String header();

    /** The URL with the token in it, if it carries the token. */
    abstract HttpUrl place(HttpUrl url, Secret form);

    /** The answer to a request that carried the token, without a redirect that would carry it on. */
    Response withoutEcho(Response response, Secret form) {
        return response;
    }

    /** What OkHttp answers by {@code header(name)}, looked up on the way of each request in a third of its time. */
    static @Nullable String last(Headers headers, String name) {
        for (int i = headers.size() - 1; i >= 0; i--) {
            String each = headers.name(i);
            if (each.length() == name.length() && each.equalsIgnoreCase(name)) {
                return headers.value(i);
            }
        }
        return null;
    }
}
