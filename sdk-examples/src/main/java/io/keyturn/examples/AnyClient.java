package io.keyturn.examples;

import io.keyturn.TokenAgent;
import io.keyturn.http.Attachment;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A client that we know nothing of, here the JDK's, asks what a request needs, and tells what was answered. So it sees a
 * token that somebody else has replaced in its file.
 */
public final class AnyClient {
    private AnyClient() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        try (LoopbackApi api = LoopbackApi.start()) {
            run(api);
        }
    }

    static void run(LoopbackApi api) throws IOException, InterruptedException {
        Path file = Files.createTempFile("token", ".txt"); // only its owner can read it
        Files.writeString(file, api.issue());
        try (TokenAgent agent = TokenAgent.builder()
                .token("api_token", TokenSources.file(file), t -> t.endpoint(api.url("/v1")))
                .start()) {
            call(agent, URI.create(api.url("/v1/me")));

            String next = api.issue();
            Files.writeString(file, next);
            api.acceptOnly(next);
            call(agent, URI.create(api.url("/v1/me")));
        } finally {
            Files.delete(file);
        }
    }

    private static void call(TokenAgent agent, URI uri) throws IOException, InterruptedException {
        HttpClient http = HttpClient.newHttpClient();
        // snippet: any-client
        Attachment token = agent.authorize("GET", uri);
        HttpResponse<String> response = http.send(request(token), BodyHandlers.ofString());
        if (token.answered(response.statusCode())) { // it was a 401, and there is another token now
            token = agent.authorize("GET", uri);
            response = http.send(request(token), BodyHandlers.ofString());
        }
        // end
        System.out.println(uri + " answered " + response.statusCode() + " to " + token);
    }

    private static HttpRequest request(Attachment token) {
        HttpRequest.Builder request = HttpRequest.newBuilder(token.uri());
        token.headers().forEach(request::header);
        return request.build();
    }
}
