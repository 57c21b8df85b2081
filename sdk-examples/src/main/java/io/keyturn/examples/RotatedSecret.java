package io.keyturn.examples;

import static io.keyturn.source.TokenSources.file;

import io.keyturn.TokenAgent;
import io.keyturn.event.TokenEvent.Swapped;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/** A secret that is replaced as Kubernetes does it, by a link in the folder, while the program goes on sending requests. */
public final class RotatedSecret {
    private RotatedSecret() {}

    public static void main(String[] args) throws IOException {
        try (LoopbackApi api = LoopbackApi.start()) {
            run(api);
        }
    }

    static void run(LoopbackApi api) throws IOException {
        Path mounted = Files.createTempDirectory("mounted");
        try {
            rotate(api, mounted);
        } finally {
            delete(mounted);
        }
    }

    /** A token is a secret, even this one: nothing of it is left behind. */
    private static void delete(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(each);
            }
        }
    }

    private static void rotate(LoopbackApi api, Path mounted) throws IOException {
        Path token = Files.createSymbolicLink(mounted.resolve("token"), Path.of("..data", "token"));
        publish(mounted, "..1", api.issue());

        BlockingQueue<Swapped> swaps = new LinkedBlockingQueue<>();
        try (TokenAgent agent = TokenAgent.builder()
                .token("api_token", file(token), t -> t.endpoint(api.url("/v1")))
                .start()) {
            agent.listen(event -> {
                if (event instanceof Swapped swapped) {
                    swaps.add(swapped);
                }
            });
            OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();
            send(agent, http, api.url("/v1/me"));

            publish(mounted, "..2", api.issue());
            Swapped swapped = swaps.poll(30, TimeUnit.SECONDS);
            System.out.println("swapped: " + swapped);
            send(agent, http, api.url("/v1/me"));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void publish(Path mounted, String version, String token) throws IOException {
        Path folder = Files.createDirectory(mounted.resolve(version));
        Path file = Files.writeString(folder.resolve("token"), token);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        Path link = Files.createSymbolicLink(mounted.resolve("..data_tmp"), folder.getFileName());
        Files.move(link, mounted.resolve("..data"), StandardCopyOption.ATOMIC_MOVE);
    }

    private static void send(TokenAgent agent, OkHttpClient http, String url) throws IOException {
        Request request = new Request.Builder().url(url).build();
        try (Response response = http.newCall(request).execute()) {
            System.out.println("answered " + response.code() + " to "
                    + agent.sentWith(response).orElseThrow());
        }
    }
}
