package io.keyturn.examples;

import io.keyturn.TokenAgent;
import io.keyturn.token.Token;
import io.keyturn.yaml.YamlConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/** A file says which token goes where; the client's requests to that place carry it, and no others. */
public final class QuickStart {
    private QuickStart() {}

    public static void main(String[] args) throws IOException {
        try (LoopbackApi api = LoopbackApi.start()) {
            run(api);
        }
    }

    static void run(LoopbackApi api) throws IOException {
        Path file = Files.createTempFile("agent", ".yaml");
        try {
            Files.writeString(file, """
                    agent:
                      api_token: ${AGENT_API_TOKEN}
                      endpoint: %s
                      check: GET /v1/me
                    """.formatted(api.url("/v1")));
            call(file, api.url("/v1/me"), api.issue());
        } finally {
            Files.delete(file);
        }
    }

    private static void call(Path file, String url, String token) throws IOException {
        // Your program leaves environment(…) out: then the variables are those of the process.
        Map<String, String> variables = Map.of("AGENT_API_TOKEN", token);
        try (TokenAgent agent =
                YamlConfig.load(file).environment(variables::get).start()) {
            System.out.print(agent.check());

            OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();
            Request request = new Request.Builder().url(url).build();
            try (Response response = http.newCall(request).execute()) {
                String sent = agent.sentWith(response).map(Token::toString).orElse("no token");
                System.out.println(url + " answered " + response.code() + " to " + sent);
            }
        }
    }
}
