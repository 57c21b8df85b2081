package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import io.keyturn.Canary;
import io.keyturn.event.TokenEvent.RefreshFailed;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.Rig.Running;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(60)
class FailingSourceTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    @RegisterExtension
    final Rig rig = new Rig();

    @RegisterExtension
    final Canary canary = new Canary();

    static Stream<Arguments> failures() {
        String secret = Canary.TOKEN;
        return Stream.of(
                argumentSet("empty", (FakeSource.Answer) Optional::empty, Reason.ABSENT, "fake store has no token"),
                argumentSet(
                        "says why",
                        (FakeSource.Answer) () -> {
                            throw new SourceException(Reason.UNSAFE_FILE, "fake store is open to all", null);
                        },
                        Reason.UNSAFE_FILE,
                        "fake store is open to all"),
                argumentSet(
                        "unchecked exception",
                        (FakeSource.Answer) () -> {
                            throw new IllegalStateException("read " + secret);
                        },
                        Reason.UNREACHABLE,
                        "fake store failed with java.lang.IllegalStateException"),
                argumentSet(
                        "out of memory",
                        (FakeSource.Answer) () -> {
                            throw new OutOfMemoryError(secret);
                        },
                        Reason.UNREACHABLE,
                        "fake store failed with java.lang.OutOfMemoryError"),
                argumentSet(
                        "stack overflow",
                        (FakeSource.Answer) () -> {
                            throw new StackOverflowError(secret);
                        },
                        Reason.UNREACHABLE,
                        "fake store failed with java.lang.StackOverflowError"),
                argumentSet(
                        "class not found",
                        (FakeSource.Answer) () -> {
                            throw new NoClassDefFoundError(secret);
                        },
                        Reason.UNREACHABLE,
                        "fake store failed with java.lang.NoClassDefFoundError"),
                argumentSet(
                        "null",
                        (FakeSource.Answer) () -> null,
                        Reason.UNREACHABLE,
                        "fake store failed with java.lang.NullPointerException"));
    }

    @ParameterizedTest
    @MethodSource("failures")
    void get_firstFetchFails_saysWhyAndRecovers(FakeSource.Answer failure, Reason reason, String why) throws Exception {
        FakeSource source = new FakeSource().answers(failure);
        LiveProvider provider = rig.provider(source);

        TokenUnavailableException e = canary.caught(TokenUnavailableException.class, provider::get);

        assertThat(e).hasMessage("no token 'api_token': " + why);
        assertThat(e.reason()).isEqualTo(reason);
        assertThat(e.attempts())
                .singleElement()
                .satisfies(attempt -> assertThat(attempt).hasMessage(why));
        assertThat(rig.events).singleElement().isInstanceOfSatisfying(RefreshFailed.class, event -> {
            assertThat(event.reason()).isEqualTo(reason);
            assertThat(canary.saw("event", event)).isNotNull();
        });
        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
        assertThat(source.fetches()).isEqualTo(1);

        source.has("token-1");
        rig.advance(SECOND);
        assertThat(provider.get().generation()).isEqualTo(1);
    }

    @ParameterizedTest
    @MethodSource("failures")
    void refresh_laterFetchFails_theLastGoodTokenStays(FakeSource.Answer failure, Reason reason, String why)
            throws Exception {
        FakeSource source = FakeSource.of(canary.token());
        LiveProvider provider = rig.provider(source);
        Token good = provider.get();
        source.answers(failure);

        canary.caught(TokenUnavailableException.class, provider::refresh);

        assertThat(provider.get()).isSameAs(good);
        assertThat(provider.invalidate(good)).isFalse();
        assertThat(provider.lastFailure())
                .get()
                .satisfies(
                        e -> assertThat(canary.saw(e)).hasMessageContaining(why).returns(reason, x -> x.reason()));
        source.has("token-2");
        assertThat(provider.refresh().generation()).isEqualTo(2);
        assertThat(provider.lastFailure()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("failures")
    void get_severalWaitForAFlightThatFails_allAreTold(FakeSource.Answer failure, Reason reason, String why)
            throws Exception {
        FakeSource source = new FakeSource().answers(failure).hold();
        LiveProvider provider = rig.provider(source);

        var callers = Rig.start(5, provider::get);
        Rig.awaitWaiting(callers);
        source.release();

        for (Running<Token> caller : callers) {
            assertThatThrownBy(caller::get).hasMessageContaining(why);
        }
    }

    @Test
    void get_describeThrowsLater_theFlightStillEnds() {
        AtomicBoolean broken = new AtomicBoolean();
        TokenSource source = new TokenSource() {
            @Override
            public Optional<TokenDocument> fetch() {
                broken.set(true);
                throw new IllegalStateException();
            }

            @Override
            public String describe() {
                if (broken.get()) {
                    throw new IllegalStateException("describe");
                }
                return "rude source";
            }
        };
        LiveProvider provider = rig.provider(source);

        assertThatThrownBy(provider::get).hasMessageContaining("failed with java.lang.IllegalStateException");
    }

    @Test
    void get_absenceThrows_theFlightStillEnds() {
        TokenSource source = new TokenSource() {
            @Override
            public Optional<TokenDocument> fetch() {
                return Optional.empty();
            }

            @Override
            public SourceException absence() {
                throw new IllegalStateException("absence");
            }
        };

        assertThatThrownBy(rig.provider(source)::get)
                .isInstanceOf(TokenUnavailableException.class)
                .hasMessageContaining("failed with java.lang.IllegalStateException");
    }

    @Test
    void get_noThreadToBeHad_saysSoAndRecovers() throws Exception {
        boolean[] full = {true};
        ProviderContext context = rig.context(task -> {
            if (full[0]) {
                throw new OutOfMemoryError("unable to create native thread");
            }
            task.run();
        });
        LiveProvider provider = rig.opened(FakeSource.of("token-1"), Rig.INTAKE, Rig.POLICY, context);

        assertThatThrownBy(provider::get)
                .hasMessage("no token 'api_token': fake store could not be asked (java.lang.OutOfMemoryError)");
        full[0] = false;
        assertThat(provider.refresh().reveal()).isEqualTo("token-1");
    }

    @Test
    void get_listenerCannotBeTold_theFlightStillEnds() {
        ProviderContext context = rig.context(rig.clock, rig.clock::nanos, rig.fetches, event -> {
            throw new OutOfMemoryError("unable to create native thread");
        });
        LiveProvider provider = rig.opened(new FakeSource(), Rig.INTAKE, Rig.POLICY, context);

        assertThatThrownBy(provider::get).hasMessageContaining("fake store has no token");
    }

    @Test
    void get_refusedByARule_neverBecomesTheCurrentOne() throws Exception {
        FakeSource source = FakeSource.of("token-1");
        LiveProvider provider = rig.provider(source, (name, document, generation) -> {
            Token token = Token.of("api_token", document, generation, null);
            if (token.reveal().equals(Canary.TOKEN)) {
                throw new TokenDeniedException(Reason.LEAKED, "token " + token + " is on a list", "issue another");
            }
            return token;
        });
        Token good = provider.get();
        source.has(canary.token());

        TokenUnavailableException e = canary.caught(TokenUnavailableException.class, provider::refresh);

        assertThat(e.reason()).isEqualTo(Reason.LEAKED);
        assertThat(e.fix()).isEqualTo("issue another");
        assertThat(provider.get()).isSameAs(good);
        assertThat(rig.events).last().isInstanceOf(RefreshFailed.class);
    }

    @Test
    void get_ruleThrowsAnything_refuses() {
        LiveProvider provider = rig.provider(FakeSource.of(canary.token()), (name, document, generation) -> {
            throw new IllegalArgumentException(document.value().reveal());
        });

        canary.caught(TokenUnavailableException.class, provider::get);
    }

    @Test
    void get_noneOfSeveralSources_listsEachAndWhy() {
        LiveProvider provider = rig.provider(TokenSources.firstOf(
                TokenSources.env("KEYTURN_TEST_NOT_SET"),
                TokenSources.file("/nowhere/token"),
                TokenSources.of("accounts db", () -> null)));

        TokenUnavailableException e = canary.caught(TokenUnavailableException.class, provider::get);

        assertThat(e)
                .hasMessage("no token 'api_token': environment variable KEYTURN_TEST_NOT_SET is not set; "
                        + "file /nowhere/token does not exist; accounts db has no token");
        assertThat(e.attempts())
                .extracting(attempt -> attempt.reason())
                .containsExactly(Reason.UNSET, Reason.ABSENT, Reason.ABSENT);
    }

    @Test
    void get_firstSourceFails_theSecondIsNotAsked() {
        FakeSource second = FakeSource.of("token-2");
        LiveProvider provider = rig.provider(TokenSources.firstOf(
                TokenSources.of("accounts db", () -> {
                    throw new IllegalStateException(canary.token());
                }),
                second));

        TokenUnavailableException e = canary.caught(TokenUnavailableException.class, provider::get);

        assertThat(e).hasMessage("no token 'api_token': accounts db failed with java.lang.IllegalStateException");
        assertThat(second.fetches()).isZero();
    }
}
