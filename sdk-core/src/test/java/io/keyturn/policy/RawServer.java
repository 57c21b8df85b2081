package io.keyturn.policy;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import okhttp3.HttpUrl;

/**
 * A server on 127.0.0.1 that answers byte by byte what it is told, also what no HTTP server would: nothing, half of it,
 * too much. One request a connection.
 */
final class RawServer implements AutoCloseable {
    private static final Pattern LENGTH = Pattern.compile("(?i)\r\ncontent-length: *([0-9]+)");

    private final ServerSocket listening;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private final List<Asked> asked = new CopyOnWriteArrayList<>();
    private volatile Reply reply = (request, socket) -> write(socket, json("{\"result\":true}"));

    /** A request as it arrived. */
    record Asked(String head, String body) {
        String line() {
            return head.lines().findFirst().orElse("");
        }
    }

    /** Answers a request; the connection is closed afterwards. */
    @FunctionalInterface
    interface Reply {
        void to(Asked request, Socket socket) throws Exception;
    }

    RawServer() {
        this(0);
    }

    RawServer(int port) {
        try {
            listening = new ServerSocket();
            listening.setReuseAddress(true);
            listening.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 2_000);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        thread(this::listen);
    }

    private static void thread(Runnable task) {
        Thread thread = new Thread(task, "raw-server");
        thread.setDaemon(true);
        thread.start();
    }

    /** A complete answer. */
    static String answer(String status, String type, String body) {
        return "HTTP/1.1 " + status + "\r\nContent-Type: " + type + "\r\nConnection: close\r\nContent-Length: "
                + body.getBytes(UTF_8).length + "\r\n\r\n" + body;
    }

    static String json(String body) {
        return answer("200 OK", "application/json", body);
    }

    static void write(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(UTF_8));
        socket.getOutputStream().flush();
    }

    RawServer with(Reply next) {
        reply = next;
        return this;
    }

    RawServer with(String answer) {
        return with((request, socket) -> write(socket, answer));
    }

    private void listen() {
        while (!listening.isClosed()) {
            try {
                Socket socket = listening.accept();
                open.add(socket);
                thread(() -> serve(socket));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void serve(Socket socket) {
        try (socket) {
            Asked request = read(new BufferedInputStream(socket.getInputStream()));
            if (request != null) {
                asked.add(request);
                reply.to(request, socket);
            }
        } catch (Exception e) {
            // The client went away; what it made of that is the test's to judge.
        } finally {
            open.remove(socket);
        }
    }

    private static Asked read(InputStream in) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        while (!head.toString(ISO_8859_1).endsWith("\r\n\r\n")) {
            int next = in.read();
            if (next < 0) {
                return null;
            }
            head.write(next);
        }
        String text = head.toString(ISO_8859_1);
        Matcher length = LENGTH.matcher(text.toLowerCase(Locale.ROOT));
        byte[] body = length.find() ? in.readNBytes(Integer.parseInt(length.group(1))) : new byte[0];
        return new Asked(text, new String(body, UTF_8));
    }

    /** All that it was asked so far. */
    List<Asked> asked() {
        return asked;
    }

    int port() {
        return listening.getLocalPort();
    }

    HttpUrl url(String path) {
        return HttpUrl.get("http://127.0.0.1:" + port() + path);
    }

    @Override
    public void close() throws IOException {
        listening.close();
        for (Socket socket : open) {
            socket.close();
        }
    }
}
