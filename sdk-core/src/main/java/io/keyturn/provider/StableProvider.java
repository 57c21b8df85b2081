package io.keyturn.provider;

import io.keyturn.token.Token;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A token by its name, and its key where there is one for each, for as long as the agent lives: it passes everything on to
 * the provider that serves it now, which a reload of the configuration may replace.
 */
public final class StableProvider implements TokenProvider {
    private final @Nullable String key;
    private volatile Providers serving;

    /** The one that serves, where there is one for all: {@link #get} is as short a way as there can be. */
    private volatile @Nullable LiveProvider one;

    /** A handle on what these serve. */
    public StableProvider(Providers serving, @Nullable String key) {
        this.key = key;
        this.serving = serving;
        this.one = one(serving);
    }

    private static @Nullable LiveProvider one(Providers serving) {
        return serving.isPerKey() ? null : serving.of(null);
    }

    /** From now on these serve it. */
    public void become(Providers next) {
        serving = next;
        one = one(next);
    }

    private LiveProvider live() {
        return serving.of(key);
    }

    @Override
    public Token get() throws TokenUnavailableException {
        LiveProvider live = one;
        Token token = live == null ? null : live.current();
        return token != null ? token : ask(LiveProvider::get);
    }

    @Override
    public boolean invalidate(Token rejected) {
        while (true) {
            LiveProvider asked = live();
            boolean another = asked.invalidate(rejected);
            if (another || asked == live()) {
                return another;
            }
        }
    }

    @Override
    public Token refresh() throws TokenUnavailableException {
        return ask(LiveProvider::refresh);
    }

    @Override
    public CompletionStage<Token> getAsync() {
        CompletableFuture<Token> answer = new CompletableFuture<>();
        pass(answer);
        return answer;
    }

    private void pass(CompletableFuture<Token> answer) {
        LiveProvider asked = live();
        var unused = asked.getAsync().whenComplete((token, failure) -> {
            if (failure == null) {
                answer.complete(token);
            } else if (asked == live()) {
                answer.completeExceptionally(failure);
            } else {
                pass(answer);
            }
        });
    }

    @FunctionalInterface
    private interface Question {
        Token to(LiveProvider provider) throws TokenUnavailableException;
    }

    private Token ask(Question question) throws TokenUnavailableException {
        while (true) {
            LiveProvider asked = live();
            try {
                return question.to(asked);
            } catch (TokenUnavailableException e) {
                if (asked == live()) {
                    throw e;
                }
                // It was replaced while it was asked, and its successor is the one to answer.
            }
        }
    }
}
