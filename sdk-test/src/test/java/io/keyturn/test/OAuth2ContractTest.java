package io.keyturn.test;

import static org.junit.jupiter.api.Assumptions.abort;

import io.keyturn.Canary;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import mockwebserver3.Dispatcher;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import mockwebserver3.SocketEffect;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Client credentials. It stands here, since the core, where that source is, cannot depend on this module. */
class OAuth2ContractTest implements TokenSourceContract {
    @RegisterExtension
    final Canary canary = new Canary();

    @Override
    public Fixture fixture() throws IOException {
        return new TokenService();
    }

    /** Less than a call takes at most, so that it is the interrupt which ends one that hangs. */
    @Override
    public Duration patience() {
        return Duration.ofSeconds(5);
    }

    private static final class TokenService extends Dispatcher implements Fixture {
        private final MockWebServer server = new MockWebServer();
        private volatile String value = "";
        private volatile MockResponse answer =
                new MockResponse.Builder().code(503).build();

        TokenService() throws IOException {
            server.setDispatcher(this);
            server.start();
        }

        @Override
        public MockResponse dispatch(RecordedRequest request) {
            return answer;
        }

        @Override
        public TokenSource source() {
            return TokenSources.configured(Map.of(
                    "oauth2",
                    Map.of(
                            "token_url",
                            "http://127.0.0.1:" + server.getPort() + "/token",
                            "client_id",
                            "agent",
                            "client_secret",
                            Map.of("env", "CLIENT_SECRET"))));
        }

        @Override
        public String variable(String name) {
            return name.equals("CLIENT_SECRET") ? Canary.TOKEN : null;
        }

        private void answers(int status, String json) {
            answer = new MockResponse.Builder()
                    .code(status)
                    .addHeader("Content-Type", "application/json")
                    .body(json)
                    .build();
        }

        @Override
        public void has(String issued) {
            value = issued;
            answers(200, "{\"access_token\": \"" + issued + "\", \"token_type\": \"Bearer\", \"expires_in\": 3600}");
        }

        @Override
        public void hasNone() {
            abort("a token service issues a token or refuses to: a refusal is no absence, after which another source"
                    + " would answer");
        }

        /** As a careless service does it: what it issued before is quoted. */
        @Override
        public void fails() {
            answers(500, "{\"error\": \"server_error\", \"error_description\": \"after " + value + "\"}");
        }

        @Override
        public void isSlow(Duration delay) {
            answer = answer.newBuilder()
                    .headersDelay(delay.toMillis(), TimeUnit.MILLISECONDS)
                    .build();
        }

        @Override
        public void hangs() {
            answer = new MockResponse.Builder()
                    .onResponseStart(SocketEffect.Stall.INSTANCE)
                    .build();
        }

        @Override
        public void isOversized(String secret) {
            has(secret.repeat(5_000));
        }

        @Override
        public void isMalformed(String secret) {
            answers(200, "{\"access_token\": \"" + secret);
        }

        @Override
        public void close() {
            server.close();
        }
    }
}
