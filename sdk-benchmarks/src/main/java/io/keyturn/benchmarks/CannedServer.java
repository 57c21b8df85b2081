package io.keyturn.benchmarks;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** An HTTP/1.1 server on loopback that gives every request the same answer, with as little work as can be. */
final class CannedServer implements AutoCloseable {
    static final String BODY = "{\"name\": \"ci-agent\"}";

    private static final byte[] ANSWER = ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                    + BODY.length() + "\r\n\r\n" + BODY)
            .getBytes(US_ASCII);

    private final ServerSocket socket;

    private CannedServer(ServerSocket socket) {
        this.socket = socket;
    }

    static CannedServer start() throws IOException {
        CannedServer server = new CannedServer(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()));
        begin("accept", server::accept);
        return server;
    }

    String url() {
        return "http://127.0.0.1:" + socket.getLocalPort();
    }

    /** Work that ends with its socket. */
    @FunctionalInterface
    private interface Work {
        void run() throws IOException;
    }

    private static void begin(String name, Work work) {
        Thread thread = new Thread(
                () -> {
                    try {
                        work.run();
                    } catch (IOException e) {
                        // The socket was closed.
                    }
                },
                name);
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() throws IOException {
        while (true) {
            Socket connection = socket.accept();
            connection.setTcpNoDelay(true);
            begin("answer", () -> answer(connection));
        }
    }

    private static void answer(Socket connection) throws IOException {
        try (connection) {
            InputStream in = connection.getInputStream();
            OutputStream out = connection.getOutputStream();
            byte[] buffer = new byte[8192];
            int length = 0;
            for (int read; (read = in.read(buffer, length, buffer.length - length)) >= 0; ) {
                length += read;
                if (endsRequest(buffer, length)) {
                    out.write(ANSWER);
                    length = 0;
                }
            }
        }
    }

    private static boolean endsRequest(byte[] text, int length) {
        return length >= 4
                && text[length - 4] == '\r'
                && text[length - 3] == '\n'
                && text[length - 2] == '\r'
                && text[length - 1] == '\n';
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
