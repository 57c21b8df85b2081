package io.keyturn;

import io.keyturn.source.SourceContext;
import io.keyturn.source.TokenSource;
import io.keyturn.token.TokenDocument;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A source for each key, as the program names them.
 *
 * @param context what those sources get of the agent; null until one has opened this
 */
record KeyedSource(
        Function<String, TokenSource> ofKey, @Nullable SourceContext context) implements TokenSource {
    @Override
    public TokenSource forKey(String key) {
        TokenSource source = ofKey.apply(key);
        return context == null ? source : source.in(context);
    }

    @Override
    public Optional<TokenDocument> fetch() {
        return Optional.empty();
    }

    @Override
    public String describe() {
        return "a source for each key";
    }

    @Override
    public TokenSource in(SourceContext agent) {
        return new KeyedSource(ofKey, agent);
    }
}
