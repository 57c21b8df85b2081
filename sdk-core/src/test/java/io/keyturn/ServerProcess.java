package io.keyturn;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Somebody else's server as a process of the test, which may freeze and kill it, and start it again as it was. Of this
 * process's environment it sees nothing. It is up to the test to wait until it answers.
 */
public final class ServerProcess implements AutoCloseable {
    private static final int FIRST_PORT = 20_000;
    private static final int LAST_PORT = 28_000;

    private final Path log;
    private final List<String> command;
    private Process process;

    /** @param log where to that which it prints is added */
    public ServerProcess(Path log, List<String> command) {
        this.log = log;
        this.command = List.copyOf(command);
    }

    /**
     * A port that nobody listens on. It is none of those that the system gives to connections as they come, one of which
     * would be in the way of a server that is to have its port again.
     */
    public static int freePort() {
        while (true) {
            int port = ThreadLocalRandom.current().nextInt(FIRST_PORT, LAST_PORT);
            try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return socket.getLocalPort();
            } catch (IOException e) {
                // Somebody has it.
            }
        }
    }

    /** Starts it; it must not run. */
    public void start() throws IOException {
        if (process != null) {
            throw new IllegalStateException("it runs");
        }
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        builder.environment().clear();
        process = builder.start();
        process.getOutputStream().close();
    }

    /** Stops it where it is: from now on connections are accepted for it, and nothing is answered. */
    public void freeze() throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("kill", "-STOP", String.valueOf(process.pid())).start();
        if (kill.waitFor() != 0) {
            throw new IllegalStateException("it does not run");
        }
    }

    /** Ends it at once, frozen or not; nothing happens if it does not run. */
    public void kill() {
        if (process != null) {
            process.destroyForcibly().onExit().join();
            process = null;
        }
    }

    @Override
    public void close() {
        kill();
    }
}
