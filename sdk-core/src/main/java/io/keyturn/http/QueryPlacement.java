package io.keyturn.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.config.ConfigException;
import io.keyturn.policy.Endpoint;
import io.keyturn.token.Secret;
import java.net.URLEncoder;
import java.util.Set;
import java.util.stream.Collectors;
import okhttp3.HttpUrl;
import okhttp3.Request;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/** A token in the query of a URL. */
final class QueryPlacement extends Placement {
    private final String name;

    QueryPlacement(String name) {
        if (name.isBlank()) {
            throw new ConfigException("a query parameter needs a name");
        }
        this.name = name;
    }

    @Override
    Secret form(String value) {
        return Secret.of(value);
    }

    @Override
    String shown(String instead) {
        return instead;
    }

    @Override
    String field() {
        return "query parameter " + name;
    }

    @Override
    @Nullable
    String existing(Request request) {
        return request.url().queryParameter(name);
    }

    @Override
    Request.Builder place(Request request, Secret form) {
        return request.newBuilder().url(place(request.url(), form));
    }

    @Override
    Request.Builder remove(Request request) {
        return request.newBuilder()
                .url(request.url().newBuilder().removeAllQueryParameters(name).build());
    }

    @Override
    @Nullable
    String header() {
        return null;
    }

    @Override
    HttpUrl place(HttpUrl url, Secret form) {
        return url.newBuilder().setQueryParameter(name, form.reveal()).build();
    }

    /**
     * Servers that redirect often repeat the query, as it is ({@code https://elsewhere$request_uri}) or within a parameter
     * ({@code ?return_to=…}). What is left goes on, and gets the token again if it belongs there.
     */
    @Override
    Response withoutEcho(Response response, Secret form) {
        String location = response.header("Location");
        HttpUrl target =
                location == null ? null : Endpoint.httpUrl(response.request().url(), location);
        if (target == null) {
            return response;
        }
        Set<String> echoes = target.queryParameterNames().stream()
                .filter(parameter -> holds(target, parameter, form.reveal()))
                .collect(Collectors.toSet());
        if (echoes.isEmpty()) {
            return response;
        }
        HttpUrl.Builder cleaned = target.newBuilder();
        echoes.forEach(cleaned::removeAllQueryParameters);
        return response.newBuilder()
                .header("Location", cleaned.build().toString())
                .build();
    }

    private static boolean holds(HttpUrl url, String parameter, String token) {
        String nested = URLEncoder.encode(token, UTF_8);
        return url.queryParameterValues(parameter).stream()
                .anyMatch(value -> value != null && (value.contains(token) || value.contains(nested)));
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof QueryPlacement same && name.equals(same.name);
    }

    @Override
    public int hashCode() {
        return name.hashCode();
    }

    @Override
    public String toString() {
        return field();
    }
}
