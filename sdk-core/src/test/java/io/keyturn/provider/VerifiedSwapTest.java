package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.Canary;
import io.keyturn.event.TokenEvent.RefreshFailed;
import io.keyturn.event.TokenEvent.Resolved;
import io.keyturn.event.TokenEvent.SwapRefused;
import io.keyturn.event.TokenEvent.Swapped;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A token is tried before it replaces one that lives. */
@Timeout(60)
class VerifiedSwapTest {
    @RegisterExtension
    final Rig rig = new Rig();

    @RegisterExtension
    final Canary canary = new Canary();

    private final FakeSource source = FakeSource.of("token-1");
    private final List<String> tried = new ArrayList<>();

    @FunctionalInterface
    interface Trial {
        void of(Snapshot candidate) throws TokenException;
    }

    /** An intake that takes everything, and tries it so. */
    record Proof(Trial trial) implements Intake {
        @Override
        public Token accept(String name, TokenDocument document, long generation) throws TokenException {
            return Rig.INTAKE.accept(name, document, generation);
        }

        @Override
        public void prove(Snapshot candidate) throws TokenException {
            trial.of(candidate);
        }
    }

    private LiveProvider provider(Trial trial) {
        return rig.atOnce(
                source,
                new Proof(candidate -> {
                    tried.add(candidate.token().reveal());
                    trial.of(candidate);
                }),
                Rig.POLICY);
    }

    private LiveProvider refusing() {
        return provider(candidate -> {
            throw new TokenException(Reason.UNAUTHENTICATED, "the API refuses the new token (401)", "store another");
        });
    }

    @Test
    void prove_refused_theOldStaysAndAnEventSaysSo() throws Exception {
        LiveProvider provider = refusing();
        Token good = provider.get();
        source.has(canary.token());

        canary.caught(TokenUnavailableException.class, provider::refresh);

        assertThat(provider.get()).isSameAs(good);
        assertThat(provider.lastFailure()).isPresent();
        assertThat(rig.events).hasExactlyElementsOfTypes(Resolved.class, SwapRefused.class, RefreshFailed.class);
        assertThat(rig.events.get(1)).isInstanceOfSatisfying(SwapRefused.class, event -> {
            assertThat(event.reason()).isEqualTo(Reason.UNAUTHENTICATED);
            assertThat(event.fingerprint()).isNotEqualTo(good.fingerprint());
        });
        rig.events.forEach(event -> canary.saw("event", event));
    }

    @Test
    void prove_refused_isTriedAgainLaterThoughTheSourceSaysNothing() throws Exception {
        boolean[] refuses = {true};
        LiveProvider provider = provider(candidate -> {
            if (refuses[0]) {
                throw new TokenException(Reason.UNAUTHENTICATED, "not yet", null);
            }
        });
        provider.get();
        source.has("token-2");
        assertThatThrownBy(provider::refresh).isInstanceOf(TokenUnavailableException.class);
        refuses[0] = false;

        rig.advance(Duration.ofSeconds(2));

        assertThat(provider.get().reveal()).isEqualTo("token-2");
        assertThat(rig.events).last().isInstanceOf(Swapped.class);
    }

    @Test
    void prove_nothingLives_isNotTried() throws Exception {
        LiveProvider provider = refusing();

        assertThat(provider.get().reveal()).isEqualTo("token-1");
        assertThat(tried).isEmpty();
    }

    @Test
    void prove_theOldHasEnded_isNotTried() throws Exception {
        source.has(TokenDocument.of("token-1").withExpiresAt(rig.clock.instant().plusSeconds(60)));
        LiveProvider provider = refusing();
        provider.get();
        rig.advance(Duration.ofSeconds(60));
        source.has("token-2");

        rig.advance(RefreshPolicy.LONGEST_DELAY);

        assertThat(provider.get().reveal()).isEqualTo("token-2");
        assertThat(tried).doesNotContain("token-2");
    }

    @Test
    void prove_sameToken_isNotTried() throws Exception {
        LiveProvider provider = refusing();
        provider.get();
        source.has(TokenDocument.of("token-1").withExpiresAt(rig.clock.instant().plusSeconds(60)));

        provider.refresh();

        assertThat(tried).isEmpty();
    }

    @Test
    void prove_accepted_isTriedOnce() throws Exception {
        LiveProvider provider = provider(candidate -> {});
        provider.get();
        source.has("token-2");

        assertThat(provider.refresh().reveal()).isEqualTo("token-2");
        assertThat(tried).containsExactly("token-2");
    }

    @Test
    void prove_somethingHappensMeanwhile_isNotTriedAgain() throws Exception {
        source.has(TokenDocument.of("token-1").withExpiresAt(rig.clock.instant().plusSeconds(10)));
        LiveProvider provider = provider(candidate -> rig.advance(Duration.ofSeconds(10)));
        provider.get();
        source.has("token-2");

        assertThat(provider.refresh().reveal()).isEqualTo("token-2");
        assertThat(tried).containsExactly("token-2");
    }

    @Test
    void prove_throwsAnything_theOldStaysAndTheNextFetchComes() throws Exception {
        boolean[] broken = {true};
        LiveProvider provider = provider(candidate -> {
            if (broken[0]) {
                throw new StackOverflowError(canary.token());
            }
        });
        Token good = provider.get();
        source.has("token-2");
        canary.caught(TokenUnavailableException.class, provider::refresh);
        assertThat(provider.get()).isSameAs(good);

        broken[0] = false;
        rig.advance(Duration.ofSeconds(2));

        assertThat(provider.get().reveal()).isEqualTo("token-2");
    }
}
