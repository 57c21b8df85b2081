package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What an application's own double of a provider does, which is one lambda. */
class TokenProviderTest {
    private static final Token TOKEN = Token.of("t", TokenDocument.of("t1"));
    private static final TokenProvider THERE = () -> TOKEN;
    private static final TokenProvider NOT_THERE = () -> {
        throw TokenUnavailableException.of("t", Reason.ABSENT, "a test has none");
    };

    @Test
    void lambda_token_isAProvider() throws Exception {
        assertThat(THERE.get()).isSameAs(TOKEN);
        assertThat(THERE.refresh()).isSameAs(TOKEN);
        assertThat(THERE.invalidate(TOKEN)).isFalse();
        assertThat(THERE.getAsync().toCompletableFuture()).isCompletedWithValue(TOKEN);
        assertThat(THERE.asSupplier().get()).isEqualTo("t1");
    }

    @Test
    void lambda_noToken_failsEveryWay() {
        assertThatThrownBy(NOT_THERE::get).hasMessage("no token 't': a test has none");
        assertThatThrownBy(NOT_THERE::refresh).isInstanceOf(TokenUnavailableException.class);
        assertThat(NOT_THERE.getAsync().toCompletableFuture()).isCompletedExceptionally();
        assertThatThrownBy(NOT_THERE.asSupplier()::get)
                .isInstanceOf(UncheckedIOException.class)
                .hasCauseInstanceOf(TokenUnavailableException.class);
    }

    @Test
    void exception_severalAttempts_listsAllAndTakesReasonAndFixOfTheLast() {
        List<TokenException> attempts = List.of(
                new SourceException(Reason.UNSET, "variable A is not set", "set it"),
                new SourceException(Reason.ABSENT, "file b does not exist", "create it"));

        TokenUnavailableException e = TokenUnavailableException.of("t", attempts);

        assertThat(e).isInstanceOf(IOException.class).hasNoCause();
        assertThat(e).hasMessage("no token 't': variable A is not set; file b does not exist");
        assertThat(e.reason()).isEqualTo(Reason.ABSENT);
        assertThat(e.fix()).isEqualTo("create it");
        assertThat(e.attempts()).isEqualTo(attempts);
    }
}
