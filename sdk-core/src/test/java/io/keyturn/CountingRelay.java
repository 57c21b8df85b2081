package io.keyturn;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;

/**
 * A port on 127.0.0.1 that passes bytes to a server and back, and counts the requests, also those that nobody answers. It
 * looks at bytes alone, so that a server that hangs, or is gone, looks through it as it does without. The server speaks
 * HTTP/1.1 without TLS.
 */
public final class CountingRelay implements AutoCloseable {
    /** A client sends a request in one piece, and nothing behind it before it has the answer. */
    private static final Pattern REQUEST = Pattern.compile("(?s)[A-Z]+ /.*");

    private final InetSocketAddress server;
    private final ServerSocket listening;
    private final Queue<Long> asked = new ConcurrentLinkedQueue<>();
    private final ExecutorService threads = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "counting-relay");
        thread.setDaemon(true);
        return thread;
    });

    /** A relay to the server of this URL. */
    public CountingRelay(URI server) {
        this.server = new InetSocketAddress(server.getHost(), server.getPort());
        try {
            listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        threads.execute(this::listen);
    }

    /** The URL of a path of the server, through this relay. */
    public String url(String path) {
        return "http://127.0.0.1:" + listening.getLocalPort() + path;
    }

    /** How many requests have come between two readings of {@link System#nanoTime}. */
    public long requests(long from, long to) {
        return asked.stream().filter(at -> at - from >= 0 && at - to < 0).count();
    }

    @Override
    public void close() throws IOException {
        listening.close();
        threads.shutdownNow();
    }

    private void listen() {
        try {
            while (true) {
                Socket client = listening.accept();
                threads.execute(() -> forth(client));
            }
        } catch (IOException e) {
            // It was closed.
        }
    }

    private void forth(Socket client) {
        try (client;
                Socket service = new Socket()) {
            InputStream in = client.getInputStream();
            byte[] piece = new byte[1 << 16];
            for (int length = in.read(piece); length >= 0; length = in.read(piece)) {
                if (REQUEST.matcher(new String(piece, 0, length, US_ASCII)).matches()) {
                    asked.add(System.nanoTime());
                }
                if (!service.isConnected()) {
                    service.connect(server);
                    threads.execute(() -> back(service, client));
                }
                service.getOutputStream().write(piece, 0, length);
            }
        } catch (IOException e) {
            // Whichever side has gone, the other is told by the end of its connection.
        }
    }

    private static void back(Socket service, Socket client) {
        try (service;
                client) {
            service.getInputStream().transferTo(client.getOutputStream());
        } catch (IOException e) {
            // As above.
        }
    }
}
