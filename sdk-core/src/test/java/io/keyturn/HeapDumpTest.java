package io.keyturn;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Stream;
import mockwebserver3.Dispatcher;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.Protocol;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whoever gets at a heap dump of a running program finds the token that it uses now, and none that was replaced: no object
 * of ours holds one. What OkHttp and the JDK have in their buffers is theirs; it is told, not judged.
 *
 * <p>Here some seconds after the swap; {@link HeapDumpRealIT} waits for a minute.
 */
@Timeout(180)
class HeapDumpTest {
    private static final String OLD = "ktn_heap_old_7Qm2Xv9LrT4wZ8c1";
    private static final String NEW = "ktn_heap_new_5Hd3Kp6NsY0bJ2f9";

    @TempDir
    Path folder;

    @Test
    void heapDump_afterASwap_noObjectOfOursHoldsTheOldToken() throws Exception {
        assertOldTokenIsGone(folder, Duration.ofSeconds(3));
    }

    /** Answers where the old token was found beside ours, one line each. */
    static List<String> assertOldTokenIsGone(Path folder, Duration afterTheSwap) throws Exception {
        Path file = folder.resolve("token");
        Path dump = folder.resolve("heap.hprof");
        write(file, OLD);
        try (MockWebServer one = server(List.of(Protocol.HTTP_1_1));
                MockWebServer two = server(List.of(Protocol.H2_PRIOR_KNOWLEDGE))) {
            Process child = start(file, one.url("/").toString(), two.url("/").toString(), afterTheSwap, dump);
            try {
                finish(child, file);
            } finally {
                child.destroyForcibly();
            }
        }

        HeapDump now = HeapDump.read(dump, NEW);
        assertThat(now.hits())
                .as("the new token: what is searched for is found")
                .isNotEmpty();
        assertThat(now.hits()).anyMatch(hit -> now.wayFrom(HeapDumpTest::isOurs, HeapDumpTest::isTheirs, hit) != null);

        HeapDump before = HeapDump.read(dump, OLD);
        List<String> ours = new ArrayList<>();
        TreeSet<String> others = new TreeSet<>();
        for (int hit : before.hits()) {
            String way = before.wayFrom(HeapDumpTest::isOurs, HeapDumpTest::isTheirs, hit);
            if (way != null) {
                ours.add(way);
            } else {
                others.add(String.valueOf(before.wayFromRoot(hit)));
            }
        }
        assertThat(ours).as("ways from objects of ours to the old token").isEmpty();
        return List.copyOf(others);
    }

    private static boolean isOurs(String name) {
        return (name.startsWith("io.keyturn.") || name.startsWith("class io.keyturn."))
                && !name.contains("HeapDumpedApplication");
    }

    /** What a connection or a thread of theirs holds, ours do not, although they hold the client. */
    private static boolean isTheirs(String name) {
        return Stream.of("okhttp3.", "okio.", "jdk.internal.", "java.net.http.", "sun.", "java.lang.Thread")
                .anyMatch(library -> name.startsWith(library) || name.startsWith("class " + library));
    }

    private static void finish(Process child, Path file) throws IOException, InterruptedException {
        List<String> said = new ArrayList<>();
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                said.add(line);
                if (line.equals("USED")) {
                    write(file, NEW);
                }
            }
        }
        assertThat(child.waitFor()).as("exit code, after %s", said).isZero();
        assertThat(said).contains("USED", "DUMPED");
    }

    private static Process start(Path file, String one, String two, Duration afterTheSwap, Path dump)
            throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx128m",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        HeapDumpedApplication.class.getName(),
                        file.toString(),
                        one,
                        two,
                        String.valueOf(afterTheSwap.toSeconds()),
                        dump.toString())
                .redirectErrorStream(true)
                .start();
    }

    /** Renamed over, as rotations do. */
    private static void write(Path file, String value) throws IOException {
        Path next = file.resolveSibling("next");
        Files.deleteIfExists(next);
        Files.createFile(next, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(next, value);
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    }

    private static MockWebServer server(List<Protocol> protocols) throws IOException {
        MockWebServer server = new MockWebServer();
        server.setProtocols(protocols);
        server.setDispatcher(new Dispatcher() {
            @Override
            public MockResponse dispatch(RecordedRequest request) {
                String sent = String.valueOf(request.getHeaders().get("Authorization"));
                boolean known = sent.equals("Bearer " + OLD) || sent.equals("Bearer " + NEW);
                return new MockResponse.Builder().code(known ? 200 : 401).build();
            }
        });
        server.start();
        return server;
    }
}
