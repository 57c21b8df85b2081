package io.keyturn.oauth2;

import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.token.TokenDocument;
import java.time.Instant;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import okhttp3.HttpUrl;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The tokens that were issued only for somebody to look at; given back when that has ended (RFC 7009). */
final class LookedAtTokens implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(LookedAtTokens.class);

    private final HttpUrl revokeUrl;
    private final ClientProof client;
    private final SourceContext context;

    /** Those that still live: who watches for days has one after another. */
    private final Queue<TokenDocument> tokens = new ConcurrentLinkedQueue<>();

    /** Who gives them back. */
    record Client(HttpUrl revokeUrl, ClientProof proof) {}

    LookedAtTokens(Client client, SourceContext context) {
        this.revokeUrl = client.revokeUrl;
        this.client = client.proof.in(context);
        this.context = context;
    }

    void add(TokenDocument token) {
        Instant now = context.clock().instant();
        tokens.removeIf(
                each -> each.expiresAt().filter(end -> !end.isAfter(now)).isPresent());
        tokens.add(token);
    }

    /** The agent that closes does not wait for a service that hangs. */
    @Override
    public void close() {
        String service = "oauth2 " + TokenRequest.shown(revokeUrl);
        for (TokenDocument token = tokens.poll(); token != null; token = tokens.poll()) {
            try {
                FormRequest form = new FormRequest().add("token", token.value()).add("token_type_hint", "access_token");
                client.addTo(form, context.clock().instant());
                int status = context.send(form.to(revokeUrl), service).status();
                if (status / 100 != 2) {
                    log.warn("{} did not take back a token ({}); it ends by itself", service, status);
                }
            } catch (SourceException e) {
                log.warn("a token could not be given back, and ends by itself: {}", e.getMessage());
            }
        }
    }
}
