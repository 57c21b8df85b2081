package io.keyturn.benchmarks;

import io.keyturn.TokenAgent;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.util.concurrent.Callable;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/**
 * A whole call over loopback, HTTP/1.1 on a connection that is kept open, the clients call by call in turns. Aim: at most
 * 1.03 times the time of the prebuilt header and 400 B more.
 */
final class WholeCall {
    private static final String TOKEN = "3vQhL0mJ9sXw7TzR2bKp5nYd8cFg1aUe";

    private final int blocks;

    WholeCall(boolean quick) {
        this.blocks = quick ? 10 : 300;
    }

    void print(Markdown out) throws Exception {
        System.err.println("WholeCall");
        String header = "Bearer " + TOKEN;
        Interceptor prebuilt = chain -> chain.proceed(
                chain.request().newBuilder().header("Authorization", header).build());
        Interceptor google = Peers.googleInterceptor(Peers.google(() -> TOKEN));
        try (CannedServer server = CannedServer.start();
                TokenAgent agent = TokenAgent.builder()
                        .token("api_token", TokenSources.value(TOKEN), t -> t.endpoint(server.url()))
                        .start()) {
            Request request = new Request.Builder().url(server.url() + "/v1/me").build();
            Turns turns = new Turns()
                    .with("prebuiltHeader", calls(with(prebuilt), request))
                    .with("keyturn", calls(agent.install(new OkHttpClient()), request))
                    .with("noToken", calls(new OkHttpClient(), request))
                    .with("kubernetesClient", calls(with(Peers.kubernetes(() -> TOKEN)), request))
                    .with("googleMetadata", calls(with(google), request));
            out.heading("A whole call over loopback");
            out.compared(turns.measure(blocks));
        }
    }

    private static OkHttpClient with(Interceptor interceptor) {
        return new OkHttpClient.Builder().addNetworkInterceptor(interceptor).build();
    }

    private static Callable<String> calls(OkHttpClient client, Request request) {
        return () -> {
            try (Response response = client.newCall(request).execute()) {
                String body = response.body().string();
                if (!body.equals(CannedServer.BODY)) {
                    throw new IOException("the server answered something else");
                }
                return body;
            }
        };
    }
}
