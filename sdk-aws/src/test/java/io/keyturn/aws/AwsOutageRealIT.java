package io.keyturn.aws;

import static org.awaitility.Awaitility.await;

import io.keyturn.StoreOutageContract;
import io.keyturn.source.SourceContext;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.secretsmanager.SecretsManagerClient;

/**
 * With Secrets Manager as moto plays it, in a process of its own: {@code eval "$(it/moto.sh start)"; mvn -Preal verify}. It
 * has forgotten everything after a restart.
 */
@EnabledIfEnvironmentVariable(named = "MOTO_PYTHON", matches = ".+")
class AwsOutageRealIT extends StoreOutageContract {
    private static final String NAME = "prod/agent";
    private static final String REGION = "us-east-1";

    private final SecretsManagerClient aws = SecretsManagerClient.builder()
            .httpClient(new AgentHttp(SourceContext.ofProcess(), true))
            .endpointOverride(URI.create(address()))
            .region(Region.of(REGION))
            .build();

    @AfterEach
    void closeClient() {
        aws.close();
    }

    @Override
    protected List<String> command() {
        return List.of(
                System.getenv("MOTO_PYTHON"), "-I", "-m", "moto.server", "-H", "127.0.0.1", "-p", String.valueOf(port));
    }

    @Override
    protected void setUp() {
        hide(System.getenv("AWS_SECRET_ACCESS_KEY"));
        await().atMost(Duration.ofSeconds(60))
                .ignoreExceptionsInstanceOf(SdkException.class)
                .until(() -> aws.listSecrets().secretList().isEmpty());
        mend();
    }

    @Override
    protected String missing() {
        return "is not there";
    }

    @Override
    protected void mend() {
        aws.createSecret(request -> request.name(NAME));
    }

    @Override
    protected void put(String value) {
        aws.putSecretValue(request -> request.secretId(NAME).secretString(value));
    }

    @Override
    protected Map<String, ?> source() {
        return Map.of("aws_secrets_manager", Map.of("secret_id", NAME, "region", REGION, "endpoint", address()));
    }

    @Override
    protected String service() {
        return "aws_secrets_manager " + address();
    }
}
