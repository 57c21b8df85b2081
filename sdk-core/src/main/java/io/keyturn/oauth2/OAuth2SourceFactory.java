package io.keyturn.oauth2;

import io.keyturn.config.Settings;
import io.keyturn.source.SourceContext;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSourceFactory;

/**
 * Makes the sources of {@code oauth2}: tokens that a token service issues (RFC 6749) for the client's own credentials, a
 * refresh token, a token of somebody else (RFC 8693) or an assertion (RFC 7523).
 */
public final class OAuth2SourceFactory implements TokenSourceFactory {
    /** For {@link java.util.ServiceLoader}. */
    public OAuth2SourceFactory() {}

    @Override
    public String key() {
        return "oauth2";
    }

    @Override
    public TokenSource create(Settings settings, SourceContext context) {
        if (!settings.isMap()) {
            throw settings.wrong("must be a map with token_url, client_id and what the client proves itself with");
        }
        TokenRequest request = new RequestSettings(settings, context).read();
        // A program says what it allows when it hands the source to an agent, and not where it makes the source.
        if (!context.equals(SourceContext.ofProcess())) {
            request.forbidden(context.allow()).ifPresent(why -> {
                throw settings.wrong(why);
            });
        }
        return new OAuth2Source(request, context);
    }
}
