package io.keyturn.benchmarks;

import io.keyturn.TokenAgent;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Asking a provider for the current token, with a known end and without one, beside reading a volatile field. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(2)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
public class CurrentTokenBenchmark {
    private static final TokenDocument ENDLESS = TokenDocument.of("3vQhL0mJ9sXw7TzR2bKp5nYd8cFg1aUe");

    private volatile Token field = Token.of("field", ENDLESS);
    private TokenAgent agent;
    private TokenProvider endless;
    private TokenProvider ending;

    @Setup
    public void start() throws TokenUnavailableException {
        TokenDocument inAnHour = ENDLESS.withExpiresAt(Instant.now().plus(1, ChronoUnit.HOURS));
        agent = TokenAgent.builder()
                .token("endless", TokenSources.of("benchmark", () -> ENDLESS))
                .token("ending", TokenSources.of("benchmark", () -> inAnHour))
                .start();
        endless = agent.provider("endless");
        ending = agent.provider("ending");
    }

    @TearDown
    public void close() {
        agent.close();
    }

    @Benchmark
    public Token volatileField() {
        return field;
    }

    @Benchmark
    public Token endlessToken() throws TokenUnavailableException {
        return endless.get();
    }

    @Benchmark
    public Token endingToken() throws TokenUnavailableException {
        return ending.get();
    }
}
