package io.keyturn.yaml;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * What nginx asks whether a token is accepted: {@code GET /judge}, with the request's path in {@code X-Original-URI}. To
 * anything else it tells in {@code X-Body} which body came.
 */
final class Judge implements AutoCloseable {
    private final Map<String, IssuedTokens> byName;
    private final HttpServer server;

    /** @param byName the tokens of each first segment of a path */
    Judge(int port, Map<String, IssuedTokens> byName) throws IOException {
        this.byName = byName;
        server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.createContext("/", this::answer);
    }

    void start() {
        server.start();
    }

    private void answer(HttpExchange exchange) throws IOException {
        if (exchange.getRequestURI().getPath().equals("/judge")) {
            String name =
                    exchange.getRequestHeaders().getFirst("X-Original-URI").split("/", 3)[1];
            String token = token(exchange.getRequestHeaders().getFirst("Authorization"));
            exchange.sendResponseHeaders(byName.get(name).accepts(token) ? 204 : 401, -1);
        } else {
            exchange.getResponseHeaders()
                    .set("X-Body", digest(exchange.getRequestBody().readAllBytes()));
            exchange.sendResponseHeaders(204, -1);
        }
        exchange.close();
    }

    private static String token(@Nullable String authorization) {
        return authorization != null && authorization.startsWith("Bearer ") ? authorization.substring(7) : "";
    }

    static String digest(byte[] body) {
        CRC32 crc = new CRC32();
        crc.update(body);
        return body.length + "-" + Long.toHexString(crc.getValue());
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
