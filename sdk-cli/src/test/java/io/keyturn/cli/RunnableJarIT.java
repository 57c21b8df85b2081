package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.keyturn.AgentStatus;
import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The jar as it is run: another process, with its own directory, user and terminal. */
@Timeout(120)
class RunnableJarIT {
    private static final Path JAR = Path.of("target/keyturn.jar").toAbsolutePath();
    private static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();
    private static final String SEED = "agent:\n  api_token: ${AGENT_API_TOKEN}\n";

    @RegisterExtension
    final Canary canary = new Canary();

    /** Where it is run, with the jar in it, so that another user can read it wherever the project lies. */
    @TempDir
    Path folder;

    @TempDir
    Path notes;

    private final RecordingServer api = RecordingServer.start();
    private final Map<String, String> variables = new HashMap<>();
    private final List<String> before = new ArrayList<>();
    private Path jar = JAR;

    private record Ended(int exit, String out, String err) {}

    @BeforeEach
    void guard() {
        variables.put("AGENT_API_TOKEN", canary.token());
        api.on("/v1/me", seen -> seen.holds("Bearer " + canary.token()) ? Answer.ok("") : Answer.of(401, ""));
    }

    @AfterEach
    void stop() {
        api.close();
    }

    private Ended run(String... args) throws Exception {
        List<String> command = new ArrayList<>(before);
        command.addAll(List.of(JAVA, "-jar", jar.toString()));
        command.addAll(Arrays.asList(args));
        return start(command);
    }

    private Ended start(List<String> command) throws Exception {
        Path out = notes.resolve("out");
        Path err = notes.resolve("err");
        ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
        builder.redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
        builder.redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("JAVA") || name.startsWith("KEYTURN"));
        builder.environment().remove("NO_COLOR");
        builder.environment().putAll(variables);
        Process process = builder.start();
        if (!process.waitFor(100, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("it did not end: " + command);
        }
        Ended ended = new Ended(process.exitValue(), Files.readString(out, UTF_8), Files.readString(err, UTF_8));
        canary.saw("output", ended.out).saw("errors", ended.err);
        return ended;
    }

    private String proving() {
        return SEED + "  endpoint: " + api.url("/") + "\n  check: GET /v1/me\n";
    }

    @Test
    void check_seed_isTheIssuesLine() throws Exception {
        Cli.write(folder, "agent.yaml", SEED);

        Ended set = run("check", "agent.yaml");
        assertThat(set.exit()).as(set.err()).isZero();
        assertThat(set.out()).contains("no endpoint is declared");

        variables.put("AGENT_API_TOKEN", "");
        Ended unset = run("check", "agent.yaml");
        assertThat(unset.exit()).isEqualTo(2);

        before.addAll(List.of("env", "-u", "AGENT_API_TOKEN"));
        Ended gone = run("check", "agent.yaml");
        assertThat(gone.exit()).isEqualTo(2);
        assertThat(gone.out())
                .startsWith("agent.yaml:2:14 agent.api_token: environment variable AGENT_API_TOKEN is not set\n");
    }

    @Test
    void check_noArgument_readsAgentYamlHere() throws Exception {
        Cli.write(folder, "agent.yaml", proving());

        Ended ended = run("check", "--json");

        assertThat(ended.exit()).as(ended.err()).isZero();
        assertThat(new ObjectMapper().readTree(ended.out()).get("status").asText())
                .isEqualTo("pass");
        assertThat(ended.err()).isEmpty();
    }

    /** What a check takes beyond its requests is mostly the loading of classes; see {@link OneRequest}. */
    @Test
    void check_aFileAndNoOption_loadsNothingThatItDoesNotNeed() throws Exception {
        Cli.write(folder, "agent.yaml", proving());
        Path log = notes.resolve("loaded");

        Ended ended =
                start(List.of(JAVA, "-Xlog:class+load:file=" + log, "-jar", jar.toString(), "check", "agent.yaml"));

        assertThat(ended.exit()).as(ended.out() + ended.err()).isZero();
        assertThat(Files.readString(log))
                .contains(" io.keyturn.cli.Look ", " okhttp3.OkHttpClient ")
                .doesNotContain(" picocli.", " com.fasterxml.jackson.", " com.sun.net.httpserver.", " okhttp3.tls.")
                .as("a record compared by the methods that it has by itself")
                .doesNotContain(" java.lang.runtime.ObjectMethods ");
    }

    @Test
    void check_localeWithoutCharacters_isUtf8() throws Exception {
        variables.put("LC_ALL", "C");
        Cli.write(folder, "agent.yaml", "agent:\n  name: Zoë\n  api_token: ${AGENT_API_TOKEN}\n");

        assertThat(run("check").out()).contains("agent Zoë");
    }

    @Test
    void version_isThatOfTheProject() throws Exception {
        assertThat(run("--version").out()).matches("keyturn [0-9]+\\.[0-9]+\\.[0-9]+.*\n");
    }

    @Test
    void demo_leavesNothingBehind() throws Exception {
        Path temporary = Files.createDirectory(folder.resolve("tmp"));
        before.addAll(List.of("env", "JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=" + temporary));

        Ended ended = run("demo", "--time", "3s");

        assertThat(ended.exit()).as(ended.out() + ended.err()).isZero();
        assertThat(ended.out())
                .contains("java -jar " + JAR + " check agent.yaml")
                .containsPattern("\n[1-9]\\d* rotations, [1-9]\\d* requests, 0 failed\n$");
        try (Stream<Path> left = Files.list(temporary)) {
            assertThat(left).isEmpty();
        }
    }

    // --- an agent that runs ---

    /** It is what a probe starts again and again. */
    @Test
    void status_aFileAndNoOption_loadsNothingThatItDoesNotNeed() throws Exception {
        AgentStatus status =
                new AgentStatus("ci-agent", Instant.now(), AgentStatus.Phase.RUNNING, List.of(), Set.of(), null);
        Cli.write(folder, "status.json", status.toJson());
        Path log = notes.resolve("loaded");

        Ended ended =
                start(List.of(JAVA, "-Xlog:class+load:file=" + log, "-jar", jar.toString(), "status", "status.json"));

        assertThat(ended.exit()).as(ended.out() + ended.err()).isZero();
        assertThat(ended.out()).contains("pass: agent ci-agent (0 tokens) is usable");
        assertThat(Files.readString(log))
                .contains(" io.keyturn.cli.StatusProbe ")
                .doesNotContain(" picocli.", " okhttp3.", " org.yaml.", " kotlin.", " com.github.benmanes.");
    }

    @Test
    void watch_sigtermWhileACheckHangs_endsWithAllOfItPrinted() throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        AtomicBoolean hangs = new AtomicBoolean();
        api.on("/v1/me", seen -> {
            if (hangs.get()) {
                try {
                    over.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            return seen.holds("Bearer " + canary.token()) ? Answer.ok("") : Answer.of(401, "");
        });
        Cli.write(folder, "agent.yaml", proving());
        Path out = notes.resolve("watched");
        ProcessBuilder builder = new ProcessBuilder(JAVA, "-jar", jar.toString(), "watch", "--interval", "1s", "--json")
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(out.toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("JAVA") || name.startsWith("KEYTURN"));
        builder.environment().putAll(variables);
        Process process = builder.start();
        try {
            Awaitility.await()
                    .atMost(Duration.ofSeconds(60))
                    .until(() -> Files.readString(out).contains("\"event\":\"check\""));
            hangs.set(true);
            int before = api.seen("/v1/me").size();
            Awaitility.await()
                    .atMost(Duration.ofSeconds(60))
                    .until(() -> api.seen("/v1/me").size() > before);

            // SIGTERM; the check by itself would take 30 s.
            process.destroy();

            assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isEqualTo(128 + 15);
        } finally {
            over.countDown();
            process.destroyForcibly();
        }
        String said = Files.readString(out);
        canary.saw("watched", said);
        assertThat(said).contains("\"event\":\"resolved\"").endsWith("}\n");
        for (String line : said.lines().toList()) {
            assertThat(new ObjectMapper().readTree(line).get("schema").asInt()).isEqualTo(1);
        }
    }

    // --- anybody, anywhere ---

    @Test
    void nobody_readOnlyFolder_checkAndDemo() throws Exception {
        assumeTrue(isRoot(), "only root may become another user");
        Cli.write(folder, "agent.yaml", proving());
        jar = Files.copy(JAR, folder.resolve("keyturn.jar"), StandardCopyOption.REPLACE_EXISTING);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("r-xr-xr-x"));
        variables.put("HOME", "/nonexistent");
        before.addAll(List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"));

        Ended check = run("check");
        assertThat(check.exit()).as(check.out() + check.err()).isZero();
        assertThat(check.err()).isEmpty();

        Ended demo = run("demo", "--time", "1ms");
        assertThat(demo.exit()).as(demo.out() + demo.err()).isZero();
    }

    @Test
    void nobody_fileThatMayNotBeRead_isTold() throws Exception {
        assumeTrue(isRoot(), "only root may become another user");
        Path config = Cli.write(folder, "agent.yaml", proving());
        Files.setPosixFilePermissions(config, PosixFilePermissions.fromString("rw-------"));
        jar = Files.copy(JAR, folder.resolve("keyturn.jar"), StandardCopyOption.REPLACE_EXISTING);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("r-xr-xr-x"));
        before.addAll(List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"));

        Ended check = run("check", "agent.yaml");

        assertThat(check.exit()).as(check.out() + check.err()).isEqualTo(2);
        assertThat(check.out()).contains("agent.yaml: the file cannot be read: permission denied");
    }

    @Test
    void readOnlyFileSystem_checkAndDemo() throws Exception {
        Cli.write(folder, "agent.yaml", proving());
        // Its own view of the system, in which nothing on disk can be written.
        String readOnly = "mount --make-rprivate / && mount -o remount,bind,ro / && exec \"$@\"";
        before.addAll(List.of("unshare", "--mount", "sh", "-c", readOnly, "sh"));
        List<String> nothing = new ArrayList<>(before);
        nothing.add("true");
        assumeTrue(isRoot() && start(nothing).exit() == 0, "mounts cannot be changed here");

        Ended check = run("check");
        assertThat(check.exit()).as(check.out() + check.err()).isZero();

        Ended demo = run("demo", "--time", "1ms");
        assertThat(demo.exit()).as(demo.out() + demo.err()).isZero();
    }

    private static boolean isRoot() throws IOException {
        return Files.getOwner(Path.of("/proc/self")).getName().equals("root");
    }

    // --- terminals ---

    /** What a terminal shows: script(1) is one. */
    private String onTerminal(String command) throws Exception {
        List<String> script =
                List.of("script", "-qec", command, notes.resolve("typescript").toString());
        assumeTrue(start(List.of("sh", "-c", "command -v script")).exit() == 0, "no script(1) here");
        Ended ended = start(script);
        String shown = Files.readString(notes.resolve("typescript"), UTF_8);
        canary.saw("terminal", shown);
        assertThat(ended.exit()).as(shown).isZero();
        return shown;
    }

    @Test
    void terminal_check_isColouredUnlessToldOtherwise() throws Exception {
        Cli.write(folder, "agent.yaml", proving());
        variables.put("TERM", "xterm");
        String check = JAVA + " -jar " + JAR + " check";

        assertThat(onTerminal(check)).contains("\u001B[32mpass");
        assertThat(onTerminal(check + " | cat")).contains("pass").doesNotContain("\u001B[32m");
        assertThat(onTerminal("NO_COLOR=1 " + check)).contains("pass").doesNotContain("\u001B[32m");
        assertThat(onTerminal("TERM=dumb " + check)).contains("pass").doesNotContain("\u001B");
    }
}
