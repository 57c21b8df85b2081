package io.keyturn.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.TokenAgent;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.test.TestTokens;
import io.keyturn.token.Reason;
import java.io.IOException;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** How an application's own tests may look, as docs/testing.md shows it. */
class TestingTest {
    private final LoopbackApi api = LoopbackApi.start();

    TestingTest() throws IOException {}

    @AfterEach
    void close() {
        api.close();
    }

    /** Stands for a class of the application's. */
    private record Reports(TokenProvider tokens) {
        String header() throws TokenUnavailableException {
            return "Bearer " + tokens.get().reveal();
        }
    }

    @Test
    void provider_swapped_theCodeUnderTestSendsTheNewToken() throws Exception {
        // snippet: test-provider
        TestTokens tokens = TestTokens.of("t1");
        Reports reports = new Reports(tokens.provider()); // your code, which takes a TokenProvider
        assertThat(reports.header()).isEqualTo("Bearer t1");

        tokens.swap("t2");
        assertThat(reports.header()).isEqualTo("Bearer t2");

        tokens.fail(Reason.UNREACHABLE, "the store is down");
        assertThatThrownBy(reports::header).hasMessageContaining("the store is down");
        // end
    }

    @Test
    void agent_serverThatRevokes_isAnsweredWithTheNewToken() throws Exception {
        String first = api.issue();
        String second = api.issue();
        // snippet: test-agent
        TestTokens tokens = TestTokens.of(first);
        try (TokenAgent agent = TokenAgent.builder()
                .token("api_token", tokens.source(), t -> t.endpoint(api.url("/v1")))
                .start()) {
            OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();

            tokens.fail(Reason.UNREACHABLE, "the store is down");
            assertThat(answer(http)).isEqualTo(200); // the last good token serves

            api.acceptOnly(second);
            assertThat(answer(http)).isEqualTo(401);

            tokens.swap(second); // when this returns, the agent has it
            assertThat(answer(http)).isEqualTo(200);
        }
        // end
    }

    private int answer(OkHttpClient http) throws IOException {
        Request request = new Request.Builder().url(api.url("/v1/me")).build();
        try (Response response = http.newCall(request).execute()) {
            return response.code();
        }
    }
}
