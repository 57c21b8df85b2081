package io.keyturn.oauth2;

import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;

/**
 * What a client proves something with. It is read afresh each time, since it may be replaced at any time.
 *
 * @param key what it is in the configuration
 */
record Credential(String key, TokenSource source) {
    /** It is most likely replaced soon by whoever put it there, so it is worth asking again. */
    private static final Duration SOON = Duration.ofSeconds(1);

    /** The same for another reader at the same time. */
    Credential in(SourceContext context) {
        return new Credential(key, source.in(context));
    }

    /** What it is as it is now. */
    TokenDocument read() throws SourceException {
        try {
            return source.fetch().orElseThrow(source::absence);
        } catch (SourceException e) {
            throw new SourceException(
                    e.reason(),
                    key + ": " + e.getMessage(),
                    e.fix(),
                    e.retryAfter().orElse(null));
        }
    }

    Secret secret() throws SourceException {
        return read().value();
    }

    /**
     * A token that somebody else has issued to this client. One that has ended is not sent: the service would refuse it, and
     * could not tell why.
     */
    Secret living(Instant now) throws SourceException {
        TokenDocument document = read();
        Instant end = document.expiresAt().orElse(Instant.MAX);
        if (!now.isBefore(end)) {
            throw new SourceException(
                    Reason.LOGIN_REFUSED,
                    key + ": what is in " + source.describe() + " expired at " + end + ", so it was not sent",
                    "whoever writes it must replace it before it ends; is the clock of this machine right?",
                    SOON);
        }
        return document.value();
    }

    @Override
    public String toString() {
        return key + " (" + source.describe() + ")";
    }
}
