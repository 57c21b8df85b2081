package io.keyturn.policy;

import java.net.InetAddress;
import java.net.URI;
import java.util.Optional;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/** Where a request is about to carry a token. */
public final class Destination {
    private final String method;
    private final HttpUrl url;
    private final @Nullable InetAddress address;

    /** A destination; {@code address} is null where the client does not tell whom it is connected to. */
    public Destination(String method, HttpUrl url, @Nullable InetAddress address) {
        this.method = method;
        this.url = url;
        this.address = address;
    }

    /** The request's method, in upper case. */
    public String method() {
        return method;
    }

    /** The request's URL. */
    public URI uri() {
        return url.uri();
    }

    /** The URL as OkHttp sends it; as a {@link URI} some characters of its path are escaped further. */
    HttpUrl url() {
        return url;
    }

    @Nullable
    InetAddress addressOrNull() {
        return address;
    }

    /** The address of the open connection, where the client tells it; empty behind a proxy. */
    public Optional<InetAddress> address() {
        return Optional.ofNullable(address);
    }
}
