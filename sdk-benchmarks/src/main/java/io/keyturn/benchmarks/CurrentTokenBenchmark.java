package io.keyturn.benchmarks;

import com.amazonaws.secretsmanager.caching.SecretCache;
import com.azure.core.credential.AccessToken;
import com.azure.core.implementation.AccessTokenCache;
import com.google.auth.oauth2.OAuth2Credentials;
import io.keyturn.TokenAgent;
import io.keyturn.provider.TokenProvider;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.kubernetes.client.util.credentials.RefreshAuthentication;
import io.kubernetes.client.util.credentials.TokenFileAuthentication;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
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
import software.amazon.awssdk.utils.cache.CachedSupplier;

/**
 * Asking for the current token while nothing changes, beside reading a volatile field. Aim: at most three times that, and
 * no allocation.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(2)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
public class CurrentTokenBenchmark {
    private static final String VALUE = "3vQhL0mJ9sXw7TzR2bKp5nYd8cFg1aUe";
    private static final TokenDocument ENDLESS = TokenDocument.of(VALUE);

    private volatile Token field = Token.of("field", ENDLESS);
    private TokenAgent agent;
    private TokenProvider endless;
    private TokenProvider ending;
    private TokenProvider ofFile;
    private Path folder;

    private OAuth2Credentials google;
    private CachedSupplier<String> awsSdk;
    private AccessTokenCache azure;
    private RefreshAuthentication kubernetes;
    private SecretCache awsSecrets;

    @Setup
    public void start() throws IOException {
        TokenDocument inADay = ENDLESS.withExpiresAt(Instant.now().plus(1, ChronoUnit.DAYS));
        folder = SecretFolder.create();
        Path file = SecretFolder.write(folder.resolve("token"), VALUE);
        agent = TokenAgent.builder()
                .token("endless", TokenSources.of("benchmark", () -> ENDLESS))
                .token("ending", TokenSources.of("benchmark", () -> inADay))
                .token("file", TokenSources.file(file))
                .start();
        endless = agent.provider("endless");
        ending = agent.provider("ending");
        ofFile = agent.provider("file");
        google = Peers.google(() -> VALUE);
        awsSdk = Peers.awsSdk(() -> VALUE);
        azure = Peers.azure(() -> VALUE);
        kubernetes = new TokenFileAuthentication(file.toString());
        awsSecrets = Peers.awsSecrets(() -> VALUE);
    }

    @TearDown
    public void close() throws IOException {
        agent.close();
        SecretFolder.delete(folder);
    }

    @Benchmark
    public Token volatileField() {
        return field;
    }

    @Benchmark
    public Token keyturn() throws IOException {
        return endless.get();
    }

    @Benchmark
    public Token keyturnWithExpiry() throws IOException {
        return ending.get();
    }

    @Benchmark
    public Token keyturnOfFile() throws IOException {
        return ofFile.get();
    }

    @Benchmark
    public Map<String, List<String>> googleAuth() throws IOException {
        return google.getRequestMetadata(Peers.API);
    }

    @Benchmark
    public String kubernetesTokenFile() throws Throwable {
        return Peers.current(kubernetes);
    }

    @Benchmark
    public String awsCachedSupplier() {
        return awsSdk.get();
    }

    @Benchmark
    public AccessToken azureAccessTokenCache() {
        return azure.getTokenSync(Peers.AZURE_REQUEST, false);
    }

    @Benchmark
    public String awsSecretsManagerCache() {
        return awsSecrets.getSecretString(Peers.SECRET);
    }
}
