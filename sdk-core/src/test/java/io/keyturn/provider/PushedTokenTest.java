package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.event.TokenEvent.Resolved;
import io.keyturn.event.TokenEvent.Swapped;
import io.keyturn.provider.Rig.Running;
import io.keyturn.source.PushedSource;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.source.Watch;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class PushedTokenTest {
    @RegisterExtension
    final Rig rig = new Rig();

    private final PushedSource pushed = TokenSources.pushed();

    @Test
    void set_returns_everyProviderHandsOutTheNewToken() throws Exception {
        List<LiveProvider> providers = List.of(rig.provider(pushed), rig.provider(pushed), rig.provider(pushed));

        for (int i = 1; i <= 50; i++) {
            pushed.set("token-" + i);
            for (LiveProvider provider : providers) {
                assertThat(provider.get().reveal()).isEqualTo("token-" + i);
                assertThat(provider.get().generation()).isEqualTo(i);
            }
        }
    }

    @Test
    void set_first_isResolvedAndTheNextASwap() {
        rig.provider(pushed);

        pushed.set("token-1");
        pushed.set("token-2");

        assertThat(rig.events).hasExactlyElementsOfTypes(Resolved.class, Swapped.class);
    }

    @Test
    void get_nothingSetYet_saysSo() {
        assertThatThrownBy(rig.provider(pushed)::get)
                .hasMessage("no token 'api_token': the program has not set the token yet");
    }

    @Test
    void set_anotherFlightIsUnderWay_isVisibleWhenItReturns() throws Exception {
        FakeSource slow = new FakeSource();
        TokenSource both = new Watched(TokenSources.firstOf(slow, pushed), pushed);
        LiveProvider provider = rig.provider(both);
        pushed.set("token-1");
        slow.hold();
        Running<Token> flight = Rig.start(provider::refresh);
        Awaitility.await().until(() -> slow.held() == 1);

        Running<Token> set = Rig.start(() -> {
            pushed.set("token-2");
            return provider.get();
        });
        set.awaitWaiting();
        assertThat(provider.get().reveal()).isEqualTo("token-1");
        slow.release();

        assertThat(set.get().reveal()).isEqualTo("token-2");
        flight.get();
    }

    /** One source's answers with another's changes. */
    private record Watched(TokenSource answers, TokenSource changes) implements TokenSource {
        @Override
        public Optional<TokenDocument> fetch() throws SourceException {
            return answers.fetch();
        }

        @Override
        public Watch watch(Runnable changed) {
            return changes.watch(changed);
        }
    }

    /** The flight reads the old value, hangs, and answers it after the new one was set. */
    @Test
    void set_flightThatReadTheOldValueLandsLate_theNewOneWins() throws Exception {
        AtomicReference<Runnable> changed = new AtomicReference<>();
        FakeSource fake = FakeSource.of("token-1");
        TokenSource source = new TokenSource() {
            @Override
            public Optional<TokenDocument> fetch() throws SourceException {
                return fake.fetch();
            }

            @Override
            public Watch watch(Runnable told) {
                changed.set(told);
                return Watch.none();
            }
        };
        LiveProvider provider = rig.provider(source);
        fake.hold();
        Running<Token> flight = Rig.start(provider::get);
        Awaitility.await().until(() -> fake.held() == 1);
        fake.has("token-2");

        Running<Token> told = Rig.start(() -> {
            changed.get().run();
            return provider.get();
        });
        told.awaitWaiting();
        fake.release();

        assertThat(flight.get().reveal()).isEqualTo("token-1");
        assertThat(told.get().reveal()).isEqualTo("token-2");
    }

    @Test
    void set_manyThreads_theLastValueIsThere() throws Exception {
        LiveProvider provider = rig.provider(pushed);
        List<Running<Void>> setters = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            String value = "token-" + i;
            setters.add(Rig.start(() -> {
                pushed.set(value);
                return null;
            }));
        }
        for (Running<Void> setter : setters) {
            setter.get();
        }

        assertThat(provider.get().reveal())
                .isEqualTo(pushed.fetch().orElseThrow().value().reveal());
    }

    @Test
    void set_interruptedThread_theSwapStillHappens() throws Exception {
        LiveProvider provider = rig.provider(pushed);
        pushed.set("token-1");

        Running<Boolean> setter = Rig.start(() -> {
            Thread.currentThread().interrupt();
            pushed.set("token-2");
            return Thread.currentThread().isInterrupted();
        });

        assertThat(setter.get()).isTrue();
        Awaitility.await()
                .untilAsserted(() -> assertThat(provider.get().reveal()).isEqualTo("token-2"));
    }

    @Test
    void set_anotherSourceHangs_returnsAfterTheTimeoutAndTheSwapHappensLater() throws Exception {
        FakeSource slow = new FakeSource();
        LiveProvider provider = rig.provider(TokenSources.firstOf(slow, pushed), Duration.ofMillis(100));
        pushed.set("token-1");
        slow.hold();
        Running<Token> flight = Rig.start(provider::refresh);
        Awaitility.await().until(() -> slow.held() == 1);

        pushed.set("token-2");

        assertThat(provider.get().reveal()).isEqualTo("token-1");
        slow.release();
        Awaitility.await()
                .untilAsserted(() -> assertThat(provider.get().reveal()).isEqualTo("token-2"));
        assertThatThrownBy(flight::get).hasMessageContaining("did not answer within 100 ms");
    }

    @Test
    void set_afterClose_isHeardByNobody() {
        LiveProvider provider = rig.provider(pushed);
        provider.close();

        pushed.set("token-1");

        assertThat(rig.events).isEmpty();
    }
}
