package io.keyturn.http;

import io.keyturn.provider.Snapshot;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import okhttp3.Request;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/**
 * A tag of the request that went over the wire: what of ours is in it. Callers never see that request by themselves. There
 * is one for each hop of each call, so it is kept small.
 */
class Sent {
    private final EndpointBindings by;
    private final Binding binding;
    private final Snapshot snapshot;

    private Sent(EndpointBindings by, Binding binding, Snapshot snapshot) {
        this.by = by;
        this.binding = binding;
        this.snapshot = snapshot;
    }

    /**
     * What is about to be put into a request.
     *
     * @param by whose token it is
     * @param other what another agent on the same client has put into the same request
     */
    static Sent of(EndpointBindings by, Binding binding, Snapshot snapshot, @Nullable Sent other) {
        return other == null ? new Sent(by, binding, snapshot) : new Beside(by, binding, snapshot, other);
    }

    /** One that shares its request with another agent's. */
    private static final class Beside extends Sent {
        private final Sent other;

        Beside(EndpointBindings by, Binding binding, Snapshot snapshot, Sent other) {
            super(by, binding, snapshot);
            this.other = other;
        }

        @Override
        Sent other() {
            return other;
        }
    }

    /** What these bindings have put into the request; null if nothing. */
    static @Nullable Sent by(EndpointBindings bindings, Request request) {
        Sent sent = request.tag(Sent.class);
        while (sent != null && sent.by != bindings) {
            sent = sent.other();
        }
        return sent;
    }

    EndpointBindings by() {
        return by;
    }

    Binding binding() {
        return binding;
    }

    Snapshot snapshot() {
        return snapshot;
    }

    /** What another agent on the same client has put into the same request; null if nothing. */
    @Nullable
    Sent other() {
        return null;
    }

    Token token() {
        return snapshot.token();
    }

    /** The request with the token in it, instead of whatever stands there. */
    Request placedIn(Request request) {
        return binding.placement()
                .place(request, snapshot.sent())
                .tag(Sent.class, this)
                .build();
    }

    /** The request without the token in it. */
    Request takenOutOf(Request request) {
        return binding.placement().remove(request).tag(Sent.class, other()).build();
    }

    /** The answer to the request, without a redirect that would carry the token on. */
    Response withoutEcho(Response response) {
        return binding.placement().withoutEcho(response, snapshot.sent());
    }

    /** The request as it may be shown: name and fingerprint stand in the place of each token that agents have put there. */
    static Request redacted(Request request) {
        Request shown = request;
        for (Sent sent = request.tag(Sent.class); sent != null; sent = sent.other()) {
            if (sent.isIn(request)) {
                shown = sent.binding.placement().place(shown, sent.mark()).build();
            }
        }
        return shown;
    }

    private Secret mark() {
        return Secret.of(binding.placement().shown(token().name() + "#" + token().fingerprint()));
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
