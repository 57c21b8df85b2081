package io.keyturn.aws;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.ManualClock;
import java.net.URI;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.SignRequest;
import software.amazon.awssdk.identity.spi.AwsCredentialsIdentity;

/** The SDK's own signer says what is right. */
class QuietSignerTest {
    private static final String BODY = "{\"SecretId\":\"prod/agent\"}";

    @ParameterizedTest
    @CsvSource({
        "https://secretsmanager.eu-central-1.amazonaws.com/, ",
        "https://secretsmanager.eu-central-1.amazonaws.com/, session/of+somebody==",
        "https://secretsmanager.eu-central-1.amazonaws.com:443/, ",
        "http://127.0.0.1:4566/, session",
        "https://gateway.example.com/aws/a%20b:c/, ",
    })
    void sign_anyRequestToSecretsManager_asTheSdkSignsIt(String url, String session) {
        ContentStreamProvider body = ContentStreamProvider.fromByteArray(BODY.getBytes(UTF_8));
        SdkHttpRequest request = SdkHttpRequest.builder()
                .method(SdkHttpMethod.POST)
                .uri(URI.create(url))
                .putHeader("Content-Type", "application/x-amz-json-1.1")
                .putHeader("X-Amz-Target", "secretsmanager.DescribeSecret")
                .build();
        AwsCredentialsIdentity identity = session == null
                ? AwsBasicCredentials.create("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/bPxRfiCY")
                : AwsSessionCredentials.create("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/bPxRfiCY", session);
        SignRequest<AwsCredentialsIdentity> toSign = SignRequest.builder(identity)
                .request(request)
                .payload(body)
                .putProperty(AwsV4HttpSigner.SERVICE_SIGNING_NAME, "secretsmanager")
                .putProperty(AwsV4HttpSigner.REGION_NAME, "eu-central-1")
                .putProperty(HttpSigner.SIGNING_CLOCK, new ManualClock())
                .build();

        SdkHttpRequest ours = QuietSigner.SCHEME.signer().sign(toSign).request();

        SdkHttpRequest theirs = AwsV4HttpSigner.create().sign(toSign).request();
        assertThat(ours.headers()).isEqualTo(theirs.headers());
        assertThat(ours.getUri()).isEqualTo(theirs.getUri());
    }
}
