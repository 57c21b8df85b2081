package io.keyturn;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.keyturn.http.Attachment;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.Response;

/**
 * The program of which {@link HeapDumpTest} takes a heap dump, in a process of its own: it uses a token, sees it replaced,
 * goes on, and dumps its heap. Whatever of the old token is found there was left by the agent, or by what it works with:
 * nothing here keeps one.
 */
final class HeapDumpedApplication {
    private static final long PAUSE_NANOS = Duration.ofMillis(20).toNanos();

    private HeapDumpedApplication() {}

    /** Token file, URL of HTTP/1.1, URL of HTTP/2, seconds to go on for after the swap, where to dump. */
    public static void main(String[] args) throws Exception {
        OkHttpClient own = new OkHttpClient();
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "api",
                        TokenSources.file(args[0]),
                        t -> t.endpoint(args[1]).endpoint(args[2]).verify().check("GET /check"))
                .httpClient(own)
                .start();
        OkHttpClient one = agent.install(new OkHttpClient());
        OkHttpClient two = agent.install(new OkHttpClient.Builder()
                .protocols(List.of(Protocol.H2_PRIOR_KNOWLEDGE))
                .build());
        HttpClient jdk = HttpClient.newHttpClient();

        long end = 0;
        boolean said = false;
        while (end == 0 || System.nanoTime() < end) {
            get(one, args[1]);
            get(two, args[2]);
            get(agent, jdk, URI.create(args[1]));
            if (!said) {
                said = true;
                agent.check();
                System.out.println("USED");
            }
            if (end == 0 && agent.provider("api").get().generation() == 2) {
                end = System.nanoTime()
                        + Duration.ofSeconds(Long.parseLong(args[3])).toNanos();
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        }
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(args[4], true);
        System.out.println("DUMPED");
        agent.close();
        System.exit(0);
    }

    private static void get(OkHttpClient client, String url) throws IOException {
        Request request = new Request.Builder().url(url).build();
        try (Response response = client.newCall(request).execute()) {
            require(response.code());
        }
    }

    private static void get(TokenAgent agent, HttpClient client, URI uri) throws IOException, InterruptedException {
        Attachment attachment = agent.authorize("GET", uri);
        HttpRequest.Builder request = HttpRequest.newBuilder(attachment.uri());
        attachment.headers().forEach(request::header);
        require(client.send(request.build(), BodyHandlers.discarding()).statusCode());
    }

    private static void require(int status) {
        if (status != 200) {
            throw new IllegalStateException("answered " + status);
        }
    }
}
