package io.keyturn.examples;

import io.keyturn.config.Settings;
import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSourceFactory;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Instant;
import java.util.Optional;
import okhttp3.Request;

/**
 * A source of somebody else's, all of it: a service in your company that gives out tokens for a badge. Named in {@code
 * META-INF/services/io.keyturn.source.TokenSourceFactory}, it is a key of every configuration: {@code token_desk: {url:
 * "https://desk.example.com/token", badge: {file: /run/secrets/badge}}}.
 */
// snippet: own-key
public final class TokenDesk implements TokenSourceFactory {
    @Override
    public String key() {
        return "token_desk";
    }

    @Override
    public TokenSource create(Settings settings, SourceContext context) {
        // The badge may be a text, a variable, a file or whatever else can be a source.
        Optional<TokenSource> badge = settings.read("badge", Optional.empty(), context::source);
        return new Desk(settings.text("url"), badge.orElseGet(TokenSources::pushed), context);
    }

    /** A record: a configuration that says the same again leaves the token alone. */
    private record Desk(String url, TokenSource badge, SourceContext context) implements TokenSource {
        @Override
        public Optional<TokenDocument> fetch() throws SourceException {
            // Read anew each time, so that the badge can be swapped, too.
            TokenDocument shown = badge.fetch().orElseThrow(badge::absence);
            Request request = new Request.Builder()
                    .url(url)
                    .header("X-Badge", shown.value().reveal())
                    .build();
            Instant asked = context.clock().instant();
            ServiceAnswer answer = context.send(request, "token desk " + url);
            return switch (answer.status()) {
                case 200 -> Optional.of(answer.document(asked));
                case 404 -> Optional.empty();
                case 401 ->
                    throw new SourceException(
                            Reason.LOGIN_REFUSED, answer + ": it does not know the badge", "renew " + badge.describe());
                default -> throw new SourceException(Reason.STORE_UNREACHABLE, answer.toString(), null);
            };
        }

        @Override
        public String describe() {
            return "token desk " + url;
        }
    }
}
// end
