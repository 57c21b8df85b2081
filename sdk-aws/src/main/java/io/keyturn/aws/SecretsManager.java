package io.keyturn.aws;

import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import java.net.URI;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.profiles.ProfileFileSupplier;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.regions.providers.DefaultAwsRegionProviderChain;
import software.amazon.awssdk.services.secretsmanager.SecretsManagerClient;
import software.amazon.awssdk.services.secretsmanager.SecretsManagerClientBuilder;
import software.amazon.awssdk.services.secretsmanager.model.DescribeSecretResponse;
import software.amazon.awssdk.services.secretsmanager.model.GetSecretValueRequest;
import software.amazon.awssdk.services.secretsmanager.model.GetSecretValueResponse;

/**
 * AWS Secrets Manager in one region, for all sources of an agent that ask there. The SDK's client is made when it is first
 * needed, and has no threads. Nothing is tried twice here: the provider knows when to ask again. Safe for any number of
 * threads; a call blocks for as long as the agent's own calls may.
 */
final class SecretsManager implements AutoCloseable {
    /**
     * Whom to ask.
     *
     * @param region null for what the SDK's chain finds
     * @param endpoint another address than the region's own; null for what the SDK finds
     * @param insecure whether plain http may leave this machine
     */
    record Place(@Nullable String region, @Nullable String endpoint, boolean insecure) {
        SecretsManager open(SourceContext context) {
            return context.shared(this, () -> new SecretsManager(this, context));
        }
    }

    private final Place place;
    private final SourceContext context;

    /** The SDK's chain. Credentials change while a program runs, in the file of the profile, too. */
    private final AtomicReference<@Nullable DefaultCredentialsProvider> credentials = new AtomicReference<>();

    private final AtomicReference<@Nullable FutureTask<SecretsManagerClient>> client = new AtomicReference<>();
    private volatile boolean closed;

    private SecretsManager(Place place, SourceContext context) {
        this.place = place;
        this.context = context;
    }

    /** Which versions there are, and what is labelled how. */
    DescribeSecretResponse describe(StoredSecret secret) throws SourceException {
        return ask(secret, "DescribeSecret", aws -> aws.describeSecret(request -> request.secretId(secret.id())));
    }

    /** The value of a version, which never changes. */
    GetSecretValueResponse version(StoredSecret secret, String id) throws SourceException {
        return value(GetSecretValueRequest.builder().versionId(id), secret);
    }

    /** The value that has a label now. */
    GetSecretValueResponse stage(StoredSecret secret, String label) throws SourceException {
        return value(GetSecretValueRequest.builder().versionStage(label), secret);
    }

    private GetSecretValueResponse value(GetSecretValueRequest.Builder which, StoredSecret secret)
            throws SourceException {
        GetSecretValueRequest request = which.secretId(secret.id()).build();
        return ask(secret, "GetSecretValue", aws -> aws.getSecretValue(request));
    }

    private <T> T ask(StoredSecret secret, String action, Function<SecretsManagerClient, T> call)
            throws SourceException {
        SecretsManagerClient aws = client(secret);
        requireCredentials(secret);
        try {
            return call.apply(aws);
        } catch (RuntimeException e) {
            throw unanswered(e, secret, action);
        }
    }

    /** Asked for apart, since the SDK's exception would be like any other. It remembers them as long as they hold. */
    private void requireCredentials(StoredSecret secret) throws SourceException {
        try {
            var unused = credentials();
        } catch (RuntimeException e) {
            // A file that was not there when the chain was made is not looked for again by it.
            forget(credentials.getAndSet(null));
            // Replaced, not wrapped: it tells what each place has answered, and may quote a line of a profile.
            throw new SourceException(
                    Reason.LOGIN_REFUSED,
                    secret.describe() + " cannot be asked: there are no AWS credentials",
                    "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile (AWS_PROFILE), or a role of the pod or"
                            + " the machine; AWS_WEB_IDENTITY_TOKEN_FILE needs software.amazon.awssdk:sts on the class"
                            + " path, and a profile with sso needs software.amazon.awssdk:sso and ssooidc");
        }
    }

    private AwsCredentials credentials() {
        DefaultCredentialsProvider known = credentials.get();
        if (known == null) {
            DefaultCredentialsProvider mine = DefaultCredentialsProvider.builder()
                    .profileFile(ProfileFileSupplier.defaultSupplier())
                    .build();
            DefaultCredentialsProvider first = credentials.compareAndExchange(null, mine);
            known = first == null ? mine : first;
        }
        return known.resolveCredentials();
    }

    private static void forget(@Nullable DefaultCredentialsProvider chain) {
        if (chain != null) {
            chain.close();
        }
    }

    private static SourceException unanswered(RuntimeException e, StoredSecret secret, String action) {
        for (Throwable each = e; each != null; each = each.getCause()) {
            if (each instanceof SourceException ours) {
                return ours;
            }
            if (each instanceof Refusal refusal) {
                return refusal.failure(secret, action);
            }
        }
        // Replaced, not wrapped: it may quote anything.
        return new SourceException(
                Reason.STORE_UNREACHABLE,
                secret.describe() + " cannot be asked: the AWS SDK failed with "
                        + e.getClass().getName(),
                null);
    }

    // --- the client ---

    private SecretsManagerClient client(StoredSecret secret) throws SourceException {
        FutureTask<SecretsManagerClient> mine = new FutureTask<>(this::built);
        FutureTask<SecretsManagerClient> first = client.compareAndExchange(null, mine);
        FutureTask<SecretsManagerClient> making = first == null ? mine : first;
        if (first == null) {
            mine.run();
        }
        try {
            SecretsManagerClient built = making.get();
            if (closed) {
                end(making);
                throw new SourceException(
                        Reason.CLOSED, secret.describe() + " is not asked: the agent is closed", null);
            }
            return built;
        } catch (ExecutionException e) {
            // The next one tries again: a region may come with the file of a profile.
            client.compareAndSet(making, null);
            throw unmade(e.getCause(), secret);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new SourceException(
                    Reason.STORE_UNREACHABLE, secret.describe() + " could not be asked in time", null);
        }
    }

    private static SourceException unmade(@Nullable Throwable e, StoredSecret secret) {
        return e instanceof NoRegion
                ? new SourceException(
                        Reason.INVALID,
                        secret.describe() + " cannot be asked: it is not known in which region it is",
                        "write region: beside secret_id, or set AWS_REGION")
                : new SourceException(
                        Reason.INVALID,
                        secret.describe() + " cannot be asked: the AWS SDK failed with "
                                + (e == null ? "nothing" : e.getClass().getName()),
                        "look at AWS_ENDPOINT_URL, the AWS_… variables and the profile");
    }

    /** The chain has found none. */
    private static final class NoRegion extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private static Region region() {
        try {
            return DefaultAwsRegionProviderChain.builder()
                    .profileFile(ProfileFileSupplier.defaultSupplier())
                    .build()
                    .getRegion();
        } catch (SdkClientException e) {
            throw new NoRegion();
        }
    }

    private SecretsManagerClient built() {
        Region region = place.region() == null ? region() : Region.of(place.region());
        SecretsManagerClientBuilder builder = SecretsManagerClient.builder()
                .region(region)
                .credentialsProvider(this::credentials)
                .putAuthScheme(QuietSigner.SCHEME)
                .httpClient(new AgentHttp(context, place.insecure()))
                // No timeout of the SDK's either, which would take threads: the agent's own calls end in time.
                .overrideConfiguration(options -> options.retryStrategy(AwsRetryStrategy.doNotRetry()));
        if (place.endpoint() != null) {
            builder.endpointOverride(URI.create(place.endpoint()));
        }
        return builder.build();
    }

    @Override
    public void close() {
        closed = true;
        FutureTask<SecretsManagerClient> making = client.get();
        if (making != null && making.isDone()) {
            end(making);
        }
        forget(credentials.getAndSet(null));
    }

    private static void end(FutureTask<SecretsManagerClient> made) {
        try {
            made.get().close();
        } catch (ExecutionException | InterruptedException e) {
            // Then there is none: it was done.
        }
    }
}
