package io.keyturn.test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.TokenAgent;
import io.keyturn.provider.RefreshPolicy;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceException;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Instant;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TestTokensTest {
    private static final Instant END = Instant.parse("2030-01-01T00:00:00Z");

    private final TestTokens tokens = TestTokens.of("t1");
    private final TokenProvider provider = tokens.provider();

    private TokenAgent agent() throws TokenUnavailableException {
        return TokenAgent.builder()
                .listener(tokens.listener())
                .token("api_token", tokens.source(), t -> t.refresh(RefreshPolicy.defaults()))
                .start();
    }

    private static String handedOut(TokenAgent agent) throws TokenUnavailableException {
        return agent.provider("api_token").get().reveal();
    }

    // --- as a provider ---

    @Test
    void provider_swap_handsOutTheNextVersion() throws Exception {
        assertThat(provider.get().reveal()).isEqualTo("t1");
        assertThat(provider.get().generation()).isOne();

        tokens.swap("t2");

        assertThat(provider.get().reveal()).isEqualTo("t2");
        assertThat(provider.get().generation()).isEqualTo(2);
        assertThat(provider.refresh()).isEqualTo(provider.get());
        assertThat(tokens.provider()).isSameAs(provider);
    }

    @Test
    void provider_swapToTheSameValue_isTheSameVersion() throws Exception {
        tokens.swap(TokenDocument.of("t1").withExpiresAt(END).withScopes(Set.of("read")));

        assertThat(provider.get().generation()).isOne();
        assertThat(provider.get().expiresAt()).contains(END);
        assertThat(provider.get().scopes()).contains(Set.of("read"));
    }

    @Test
    void provider_fail_hasNoneUntilTheNextSwap() throws Exception {
        tokens.fail(Reason.UNREACHABLE, "the store is down");

        assertThatThrownBy(provider::get)
                .isInstanceOfSatisfying(
                        TokenUnavailableException.class,
                        e -> assertThat(e.reason()).isEqualTo(Reason.UNREACHABLE))
                .hasMessage("no token 'test_token': the store is down");
        assertThat(provider.getAsync().toCompletableFuture()).isCompletedExceptionally();
        tokens.swap("t2");
        assertThat(provider.get().reveal()).isEqualTo("t2");
    }

    @Test
    void provider_remove_hasNone() {
        tokens.remove();

        assertThatThrownBy(provider::get)
                .isInstanceOfSatisfying(
                        TokenUnavailableException.class,
                        e -> assertThat(e.reason()).isEqualTo(Reason.ABSENT));
    }

    @Test
    void provider_invalidate_isRemembered() throws Exception {
        Token first = provider.get();

        assertThat(tokens.rejected()).isEmpty();
        assertThat(provider.invalidate(first)).as("there is no other yet").isFalse();
        tokens.swap("t2");
        assertThat(provider.invalidate(first)).as("there is another").isTrue();
        tokens.fail(Reason.UNREACHABLE, "the store is down");
        assertThat(provider.invalidate(first)).as("there is none").isFalse();

        assertThat(tokens.rejected()).containsExactly("t1", "t1", "t1");
    }

    // --- as a source ---

    @Test
    void source_swap_theAgentHandsItOutAtOnce() throws Exception {
        try (TokenAgent agent = agent()) {
            assertThat(handedOut(agent)).isEqualTo("t1");

            tokens.swap("t2");

            assertThat(handedOut(agent)).isEqualTo("t2");
        }
    }

    @Test
    void source_fail_theAgentKeepsTheTokenAndKnows() throws Exception {
        try (TokenAgent agent = agent()) {
            tokens.fail(new SourceException(Reason.UNREACHABLE, "the store is down", "start it"));

            assertThat(handedOut(agent)).isEqualTo("t1");
            assertThatThrownBy(agent.provider("api_token")::refresh)
                    .hasMessage("no token 'api_token': the store is down");
            tokens.swap("t2");
            assertThat(handedOut(agent)).isEqualTo("t2");
        }
    }

    @Test
    void source_remove_isEmptyAndSaysSo() throws Exception {
        tokens.remove();

        assertThat(tokens.source().fetch()).isEmpty();
        assertThat(tokens.source().absence().reason()).isEqualTo(Reason.ABSENT);
    }

    @Test
    void source_documents_areAsTheTestMadeThem() throws Exception {
        TokenDocument document = TokenDocument.of("t2").withVersion("7");
        tokens.swap(document);

        assertThat(tokens.source().fetch()).containsSame(document);
        assertThat(TestTokens.of(document).source().fetch()).containsSame(document);
        assertThat(tokens.source()).isSameAs(tokens.source());
    }

    @Test
    void source_watch_hearsEachChangeUntilItIsClosed() {
        AtomicInteger changes = new AtomicInteger();
        Watch watch = tokens.source().watch(changes::incrementAndGet);

        tokens.swap("t2");
        tokens.fail(Reason.UNREACHABLE, "the store is down");
        tokens.remove();
        assertThat(changes).hasValue(3);
        watch.close();
        tokens.swap("t3");

        assertThat(changes).hasValue(3);
    }

    @Test
    void listener_aServerRefusesToTheAgent_isRemembered() throws Exception {
        try (TokenAgent agent = agent()) {
            TokenProvider handed = agent.provider("api_token");
            Token first = handed.get();
            tokens.swap("t2");

            assertThat(handed.invalidate(first)).as("there is another").isTrue();
            assertThat(handed.invalidate(handed.get()))
                    .as("there is no other yet")
                    .isFalse();

            Awaitility.await().untilAsserted(() -> assertThat(tokens.rejected()).containsExactly("t1", "t2"));
        }
    }

    @Test
    void of_noToken_refusedAtOnce() {
        assertThatThrownBy(() -> TestTokens.of("a\nb")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> tokens.swap("")).isInstanceOf(IllegalArgumentException.class);
    }
}
