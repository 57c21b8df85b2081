package io.keyturn.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * An API on this machine that wants a bearer token. It stands in for yours, and for a language model's: whatever is asked
 * of it, it answers a greeting in the JSON of OpenAI's chat completions. At {@code /desk} it gives out tokens.
 */
final class LoopbackApi implements AutoCloseable {
    private static final String GREETING = """
            {"id": "1", "object": "chat.completion", "created": 1, "model": "loopback", "choices": [{"index": 0,
             "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop", "logprobs": null}],
             "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
            """;

    /** A request as it arrived. */
    record Seen(String path, Headers headers) {
        Optional<String> authorization() {
            return Optional.ofNullable(headers.getFirst("Authorization"));
        }
    }

    private final HttpServer server;
    private final Set<String> accepted = ConcurrentHashMap.newKeySet();
    private final List<String> issued = new CopyOnWriteArrayList<>();
    private final List<Seen> seen = new CopyOnWriteArrayList<>();
    private volatile @Nullable String elsewhere;

    private LoopbackApi(HttpServer server) {
        this.server = server;
        server.createContext("/", this::answer);
        server.start();
    }

    static LoopbackApi start() throws IOException {
        return new LoopbackApi(HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0));
    }

    String url(String path) {
        return "http://127.0.0.1:" + server.getAddress().getPort() + path;
    }

    /** A new token, good from now on. */
    String issue() {
        byte[] random = new byte[24];
        new SecureRandom().nextBytes(random);
        String token = Base64.getUrlEncoder().encodeToString(random);
        accepted.add(token);
        issued.add(token);
        return token;
    }

    /** Every token but this one is refused from now on. */
    void acceptOnly(String token) {
        accepted.retainAll(Set.of(token));
    }

    /** From now on every request is sent on to this URL. */
    void sendOnTo(String url) {
        elsewhere = url;
    }

    List<String> issued() {
        return List.copyOf(issued);
    }

    List<Seen> seen() {
        return List.copyOf(seen);
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            exchange.getRequestBody().readAllBytes();
            Seen request = new Seen(exchange.getRequestURI().getPath(), exchange.getRequestHeaders());
            seen.add(request);
            if (elsewhere != null) {
                exchange.getResponseHeaders().set("Location", elsewhere);
                exchange.sendResponseHeaders(307, -1);
                return;
            }
            if (request.path().equals("/desk")) {
                send(exchange, 200, "{\"token\": \"" + issue() + "\", \"expires_in\": 3600}");
                return;
            }
            boolean known = request.authorization()
                    .map(header -> header.replaceFirst("^Bearer ", ""))
                    .filter(accepted::contains)
                    .isPresent();
            send(
                    exchange,
                    known ? 200 : 401,
                    known ? GREETING : "{\"error\": {\"message\": \"not a token of this API\"}}");
        }
    }

    private static void send(HttpExchange exchange, int status, String json) throws IOException {
        byte[] body = json.getBytes(UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
