package io.keyturn.test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Events;
import org.opentest4j.TestAbortedException;

/** A source that breaks the contract fails, and it fails the test that says what is wrong with it. */
@Timeout(120)
class TokenSourceContractTest {
    private static final int ALL = 15;

    private static Events run(Class<? extends TokenSourceContract> contract) {
        return EngineTestKit.engine("junit-jupiter")
                .selectors(selectClass(contract))
                .execute()
                .testEvents();
    }

    private static Set<String> failed(Events tests) {
        Set<String> names = new TreeSet<>();
        tests.failed().stream()
                .forEach(event ->
                        names.add(event.getTestDescriptor().getDisplayName().replace("()", "")));
        return names;
    }

    private static List<String> messages(Events tests) {
        return tests.failed().stream()
                .map(event -> event.getRequiredPayload(TestExecutionResult.class)
                        .getThrowable()
                        .orElseThrow())
                .flatMap(thrown -> Stream.iterate(thrown, Objects::nonNull, Throwable::getCause))
                .map(String::valueOf)
                .toList();
    }

    @Test
    void contract_goodSource_passes() {
        run(LambdaContractTest.class)
                .assertStatistics(tests -> tests.started(ALL).succeeded(ALL));
    }

    @Test
    void contract_stateThatCannotBe_isSkippedWithItsReason() {
        Events tests = run(EnvContractTest.class);

        tests.assertStatistics(counts -> counts.started(ALL).failed(0).aborted(7));
        assertThat(tests.aborted().stream()
                        .map(event -> event.getRequiredPayload(TestExecutionResult.class)
                                .getThrowable()
                                .orElseThrow()))
                .allSatisfy(thrown -> assertThat(thrown)
                        .isInstanceOf(TestAbortedException.class)
                        .hasMessageMatching(".*(a variable is read at once|a variable can always be read)"));
    }

    static Stream<Arguments> bad() {
        return Stream.of(
                Arguments.of(InItsMessage.class, "secret_whateverHappens_isNotTold"),
                Arguments.of(InACause.class, "secret_whateverHappens_isNotTold"),
                Arguments.of(InWhatItPrints.class, "secret_whateverHappens_isNotTold"),
                Arguments.of(InItsText.class, "secret_whateverHappens_isNotTold"),
                Arguments.of(InItsDescription.class, "describe_always_saysWhatItIs secret_whateverHappens_isNotTold"),
                Arguments.of(Nameless.class, "describe_always_saysWhatItIs"),
                Arguments.of(
                        Deaf.class,
                        "agent_closedWhileItHangs_endsTheFetch agent_hanging_keepsTheTokenAndRecovers"
                                + " fetch_hanging_endsWhenItIsInterrupted"),
                Arguments.of(
                        Forgiving.class,
                        "fetch_failing_saysThatItCouldNotTell fetch_hanging_endsWhenItIsInterrupted"
                                + " fetch_malformed_isRefused fetch_noLongerFailing_recovers fetch_oversized_isRefused"),
                Arguments.of(
                        Unchecked.class,
                        "fetch_failing_saysThatItCouldNotTell fetch_hanging_endsWhenItIsInterrupted"
                                + " fetch_malformed_isRefused fetch_noLongerFailing_recovers fetch_oversized_isRefused"),
                Arguments.of(
                        Remembering.class,
                        "agent_failing_keepsTheTokenAndRecovers agent_hanging_keepsTheTokenAndRecovers"
                                + " agent_closedWhileItHangs_endsTheFetch fetch_failing_saysThatItCouldNotTell"
                                + " fetch_tokenReplaced_theNewOneIsFound"),
                Arguments.of(
                        Resentful.class,
                        "agent_failing_keepsTheTokenAndRecovers agent_hanging_keepsTheTokenAndRecovers"
                                + " fetch_noLongerFailing_recovers"),
                Arguments.of(Cutting.class, "fetch_malformed_isRefused fetch_oversized_isRefused"),
                Arguments.of(Hasty.class, "fetch_slow_isWaitedFor"));
    }

    @ParameterizedTest
    @MethodSource("bad")
    void contract_badSource_failsWhatSaysWhatIsWrong(Class<? extends TokenSourceContract> contract, String names) {
        Events tests = run(contract);

        assertThat(failed(tests)).containsExactlyInAnyOrder(names.split(" "));
        for (String message : messages(tests)) {
            assertThat(World.VALUES.stream().anyMatch(message::contains))
                    .as("whether a failure tells a value")
                    .isFalse();
        }
    }

    /** It never answers: no test finds what it looks for, and all come to their end. */
    @Test
    void contract_sourceThatHangsForGood_failsAndEnds() {
        Events tests = run(Hanging.class);

        assertThat(failed(tests)).contains("fetch_tokenThere_isFound", "fetch_hanging_endsWhenItIsInterrupted");
        assertThat(messages(tests)).anyMatch(message -> message.contains("has not ended within 500 ms"));
        tests.assertStatistics(counts -> counts.started(ALL).succeeded(0));
    }

    // --- sources that break it ---

    /** A source over a world, which is good unless it overrides something. */
    private abstract static class Bad implements TokenSourceContract, TokenSource {
        private final World world = new World(unused -> this);

        @Override
        public Fixture fixture() {
            return world;
        }

        @Override
        public Duration patience() {
            return Duration.ofSeconds(3);
        }

        @Override
        public Optional<TokenDocument> fetch() throws SourceException {
            try {
                return read(world);
            } catch (SourceException e) {
                throw e;
            } catch (TokenException e) {
                throw new SourceException(e.reason(), String.valueOf(e.getMessage()), e.fix());
            } catch (Exception e) {
                throw new SourceException(Reason.UNREACHABLE, "the store does not answer", null);
            }
        }

        Optional<TokenDocument> read(World store) throws Exception {
            return Optional.ofNullable(store.document());
        }

        @Override
        public String describe() {
            return "a bad source";
        }
    }

    static class InItsMessage extends Bad {
        @Override
        Optional<TokenDocument> read(World store) throws Exception {
            byte[] bytes = store.ask();
            try {
                return bytes == null ? Optional.empty() : Optional.of(TokenDocument.parse(bytes, Instant.now()));
            } catch (TokenException e) {
                throw new SourceException(e.reason(), "no token: " + TokenDocument.decode(bytes), null);
            }
        }
    }

    static class InACause extends Bad {
        @Override
        public Optional<TokenDocument> fetch() throws SourceException {
            try {
                return super.read((World) fixture());
            } catch (TokenException e) {
                throw new SourceException(e.reason(), "no token", null);
            } catch (Exception e) {
                SourceException wrapping = new SourceException(Reason.UNREACHABLE, "the store does not answer", null);
                wrapping.initCause(e);
                throw wrapping;
            }
        }
    }

    static class InWhatItPrints extends Bad {
        @Override
        Optional<TokenDocument> read(World store) throws Exception {
            Optional<TokenDocument> found = super.read(store);
            found.ifPresent(
                    document -> System.out.println("found " + document.value().reveal()));
            return found;
        }
    }

    static class InItsText extends Bad {
        private volatile String last = "";

        @Override
        Optional<TokenDocument> read(World store) throws Exception {
            Optional<TokenDocument> found = super.read(store);
            found.ifPresent(document -> last = document.value().reveal());
            return found;
        }

        @Override
        public String toString() {
            return "InItsText[" + last + "]";
        }
    }

    static class InItsDescription extends InItsText {
        @Override
        public String describe() {
            return "a source of " + super.toString();
        }

        @Override
        public String toString() {
            return "a bad source";
        }
    }

    static class Nameless extends Bad {
        @Override
        public String describe() {
            return ((TokenSource) Optional::empty).describe();
        }
    }

    /** An interrupt does not stop it: it goes on waiting for what does not come. */
    static class Deaf extends Bad {
        @Override
        Optional<TokenDocument> read(World store) throws Exception {
            try {
                return super.read(store);
            } catch (InterruptedException e) {
                throw waitForGood();
            }
        }
    }

    private static AssertionError waitForGood() {
        CountDownLatch never = new CountDownLatch(1);
        while (true) {
            try {
                never.await();
            } catch (InterruptedException e) {
                // Nobody is listening.
            }
        }
    }

    /** Whatever happens, there is none. */
    static class Forgiving extends Bad {
        @Override
        public Optional<TokenDocument> fetch() {
            try {
                return super.fetch();
            } catch (SourceException e) {
                return Optional.empty();
            }
        }
    }

    static class Unchecked extends Bad {
        @Override
        public Optional<TokenDocument> fetch() {
            try {
                return super.fetch();
            } catch (SourceException e) {
                throw new IllegalStateException("something is wrong");
            }
        }
    }

    /** Once it has a token it asks no more. */
    static class Remembering extends Bad {
        private volatile TokenDocument first;

        @Override
        Optional<TokenDocument> read(World store) throws Exception {
            if (first == null) {
                first = super.read(store).orElse(null);
            }
            return Optional.ofNullable(first);
        }
    }

    /** Once it has failed it asks no more. */
    static class Resentful extends Bad {
        private volatile boolean failed;

        @Override
        public Optional<TokenDocument> fetch() throws SourceException {
            try {
                if (failed) {
                    throw new SourceException(Reason.UNREACHABLE, "it has failed before", null);
                }
                return super.fetch();
            } catch (SourceException e) {
                failed = true;
                throw e;
            }
        }
    }

    /** What is too much, or no token, is made one. */
    static class Cutting extends Bad {
        @Override
        Optional<TokenDocument> read(World store) throws Exception {
            byte[] bytes = store.ask();
            if (bytes == null) {
                return Optional.empty();
            }
            String text = TokenDocument.decode(bytes).replaceAll("[^A-Za-z0-9]", "");
            return Optional.of(TokenDocument.of(text.substring(0, Math.min(text.length(), 1_000))));
        }
    }

    /** It gives up long before anybody else would. */
    static class Hasty extends Bad {
        @Override
        Optional<TokenDocument> read(World store) throws Exception {
            if (store.delay().toMillis() > 50) {
                TimeUnit.MILLISECONDS.sleep(50);
                throw new SourceException(Reason.UNREACHABLE, "the store does not answer", null);
            }
            return super.read(store);
        }
    }

    static class Hanging extends Bad {
        @Override
        public Duration patience() {
            return Duration.ofMillis(500);
        }

        @Override
        Optional<TokenDocument> read(World store) {
            throw waitForGood();
        }
    }
}
