package io.keyturn.examples;

import io.keyturn.TokenAgent;
import io.keyturn.yaml.YamlConfig;
import java.io.IOException;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/** A key of your own in {@code agent.yaml}: {@link TokenDesk} is the module that brings it. */
public final class OwnKey {
    private OwnKey() {}

    public static void main(String[] args) throws IOException {
        try (LoopbackApi api = LoopbackApi.start()) {
            run(api);
        }
    }

    static void run(LoopbackApi api) throws IOException {
        String config = """
                agent:
                  api_token:
                    token_desk: {url: "%s", badge: badge-of-ci}
                  endpoint: %s
                """.formatted(api.url("/desk"), api.url("/v1"));
        try (TokenAgent agent = YamlConfig.parse(config, "agent.yaml").start()) {
            OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();
            Request request = new Request.Builder().url(api.url("/v1/me")).build();
            try (Response response = http.newCall(request).execute()) {
                System.out.println("/v1/me answered " + response.code() + " to "
                        + agent.sentWith(response).orElseThrow());
            }
        }
    }
}
