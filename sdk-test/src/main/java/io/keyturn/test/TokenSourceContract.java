package io.keyturn.test;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.keyturn.TokenAgent;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

/**
 * What each source of tokens must stand, as JUnit tests: that it has a token, has none, fails, is slow, hangs, has far too
 * much or something that is no token, and recovers; that {@code close()} of an agent cancels it; that it lets no value out,
 * and says what it is. A test class implements it and brings the world in which the source lives:
 *
 * <pre>{@code
 * class AccountsSourceTest implements TokenSourceContract {
 *     public Fixture fixture() {
 *         return new AccountsFixture();
 *     }
 * }
 * }</pre>
 *
 * <p>Each test has a fixture of its own, asks the source on threads of its own, by one caller at a time, and ends within a
 * few times its {@link #patience()}, whatever the source does. Its failures never show a value. While a test runs it reads
 * along what is printed to standard output and error.
 */
public interface TokenSourceContract {
    /** A world for one test, which closes it. */
    Fixture fixture() throws Exception;

    /**
     * How long a source that is well may take for an answer, and one that is interrupted for its end. A source that takes
     * longer has failed.
     */
    default Duration patience() {
        return Duration.ofSeconds(10);
    }

    /**
     * The source and the world it asks. Each method puts that world into another state, in which it stays until the next
     * one is called; it is one thread that calls, and a fetch may be under way meanwhile.
     *
     * <p>A state that this source can never meet says so, and the tests of that state are skipped with this reason:
     * {@code Assumptions.abort("a variable never hangs")}.
     */
    interface Fixture extends AutoCloseable {
        /** The source, always the same. It is opened as an agent opens it, with {@link #variable} as its environment. */
        TokenSource source() throws Exception;

        /** What the source sees of the environment: a variable's value, or null. */
        default @Nullable String variable(String name) {
            return System.getenv(name);
        }

        /** There is a token with this value, and it is answered at once. It was there before or was not. */
        void has(String value) throws Exception;

        /** There is no token. */
        void hasNone() throws Exception;

        /** Nobody can tell whether there is one: the store is down, the file is a folder, the program exits with 1. */
        void fails() throws Exception;

        /** What was there is answered from now on, but only after this time. */
        void isSlow(Duration delay) throws Exception;

        /**
         * No answer comes from now on. A fetch that hangs goes on hanging, whatever state comes next, until it is
         * interrupted or this is closed.
         */
        void hangs() throws Exception;

        /** There is far more than any token could be, at least 100,000 characters, and this text again and again in it. */
        void isOversized(String secret) throws Exception;

        /** There is something that is no token, with this text in it: two lines, or JSON that is cut short. */
        void isMalformed(String secret) throws Exception;

        /** Takes the world down. */
        @Override
        default void close() throws IOException {}
    }

    // --- one fetch ---

    @Test
    default void fetch_tokenThere_isFound() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            String value = SourceTrial.secret();
            trial.fixture().has(value);

            trial.fetch().assertFound(value);
        }
    }

    @Test
    default void fetch_tokenReplaced_theNewOneIsFound() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            trial.fixture().has(SourceTrial.secret());
            trial.fetch().assertEnded();
            String other = SourceTrial.secret();
            trial.fixture().has(other);

            trial.fetch().assertFound(other);
        }
    }

    @Test
    default void fetch_noToken_isEmptyAndSaysWhy() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            trial.fixture().hasNone();

            trial.fetch().assertEmpty();
            SourceException absence = trial.source().absence();
            assertSays(absence);
            assertTrue(
                    absence.reason() == Reason.ABSENT || absence.reason() == Reason.UNSET,
                    "absence() has a reason that is neither ABSENT nor UNSET: " + absence.reason());
        }
    }

    @Test
    default void fetch_tokenThatComesLater_isFound() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            trial.fixture().hasNone();
            trial.fetch().assertEmpty();
            String value = SourceTrial.secret();
            trial.fixture().has(value);

            trial.fetch().assertFound(value);
        }
    }

    /** Empty would be wrong: the next of several sources would answer, although this one may have a token. */
    @Test
    default void fetch_failing_saysThatItCouldNotTell() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            trial.fixture().has(SourceTrial.secret());
            trial.fetch().assertEnded();
            trial.fixture().fails();

            assertSays(trial.fetch().failure());
        }
    }

    @Test
    default void fetch_noLongerFailing_recovers() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            trial.fixture().fails();
            trial.fetch().failure();
            String value = SourceTrial.secret();
            trial.fixture().has(value);

            trial.fetch().assertFound(value);
        }
    }

    @Test
    default void fetch_oversized_isRefused() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            trial.fixture().isOversized(SourceTrial.secret());

            assertSays(trial.fetch().failure());
        }
    }

    @Test
    default void fetch_malformed_isRefused() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            trial.fixture().isMalformed(SourceTrial.secret());

            SourceException refused = trial.fetch().failure();
            assertSays(refused);
            assertEquals(Reason.MALFORMED, refused.reason(), "the reason of what is no token");
        }
    }

    @Test
    default void fetch_slow_isWaitedFor() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            String value = SourceTrial.secret();
            trial.fixture().has(value);
            trial.fixture().isSlow(Duration.ofMillis(300));

            trial.fetch().assertFound(value);
        }
    }

    @Test
    default void fetch_hanging_endsWhenItIsInterrupted() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            trial.fixture().has(SourceTrial.secret());
            trial.fixture().hangs();
            Fetch hanging = trial.fetch();
            hanging.assertHangs();

            hanging.interrupt();

            hanging.failure();
        }
    }

    // --- in an agent ---

    @Test
    default void agent_failing_keepsTheTokenAndRecovers() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            String first = SourceTrial.secret();
            trial.fixture().has(first);
            TokenProvider provider = trial.start(patience()).provider(SourceTrial.TOKEN);
            trial.fixture().fails();

            Assertions.assertThrows(TokenUnavailableException.class, provider::refresh, "a fetch that failed");
            trial.assertHandsOut(provider, first);

            String second = SourceTrial.secret();
            trial.fixture().has(second);
            trial.refreshUntil(provider, second);
        }
    }

    @Test
    default void agent_hanging_keepsTheTokenAndRecovers() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            String first = SourceTrial.secret();
            trial.fixture().has(first);
            TokenProvider provider = trial.start(Duration.ofMillis(500)).provider(SourceTrial.TOKEN);
            trial.fixture().hangs();

            Assertions.assertThrows(TokenUnavailableException.class, provider::refresh, "a fetch that hangs");
            trial.assertHandsOut(provider, first);

            String second = SourceTrial.secret();
            trial.fixture().has(second);
            trial.refreshUntil(provider, second);
        }
    }

    @Test
    default void agent_closedWhileItHangs_endsTheFetch() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            trial.fixture().has(SourceTrial.secret());
            TokenAgent agent = trial.start(Duration.ofHours(1));
            TokenProvider provider = agent.provider(SourceTrial.TOKEN);
            trial.fixture().hangs();
            CompletableFuture<String> waiting = trial.refreshLater(provider);
            trial.awaitFetchUnderWay();

            long begun = System.nanoTime();
            agent.close();
            long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);

            assertTrue(millis < 2_000, "close() took " + millis + " ms");
            assertEquals(
                    Reason.CLOSED.word(),
                    waiting.get(patience().toMillis(), TimeUnit.MILLISECONDS),
                    "what a caller is told who waited for the fetch");
            trial.awaitNoFetchUnderWay();
        }
    }

    // --- what it tells ---

    @Test
    default void secret_whateverHappens_isNotTold() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this);
                Eavesdropper heard = new Eavesdropper(SourceTrial.secret())) {
            Fixture fixture = trial.fixture();
            String secret = heard.secret();
            fixture.has(secret);
            trial.hearAgent(heard);
            trial.hear(heard, "with a token", () -> fixture.has(secret));
            trial.hear(heard, "failing", fixture::fails);
            trial.hear(heard, "oversized", () -> fixture.isOversized(secret));
            trial.hear(heard, "malformed", () -> fixture.isMalformed(secret));
            trial.hear(heard, "without a token", fixture::hasNone);
            fixture.has(secret);
            trial.hearInterrupted(heard, fixture::hangs);

            heard.assertNothing();
        }
    }

    @Test
    default void describe_always_saysWhatItIs() throws Exception {
        try (SourceTrial trial = SourceTrial.of(this)) {
            TokenSource source = trial.source();
            TokenSource nameless = Optional::empty;
            String description = source.describe();
            assertFalse(description.isBlank(), "describe() is blank");
            assertNotEquals(nameless.describe(), description, "describe() says nothing of this source");
            assertEquals(1, description.lines().count(), "lines of describe()");
            assertTrue(
                    source.every().stream().noneMatch(each -> each.isZero() || each.isNegative()),
                    "every() is to be longer than no time");

            trial.fixture().has(SourceTrial.secret());
            trial.fetch().assertEnded();

            // Neither is shown: one may hold the value.
            assertTrue(description.equals(source.describe()), "describe() is another after a fetch");
        }
    }

    private static void assertSays(SourceException failure) {
        String message = failure.getMessage();
        assertTrue(message != null && !message.isBlank(), "the exception says nothing");
    }
}
