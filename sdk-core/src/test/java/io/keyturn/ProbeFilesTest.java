package io.keyturn;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.keyturn.AgentStatus.Phase;
import io.keyturn.check.Status;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import io.keyturn.event.TokenEvent;
import io.keyturn.provider.TokenStatus;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** What probes of other processes see of an agent. */
@Timeout(60)
class ProbeFilesTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final PushedSource source = TokenSources.pushed();
    private final ManualClock clock = new ManualClock();
    private Path statusFile;
    private Path readyFile;

    @BeforeEach
    void name() {
        statusFile = folder.resolve("status.json");
        readyFile = folder.resolve("ready");
        source.set(canary.token());
    }

    private TokenAgent.Builder builder() {
        return TokenAgent.builder()
                .name("ci-agent")
                .statusFile(statusFile)
                .readyFile(readyFile)
                .token("api_token", source);
    }

    private AgentStatus written() {
        try {
            byte[] json = Files.readAllBytes(statusFile);
            canary.saw("status file", new String(json, java.nio.charset.StandardCharsets.UTF_8));
            return AgentStatus.parse(json).orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private List<String> names() {
        try (Stream<Path> all = Files.list(folder)) {
            return all.map(file -> file.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static TokenDocument ending(String value, Instant end) {
        return TokenDocument.of(value).withExpiresAt(end);
    }

    // --- an agent's life ---

    @Test
    void start_tokenThere_bothAreThereWhenItReturns() throws Exception {
        try (TokenAgent agent = builder().start()) {
            assertThat(names()).containsExactly("ready", "status.json");
            assertThat(readyFile).isEmptyFile();
            AgentStatus status = written();
            assertThat(status.agent()).isEqualTo("ci-agent");
            assertThat(status.phase()).isEqualTo(Phase.RUNNING);
            assertThat(status.ok()).isTrue();
            assertThat(status.tokens()).isEqualTo(agent.status().tokens());
        }
    }

    @Test
    void start_anyUmask_everyUserMayReadThem() throws Exception {
        try (TokenAgent agent = builder().start()) {
            for (Path file : List.of(statusFile, readyFile)) {
                assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                        .isEqualTo("rw-r--r--");
            }
            assertThat(agent.status().ok()).isTrue();
        }
    }

    @Test
    void swap_another_isWrittenAtOnce() throws Exception {
        try (TokenAgent agent = builder().start()) {
            String before = written().token("api_token").orElseThrow().fingerprint();

            source.set("another-" + canary.token());

            await().atMost(Duration.ofSeconds(5)).untilAsserted(() -> {
                TokenStatus token = written().token("api_token").orElseThrow();
                assertThat(token.fingerprint())
                        .isNotEqualTo(before)
                        .isEqualTo(agent.provider("api_token").get().fingerprint());
                assertThat(token.generation()).isEqualTo(2);
            });
            assertThat(names()).containsExactly("ready", "status.json");
        }
    }

    @Test
    void close_running_theLastStatusSaysSoAndReadyIsGone() throws Exception {
        builder().start().close();

        await().atMost(Duration.ofSeconds(5)).until(() -> written().phase() == Phase.CLOSED);
        assertThat(names()).containsExactly("status.json");
        assertThat(written().ok()).isFalse();
        assertThat(written().token("api_token").orElseThrow().fingerprint()).isNull();
    }

    @Test
    void close_byAnInterruptedThread_isTheSame() throws Exception {
        TokenAgent agent = builder().start();

        Thread.currentThread().interrupt();
        agent.close();

        assertThat(Thread.interrupted()).isTrue();
        await().atMost(Duration.ofSeconds(5)).untilAsserted(() -> {
            assertThat(names()).containsExactly("status.json");
            assertThat(written().phase()).isEqualTo(Phase.CLOSED);
        });
    }

    @Test
    void close_anotherAgentHasTheFilesNow_leavesThemAlone() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        AtomicReference<Phase> phase = new AtomicReference<>(Phase.RUNNING);
        try (AgentThreads threads = new AgentThreads(Clock.systemUTC(), Duration.ofSeconds(1), List.of())) {
            ProbeFiles old = new ProbeFiles(
                    statusFile,
                    readyFile,
                    () -> {
                        asked.incrementAndGet();
                        return new AgentStatus("old", Instant.now(), phase.get(), List.of(), Set.of(), null);
                    },
                    threads,
                    Duration.ofHours(1));
            old.begin();
            phase.set(Phase.CLOSED);
            old.closed();
            await().atMost(Duration.ofSeconds(5)).until(() -> written().phase() == Phase.CLOSED);

            try (TokenAgent agent = builder().start()) {
                int before = asked.get();
                threads.events().onEvent(new TokenEvent.Expired(Instant.EPOCH, "api_token", "3f9a1c2b44d0", 1));
                await().atMost(Duration.ofSeconds(5)).until(() -> asked.get() > before);
                old.closed();

                assertThat(readyFile).exists();
                assertThat(written().agent()).isEqualTo("ci-agent");
                assertThat(agent.status().ok()).isTrue();
            }
        }
    }

    // --- before the start has succeeded ---

    @Test
    void start_configurationWrong_whatAnEarlierRunLeftIsRemoved() throws Exception {
        Files.writeString(readyFile, "of an earlier run");

        assertThatThrownBy(() -> builder()
                        .token("other", source, t -> t.endpoint("https://a.example.com"))
                        .token("third", source, t -> t.endpoint("https://a.example.com"))
                        .start())
                .isInstanceOf(ConfigException.class);

        assertThat(names()).isEmpty();
    }

    @Test
    void start_anySource_readyIsRemovedBeforeItIsAsked() throws Exception {
        Files.createFile(readyFile);
        List<Boolean> seen = new CopyOnWriteArrayList<>();
        TokenSource looking = TokenSources.of("looking", () -> {
            seen.add(Files.exists(readyFile));
            return TokenDocument.of(canary.token());
        });

        try (TokenAgent agent = builder().token("looking", looking).start()) {
            assertThat(seen).containsExactly(false);
            assertThat(readyFile).exists();
            assertThat(agent.status().ok()).isTrue();
        }
    }

    @Test
    void start_requiredTokenNeverComes_saysClosedAndIsNeverReady() {
        AtomicBoolean wasReady = new AtomicBoolean();
        TokenSource absent = TokenSources.of("absent", () -> {
            wasReady.compareAndSet(false, Files.exists(readyFile));
            await().atMost(Duration.ofSeconds(5)).until(() -> written().phase() == Phase.STARTING);
            throw new IOException();
        });

        assertThatThrownBy(() -> builder()
                        .token("absent", absent)
                        .startTimeout(Duration.ofMillis(300))
                        .start())
                .isInstanceOf(TokenUnavailableException.class);

        assertThat(wasReady).isFalse();
        await().atMost(Duration.ofSeconds(5)).until(() -> written().phase() == Phase.CLOSED);
        assertThat(names()).containsExactly("status.json");
    }

    // --- while it runs ---

    @Test
    void ready_requiredTokenEnds_isGoneUntilThereIsAnother() throws Exception {
        source.set(ending(canary.token(), clock.instant().plusSeconds(60)));
        try (TokenAgent agent = builder().clock(clock).start()) {
            assertThat(readyFile).exists();

            clock.advance(Duration.ofSeconds(61));

            await().atMost(Duration.ofSeconds(5)).untilAsserted(() -> {
                assertThat(readyFile).doesNotExist();
                assertThat(written().token("api_token").orElseThrow().state()).isEqualTo(TokenStatus.State.EXPIRED);
                assertThat(written().ok()).isFalse();
            });

            source.set(ending("another-" + canary.token(), clock.instant().plusSeconds(60)));

            await().atMost(Duration.ofSeconds(5)).untilAsserted(() -> {
                assertThat(readyFile).exists();
                assertThat(written().ok()).isTrue();
            });
            assertThat(agent.status().ok()).isTrue();
        }
    }

    @Test
    void ready_listenerHangs_isGoneWhenTheTokenEnds() throws Exception {
        source.set(ending(canary.token(), clock.instant().plusSeconds(60)));
        CountDownLatch over = new CountDownLatch(1);
        try (TokenAgent agent = builder()
                .clock(clock)
                .listener(event -> {
                    try {
                        over.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                })
                .start()) {
            clock.advance(Duration.ofSeconds(61));

            // Less than the beat: so it was the event.
            await().atMost(Duration.ofSeconds(5)).until(() -> !Files.exists(readyFile));
            assertThat(agent.status().ok()).isFalse();
        } finally {
            over.countDown();
        }
    }

    @Test
    void ready_sourceFails_staysWhileTheTokenLives() throws Exception {
        AtomicBoolean down = new AtomicBoolean();
        TokenSource db = TokenSources.of("accounts db", () -> {
            if (down.get()) {
                throw new IOException(canary.token());
            }
            return TokenDocument.of(canary.token());
        });
        try (TokenAgent agent = TokenAgent.builder()
                .statusFile(statusFile)
                .readyFile(readyFile)
                .token("api_token", db)
                .start()) {
            down.set(true);

            canary.caught(
                    TokenUnavailableException.class,
                    () -> agent.provider("api_token").refresh());

            await().atMost(Duration.ofSeconds(5)).untilAsserted(() -> {
                assertThat(written().status()).isEqualTo(Status.WARN);
                assertThat(written().token("api_token").orElseThrow().failure()).contains("accounts db");
            });
            assertThat(written().ok()).isTrue();
            assertThat(readyFile).exists();
        }
    }

    @Test
    void ready_optionalTokenIsMissing_isThere() throws Exception {
        try (TokenAgent agent = builder()
                .token("other", TokenSources.pushed(), TokenOptions::optional)
                .start()) {
            assertThat(readyFile).exists();
            assertThat(agent.status().status()).isEqualTo(Status.WARN);
        }
    }

    @Test
    void events_ofRequests_areNotWritten() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        try (AgentThreads threads = new AgentThreads(Clock.systemUTC(), Duration.ofSeconds(1), List.of())) {
            ProbeFiles probes = probes(threads, asked, Duration.ofHours(1));
            probes.begin();
            await().atMost(Duration.ofSeconds(5)).until(() -> asked.get() == 1);

            TokenEvent rejected = new TokenEvent.Rejected(Instant.EPOCH, "api_token", "3f9a1c2b44d0", 1);
            for (int i = 0; i < 100; i++) {
                threads.events().onEvent(rejected);
            }
            threads.events().onEvent(new TokenEvent.Expired(Instant.EPOCH, "api_token", "3f9a1c2b44d0", 1));

            await().atMost(Duration.ofSeconds(5)).until(() -> asked.get() > 1);
            probes.started();
            assertThat(asked).hasValue(3);
        }
    }

    private ProbeFiles probes(AgentThreads threads, AtomicInteger asked, Duration beat) {
        return new ProbeFiles(
                statusFile,
                readyFile,
                () -> {
                    asked.incrementAndGet();
                    return new AgentStatus("a", Instant.now(), Phase.RUNNING, List.of(), Set.of(), null);
                },
                threads,
                beat);
    }

    @Test
    void beat_nothingHappens_bothAreWrittenAnew() throws Exception {
        try (AgentThreads threads = new AgentThreads(Clock.systemUTC(), Duration.ofSeconds(1), List.of())) {
            AtomicInteger asked = new AtomicInteger();
            probes(threads, asked, Duration.ofMillis(50)).begin();
            for (int i = 0; i < 3; i++) {
                await().atMost(Duration.ofSeconds(5)).until(() -> names().equals(List.of("ready", "status.json")));
                Files.delete(readyFile);
                Files.delete(statusFile);
            }
        }
        assertThat(ProbeFiles.BEAT).isEqualTo(Duration.ofSeconds(10));
    }

    @Test
    void statusFile_whileItIsWritten_isAlwaysWhole() throws Exception {
        try (TokenAgent agent = builder().start()) {
            AtomicBoolean over = new AtomicBoolean();
            Thread swapping = new Thread(() -> {
                for (int i = 0; i < 300; i++) {
                    source.set("token-" + i);
                }
                over.set(true);
            });
            swapping.start();
            while (!over.get()) {
                assertThat(written().ok()).isTrue();
            }
            swapping.join();
            await().atMost(Duration.ofSeconds(5))
                    .until(() -> written().tokens().equals(agent.status().tokens()));
        }
    }

    // --- where they cannot be written ---

    @Test
    void folder_isNotThere_isToldOnceAndHarmsNobody() throws Exception {
        Path nowhere = folder.resolve("nowhere");
        try (Logs logs = Logs.of(TokenAgent.class);
                TokenAgent agent = builder()
                        .statusFile(nowhere.resolve("status.json"))
                        .readyFile(nowhere.resolve("ready"))
                        .start()) {
            for (int i = 0; i < 5; i++) {
                source.set("token-" + i);
                assertThat(agent.provider("api_token").get().reveal()).isEqualTo("token-" + i);
            }
            assertThat(logs.lines())
                    .filteredOn(line -> line.contains("cannot be written"))
                    .containsExactlyInAnyOrder(
                            "WARN " + nowhere.resolve("status.json")
                                    + " cannot be written: its folder does not exist; it is tried again",
                            "WARN " + nowhere.resolve("ready")
                                    + " cannot be written: its folder does not exist; it is tried again");

            Files.createDirectory(nowhere);
            source.set("token-there");

            await().atMost(Duration.ofSeconds(5)).until(() -> Files.exists(nowhere.resolve("ready")));
        }
    }

    @Test
    void readyFile_isAFolder_isLeftAlone() throws Exception {
        Files.createDirectory(readyFile);
        try (TokenAgent agent = builder().start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo(canary.token());
        }
        assertThat(readyFile).isEmptyDirectory();
    }

    /** Somebody who may write there cannot make the agent write somewhere else. */
    @Test
    void statusFile_linksThatLieThere_areNotFollowed() throws Exception {
        Path victim = Files.writeString(folder.resolve("victim"), "precious");
        Files.createSymbolicLink(statusFile, victim);
        Files.createSymbolicLink(folder.resolve(".status.json.keyturn"), victim);
        Files.createSymbolicLink(readyFile, victim);

        try (TokenAgent agent = builder().start()) {
            assertThat(written().ok()).isTrue();
            assertThat(Files.isSymbolicLink(statusFile)).isFalse();
            assertThat(agent.status().ok()).isTrue();
        }

        assertThat(victim).hasContent("precious");
    }

    @Test
    void paths_neitherIsSaid_nothingIsWritten() throws Exception {
        try (TokenAgent agent = TokenAgent.builder().token("api_token", source).start()) {
            assertThat(agent.status().ok()).isTrue();
        }
        assertThat(names()).isEmpty();
    }

    // --- from settings ---

    private TokenAgent.Builder configured(Map<String, Object> keys) {
        Map<String, Object> agent = map("api_token", "abcdefgh");
        agent.putAll(keys);
        return TokenAgent.builder().settings(Written.in("agent.yaml", map("agent", agent)), folder);
    }

    @Test
    void settings_relativePaths_areInTheFilesFolder() throws Exception {
        try (TokenAgent agent = configured(map("status_file", "status.json", "ready_file", "./ready"))
                .start()) {
            assertThat(written().ok()).isTrue();
            assertThat(readyFile).exists();
            assertThat(agent.status().ok()).isTrue();
        }
    }

    @Test
    void settings_theProgramSaysIt_thatCounts() throws Exception {
        try (TokenAgent agent = configured(map("status_file", "other.json"))
                .statusFile(statusFile)
                .start()) {
            assertThat(names()).containsExactly("status.json");
            assertThat(agent.status().ok()).isTrue();
        }
    }

    @Test
    void settings_theSameFileOrNone_isAnError() {
        assertThatThrownBy(() -> configured(map("status_file", "x/../y", "ready_file", "y"))
                        .start())
                .isInstanceOfSatisfying(
                        ConfigException.class,
                        e -> assertThat(e.problems())
                                .extracting(problem -> problem.at().path() + ": " + problem.message())
                                .containsExactly("agent.ready_file: must be another file than 'status_file'"));
        for (String path : List.of("", ".", "/", "a\0b")) {
            assertThatThrownBy(() -> configured(map("status_file", path)).start())
                    .isInstanceOfSatisfying(
                            ConfigException.class, e -> assertThat(e.problems()).hasSize(1));
        }
    }

    @Test
    void lookingOnly_checkExplainValidateWatch_writeNothing() throws Exception {
        Files.createFile(readyFile);
        Map<String, Object> keys = map("status_file", "status.json", "ready_file", "ready");

        configured(keys).check(Duration.ofSeconds(5), Set.of());
        configured(keys).explain(Set.of());
        configured(keys).validate();
        try (TokenAgent agent = configured(keys).watch()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("abcdefgh");
            assertThat(agent.status().ok()).isTrue();
        }

        assertThat(names()).containsExactly("ready");
    }

    // --- and when those change ---

    private void configure(Path yaml, Map<String, Object> agent) throws IOException {
        configuration = Written.in("agent.yaml", map("agent", agent));
        Path next = Files.writeString(folder.resolve("next"), String.valueOf(agent.hashCode()));
        Files.move(next, yaml, StandardCopyOption.ATOMIC_MOVE);
    }

    private volatile Settings configuration;

    @Test
    void reload_wrongThenRight_statusSaysSo() throws Exception {
        Path yaml = folder.resolve("agent.yaml");
        configure(yaml, map("api_token", "abcdefgh", "status_file", "status.json"));
        List<TokenEvent> events = new CopyOnWriteArrayList<>();
        try (TokenAgent agent = TokenAgent.builder()
                .settings(configuration, folder)
                .reloadFrom(yaml, bytes -> configuration)
                .listener(events::add)
                .start()) {
            configure(yaml, map("api_token", "abcdefgh", "status_file", "status.json", "nam", "x"));

            await().atMost(Duration.ofSeconds(10)).untilAsserted(() -> {
                assertThat(agent.status().outdated()).contains("unknown key 'nam'");
                assertThat(written().outdated()).contains("unknown key 'nam'");
                assertThat(written().status()).isEqualTo(Status.WARN);
                assertThat(written().ok()).isTrue();
            });

            configure(yaml, map("api_token", "abcdefgh", "status_file", "elsewhere.json", "ready_file", "ready"));

            // Less than the beat.
            await().atMost(Duration.ofSeconds(5)).untilAsserted(() -> {
                assertThat(written().outdated()).isNull();
                assertThat(events)
                        .last()
                        .isInstanceOfSatisfying(
                                TokenEvent.Reloaded.class,
                                e -> assertThat(e.restart()).containsExactly("status_file", "ready_file"));
            });
            assertThat(names()).containsExactly("agent.yaml", "status.json");
        }
    }

    // --- somebody who watches ---

    @Test
    void watch_tokenIsNotThere_isNotWaitedFor() throws Exception {
        try (TokenAgent agent = TokenAgent.builder()
                .token("api_token", TokenSources.file(folder.resolve("token").toString()))
                .startTimeout(Duration.ofHours(1))
                .watch()) {
            assertThat(agent.status().phase()).isEqualTo(Phase.RUNNING);
            assertThat(agent.status().ok()).isFalse();

            Path token = Files.createFile(
                    folder.resolve("new"),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.writeString(token, canary.token());
            Files.move(token, folder.resolve("token"));

            await().atMost(Duration.ofSeconds(10)).until(() -> agent.status().ok());
        }
    }

    @Test
    void watch_checks_sendTheRequestWithoutATokenOnce() throws Exception {
        try (RecordingServer api = RecordingServer.start()) {
            api.on("/v1/me", RecordingServer.Answer.ok(""));
            try (TokenAgent agent = TokenAgent.builder()
                    .token("api_token", source, t -> t.endpoint(api.url("/")).check("GET /v1/me"))
                    .watch()) {
                List<String> found = new ArrayList<>();
                for (int i = 0; i < 3; i++) {
                    found.add(agent.check()
                            .token("api_token")
                            .flatMap(token -> token.step("anonymous"))
                            .orElseThrow()
                            .reason());
                }

                assertThat(found).containsExactly("proves_nothing", "proves_nothing", "proves_nothing");
                assertThat(api.seen("/v1/me"))
                        .hasSize(4)
                        .filteredOn(seen -> seen.header("Authorization").isEmpty())
                        .hasSize(1);
            }
        }
    }

    @Test
    void watch_apiWasDownAtFirst_sendsItWhenItCanBeAnswered() throws Exception {
        AtomicBoolean accepted = new AtomicBoolean();
        try (RecordingServer api = RecordingServer.start()) {
            api.on(
                    "/v1/me",
                    seen -> RecordingServer.Answer.of(
                            accepted.get() && !seen.header("Authorization").isEmpty() ? 200 : 401, ""));
            try (TokenAgent agent = TokenAgent.builder()
                    .token("api_token", source, t -> t.endpoint(api.url("/")).check("GET /v1/me"))
                    .watch()) {
                agent.check();
                accepted.set(true);
                assertThat(agent.check().status()).isEqualTo(Status.PASS);
                assertThat(agent.check().status()).isEqualTo(Status.PASS);
                accepted.set(false);
                assertThat(agent.check()
                                .token("api_token")
                                .flatMap(token -> token.step("anonymous"))
                                .orElseThrow()
                                .status())
                        .isEqualTo(Status.SKIP);

                assertThat(api.seen("/v1/me"))
                        .filteredOn(seen -> seen.header("Authorization").isEmpty())
                        .hasSize(1);
            }
        }
    }

    @Test
    void check_ofAnAgentThatServes_sendsItEachTime() throws Exception {
        try (RecordingServer api = RecordingServer.start()) {
            api.on("/v1/me", seen -> RecordingServer.Answer.ok(""));
            try (TokenAgent agent = TokenAgent.builder()
                    .token("api_token", source, t -> t.endpoint(api.url("/")).check("GET /v1/me"))
                    .start()) {
                agent.check();
                agent.check();
                assertThat(api.seen("/v1/me"))
                        .filteredOn(seen -> seen.header("Authorization").isEmpty())
                        .hasSize(2);
            }
        }
    }

    /** A folder that hangs is a mount whose server is gone: nothing waits for it longer than a moment. */
    @Test
    void close_folderHangs_returnsAllTheSame() throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        AgentThreads threads = new AgentThreads(Clock.systemUTC(), Duration.ofSeconds(1), List.of());
        ProbeFiles hanging = new ProbeFiles(
                statusFile,
                null,
                () -> {
                    try {
                        over.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    throw new IllegalStateException();
                },
                threads,
                Duration.ofHours(1));
        try {
            hanging.begin();
            Thread closing = new Thread(hanging::closed);
            closing.start();
            closing.join(TimeUnit.SECONDS.toMillis(10));
            assertThat(closing.isAlive()).isFalse();
        } finally {
            over.countDown();
            threads.close();
        }
    }
}
