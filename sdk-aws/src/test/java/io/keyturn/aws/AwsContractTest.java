package io.keyturn.aws;

import io.keyturn.Canary;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.test.TokenSourceContract;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import mockwebserver3.MockResponse;
import mockwebserver3.SocketEffect;
import org.junit.jupiter.api.extension.RegisterExtension;

class AwsContractTest implements TokenSourceContract {
    @RegisterExtension
    final Canary canary = new Canary();

    @RegisterExtension
    final AwsLogin login = new AwsLogin();

    @Override
    public Fixture fixture() throws Exception {
        return new Store(FakeSecretsManager.start());
    }

    /** Less than a call takes at most, so that it is the interrupt which ends one that hangs. */
    @Override
    public Duration patience() {
        return Duration.ofSeconds(5);
    }

    private static final class Store implements Fixture {
        private final FakeSecretsManager aws;
        private String value = "";
        private int version;

        Store(FakeSecretsManager aws) {
            this.aws = aws;
        }

        @Override
        public TokenSource source() {
            return TokenSources.configured(Map.of(
                    "aws_secrets_manager",
                    Map.of("secret_id", FakeSecretsManager.NAME, "region", "eu-central-1", "endpoint", aws.url())));
        }

        private void everythingIs(MockResponse answer) {
            List.of("DescribeSecret", "GetSecretValue").forEach(action -> aws.answers(action, answer));
        }

        @Override
        public void has(String text) {
            value = text;
            version++;
            aws.has("11111111-aaaa-4bbb-8ccc-" + version, text, "AWSCURRENT").slow(Duration.ZERO);
            everythingIs(null);
        }

        @Override
        public void hasNone() {
            everythingIs(FakeSecretsManager.error(
                    400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."));
        }

        /** As a careless store does it: what was there before is quoted. */
        @Override
        public void fails() {
            everythingIs(FakeSecretsManager.error(500, "InternalServiceError", "internal error at " + value));
        }

        @Override
        public void isSlow(Duration delay) {
            aws.slow(delay);
        }

        @Override
        public void hangs() {
            everythingIs(new MockResponse.Builder()
                    .onResponseStart(SocketEffect.Stall.INSTANCE)
                    .build());
        }

        @Override
        public void isOversized(String secret) {
            has(secret.repeat(5_000));
        }

        @Override
        public void isMalformed(String secret) {
            has("{\"token\": \"" + secret);
        }

        @Override
        public void close() {
            aws.close();
        }
    }
}
