package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The command that keeps looking, on a thread of this process. */
@Timeout(60)
class WatchTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final RecordingServer api = RecordingServer.start();
    private final Map<String, String> variables = new ConcurrentHashMap<>();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final List<Thread> running = new ArrayList<>();

    @BeforeEach
    void guard() throws IOException {
        api.on("/v1/me", seen -> seen.header("Authorization").isEmpty() ? Answer.of(401, "") : Answer.ok(""));
        token(canary.token());
    }

    @AfterEach
    void stop() throws InterruptedException {
        for (Thread thread : running) {
            thread.interrupt();
            thread.join(TimeUnit.SECONDS.toMillis(10));
        }
        canary.saw("output", out.toString(UTF_8)).saw("errors", err.toString(UTF_8));
        api.close();
    }

    /** As a careful writer does it: complete before it has its name, and for the owner alone. */
    private void token(String value) throws IOException {
        Path unnamed = Files.createTempFile(
                folder,
                "token",
                ".new",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(unnamed, value);
        Files.move(unnamed, folder.resolve("token"), StandardCopyOption.ATOMIC_MOVE);
    }

    private String yaml(String... more) throws IOException {
        String text = "agent:\n  name: watched\n  api_token: {file: token}\n  endpoint: " + api.url("/")
                + "\n  check: GET /v1/me\n" + String.join("", more);
        Path unnamed = Cli.write(folder, "agent.new", text);
        return Files.move(unnamed, folder.resolve("agent.yaml"), StandardCopyOption.ATOMIC_MOVE)
                .toString();
    }

    private FutureTask<Integer> watch(OutputStream to, String... args) {
        Shell shell = new Shell(
                "keyturn",
                variables::get,
                InputStream.nullInputStream(),
                new PrintStream(to, false, UTF_8),
                new PrintStream(err, true, UTF_8),
                false,
                false);
        FutureTask<Integer> task = new FutureTask<>(() -> HealthCheck.run(args, shell));
        Thread thread = new Thread(task, "watch-test");
        running.add(thread);
        thread.start();
        return task;
    }

    private FutureTask<Integer> watch(String... args) {
        return watch(out, args);
    }

    private void begin(String... args) {
        var unused = watch(out, args);
    }

    private String said() {
        return out.toString(UTF_8);
    }

    private void says(String pattern) {
        await().atMost(Duration.ofSeconds(15))
                .untilAsserted(() -> assertThat(said()).containsPattern(pattern));
    }

    private int ended(FutureTask<Integer> task) throws Exception {
        running.forEach(Thread::interrupt);
        return task.get(10, TimeUnit.SECONDS);
    }

    private long checks() {
        return said().lines()
                .filter(line -> line.matches("\\S+  check +(pass|warn|fail|unknown): .*"))
                .count();
    }

    // --- what is told ---

    @Test
    void watch_fromTheFirstToken_isToldAndChecked() throws Exception {
        FutureTask<Integer> watching = watch("watch", yaml(), "--interval", "100ms");

        says("(?m)^20\\S+Z  resolved +api_token#[0-9a-f]{12}, from file .*/token$");
        says("(?m)^20\\S+Z  check +pass: agent watched, 1 token$");
        await().atMost(Duration.ofSeconds(15)).until(() -> checks() >= 3);

        assertThat(ended(watching)).isZero();
        assertThat(said()).endsWith("\n").doesNotContain("\u001B");
        assertThat(err.toString(UTF_8)).isEmpty();
        assertThat(api.seen("/v1/me"))
                .filteredOn(seen -> seen.header("Authorization").isEmpty())
                .as("requests without the token")
                .hasSize(1);
    }

    @Test
    void swap_byFile_isToldWhenItHappens() throws Exception {
        FutureTask<Integer> watching = watch("watch", yaml(), "--interval", "1h");
        says("check +pass");

        token("another-" + canary.token());

        says("(?m)^20\\S+Z  swapped +api_token#[0-9a-f]{12} takes the place of #[0-9a-f]{12}, from file .*/token$");
        assertThat(ended(watching)).isZero();
    }

    @Test
    void swap_refusedByTheApi_isTold() throws Exception {
        api.on("/v1/me", seen -> Answer.of(seen.holds("Bearer " + canary.token()) ? 200 : 401, ""));
        begin("watch", yaml("  verify: true\n"), "--interval", "1h");
        says("check +pass");

        token("another-" + canary.token());

        says("(?m)^20\\S+Z  swap_refused +api_token#[0-9a-f]{12} was not taken: GET /v1/me: .*401");
    }

    @Test
    void source_fails_isTold() throws Exception {
        begin("watch", yaml(), "--interval", "200ms");
        says("check +pass");

        Files.delete(folder.resolve("token"));

        says("(?m)^20\\S+Z  refresh_failed +api_token: file .*/token does not exist$");
        says("(?m)^20\\S+Z  check +api_token resolve: warn: .* since 20\\S+Z; the last good token serves");
        says("(?m)^20\\S+Z  check +warn: ");
    }

    @Test
    void configuration_wrongThenRight_isTold() throws Exception {
        begin("watch", yaml(), "--interval", "200ms");
        says("check +pass");

        yaml("  endpiont: https://api.example.com\n");
        says(
                "(?m)^20\\S+Z  reload_failed +\\S*agent.yaml:6:3 agent: unknown key 'endpiont', did you mean 'endpoint'\\?");
        says("(?m)^20\\S+Z  check +api_token config: warn: the configuration was changed");

        yaml("  required: false\n");
        says("(?m)^20\\S+Z  reloaded +in force: api_token$");
        says("(?m)^20\\S+Z  check +api_token config: pass: ");
    }

    @Test
    void check_ofEachInterval_tellsOnlyWhatHasChanged() throws Exception {
        begin("watch", yaml(), "--interval", "50ms");
        says("check +pass");
        api.on("/v1/me", Answer.of(503, ""));
        says("check +api_token authenticate: unknown: GET /v1/me: server error \\(503\\).* \\(fix: ");
        long before = checks();
        await().atMost(Duration.ofSeconds(15)).until(() -> checks() > before + 3);
        api.on("/v1/me", seen -> seen.header("Authorization").isEmpty() ? Answer.of(401, "") : Answer.ok(""));
        says("check +api_token authenticate: pass: GET /v1/me: 200");

        assertThat(said().lines().filter(line -> line.contains("authenticate: unknown")))
                .hasSize(1);
        assertThat(said()).doesNotContain("authenticate: skip").doesNotContain("resolve: pass");
    }

    // --- for programs ---

    @Test
    void json_everything_isOneObjectALine() throws Exception {
        FutureTask<Integer> watching = watch("watch", yaml(), "--interval", "100ms", "--json");
        says("\"event\":\"check\"");
        token("another-" + canary.token());
        says("\"event\":\"swapped\"");
        yaml("  nothing: 1\n");
        says("\"event\":\"reload_failed\"");
        yaml("  poll: 2s\n");
        says("\"event\":\"reloaded\"");
        Files.delete(folder.resolve("token"));
        says("\"event\":\"refresh_failed\"");
        assertThat(ended(watching)).isZero();

        List<JsonNode> lines = new ArrayList<>();
        for (String line : said().lines().toList()) {
            lines.add(JSON.readTree(line));
        }
        assertThat(lines).allSatisfy(line -> {
            assertThat(line.get("schema").asInt()).isEqualTo(1);
            assertThat(line.get("at").asText()).startsWith("20");
        });
        JsonNode resolved = of("resolved", lines);
        assertThat(resolved.get("token").asText()).isEqualTo("api_token");
        assertThat(resolved.get("generation").asLong()).isEqualTo(1);
        assertThat(resolved.get("fingerprint").asText()).matches("[0-9a-f]{12}");
        assertThat(of("swapped", lines).get("previous")).isEqualTo(resolved.get("fingerprint"));
        assertThat(of("reloaded", lines).get("restart").get(0).asText()).isEqualTo("poll");
        assertThat(of("refresh_failed", lines).get("reason").asText()).isEqualTo("absent");
        JsonNode check = of("check", lines);
        assertThat(check.get("agent").asText()).isEqualTo("watched");
        assertThat(check.get("ok").asBoolean()).isTrue();
        assertThat(check.get("tokens").get(0).get("steps")).isNotEmpty();
    }

    private static JsonNode of(String event, List<JsonNode> lines) {
        return lines.stream()
                .filter(line -> line.get("event").asText().equals(event))
                .findFirst()
                .orElseThrow();
    }

    // --- it only looks ---

    @Test
    void watch_filesForProbes_areNotTouched() throws Exception {
        Files.createFile(folder.resolve("ready"));
        FutureTask<Integer> watching =
                watch("watch", yaml("  status_file: status.json\n  ready_file: ready\n"), "--interval", "1h");
        says("check +pass");
        ended(watching);

        assertThat(folder.resolve("status.json")).doesNotExist();
        assertThat(folder.resolve("ready")).exists();
    }

    // --- how it begins and ends ---

    @Test
    void configuration_wrong_is2() throws Exception {
        assertThat(watch("watch", yaml("  nothing: 1\n")).get(10, TimeUnit.SECONDS))
                .isEqualTo(2);
        assertThat(said()).contains("agent.yaml:6:3 agent: unknown key 'nothing'");
        assertThat(new Cli(canary)
                        .run("watch", yaml("  nothing: 1\n"), "--json")
                        .json()
                        .get("ok")
                        .asBoolean())
                .isFalse();
    }

    @Test
    void configuration_variableUnset_is2() {
        String file = Cli.write(folder, "agent.yaml", "agent:\n  api_token: ${NOT_SET}\n")
                .toString();
        Cli.Ended ended = new Cli(canary).run("watch", file);
        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out()).contains("2:14 agent.api_token: environment variable NOT_SET is not set");
    }

    @Test
    void token_isNotThereYet_isNotWaitedFor() throws Exception {
        Files.delete(folder.resolve("token"));
        begin("watch", yaml("  start_timeout: 1h\n"), "--interval", "100ms");
        says("check +fail: ");

        token(canary.token());

        says("(?m)^20\\S+Z  resolved +api_token#");
        says("check +pass: ");
    }

    @Test
    void end_whileACheckHangs_comesAtOnce() throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        try {
            api.on("/v1/me", seen -> {
                try {
                    over.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                return Answer.ok("");
            });
            FutureTask<Integer> watching = watch("watch", yaml(), "--interval", "1h");
            await().atMost(Duration.ofSeconds(15))
                    .until(() -> !api.seen("/v1/me").isEmpty());

            // Less than the check would take; a check that was cut off tells nothing.
            assertThat(ended(watching)).isZero();
            assertThat(said()).contains("resolved").doesNotContain("  check ");
        } finally {
            over.countDown();
        }
    }

    @Test
    void end_tokenDoesNotWork_isTheLastChecksExitCode() throws Exception {
        api.on("/v1/me", Answer.of(401, ""));
        FutureTask<Integer> watching = watch("watch", yaml(), "--interval", "1h");
        says("check +fail: ");

        assertThat(ended(watching)).isEqualTo(1);
    }

    @Test
    void end_nobodyReads_comesByItself() throws Exception {
        OutputStream closed = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("Broken pipe");
            }
        };

        assertThat(watch(closed, "watch", yaml(), "--interval", "1h").get(15, TimeUnit.SECONDS))
                .isZero();
    }
}
