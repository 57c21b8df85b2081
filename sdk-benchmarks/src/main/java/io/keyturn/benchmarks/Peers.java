package io.keyturn.benchmarks;

import com.amazonaws.secretsmanager.caching.SecretCache;
import com.azure.core.credential.AccessToken;
import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.core.implementation.AccessTokenCache;
import com.google.auth.oauth2.OAuth2Credentials;
import io.kubernetes.client.util.credentials.RefreshAuthentication;
import java.io.IOException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.Date;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import okhttp3.Interceptor;
import okhttp3.Request;
import reactor.core.publisher.Mono;
import software.amazon.awssdk.services.secretsmanager.SecretsManagerClient;
import software.amazon.awssdk.services.secretsmanager.model.DescribeSecretRequest;
import software.amazon.awssdk.services.secretsmanager.model.DescribeSecretResponse;
import software.amazon.awssdk.services.secretsmanager.model.GetSecretValueRequest;
import software.amazon.awssdk.services.secretsmanager.model.GetSecretValueResponse;
import software.amazon.awssdk.utils.cache.CachedSupplier;
import software.amazon.awssdk.utils.cache.RefreshResult;

/**
 * What other libraries keep a token in, each with its defaults and fed by hand: a supplier stands where the network would
 * be, and its tokens live for a day.
 */
final class Peers {
    static final TokenRequestContext AZURE_REQUEST =
            new TokenRequestContext().addScopes("https://api.example.com/.default");
    static final URI API = URI.create("https://api.example.com/v1/me");
    static final String SECRET = "api_token";

    private static final MethodHandle KUBERNETES_TOKEN = kubernetesToken();

    private Peers() {}

    private static Instant tomorrow() {
        return Instant.now().plus(1, ChronoUnit.DAYS);
    }

    /** google-auth-library-oauth2-http; asked with {@code getRequestMetadata}, since {@code getAccessToken} never fetches. */
    static OAuth2Credentials google(Supplier<String> source) {
        return new GoogleCredentials(source);
    }

    private static final class GoogleCredentials extends OAuth2Credentials {
        private static final long serialVersionUID = 1;

        private final transient Supplier<String> source;

        GoogleCredentials(Supplier<String> source) {
            this.source = source;
        }

        @Override
        public com.google.auth.oauth2.AccessToken refreshAccessToken() throws IOException {
            try {
                return new com.google.auth.oauth2.AccessToken(source.get(), Date.from(tomorrow()));
            } catch (IllegalStateException e) {
                throw new IOException(e);
            }
        }
    }

    /** Google's headers on an OkHttp request: what an application writes, since the library brings no interceptor for it. */
    static Interceptor googleInterceptor(OAuth2Credentials credentials) {
        return chain -> {
            Request.Builder request = chain.request().newBuilder();
            credentials
                    .getRequestMetadata(chain.request().url().uri())
                    .forEach((name, values) -> values.forEach(value -> request.addHeader(name, value)));
            return chain.proceed(request.build());
        };
    }

    /** The cache beneath the AWS SDK's credentials: stale a minute before the end, fetched ahead a quarter of an hour before. */
    static CachedSupplier<String> awsSdk(Supplier<String> source) {
        return CachedSupplier.<String>builder(() -> RefreshResult.builder(source.get())
                        .staleTime(tomorrow().minus(1, ChronoUnit.MINUTES))
                        .prefetchTime(tomorrow().minus(15, ChronoUnit.MINUTES))
                        .build())
                .build();
    }

    /** azure-core's cache; asked with {@code getTokenSync(AZURE_REQUEST, false)}. */
    static AccessTokenCache azure(Supplier<String> source) {
        return new AccessTokenCache(new TokenCredential() {
            @Override
            public Mono<AccessToken> getToken(TokenRequestContext request) {
                return Mono.fromSupplier(() -> getTokenSync(request));
            }

            @Override
            public AccessToken getTokenSync(TokenRequestContext request) {
                return new AccessToken(source.get(), tomorrow().atOffset(ZoneOffset.UTC));
            }
        });
    }

    /**
     * The Kubernetes client's, of which {@code TokenFileAuthentication} is the one that reads a file. It asks when it is
     * made and again at the first request, because it begins as expired: only the latter reaches the source.
     */
    static RefreshAuthentication kubernetes(Supplier<String> source) {
        AtomicBoolean made = new AtomicBoolean();
        RefreshAuthentication authentication =
                new RefreshAuthentication(() -> made.get() ? source.get() : "", Duration.ofMinutes(1));
        made.set(true);
        return authentication;
    }

    /** What its interceptor takes, which is private. */
    static String current(RefreshAuthentication authentication) throws Throwable {
        return (String) KUBERNETES_TOKEN.invokeExact(authentication);
    }

    private static MethodHandle kubernetesToken() {
        try {
            return MethodHandles.privateLookupIn(RefreshAuthentication.class, MethodHandles.lookup())
                    .findVirtual(RefreshAuthentication.class, "getToken", MethodType.methodType(String.class));
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** aws-secretsmanager-caching-java over a client that answers at once; asked with {@code getSecretString(SECRET)}. */
    static SecretCache awsSecrets(Supplier<String> source) {
        return new SecretCache(new SecretsManagerClient() {
            @Override
            public DescribeSecretResponse describeSecret(DescribeSecretRequest request) {
                return DescribeSecretResponse.builder()
                        .versionIdsToStages(Map.of("1", java.util.List.of("AWSCURRENT")))
                        .build();
            }

            @Override
            public GetSecretValueResponse getSecretValue(GetSecretValueRequest request) {
                return GetSecretValueResponse.builder()
                        .secretString(source.get())
                        .build();
            }

            @Override
            public String serviceName() {
                return SERVICE_NAME;
            }

            @Override
            public void close() {}
        });
    }
}
