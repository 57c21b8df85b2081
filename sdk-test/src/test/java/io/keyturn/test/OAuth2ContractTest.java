package io.keyturn.test;

import static org.junit.jupiter.api.Assumptions.abort;

import io.keyturn.Canary;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import mockwebserver3.MockResponse;
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

    private static final class TokenService extends OneAnswer {
        private volatile String value = "";

        TokenService() throws IOException {
            super(new MockResponse.Builder().code(503).build());
        }

        @Override
        public TokenSource source() {
            return TokenSources.configured(Map.of(
                    "oauth2",
                    Map.of("token_url", url(), "client_id", "agent", "client_secret", Map.of("env", "CLIENT_SECRET"))));
        }

        @Override
        public String variable(String name) {
            return name.equals("CLIENT_SECRET") ? Canary.TOKEN : null;
        }

        private void answers(int status, String json) {
            answers(new MockResponse.Builder()
                    .code(status)
                    .addHeader("Content-Type", "application/json")
                    .body(json)
                    .build());
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
        public void isMalformed(String secret) {
            answers(200, "{\"access_token\": \"" + secret);
        }
    }
}
