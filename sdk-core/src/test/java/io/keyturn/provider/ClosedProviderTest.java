package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.provider.Rig.Running;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class ClosedProviderTest {
    @RegisterExtension
    final Rig rig = new Rig();

    private final FakeSource source = FakeSource.of("token-1");

    private static void assertClosed(ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        TokenUnavailableException.class,
                        e -> assertThat(e.reason()).isEqualTo(Reason.CLOSED))
                .hasMessage("no token 'api_token': agent closed");
    }

    @Test
    void close_tokenThere_isHandedOutNoMore() throws Exception {
        LiveProvider provider = rig.provider(source);
        Token token = provider.get();

        provider.close();
        provider.close();

        assertClosed(provider::get);
        assertClosed(provider::refresh);
        assertThatThrownBy(() -> provider.getAsync().toCompletableFuture().get(30, TimeUnit.SECONDS))
                .cause()
                .hasMessageContaining("agent closed");
        assertThat(provider.invalidate(token)).isFalse();
        assertThat(source.fetches()).isEqualTo(1);
    }

    @Test
    void close_lastFetchFailed_saysClosedAndNotWhyItFailed() {
        source.answers(Optional::empty);
        LiveProvider provider = rig.provider(source);
        assertThatThrownBy(provider::get).hasMessageContaining("has no token");

        provider.close();

        assertClosed(provider::get);
        assertThat(provider.lastFailure()).isEmpty();
    }

    @Test
    void close_duringAHangingFetch_waitersAreToldAtOnceAndTheAnswerComesTooLate() throws Exception {
        LiveProvider provider = rig.provider(source.hold());
        List<Running<Token>> callers = Rig.start(3, provider::get);
        Rig.awaitWaiting(callers);
        Running<Token> refresh = Rig.start(provider::refresh).awaitWaiting();

        provider.close();

        for (Running<Token> caller : callers) {
            assertClosed(caller::get);
        }
        assertClosed(refresh::get);
        source.release();
        Awaitility.await().until(() -> source.held() == 0);
        assertClosed(provider::get);
        assertThat(source.fetches()).isEqualTo(1);
        rig.fetches.shutdown();
        assertThat(rig.fetches.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
        assertClosed(provider::get);
        assertThat(rig.events).isEmpty();
    }

    @Test
    void close_beforeAFailureLands_theOldTokenDoesNotComeBack() throws Exception {
        LiveProvider provider = rig.provider(source);
        provider.get();
        source.answers(Optional::empty).hold();
        Running<Token> refresh = Rig.start(provider::refresh).awaitWaiting();

        provider.close();
        source.release();
        assertClosed(refresh::get);
        rig.fetches.shutdown();
        assertThat(rig.fetches.awaitTermination(30, TimeUnit.SECONDS)).isTrue();

        assertClosed(provider::get);
        assertThat(rig.events).hasSize(1);
    }

    @Test
    void close_watchedSource_isWatchedNoMore() {
        AtomicInteger watches = new AtomicInteger();
        TokenSource watched = new TokenSource() {
            @Override
            public Optional<TokenDocument> fetch() {
                return Optional.empty();
            }

            @Override
            public Watch watch(Runnable changed) {
                watches.incrementAndGet();
                return watches::decrementAndGet;
            }
        };
        LiveProvider provider = rig.provider(watched);
        assertThat(watches).hasValue(1);

        provider.close();

        assertThat(watches).hasValue(0);
    }
}
