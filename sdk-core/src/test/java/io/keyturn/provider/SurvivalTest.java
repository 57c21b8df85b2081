package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import io.keyturn.ManualClock;
import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenListener;
import io.keyturn.http.Placement;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever is thrown wherever: the next refresh comes on time. */
@Timeout(60)
class SurvivalTest {
    private static final Instant END = ManualClock.START.plusSeconds(1000);

    @RegisterExtension
    final Rig rig = new Rig();

    private final FakeSource source = FakeSource.of("token-1");
    private final Parts parts = new Parts();

    /** Every part that is somebody else's code, or may lack memory or threads; each throws while there is something to throw. */
    private final class Parts implements Intake, TokenListener, Executor, Schedule.Timer, Function<Token, Secret> {
        private Throwable thrown;
        private String where = "";

        private void here(String place) {
            if (thrown != null && where.equals(place)) {
                sneak(thrown);
            }
        }

        @Override
        public Token accept(String name, TokenDocument document, long generation) {
            here("intake");
            return Token.of("api_token", document, generation, null);
        }

        @Override
        public void prove(Snapshot candidate) {
            here("proof");
        }

        @Override
        public Secret apply(Token token) {
            here("form");
            return Placement.bearer().form(token);
        }

        @Override
        public void onEvent(TokenEvent event) {
            rig.events.add(event);
            here("listener");
        }

        @Override
        public void execute(Runnable task) {
            here("executor");
            task.run();
        }

        @Override
        public Future<?> in(long nanos, Runnable task) {
            here("timer");
            return rig.timer.in(nanos, task);
        }

        Clock clock() {
            return new Clock() {
                @Override
                public Instant instant() {
                    here("clock");
                    return rig.clock.instant();
                }

                @Override
                public ZoneId getZone() {
                    return rig.clock.getZone();
                }

                @Override
                public Clock withZone(ZoneId zone) {
                    return this;
                }
            };
        }

        double random() {
            here("random");
            return 0.5;
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void sneak(Throwable thrown) throws T {
        throw (T) thrown;
    }

    private LiveProvider provider() {
        Clock clock = parts.clock();
        Schedule schedule = new Schedule(clock, rig.clock::nanos, Rig.POLL, parts);
        ProviderContext context = new ProviderContext(clock, rig.clock::nanos, parts::random, schedule, parts, parts);
        TokenSource guarded = new TokenSource() {
            @Override
            public Optional<TokenDocument> fetch() {
                parts.here("source");
                try {
                    return source.fetch();
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            }

            @Override
            public Watch watch(Runnable changed) {
                return () -> parts.here("watch");
            }
        };
        LiveProvider provider = new LiveProvider("api_token", guarded, parts, parts, Rig.POLICY, context, null);
        provider.open();
        return provider;
    }

    static Stream<Arguments> faults() {
        return Stream.of("source", "intake", "proof", "form", "listener", "executor", "random", "clock")
                .flatMap(where -> Stream.of(
                                new OutOfMemoryError("Java heap space"),
                                new StackOverflowError(),
                                new IllegalStateException(),
                                new RejectedExecutionException(),
                                new InterruptedException(),
                                new LinkageError(),
                                new ThreadDeathLike())
                        .map(thrown ->
                                argumentSet(where + " " + thrown.getClass().getSimpleName(), where, thrown)));
    }

    /** What kills a thread that does not expect it: neither an exception nor an error. */
    private static final class ThreadDeathLike extends Throwable {
        private static final long serialVersionUID = 1L;
    }

    @ParameterizedTest
    @MethodSource("faults")
    void refresh_somethingIsThrown_theNextOneComesOnTime(String where, Throwable thrown) throws Exception {
        source.has(TokenDocument.of("token-1").withExpiresAt(END));
        LiveProvider provider = provider();
        provider.get();
        source.has(TokenDocument.of("token-2").withExpiresAt(END));
        parts.where = where;
        parts.thrown = thrown;

        rig.advance(Duration.ofSeconds(802));
        parts.thrown = null;
        rig.advance(Duration.ofSeconds(10));

        assertThat(provider.get().reveal()).isEqualTo("token-2");
        assertThat(provider.lastFailure()).isEmpty();
        assertThat(provider.status().state()).isEqualTo(TokenStatus.State.FRESH);
    }

    @ParameterizedTest
    @MethodSource("faults")
    void get_somethingIsThrown_itFailsAndTheNextOneComesOnTime(String where, Throwable thrown) throws Exception {
        LiveProvider provider = provider();
        parts.where = where;
        parts.thrown = thrown;
        if (!where.equals("proof") && !where.equals("listener")) {
            assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);
        }

        parts.thrown = null;
        rig.advance(Duration.ofSeconds(2));

        assertThat(provider.get().reveal()).isEqualTo("token-1");
    }

    @Test
    void get_noTimerToBeHad_theTokenIsFetchedAndTheBeatDoesTheRest() throws Exception {
        source.has(TokenDocument.of("token-1").withExpiresAt(END));
        LiveProvider provider = provider();
        parts.where = "timer";
        parts.thrown = new IllegalStateException();

        assertThat(provider.get().reveal()).isEqualTo("token-1");
        parts.thrown = null;
        source.has("token-2");
        rig.advance(Duration.ofSeconds(801));

        assertThat(provider.get().reveal()).isEqualTo("token-2");
    }

    @Test
    void beat_noMemoryForTheNextOne_itComesAllTheSame() throws Exception {
        int[] fails = {0};
        Schedule schedule = new Schedule(rig.clock, rig.clock::nanos, Rig.POLL, (nanos, task) -> {
            if (fails[0]-- > 0) {
                throw new OutOfMemoryError("Java heap space");
            }
            return rig.timer.in(nanos, task);
        });
        ProviderContext context =
                new ProviderContext(rig.clock, rig.clock::nanos, () -> 0.5, schedule, Runnable::run, rig.events::add);
        source.answers(Optional::empty);
        LiveProvider provider = rig.opened(source, Rig.INTAKE, Rig.POLICY, context);
        assertThatThrownBy(provider::get).isInstanceOf(TokenUnavailableException.class);

        fails[0] = 2;
        rig.advance(Rig.POLL.multipliedBy(2));
        assertThat(fails[0]).isNegative();
        source.has("token-2");
        rig.advance(RefreshPolicy.LONGEST_DELAY);

        assertThat(provider.get().reveal()).isEqualTo("token-2");
    }

    @Test
    void beat_oneProviderFails_theOthersAreLookedAfter() throws Exception {
        ProviderContext context = rig.context(Runnable::run);
        ProviderContext rude = new ProviderContext(
                parts.clock(), rig.clock::nanos, () -> 0.5, context.schedule(), context.fetches(), context.events());
        source.answers(Optional::empty);
        for (int i = 0; i < 20; i++) {
            rig.opened(source, Rig.INTAKE, Rig.POLICY, rude);
        }
        LiveProvider good = rig.opened(source, Rig.INTAKE, Rig.POLICY, context);
        assertThatThrownBy(good::get).isInstanceOf(TokenUnavailableException.class);
        source.has("token-1");
        parts.where = "clock";
        parts.thrown = new OutOfMemoryError();

        rig.clock.step(Duration.ofHours(1));
        rig.advance(Duration.ofSeconds(2));

        assertThat(good.get().reveal()).isEqualTo("token-1");
    }

    @Test
    void close_theWatchCannotBeEnded_waitersAreToldAllTheSame() throws Exception {
        LiveProvider provider = provider();
        provider.get();
        parts.where = "watch";
        parts.thrown = new IllegalStateException();

        provider.close();

        assertThatThrownBy(provider::get).hasMessageContaining("agent closed");
    }

    // --- interrupts ---

    @Test
    void fetch_sourceInterruptsItsThread_theNextFetchDoesNotHearOfIt() throws Exception {
        boolean[] seen = new boolean[2];
        int[] asked = {0};
        TokenSource rude = () -> {
            seen[asked[0]++] = Thread.currentThread().isInterrupted();
            Thread.currentThread().interrupt();
            return Optional.of(TokenDocument.of("token-" + asked[0]));
        };
        LiveProvider provider = rig.atOnce(rude);

        provider.refresh();
        assertThat(provider.refresh().reveal()).isEqualTo("token-2");

        assertThat(Thread.interrupted()).isTrue();
        assertThat(seen).containsExactly(false, false);
    }

    @Test
    void fetch_onAnInterruptedThread_isNotDisturbedAndTheThreadStaysInterrupted() {
        boolean[] seen = {true};
        Runnable[] changed = new Runnable[1];
        TokenSource pushed = new TokenSource() {
            @Override
            public Optional<TokenDocument> fetch() {
                seen[0] = Thread.currentThread().isInterrupted();
                return Optional.of(TokenDocument.of("token-1"));
            }

            @Override
            public Watch watch(Runnable told) {
                changed[0] = told;
                return Watch.none();
            }
        };
        LiveProvider provider = rig.atOnce(pushed);

        Thread.currentThread().interrupt();
        changed[0].run();

        assertThat(Thread.interrupted()).isTrue();
        assertThat(seen[0]).isFalse();
        assertThat(provider.status().isUsable()).isTrue();
    }

    @Test
    void changed_withinItsOwnFetch_leadsToAnotherAndWaitsForNone() throws Exception {
        Runnable[] changed = new Runnable[1];
        int[] asked = {0};
        TokenSource talkative = new TokenSource() {
            @Override
            public Optional<TokenDocument> fetch() {
                if (asked[0]++ < 3) {
                    changed[0].run();
                }
                return Optional.of(TokenDocument.of("token-" + asked[0]));
            }

            @Override
            public Watch watch(Runnable told) {
                changed[0] = told;
                return Watch.none();
            }
        };
        LiveProvider provider = rig.atOnce(talkative);

        provider.get();

        assertThat(provider.get().reveal()).isEqualTo("token-4");
    }
}
