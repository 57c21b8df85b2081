package io.keyturn.aws;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.keyturn.Canary;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.SourceHost;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import mockwebserver3.MockResponse;
import mockwebserver3.SocketEffect;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each way in which there is no answer: its reason, its message, its fix, and one call. */
class RefusalTest {
    private static final String WHERE = "aws_secrets_manager prod/agent in eu-central-1";

    @RegisterExtension
    final Canary canary = new Canary();

    @RegisterExtension
    final AwsLogin login = new AwsLogin();

    @TempDir
    Path folder;

    private FakeSecretsManager aws;
    private SourceHost host;

    @BeforeEach
    void start() throws Exception {
        aws = FakeSecretsManager.start();
        aws.has("11111111-1", "one-" + Canary.WORD, "AWSCURRENT");
        host = SourceHost.reading(name -> null, Clock.systemUTC());
    }

    @AfterEach
    void close() {
        host.close();
        aws.close();
    }

    private TokenSource source(Map<String, String> other) {
        Map<String, String> settings = new HashMap<>(
                Map.of("secret_id", FakeSecretsManager.NAME, "region", "eu-central-1", "endpoint", aws.url()));
        settings.putAll(other);
        settings.values().remove("");
        return TokenSources.configured(Map.of("aws_secrets_manager", settings)).in(context());
    }

    private SourceContext context(String... allow) {
        return new SourceContext(host, Path.of(""), Set.of(allow));
    }

    private SourceException failure() {
        return failure(source(Map.of()));
    }

    private SourceException failure(TokenSource source) {
        return canary.caught(SourceException.class, () -> source.fetch().orElseThrow(source::absence));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        400 | ResourceNotFoundException     | ABSENT            | is not there                                     | describe-secret
        404 | ResourceNotFoundException     | ABSENT            | is not there                                     | describe-secret
        400 | InvalidParameterException     | INVALID           | AWS does not take its secret_id                  | correct
        400 | ValidationException           | INVALID           | AWS does not take its secret_id                  | correct
        400 | InvalidRequestException       | INVALID           | cannot be read in its present state              | describe-secret
        400 | DecryptionFailure             | NOT_PERMITTED     | cannot be decrypted: its KMS key does not let it | kms:Decrypt
        400 | UnrecognizedClientException   | LOGIN_REFUSED     | AWS does not know the credentials                | get-caller-identity
        403 | InvalidClientTokenId          | LOGIN_REFUSED     | AWS does not know the credentials                | get-caller-identity
        400 | ExpiredTokenException         | LOGIN_REFUSED     | the AWS credentials have expired                 | log in again
        400 | InvalidSignatureException     | LOGIN_REFUSED     | AWS does not take the signature                  | clock
        403 | SignatureDoesNotMatch         | LOGIN_REFUSED     | AWS does not take the signature                  | clock
        403 | RequestTimeTooSkewed          | LOGIN_REFUSED     | AWS does not take the signature                  | clock
        400 | ThrottlingException           | STORE_UNREACHABLE | is throttled                                     | poll less often
        429 | TooManyRequestsException      | STORE_UNREACHABLE | is throttled                                     | poll less often
        500 | InternalServiceError          | STORE_UNREACHABLE | Secrets Manager answered 500                     | mends itself
        503 | ServiceUnavailable            | STORE_UNREACHABLE | Secrets Manager answered 503                     | mends itself
        400 | InternalServiceError          | STORE_UNREACHABLE | Secrets Manager is in trouble                    | mends itself
        400 | SomethingNewException         | STORE_UNREACHABLE | there came 400                                   | endpoint
        """)
    void fetch_error_itsOwnReasonMessageAndFix(int status, String code, Reason reason, String message, String fix) {
        aws.answers("GetSecretValue", FakeSecretsManager.error(status, code, "not told: " + canary.token()));

        SourceException e = failure();

        assertThat(e.reason()).isEqualTo(reason);
        assertThat(e).hasMessageStartingWith(WHERE + " ").hasMessageContaining(message);
        assertThat(e).hasMessageEndingWith(" (" + code + ")");
        assertThat(e.fix()).contains(fix);
        assertThat(e.getCause()).isNull();
        assertThat(aws.calls()).containsExactly("DescribeSecret", "GetSecretValue 11111111-1");
    }

    @Test
    void fetch_valueDenied_namesActionAndResource() {
        aws.answers("GetSecretValue", FakeSecretsManager.error(400, "AccessDeniedException", "User: u is not …"));

        SourceException e = failure();

        assertThat(e.reason()).isEqualTo(Reason.NOT_PERMITTED);
        assertThat(e)
                .hasMessage(WHERE + " must not be read: the policy does not allow secretsmanager:GetSecretValue"
                        + " (AccessDeniedException)");
        assertThat(e.fix()).contains("arn:aws:secretsmanager:eu-central-1:*:secret:prod/agent-??????");
    }

    @Test
    void fetch_keyOfKmsDenied_namesTheKey() {
        aws.answers(
                "GetSecretValue",
                FakeSecretsManager.error(400, "AccessDeniedException", "Access to KMS is not allowed"));

        SourceException e = failure();

        assertThat(e.reason()).isEqualTo(Reason.NOT_PERMITTED);
        assertThat(e).hasMessageContaining("cannot be decrypted: its KMS key does not let it");
        assertThat(e.fix()).contains("kms:Decrypt");
    }

    /** The front of AWS's services answers so, and moto. */
    @ParameterizedTest
    @CsvSource({"AccessDenied, NOT_PERMITTED", "InvalidClientTokenId, LOGIN_REFUSED", ", STORE_UNREACHABLE"})
    void fetch_errorInXml_itsCodeCounts(String code, Reason reason) {
        String body = "<ErrorResponse><Errors><Error>" + (code == null ? "" : "<Code>" + code + "</Code>") + "<Message>"
                + canary.token() + "</Message></Error></Errors></ErrorResponse>";
        aws.answers(
                "GetSecretValue",
                new MockResponse.Builder().code(403).body(body).build());

        assertThat(failure().reason()).isEqualTo(reason);
    }

    @Test
    void fetch_codeWithNameSpace_isTheCode() {
        aws.answers(
                "DescribeSecret",
                FakeSecretsManager.error(400, "com.amazonaws.secretsmanager#ResourceNotFoundException", "x"));

        assertThat(failure()).hasMessage(WHERE + " is not there (ResourceNotFoundException)");
    }

    @Test
    void fetch_throttledWithRetryAfter_isHeeded() {
        aws.answers(
                "DescribeSecret",
                FakeSecretsManager.error(400, "ThrottlingException", "Rate exceeded")
                        .newBuilder()
                        .addHeader("Retry-After", "17")
                        .build());

        assertThat(failure().retryAfter()).contains(Duration.ofSeconds(17));
        assertThat(aws.calls()).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {302, 400, 403, 502})
    void fetch_somebodyElseAnswers_storeUnreachableAndNothingQuoted(int status) {
        aws.answers("DescribeSecret", html(status));

        SourceException e = failure();

        assertThat(e.reason()).isEqualTo(Reason.STORE_UNREACHABLE);
        assertThat(e).hasMessageStartingWith(WHERE + " cannot be read: ").hasMessageContaining(" " + status);
        assertThat(aws.calls()).containsExactly("DescribeSecret");
    }

    private MockResponse html(int status) {
        return new MockResponse.Builder()
                .code(status)
                .addHeader("Location", aws.url() + "/login")
                .body("<html>" + canary.token() + "</html>")
                .build();
    }

    @Test
    void fetch_loginPageAnswers_malformedAndNothingQuoted() {
        aws.answers("DescribeSecret", html(200));

        SourceException e = failure();

        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
        assertThat(e)
                .hasMessage("aws_secrets_manager " + aws.url() + " answered 200 with something that is no JSON object");
    }

    @Test
    void fetch_valueThatIsCutOff_nothingQuoted() {
        aws.answers(
                "GetSecretValue",
                FakeSecretsManager.json(200, "{\"VersionId\":\"1\",\"SecretString\":\"" + canary.token()));

        assertThat(failure().reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void fetch_valueOfAnotherShape_nothingQuoted() {
        aws.answers(
                "GetSecretValue",
                FakeSecretsManager.json(200, "{\"VersionId\":\"1\",\"CreatedDate\":\"" + canary.token() + "\"}"));

        assertThat(failure().reason()).isEqualTo(Reason.STORE_UNREACHABLE);
    }

    @Test
    void fetch_answerBreaksOff_storeUnreachable() {
        aws.answers(
                "DescribeSecret",
                new MockResponse.Builder()
                        .onResponseStart(new SocketEffect.CloseSocket())
                        .build());

        assertThat(failure().reason()).isEqualTo(Reason.STORE_UNREACHABLE);
    }

    @Test
    void fetch_nobodyListens_storeUnreachable() {
        TokenSource source = source(Map.of());
        aws.close();

        SourceException e = failure(source);

        assertThat(e.reason()).isEqualTo(Reason.STORE_UNREACHABLE);
        assertThat(e)
                .hasMessage("aws_secrets_manager " + aws.url() + " is unreachable (nobody accepts connections there)");
        assertThat(e.getCause()).isNull();
    }

    @Test
    void fetch_interrupted_endsAtOnce() {
        Thread.currentThread().interrupt();

        SourceException e = failure();

        assertThat(Thread.interrupted() || e.reason() == Reason.STORE_UNREACHABLE)
                .isTrue();
        assertThat(e.reason()).isEqualTo(Reason.STORE_UNREACHABLE);
    }

    @Test
    void fetch_agentClosed_closed() throws Exception {
        TokenSource source = source(Map.of());
        assertThat(source.fetch()).isPresent();
        aws.calls();

        host.close();

        assertThat(failure(source).reason()).isEqualTo(Reason.CLOSED);
        assertThat(aws.calls()).isEmpty();
    }

    // --- who asks, and where ---

    @Test
    void fetch_noCredentials_loginRefusedAndThenTried() throws Exception {
        assumeTrue(System.getenv("AWS_ACCESS_KEY_ID") == null);
        login.none();
        TokenSource source = source(Map.of());

        SourceException e = failure(source);

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e).hasMessage(WHERE + " cannot be asked: there are no AWS credentials");
        assertThat(e.fix()).contains("AWS_PROFILE", "software.amazon.awssdk:sts");
        assertThat(aws.calls()).isEmpty();
        login.set("aws.accessKeyId", AwsLogin.KEY_ID);
        login.set("aws.secretAccessKey", canary.token());
        assertThat(source.fetch()).isPresent();
    }

    @Test
    void fetch_profileThatIsWrittenLaterAndChanged_isRead() throws Exception {
        assumeTrue(System.getenv("AWS_ACCESS_KEY_ID") == null);
        login.none();
        Path profile = folder.resolve("credentials");
        login.set("aws.sharedCredentialsFile", profile.toString());
        TokenSource source = source(Map.of());
        assertThat(failure(source).reason()).isEqualTo(Reason.LOGIN_REFUSED);

        Files.writeString(
                profile, "[default]\naws_access_key_id = FIRST\naws_secret_access_key = " + canary.token() + "\n");

        assertThat(source.fetch()).isPresent();
        assertThat(aws.requests().get(0).getHeaders().get("Authorization")).contains("Credential=FIRST/");
    }

    @Test
    void fetch_sessionTokenThatNoHeaderCarries_loginRefusedAndNotQuoted() {
        login.set("aws.sessionToken", "x\u0001" + canary.token());

        SourceException e = failure();

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e).hasMessageContaining("hold what no header can carry");
        assertThat(aws.calls()).isEmpty();
    }

    @Test
    void fetch_noRegion_invalidAndThenTried() throws Exception {
        assumeTrue(System.getenv("AWS_REGION") == null);
        TokenSource source = source(Map.of("region", ""));

        SourceException e = failure(source);

        assertThat(e.reason()).isEqualTo(Reason.INVALID);
        assertThat(e)
                .hasMessage("aws_secrets_manager prod/agent cannot be asked: it is not known in which region it is");
        assertThat(e.fix()).contains("AWS_REGION");
        login.set("aws.region", "eu-west-3");
        assertThat(source.fetch()).isPresent();
        assertThat(aws.requests().get(0).getHeaders().get("Authorization")).contains("/eu-west-3/");
    }

    @Test
    void fetch_endpointFromElsewhereThatIsNone_invalidAndNotQuoted() {
        assumeTrue(System.getenv("AWS_ENDPOINT_URL") == null);
        login.set("aws.endpointUrl", "no url " + canary.token());

        SourceException e = failure(source(Map.of("endpoint", "")));

        assertThat(e.reason()).isEqualTo(Reason.INVALID);
        assertThat(e).hasMessageStartingWith(WHERE + " cannot be asked: the AWS SDK failed with ");
        assertThat(e.fix()).contains("AWS_ENDPOINT_URL");
    }

    @Test
    void fetch_plainHttpFromElsewhere_invalidAndNotAsked() {
        assumeTrue(System.getenv("AWS_ENDPOINT_URL") == null);
        login.set("aws.endpointUrl", "http://secretsmanager.example:4566");

        SourceException e = failure(source(Map.of("endpoint", "")));

        assertThat(e.reason()).isEqualTo(Reason.INVALID);
        assertThat(e)
                .hasMessage("aws_secrets_manager http://secretsmanager.example:4566 is not asked: in plain http the"
                        + " secret could be read on its way");
    }

    @Test
    void fetch_endpointFromElsewhere_isHeard() throws Exception {
        login.set("aws.endpointUrl", aws.url());

        assertThat(source(Map.of("endpoint", "")).fetch()).isPresent();
    }
}
