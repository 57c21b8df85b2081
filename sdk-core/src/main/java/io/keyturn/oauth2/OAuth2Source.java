package io.keyturn.oauth2;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * A token that a token service issues. Each fetch asks for a new one, so nobody asks but for a reason: it ends, or an API
 * has refused it. A service that does not tell when its tokens end is therefore asked only after a refusal, unless the
 * user's {@code refresh.every} says otherwise.
 */
final class OAuth2Source implements TokenSource {
    private final TokenRequest request;
    private final SourceContext context;

    /** Who wants to hear when what a fetch failed for has changed, and how often something has. */
    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();

    private final AtomicInteger changes = new AtomicInteger();
    private volatile boolean failing;

    OAuth2Source(TokenRequest request, SourceContext context) {
        this.request = request;
        this.context = context;
    }

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        int seen = changes.get();
        boolean done = false;
        try {
            TokenDocument document = issued();
            done = true;
            return Optional.of(document);
        } finally {
            failing = !done;
            if (!done && changes.get() != seen) {
                // It changed while the service was asked with what was there before.
                listeners.forEach(Runnable::run);
            }
        }
    }

    private TokenDocument issued() throws SourceException {
        Optional<String> forbidden = request.forbidden(context.allow());
        if (forbidden.isPresent()) {
            throw new SourceException(Reason.INVALID, describe() + ": " + forbidden.get(), null);
        }
        if (request.grant().type() == Grant.Type.REFRESH_TOKEN) {
            return refreshed();
        }
        Instant asked = context.clock().instant();
        FormRequest form = request.form(asked);
        request.client().addTo(form, asked);
        TokenDocument document = answer(form, asked).accessToken();
        HttpUrl revokeUrl = request.revokeUrl();
        if (context.onlyLooks() && revokeUrl != null) {
            LookedAtTokens.Client client = new LookedAtTokens.Client(revokeUrl, request.client());
            context.shared(client, () -> new LookedAtTokens(client, context)).add(document);
        }
        return document;
    }

    private TokenAnswer answer(FormRequest form, Instant asked) throws SourceException {
        HttpUrl url = request.tokenUrl();
        String service = "oauth2 " + TokenRequest.shown(url);
        // A refresh token that is sent twice counts as stolen (RFC 9700 4.14.2).
        ServiceAnswer answer = request.grant().type() == Grant.Type.REFRESH_TOKEN
                ? context.sendOnce(form.to(url), service)
                : context.send(form.to(url), service);
        return new TokenAnswer(request, answer, describe(), asked).accepted();
    }

    private TokenDocument refreshed() throws SourceException {
        Credential credential = request.grant().credential();
        if (credential == null) {
            throw new IllegalStateException("a refresh token is always configured");
        }
        if (context.onlyLooks()) {
            // Where there is none, that is told instead.
            var unused = credential.read();
            throw new SourceException(
                    Reason.HELD_BY_AGENT,
                    describe() + ": its refresh token is for the running agent, and was not redeemed to look",
                    null);
        }
        RefreshTokens.Place place = new RefreshTokens.Place(
                request.tokenUrl(),
                request.client().clientId(),
                credential.source().describe(),
                request.store().isPresent() ? null : credential.secret());
        RefreshTokens tokens = context.shared(place, RefreshTokens::new);
        return tokens.redeem(credential, request.store().orElse(null), this::redeemed);
    }

    private TokenAnswer redeemed(Secret refreshToken) throws SourceException {
        // The client may have waited for its turn, and what it proves itself with may be good for a minute.
        Instant now = context.clock().instant();
        FormRequest form = request.form(now).add("refresh_token", refreshToken);
        request.client().addTo(form, now);
        return answer(form, now);
    }

    @Override
    public Optional<Boolean> isActive(Token token) throws SourceException {
        HttpUrl url = request.introspectUrl();
        if (url == null) {
            return Optional.empty();
        }
        FormRequest form = new FormRequest().add("token", token).add("token_type_hint", "access_token");
        // The token itself may be fetched at the same time.
        Instant now = context.clock().instant();
        request.client().in(context).addTo(form, now);
        String service = "oauth2 " + TokenRequest.shown(url);
        return Optional.of(new TokenAnswer(request, context.send(form.to(url), service), service, now).isActive());
    }

    /** A credential that changes is no reason to ask, unless the last time failed, most likely for its sake. */
    @Override
    public Watch watch(Runnable changed) {
        listeners.add(changed);
        List<Watch> watches = request.credentials().stream()
                .map(credential -> credential.source().watch(() -> {
                    changes.incrementAndGet();
                    if (failing) {
                        changed.run();
                    }
                }))
                .toList();
        return () -> {
            listeners.remove(changed);
            watches.forEach(Watch::close);
        };
    }

    @Override
    public String describe() {
        return request.toString();
    }

    /** Who asks makes no difference. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof OAuth2Source that && request.equals(that.request);
    }

    @Override
    public int hashCode() {
        return request.hashCode();
    }

    @Override
    public String toString() {
        return describe();
    }
}
