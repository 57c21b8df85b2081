package io.keyturn.provider;

import io.keyturn.http.Placement;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jetbrains.lincheck.datastructures.ManagedStrategyGuaranteeKt;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.ThreadIdGen;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * What threads see of a provider that they use, swap, invalidate and close at the same time could have been seen one after
 * the other, whichever thread runs when: Lincheck makes up short programs of the operations below, runs each of them through
 * hundreds of interleavings, and looks for an order of the operations that explains what was answered. A thread that waits
 * for good fails, too.
 */
@Param(name = "thread", gen = ThreadIdGen.class)
public class ProviderModelTest {
    private static final int THREADS = 2;

    private final Store store = new Store();
    private final LiveProvider provider;

    /** What each thread was given last: that is what it may say is rejected. */
    private final @Nullable Token[] seen = new Token[THREADS + 2];

    /** A store whose tokens are numbers that grow. */
    private static final class Store implements TokenSource {
        private final AtomicInteger number = new AtomicInteger(1);
        private volatile Runnable changed = () -> {};

        @Override
        public Optional<TokenDocument> fetch() {
            return Optional.of(TokenDocument.of("token-" + number.get()));
        }

        @Override
        public Watch watch(Runnable listener) {
            changed = listener;
            return Watch.none();
        }

        @Override
        public String describe() {
            return "store";
        }
    }

    /** One for each run. An hour goes by at each look at the clock, so that no answer is too young to ask again. */
    public ProviderModelTest() {
        Clock wall = Clock.fixed(Instant.EPOCH, ZoneOffset.UTC);
        AtomicLong hours = new AtomicLong();
        Schedule schedule =
                new Schedule(wall, () -> 0, Duration.ofSeconds(1), (nanos, task) -> new CompletableFuture<Void>());
        ProviderContext context = new ProviderContext(
                wall,
                () -> TimeUnit.HOURS.toNanos(hours.incrementAndGet()),
                () -> 0.5,
                schedule,
                Runnable::run,
                event -> {});
        provider = new LiveProvider(
                "api_token",
                store,
                (name, document, generation) -> Token.of(name, document, generation, null),
                Placement.bearer()::form,
                RefreshPolicy.defaults().withTimeout(Duration.ofDays(1000)),
                context,
                null);
        provider.open();
    }

    /** The token, or why there is none. */
    @Operation
    public String get(@Param(name = "thread") int thread) {
        try {
            Token token = provider.get();
            seen[thread] = token;
            return token.reveal();
        } catch (TokenUnavailableException e) {
            return e.reason().name();
        }
    }

    /** The store has another one, and says so. */
    @Operation
    public void swap() {
        store.number.incrementAndGet();
        store.changed.run();
    }

    /** A server refuses the token that the thread has. */
    @Operation
    public boolean invalidate(@Param(name = "thread") int thread) {
        Token token = seen[thread];
        return token != null && provider.invalidate(token);
    }

    /** The end. */
    @Operation
    public void close() {
        provider.close();
    }

    @Test
    void provider_everyInterleaving_isLikeOneAfterTheOther() {
        new ModelCheckingOptions()
                .threads(THREADS)
                .actorsPerThread(3)
                .actorsBefore(1)
                .actorsAfter(1)
                .iterations(Integer.getInteger("races.programs", 8))
                .invocationsPerIteration(Integer.getInteger("races.interleavings", 60))
                // Meant for Lincheck itself; what it has without is short for a busy machine.
                .invocationTimeout$lincheck(120_000)
                // Values that no thread changes: nothing happens between two steps of theirs.
                .addGuarantee(ManagedStrategyGuaranteeKt.forClasses(
                                Token.class.getName(),
                                TokenDocument.class.getName(),
                                Known.class.getName(),
                                RefreshPolicy.class.getName(),
                                "io.keyturn.token.Fingerprint",
                                "io.keyturn.token.JwtHints",
                                "io.keyturn.token.Secret",
                                "io.keyturn.http.HeaderPlacement",
                                "java.time.Duration",
                                "java.time.Instant")
                        .allMethods()
                        .ignore())
                .check(ProviderModelTest.class);
    }
}
