package io.keyturn.aws;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.SourceHost;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.slf4j.LoggerFactory;

/** What is read of a secret, and how often. */
class SecretsManagerSourceTest {
    private static final String ONE = "one-" + Canary.WORD;
    private static final String TWO = "two-" + Canary.WORD;
    private static final String V1 = "11111111-aaaa-4bbb-8ccc-000000000001";
    private static final String V2 = "22222222-aaaa-4bbb-8ccc-000000000002";
    private static final String V3 = "33333333-aaaa-4bbb-8ccc-000000000003";

    @RegisterExtension
    final Canary canary = new Canary();

    @RegisterExtension
    final AwsLogin login = new AwsLogin();

    private final ManualClock clock = new ManualClock();
    private FakeSecretsManager aws;
    private SourceHost host;

    @BeforeEach
    void start() throws Exception {
        aws = FakeSecretsManager.start();
        host = SourceHost.reading(name -> null, clock);
    }

    @AfterEach
    void close() {
        host.close();
        aws.close();
    }

    private TokenSource source(String... keys) {
        Map<String, String> settings = new HashMap<>();
        settings.put("secret_id", FakeSecretsManager.NAME);
        settings.put("region", "eu-central-1");
        settings.put("endpoint", aws.url());
        for (int i = 0; i < keys.length; i += 2) {
            settings.put(keys[i], keys[i + 1]);
        }
        return TokenSources.configured(Map.of("aws_secrets_manager", settings))
                .in(new SourceContext(host, Path.of(""), Set.of()));
    }

    private static String value(TokenSource source) throws SourceException {
        return value(source.fetch().orElseThrow());
    }

    private static String value(TokenDocument document) {
        return Token.of("t", document).reveal();
    }

    private SourceException failure(TokenSource source) {
        return canary.caught(SourceException.class, source::fetch);
    }

    private SourceException absence(TokenSource source) throws SourceException {
        assertThat(source.fetch()).isEmpty();
        return canary.saw(source.absence());
    }

    // --- what is read ---

    @Test
    void fetch_plainText_isTheToken() throws Exception {
        aws.has(V1, ONE + "\n", "AWSCURRENT");

        TokenDocument document = source().fetch().orElseThrow();

        assertThat(value(document)).isEqualTo(ONE);
        assertThat(document.version()).contains(V1);
        assertThat(document.origin()).contains("aws_secrets_manager prod/agent in eu-central-1, version 11111111");
    }

    @Test
    void fetch_key_isTheTextOfThatField() throws Exception {
        aws.has(V1, "{\"user\": \"u\", \"api_token\": \"" + ONE + "\", \"more\": {\"api_token\": 1}}", "AWSCURRENT");

        assertThat(value(source("key", "api_token"))).isEqualTo(ONE);
        assertThat(source("key", "api_token").describe())
                .isEqualTo("aws_secrets_manager prod/agent#api_token in eu-central-1");
    }

    @Test
    void fetch_keyWithANumber_isItsDigits() throws Exception {
        aws.has(V1, "{\"pin\": 12345678901234567890123}", "AWSCURRENT");

        assertThat(value(source("key", "pin"))).isEqualTo("12345678901234567890123");
    }

    @Test
    void fetch_document_lifetimeCountsFromWhenTheVersionWasMade() throws Exception {
        aws.has(V1, "{\"access_token\": \"" + ONE + "\", \"expires_in\": 86400}", "AWSCURRENT");

        TokenDocument document = source().fetch().orElseThrow();

        assertThat(value(document)).isEqualTo(ONE);
        assertThat(document.expiresAt()).contains(FakeSecretsManager.CREATED.plusSeconds(86400));
    }

    @Test
    void fetch_binary_isTextOfUtf8() throws Exception {
        aws.hasBinary(V1, FakeSecretsManager.bytes(ONE + "\n"), "AWSCURRENT");

        assertThat(value(source())).isEqualTo(ONE);
    }

    @Test
    void fetch_binaryThatIsNoText_malformed() {
        aws.hasBinary(V1, new byte[] {(byte) 0xff, (byte) 0xfe, 'a'}, "AWSCURRENT");

        assertThat(failure(source()))
                .hasMessage("aws_secrets_manager prod/agent in eu-central-1 is binary, and not a token: it is not valid"
                        + " UTF-8")
                .extracting(SourceException::reason)
                .isEqualTo(Reason.MALFORMED);
    }

    @Test
    void fetch_keyThatIsMissing_absent() throws Exception {
        aws.has(V1, "{\"other\": \"" + ONE + "\", \"nothing\": null}", "AWSCURRENT");

        for (String key : new String[] {"api_token", "nothing"}) {
            assertThat(absence(source("key", key)))
                    .hasMessage("aws_secrets_manager prod/agent#" + key
                            + " in eu-central-1, version 11111111 has no field '" + key + "'")
                    .extracting(SourceException::reason)
                    .isEqualTo(Reason.ABSENT);
        }
    }

    @Test
    void fetch_keyInWhatIsNoJsonObject_malformed() {
        for (String text : new String[] {
            ONE,
            "[\"" + ONE + "\"]",
            "{\"api_token\": \"" + ONE,
            "{\"api_token\": \"" + ONE + "\"} x",
            "{\"api_token\": \"a\", \"api_token\": \"" + ONE + "\"}"
        }) {
            aws.has(V1, text, "AWSCURRENT");

            assertThat(failure(source("key", "api_token")))
                    .hasMessageEndingWith("is no JSON object, so it has no field 'api_token'")
                    .extracting(SourceException::reason)
                    .isEqualTo(Reason.MALFORMED);
        }
    }

    @Test
    void fetch_keyWithAnObject_malformed() {
        aws.has(V1, "{\"api_token\": {\"value\": \"" + ONE + "\"}}", "AWSCURRENT");

        assertThat(failure(source("key", "api_token")))
                .hasMessageEndingWith("the field 'api_token' is no text")
                .extracting(SourceException::reason)
                .isEqualTo(Reason.MALFORMED);
    }

    @Test
    void fetch_whatIsNoToken_saysWhereAndNotWhat() {
        aws.has(V1, ONE + "\n\n", "AWSCURRENT");

        assertThat(failure(source()))
                .hasMessageStartingWith(
                        "aws_secrets_manager prod/agent in eu-central-1, version 11111111: not a token:")
                .extracting(SourceException::reason)
                .isEqualTo(Reason.MALFORMED);
    }

    // --- which version ---

    @Test
    void fetch_pending_neverRead() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT").has(V2, TWO, "AWSPENDING");
        TokenSource source = source();

        assertThat(value(source)).isEqualTo(ONE);
        assertThat(value(source)).isEqualTo(ONE);
        assertThat(aws.calls()).containsExactly("DescribeSecret", "GetSecretValue " + V1, "DescribeSecret");
    }

    @Test
    void fetch_unchanged_oneDescriptionAndNoValue() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT");
        TokenSource source = source();
        value(source);
        aws.calls();

        for (int i = 0; i < 20; i++) {
            assertThat(value(source)).isEqualTo(ONE);
        }

        assertThat(aws.calls()).hasSize(20).containsOnly("DescribeSecret");
    }

    @Test
    void fetch_labelMoved_readsTheNewVersionOnce() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT").has(V2, TWO, "AWSPENDING");
        TokenSource source = source();
        value(source);
        aws.calls();

        aws.moveTo(V2);

        assertThat(value(source)).isEqualTo(TWO);
        assertThat(value(source)).isEqualTo(TWO);
        assertThat(aws.calls()).containsExactly("DescribeSecret", "GetSecretValue " + V2, "DescribeSecret");
    }

    @Test
    void fetch_labelMovedBack_readsTheOldVersionAgain() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT").has(V2, TWO);
        TokenSource source = source();
        value(source);
        aws.moveTo(V2);
        value(source);

        aws.moveTo(V1);

        assertThat(value(source)).isEqualTo(ONE);
    }

    @Test
    void fetch_ownStage_isTheOneThatCounts() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT").has(V2, TWO, "blue");

        assertThat(value(source("stage", "blue"))).isEqualTo(TWO);
        assertThat(source("stage", "blue").describe())
                .isEqualTo("aws_secrets_manager prod/agent (blue) in eu-central-1");
    }

    @Test
    void fetch_noVersionWithTheLabel_absent() throws Exception {
        assertThat(absence(source()))
                .hasMessage("aws_secrets_manager prod/agent in eu-central-1 has no version that is AWSCURRENT")
                .extracting(SourceException::reason)
                .isEqualTo(Reason.ABSENT);
        assertThat(aws.calls()).containsExactly("DescribeSecret");
    }

    @Test
    void fetch_deletionPendingThenRestored_revokedThenTheSame() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT");
        TokenSource source = source();
        value(source);
        aws.calls();

        aws.delete(true);
        SourceException e = failure(source);

        assertThat(e.reason()).isEqualTo(Reason.REVOKED);
        assertThat(e).hasMessage("aws_secrets_manager prod/agent in eu-central-1 is about to be deleted");
        assertThat(e.fix())
                .isEqualTo("if it is still needed: aws secretsmanager restore-secret --secret-id prod/agent --region"
                        + " eu-central-1");
        aws.delete(false);
        assertThat(value(source)).isEqualTo(ONE);
        assertThat(aws.calls()).containsExactly("DescribeSecret", "DescribeSecret");
    }

    // --- where the labels must not be asked for ---

    @Test
    void fetch_labelsDenied_readsTheValueByItsLabelAndSaysSoOnce() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT").has(V2, TWO, "AWSPENDING");
        aws.answers("DescribeSecret", FakeSecretsManager.error(400, "AccessDeniedException", "User: u is not …"));
        TokenSource source = source();
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        Logger logger = (Logger) LoggerFactory.getLogger(SecretsManagerSource.class);
        log.start();
        logger.addAppender(log);
        value(source);
        value(source);

        aws.moveTo(V2);

        assertThat(value(source)).isEqualTo(TWO);
        logger.detachAppender(log);
        assertThat(log.list)
                .extracting(ILoggingEvent::getFormattedMessage)
                .containsExactly("aws_secrets_manager prod/agent in eu-central-1: the value is read at each poll, since"
                        + " the policy does not allow secretsmanager:DescribeSecret on"
                        + " arn:aws:secretsmanager:eu-central-1:*:secret:prod/agent-??????");
        assertThat(aws.calls())
                .containsExactly(
                        "DescribeSecret",
                        "GetSecretValue AWSCURRENT",
                        "GetSecretValue AWSCURRENT",
                        "GetSecretValue AWSCURRENT");
    }

    @Test
    void fetch_labelsDeniedAnHourAgo_askedAgain() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT");
        aws.answers("DescribeSecret", FakeSecretsManager.error(400, "AccessDeniedException", "User: u is not …"));
        TokenSource source = source();
        value(source);
        aws.answers("DescribeSecret", null);
        clock.advance(Duration.ofMinutes(59));
        value(source);
        aws.calls();

        clock.advance(Duration.ofMinutes(1));
        value(source);
        value(source);

        assertThat(aws.calls()).containsExactly("DescribeSecret", "DescribeSecret");
    }

    @Test
    void fetch_labelsAndValueDenied_saysWhichActionIsMissing() {
        aws.answers("DescribeSecret", FakeSecretsManager.error(400, "AccessDeniedException", "User: u is not …"));
        aws.answers("GetSecretValue", FakeSecretsManager.error(400, "AccessDeniedException", "User: u is not …"));

        SourceException e = failure(source());

        assertThat(e.reason()).isEqualTo(Reason.NOT_PERMITTED);
        assertThat(e.fix())
                .isEqualTo("allow secretsmanager:GetSecretValue on"
                        + " arn:aws:secretsmanager:eu-central-1:*:secret:prod/agent-?????? in the policy of the role, or"
                        + " in the secret's own");
    }

    @Test
    void fetch_deletionPendingAndLabelsDenied_revoked() {
        aws.has(V1, ONE, "AWSCURRENT");
        aws.answers("DescribeSecret", FakeSecretsManager.error(400, "AccessDeniedException", "User: u is not …"));
        aws.delete(true);

        assertThat(failure(source()).reason()).isEqualTo(Reason.REVOKED);
    }

    // --- after a server has refused it ---

    private Token token(String value) {
        return Token.of("t", TokenDocument.of(value));
    }

    private static String insteadOf(TokenSource source, Token refused) throws SourceException {
        return value(source.fetchInsteadOf(refused).orElseThrow());
    }

    @Test
    void fetchInsteadOf_currentRefused_previousStandsInUntilTheLabelMoves() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT").has(V2, TWO).has(V3, "three-" + Canary.WORD);
        TokenSource source = source();
        aws.moveTo(V2);
        value(source);

        TokenDocument standIn = source.fetchInsteadOf(token(TWO)).orElseThrow();
        aws.calls();

        assertThat(value(standIn)).isEqualTo(ONE);
        assertThat(standIn.version()).contains(V1);
        assertThat(standIn.origin())
                .contains("aws_secrets_manager prod/agent in eu-central-1, version 11111111 (AWSPREVIOUS, since the API"
                        + " refused AWSCURRENT)");
        assertThat(value(source)).isEqualTo(ONE);
        assertThat(aws.calls()).containsExactly("DescribeSecret");
        aws.moveTo(V3);
        assertThat(value(source)).isEqualTo("three-" + Canary.WORD);
    }

    @Test
    void fetchInsteadOf_previousRefusedToo_currentAgainAndNoSecondTime() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT").has(V2, TWO);
        TokenSource source = source();
        aws.moveTo(V2);
        value(source);
        assertThat(insteadOf(source, token(TWO))).isEqualTo(ONE);

        assertThat(insteadOf(source, token(ONE))).isEqualTo(TWO);
        aws.calls();

        assertThat(insteadOf(source, token(TWO))).isEqualTo(TWO);
        assertThat(value(source)).isEqualTo(TWO);
        assertThat(aws.calls()).containsExactly("DescribeSecret", "DescribeSecret");
    }

    @Test
    void fetchInsteadOf_labelHasMoved_theNewVersionAndNoPrevious() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT").has(V2, TWO);
        TokenSource source = source();
        value(source);
        aws.calls();
        aws.moveTo(V2);

        assertThat(insteadOf(source, token(ONE))).isEqualTo(TWO);
        assertThat(aws.calls()).containsExactly("DescribeSecret", "GetSecretValue " + V2);
    }

    @Test
    void fetchInsteadOf_noPrevious_theSameAndAskedOnce() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT");
        TokenSource source = source();
        value(source);
        aws.calls();

        assertThat(insteadOf(source, token(ONE))).isEqualTo(ONE);
        assertThat(insteadOf(source, token(ONE))).isEqualTo(ONE);
        assertThat(aws.calls()).containsExactly("DescribeSecret", "GetSecretValue AWSPREVIOUS", "DescribeSecret");
    }

    @Test
    void fetchInsteadOf_previousHasTheSameValueOrIsOver_theSame() throws Exception {
        aws.has(V1, "{\"token\": \"" + ONE + "\", \"expires_in\": 60}")
                .has(V2, TWO)
                .has(V3, TWO, "AWSCURRENT");
        TokenSource source = source();
        value(source);
        aws.moveTo(V2);
        assertThat(insteadOf(source, token(TWO))).isEqualTo(TWO);

        aws.moveTo(V1);
        aws.moveTo(V3);

        assertThat(insteadOf(source, token(TWO))).isEqualTo(TWO);
    }

    @Test
    void fetchInsteadOf_previousEndsWhileItStandsIn_currentAgain() throws Exception {
        aws.has(
                        V1,
                        "{\"token\": \"" + ONE + "\", \"expires_at\": \""
                                + clock.instant().plusSeconds(60) + "\"}",
                        "AWSPREVIOUS")
                .has(V2, TWO, "AWSCURRENT");
        TokenSource source = source();
        value(source);
        assertThat(insteadOf(source, token(TWO))).isEqualTo(ONE);

        clock.advance(Duration.ofSeconds(60));

        assertThat(value(source)).isEqualTo(TWO);
    }

    @Test
    void fetchInsteadOf_ownStage_hasNoPrevious() throws Exception {
        aws.has(V1, ONE, "AWSPREVIOUS").has(V2, TWO, "blue");
        TokenSource source = source("stage", "blue");
        value(source);
        aws.calls();

        assertThat(insteadOf(source, token(TWO))).isEqualTo(TWO);
        assertThat(aws.calls()).containsExactly("DescribeSecret");
    }

    @Test
    void fetchInsteadOf_labelsDenied_previousStandsInAllTheSame() throws Exception {
        aws.has(V1, ONE, "AWSPREVIOUS").has(V2, TWO, "AWSCURRENT");
        aws.answers("DescribeSecret", FakeSecretsManager.error(400, "AccessDeniedException", "User: u is not …"));
        TokenSource source = source();
        value(source);

        assertThat(insteadOf(source, token(TWO))).isEqualTo(ONE);
        assertThat(value(source)).isEqualTo(ONE);
    }

    // --- itself ---

    @Test
    void equals_configurationAlone() {
        assertThat(source())
                .isEqualTo(source())
                .hasSameHashCodeAs(source())
                .hasToString("aws_secrets_manager prod/agent in eu-central-1")
                .isNotEqualTo(source("key", "other"))
                .isNotEqualTo(source("stage", "blue"))
                .isNotEqualTo(source("region", "us-east-1"));
        assertThat(source().every()).contains(Duration.ofMinutes(1));
    }

    @Test
    void fetch_arn_isAskedInItsRegion() throws Exception {
        aws.has(V1, ONE, "AWSCURRENT");
        String arn = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:prod/agent-AbCdEf";
        TokenSource source =
                TokenSources.configured(Map.of("aws_secrets_manager", Map.of("secret_id", arn, "endpoint", aws.url())));

        assertThat(value(source.in(new SourceContext(host, Path.of(""), Set.of()))))
                .isEqualTo(ONE);
        assertThat(aws.requests().get(0).getHeaders().get("Authorization"))
                .startsWith("AWS4-HMAC-SHA256 Credential=" + AwsLogin.KEY_ID)
                .contains("/ap-south-1/secretsmanager/aws4_request");
        assertThat(source.describe()).isEqualTo("aws_secrets_manager " + arn);
    }
}
