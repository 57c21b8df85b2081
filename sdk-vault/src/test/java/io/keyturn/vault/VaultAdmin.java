package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.map;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;

/**
 * A real server, as its administrator asks it.
 *
 * @param token may do everything
 */
record VaultAdmin(String address, String token) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final OkHttpClient HTTP =
            new OkHttpClient.Builder().callTimeout(Duration.ofSeconds(10)).build();

    record Answer(int status, JsonNode body) {
        boolean isGood() {
            return status < 300;
        }
    }

    /** Whatever it answers. */
    Answer call(String method, String path, Map<String, Object> body, String... header) throws IOException {
        Request.Builder request =
                new Request.Builder().url(address + "/v1/" + path).header("X-Vault-Token", token);
        for (int i = 0; i < header.length; i += 2) {
            request.header(header[i], header[i + 1]);
        }
        boolean bare = method.equals("GET") || method.equals("DELETE");
        request.method(method, bare ? null : RequestBody.create(JSON.writeValueAsBytes(body)));
        try (Response response = HTTP.newCall(request.build()).execute()) {
            String text = response.body().string();
            return new Answer(response.code(), text.isEmpty() ? JSON.createObjectNode() : JSON.readTree(text));
        }
    }

    /** What it answers, which must be good. */
    JsonNode done(String method, String path, Object... body) throws IOException {
        Answer answer = call(method, path, map(body));
        assertThat(answer.isGood())
                .as(method + " " + path + " " + answer.status())
                .isTrue();
        return answer.body();
    }
}
