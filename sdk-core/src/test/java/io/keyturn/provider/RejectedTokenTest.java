package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.provider.Rig.Running;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A server says 401. What it means depends on when the source was read. */
@Timeout(60)
class RejectedTokenTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    @RegisterExtension
    final Rig rig = new Rig();

    private final FakeSource source = FakeSource.of("token-1");

    @Test
    void invalidate_storm_oneFetchAGenerationAndASecondOfQuiet() throws Exception {
        LiveProvider provider = rig.atOnce(source);
        Token rejected = provider.get();

        for (int i = 0; i < 1000; i++) {
            assertThat(provider.invalidate(rejected)).isFalse();
        }
        assertThat(source.fetches()).isEqualTo(2);
        rig.clock.advance(SECOND);
        for (int i = 0; i < 1000; i++) {
            assertThat(provider.invalidate(rejected)).isFalse();
        }

        assertThat(source.fetches()).isEqualTo(3);
    }

    /** Such as a store's version before, which may serve until the API has heard of the one in force. */
    @Test
    void invalidate_sourceThatHasAnother_isToldWhatWasRefusedAndThatServes() throws Exception {
        List<String> refused = new ArrayList<>();
        TokenSource store = new TokenSource() {
            @Override
            public Optional<TokenDocument> fetch() {
                return Optional.of(TokenDocument.of("token-2"));
            }

            @Override
            public Optional<TokenDocument> fetchInsteadOf(Token token) {
                refused.add(token.reveal());
                return Optional.of(TokenDocument.of("token-1"));
            }
        };
        LiveProvider provider = rig.atOnce(TokenSources.firstOf(store));
        Token rejected = provider.get();

        assertThat(provider.invalidate(rejected)).isTrue();
        assertThat(provider.get().reveal()).isEqualTo("token-1");
        assertThat(refused).containsExactly("token-2");
        provider.refresh();
        assertThat(refused).hasSize(1);
    }

    /** Nobody had been told 401 when the source answered the same: that says nothing of what it has by now. */
    @Test
    void invalidate_justAfterARefreshThatBroughtTheSame_asksAtOnce() throws Exception {
        LiveProvider provider = rig.atOnce(source);
        Token rejected = provider.get();
        provider.refresh();
        source.has("token-2");

        assertThat(provider.invalidate(rejected)).isTrue();
        assertThat(provider.get().reveal()).isEqualTo("token-2");
    }

    /** The old token is revoked while a fetch is under way that has read it. */
    @Test
    void invalidate_flightThatReadTheSourceBefore_isNotTheAnswer() throws Exception {
        LiveProvider provider = rig.provider(source);
        Token rejected = provider.get();
        source.hold();
        Running<Token> refresh = Rig.start(provider::refresh);
        Awaitility.await().until(() -> source.held() == 1);
        source.has("token-2");

        List<Running<Boolean>> told = Rig.start(50, () -> provider.invalidate(rejected));
        Rig.awaitWaiting(told);
        source.release();

        for (Running<Boolean> each : told) {
            assertThat(each.get()).isTrue();
        }
        assertThat(refresh.get().reveal()).isEqualTo("token-1");
        assertThat(source.fetches()).isEqualTo(3);
    }

    @Test
    void invalidate_flightUnderWayBringsAnother_isTheAnswer() throws Exception {
        LiveProvider provider = rig.provider(source);
        Token rejected = provider.get();
        source.has("token-2").hold();
        Running<Token> refresh = Rig.start(provider::refresh);
        Awaitility.await().until(() -> source.held() == 1);

        Running<Boolean> told = Rig.start(() -> provider.invalidate(rejected)).awaitWaiting();
        source.release();

        assertThat(told.get()).isTrue();
        refresh.get();
        assertThat(source.fetches()).isEqualTo(2);
    }

    @Test
    void invalidate_flightThatHadNotBegun_isTheAnswer() throws Exception {
        Runnable[] queued = new Runnable[1];
        LiveProvider provider = rig.opened(source, Rig.INTAKE, Rig.POLICY, rig.context(task -> queued[0] = task));
        var first = provider.getAsync();
        queued[0].run();
        Token rejected = first.toCompletableFuture().join();
        Running<Token> refresh = Rig.start(provider::refresh).awaitWaiting();

        Running<Boolean> told = Rig.start(() -> provider.invalidate(rejected)).awaitWaiting();
        queued[0].run();

        assertThat(told.get()).isFalse();
        refresh.get();
        assertThat(source.fetches()).isEqualTo(2);
    }

    @Test
    void invalidate_longAgo_newerOneIsThere_nothingIsAsked() throws Exception {
        LiveProvider provider = rig.atOnce(source);
        Token old = provider.get();
        for (int i = 2; i < 10; i++) {
            source.has("token-" + i);
            provider.refresh();
        }
        int asked = source.fetches();

        assertThat(provider.invalidate(old)).isTrue();
        assertThat(source.fetches()).isEqualTo(asked);
    }

    @Test
    void invalidate_rollbackToTheSameValue_isAnotherVersion() throws Exception {
        LiveProvider provider = rig.atOnce(source);
        Token first = provider.get();
        source.has("token-2");
        Token second = provider.refresh();
        source.has("token-1");

        assertThat(provider.invalidate(second)).isTrue();
        assertThat(provider.get()).isEqualTo(first);
        assertThat(provider.get().generation()).isEqualTo(3);
        assertThat(provider.invalidate(first)).as("that was another version").isTrue();
    }

    @Test
    void invalidate_tokenHasEnded_falseUnlessTheSourceHasAnother() throws Exception {
        source.has(TokenDocument.of("token-1").withExpiresAt(rig.clock.instant().plusSeconds(60)));
        LiveProvider provider = rig.atOnce(source);
        Token ended = provider.get();
        rig.advance(Duration.ofSeconds(60));

        assertThat(provider.invalidate(ended)).isFalse();
        rig.advance(RefreshPolicy.LONGEST_DELAY);
        source.has("token-2");
        rig.clock.advance(RefreshPolicy.LONGEST_DELAY);

        assertThat(provider.invalidate(ended)).isTrue();
    }
}
