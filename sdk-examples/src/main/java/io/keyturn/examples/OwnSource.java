package io.keyturn.examples;

import static io.keyturn.source.TokenSources.env;
import static io.keyturn.source.TokenSources.file;
import static io.keyturn.source.TokenSources.firstOf;

import io.keyturn.TokenAgent;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/** Tokens that come from wherever the program keeps them: its own database, or a variable and else a file. */
public final class OwnSource {
    private OwnSource() {}

    public static void main(String[] args) throws IOException {
        try (LoopbackApi api = LoopbackApi.start()) {
            run(api);
        }
    }

    static void run(LoopbackApi api) throws IOException {
        Path mounted = Files.createTempFile("deploy", ".txt");
        Files.writeString(mounted, api.issue());
        try (TokenAgent agent = agent(api, mounted)) {
            OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();
            for (String path : List.of("/accounts", "/deploy")) {
                Request request = new Request.Builder().url(api.url(path)).build();
                try (Response response = http.newCall(request).execute()) {
                    System.out.println(path + " answered " + response.code() + " to "
                            + agent.sentWith(response).orElseThrow());
                }
            }
        } finally {
            Files.delete(mounted);
        }
    }

    private static TokenAgent agent(LoopbackApi api, Path mounted) throws IOException {
        // Your query stands here. It may throw anything; what it says is not repeated, since it may hold a secret.
        TokenSource database = TokenSources.of(
                "accounts db",
                () -> TokenDocument.of(api.issue()).withExpiresAt(Instant.now().plus(Duration.ofHours(1))));

        return TokenAgent.builder()
                .token("accounts", database, t -> t.endpoint(api.url("/accounts")))
                .token("deploy", firstOf(env("NOT_SET_HERE"), file(mounted)), t -> t.endpoint(api.url("/deploy")))
                .start();
    }
}
