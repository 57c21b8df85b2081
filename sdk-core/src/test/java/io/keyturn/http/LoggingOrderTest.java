package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.RecordingServer;
import io.keyturn.TokenAgent;
import io.keyturn.source.TokenSources;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import okhttp3.Call;
import okhttp3.EventListener;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.logging.HttpLoggingInterceptor;
import okhttp3.logging.HttpLoggingInterceptor.Level;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** OkHttp's own logger, in each place of a client: what docs/logging.md says of it. */
class LoggingOrderTest {
    private static final String TOKEN = "ktn_logged+7Qm2Xv9/LrT4wZ8c1==";

    private final List<String> lines = new CopyOnWriteArrayList<>();
    private RecordingServer server;

    @BeforeEach
    void start() {
        server = RecordingServer.start();
    }

    @AfterEach
    void close() {
        server.close();
    }

    private TokenAgent agent(SentAs sentAs) throws Exception {
        return TokenAgent.builder()
                .token(
                        "api",
                        TokenSources.value(TOKEN),
                        t -> t.endpoint(server.url("/v1")).sendAs(sentAs.placement))
                .start();
    }

    private HttpLoggingInterceptor logger(Level level) {
        return new HttpLoggingInterceptor(lines::add).setLevel(level);
    }

    private boolean leaks() {
        return SentAs.forms(TOKEN).anyMatch(lines.toString()::contains);
    }

    private void send(OkHttpClient client) throws Exception {
        Request request = new Request.Builder().url(server.url("/v1/x")).build();
        client.newCall(request).execute().close();
        assertThat(SentAs.forms(TOKEN)).anyMatch(server.only()::holds);
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void logger_aroundTheCallOrBeforeOurs_showsNoToken(SentAs sentAs) throws Exception {
        try (TokenAgent agent = agent(sentAs)) {
            OkHttpClient.Builder client = new OkHttpClient.Builder().addNetworkInterceptor(logger(Level.BODY));
            send(agent.install(client).addInterceptor(logger(Level.BODY)).build());
        }
        assertThat(lines).hasSizeGreaterThan(4);
        assertThat(leaks()).as("%s", lines).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        // sent as, level, whether the logger leaks after ours
        "BEARER, BASIC, false",
        "BEARER, HEADERS, true",
        "API_KEY, BASIC, false",
        "API_KEY, HEADERS, true",
        "BASIC, BASIC, false",
        "BASIC, HEADERS, true",
        "QUERY, BASIC, true",
        "QUERY, HEADERS, true"
    })
    void logger_networkInterceptorAfterOurs_showsWhatIsSent(SentAs sentAs, Level level, boolean leaks)
            throws Exception {
        try (TokenAgent agent = agent(sentAs)) {
            send(agent.install(new OkHttpClient.Builder())
                    .addNetworkInterceptor(logger(level))
                    .build());
        }
        assertThat(leaks()).as("%s", lines).isEqualTo(leaks);
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void logger_toldWhatToRedact_showsNoToken(SentAs sentAs) throws Exception {
        HttpLoggingInterceptor logger = logger(Level.BODY);
        logger.redactHeader(sentAs.field.toLowerCase(Locale.ROOT));
        logger.redactQueryParams(sentAs.field);
        try (TokenAgent agent = agent(sentAs)) {
            send(agent.install(new OkHttpClient.Builder())
                    .addNetworkInterceptor(logger)
                    .build());
        }
        assertThat(leaks()).as("%s", lines).isFalse();
    }

    @ParameterizedTest
    @EnumSource(SentAs.class)
    void logger_afterOursAsApplicationInterceptor_showsTheToken(SentAs sentAs) throws Exception {
        try (TokenAgent agent = agent(sentAs)) {
            send(new OkHttpClient.Builder()
                    .addInterceptor(agent.interceptor())
                    .addInterceptor(logger(Level.HEADERS))
                    .build());
        }
        assertThat(leaks()).isTrue();
    }

    @Test
    void call_andItsListener_seeTheCallersRequest() throws Exception {
        try (TokenAgent agent = agent(SentAs.QUERY)) {
            OkHttpClient client = agent.install(new OkHttpClient.Builder())
                    .eventListener(new EventListener() {
                        @Override
                        public void callEnd(Call call) {
                            lines.add(call + " " + call.request() + " "
                                    + call.request().url());
                        }

                        @Override
                        public void responseHeadersEnd(Call call, Response response) {
                            lines.add("wire " + response.request().url());
                        }
                    })
                    .build();
            send(client);
        }
        assertThat(lines.get(1)).contains("/v1/x").doesNotContain("ktn_logged");
        assertThat(lines.get(0)).startsWith("wire ").contains("ktn_logged");
    }
}
