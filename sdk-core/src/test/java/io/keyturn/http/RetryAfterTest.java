package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.source.TokenSources;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A server that asks for patience: OkHttp heeds {@code Retry-After} at 408 and 503, and counts only as far as an int. */
@Tag("okhttp-floor")
class RetryAfterTest {
    private static final String TOKEN = "ktn_retry_after_7Qm2Xv9LrT4wZ8c1";

    private RecordingServer server;
    private TokenAgent agent;
    private OkHttpClient client;

    @BeforeEach
    void start() throws Exception {
        server = RecordingServer.start();
        agent = TokenAgent.builder()
                .token("api", TokenSources.value(TOKEN), t -> t.endpoint(server.url("/v1")))
                .start();
        client = agent.install(new OkHttpClient.Builder()).build();
    }

    @AfterEach
    void close() {
        agent.close();
        server.close();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // status | the server says | the caller hears | tries
                "503 | 2147483648 | 2147483647 | 1",
                "503 | 99999999999999999999 | 2147483647 | 1",
                "503 | 2147483647 | 2147483647 | 1",
                "503 | -1 | -1 | 1",
                "503 | -2147483649 | -2147483649 | 1",
                "503 | 1.5 | 1.5 | 1",
                "503 | Wed, 21 Oct 2099 07:28:00 GMT | Wed, 21 Oct 2099 07:28:00 GMT | 1",
                "503 | 120 | 120 | 1",
                "503 | 0 | 0 | 2",
                "408 | 2147483648 | 2147483647 | 1",
                "408 | 120 | 120 | 1",
                "429 | 2147483648 | 2147483648 | 1"
            })
    void retryAfter_ofAnyKind_reachesTheCaller(int status, String said, String heard, int tries) throws Exception {
        server.on("/v1/x", Answer.of(status, "").with("Retry-After", said));

        Request request = new Request.Builder().url(server.url("/v1/x")).build();
        try (Response response = client.newCall(request).execute()) {
            assertThat(response.code()).isEqualTo(status);
            assertThat(response.header("Retry-After")).isEqualTo(heard);
        }
        assertThat(server.seen()).hasSize(tries).allMatch(seen -> SentAs.BEARER.carries(seen, TOKEN));
    }
}
