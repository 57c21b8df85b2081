package io.keyturn.http;

import io.keyturn.provider.Snapshot;
import io.keyturn.token.Token;
import okhttp3.Request;
import org.jspecify.annotations.Nullable;

/**
 * A tag of the request that went over the wire: what of ours is in it. Callers never see that request by themselves.
 *
 * @param by whose token it is
 * @param other what another agent on the same client has put into the same request
 */
record Sent(
        EndpointBindings by,
        Binding binding,
        Snapshot snapshot,
        @Nullable Sent other) {
    /** What these bindings have put into the request; null if nothing. */
    static @Nullable Sent by(EndpointBindings bindings, Request request) {
        Sent sent = request.tag(Sent.class);
        while (sent != null && sent.by != bindings) {
            sent = sent.other;
        }
        return sent;
    }

    Token token() {
        return snapshot.token();
    }

    /** The request with the token in it. */
    Request placedIn(Request request) {
        Request.Builder onWire = request.newBuilder();
        binding.placement().place(onWire, request.url(), snapshot.sent());
        return onWire.tag(Sent.class, this).build();
    }

    /** The request without the token in it. */
    Request takenOutOf(Request request) {
        Request.Builder without = request.newBuilder();
        binding.placement().remove(without, request.url());
        return without.tag(Sent.class, other).build();
    }

    /** Whether the token is in the request still: what OkHttp makes of a redirect keeps the tag, not every header. */
    boolean isIn(Request request) {
        return snapshot.sent().reveal().equals(binding.placement().existing(request));
    }

    /** Printed with the request that it is a tag of. */
    @Override
    public String toString() {
        return token().toString();
    }
}
