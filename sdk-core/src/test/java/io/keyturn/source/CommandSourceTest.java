package io.keyturn.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.TokenAgent;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tokens that programs print. */
@DisabledOnOs(OS.WINDOWS)
@Timeout(60)
class CommandSourceTest {
    /** Longer than any test may take: whatever waits for it fails. */
    private static final Duration TOO_LONG = Duration.ofHours(1);

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final ManualClock clock = new ManualClock();
    private final Map<String, String> variables = new HashMap<>(Map.of("PATH", System.getenv("PATH")));

    /** The processes of a script end with its test, whatever that came to. */
    @AfterEach
    void endWhatIsLeft() throws IOException {
        for (long pid : pids()) {
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        }
    }

    private SourceContext context() {
        return new SourceContext(SourceHost.reading(variables::get, clock), Path.of(""), Set.of());
    }

    private CommandSource command(List<String> words, Duration timeout, String... passedOn) {
        return new CommandSource(words, Set.of(passedOn), timeout, context());
    }

    /** A program of these lines. The token to be printed is its variable TOKEN, so that no file holds it. */
    private CommandSource script(Duration timeout, String... lines) throws IOException {
        variables.put("TOKEN", canary.token());
        variables.put("PIDS", folder.resolve("pids").toString());
        return command(List.of(program(lines).toString()), timeout, "TOKEN", "PIDS");
    }

    private CommandSource script(String... lines) throws IOException {
        return script(TOO_LONG, lines);
    }

    private Path program(String... lines) throws IOException {
        Path program = Files.writeString(folder.resolve("program"), "#!/bin/sh\n" + String.join("\n", lines) + "\n");
        return Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
    }

    /** The processes that a script has written down. */
    private List<Long> pids() throws IOException {
        Path file = folder.resolve("pids");
        return Files.exists(file)
                ? Files.readAllLines(file).stream().map(Long::valueOf).toList()
                : List.of();
    }

    private void awaitPids(int count) {
        Awaitility.await().until(() -> pids().size() == count);
    }

    private void assertNoneLives() throws IOException {
        for (long pid : pids()) {
            Awaitility.await()
                    .until(() ->
                            ProcessHandle.of(pid).filter(ProcessHandle::isAlive).isEmpty());
        }
    }

    // --- what it prints ---

    @Test
    void fetch_plainText_isTheToken() throws Exception {
        TokenDocument document = script("echo \"$TOKEN\"").fetch().orElseThrow();

        assertThat(document.value().reveal()).isEqualTo(canary.token());
        assertThat(document.expiresAt()).isEmpty();
    }

    @Test
    void fetch_json_lifetimeCountsFromBeforeItBegan() throws Exception {
        CommandSource source = script("echo \"{\\\"access_token\\\": \\\"$TOKEN\\\", \\\"expires_in\\\": 60}\"");
        // Time goes by while it is started.
        SourceContext slow = new SourceContext(
                SourceHost.reading(
                        name -> {
                            clock.advance(Duration.ofSeconds(1));
                            return variables.get(name);
                        },
                        clock),
                Path.of(""),
                Set.of());

        TokenDocument document = source.in(slow).fetch().orElseThrow();

        assertThat(document.value().reveal()).isEqualTo(canary.token());
        assertThat(document.expiresAt()).contains(ManualClock.START.plusSeconds(60));
    }

    @Test
    void fetch_printedInPieces_isOneToken() throws Exception {
        CommandSource source = script("printf '%.5s' \"$TOKEN\"", "sleep 0.1", "printf '%s' \"${TOKEN#?????}\"");

        assertThat(source.fetch().orElseThrow().value().reveal()).isEqualTo(canary.token());
    }

    @ParameterizedTest
    @ValueSource(strings = {":", "echo", "printf ' \\r\\n\\t'"})
    void fetch_nothingPrinted_emptyAndSaysSo(String line) throws Exception {
        CommandSource source = script(line);

        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence()).hasMessage(source.describe() + " printed nothing");
        assertThat(source.absence().reason()).isEqualTo(Reason.ABSENT);
        assertThat(source.absence().fix()).contains("by hand");
    }

    @Test
    void fetch_noToken_refusedWithoutIt() throws Exception {
        CommandSource source = script("echo \"$TOKEN\"", "echo \"$TOKEN\"");

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e)
                .hasMessageStartingWith(source.describe() + ": not a token: a header cannot carry")
                .hasNoCause();
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void fetch_oneMebibyte_isReadWhole() throws Exception {
        CommandSource source = script("head -c 1048576 /dev/zero | tr '\\0' a");

        assertThatThrownBy(source::fetch).hasMessageContaining("longer than 65,536 characters");
    }

    @Test
    void fetch_moreThanOneMebibyte_refusedAndKilled() throws Exception {
        CommandSource source = script("echo $$ >> \"$PIDS\"", "while :; do echo \"$TOKEN\"; done");

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e).hasMessage(source.describe() + " printed more than 1 MiB: not a token");
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
        assertNoneLives();
    }

    @Test
    void fetch_muchOnStandardError_isNotInTheWayAndNotTold() throws Exception {
        CommandSource source = script("head -c 1048576 /dev/zero >&2", "echo \"$TOKEN\" >&2", "echo \"$TOKEN\"");

        assertThat(source.fetch().orElseThrow().value().reveal()).isEqualTo(canary.token());
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void fetch_standardInputAndError_areNowhere() throws Exception {
        CommandSource source = script("readlink /proc/$$/fd/0 /proc/$$/fd/2 | tr '\\n' ,");

        assertThat(source.fetch().orElseThrow().value().reveal()).isEqualTo("/dev/null,/dev/null,");
    }

    @Test
    void fetch_programThatReads_hasNothingToRead() throws Exception {
        assertThat(script("cat", "echo \"$TOKEN\"")
                        .fetch()
                        .orElseThrow()
                        .value()
                        .reveal())
                .isEqualTo(canary.token());
    }

    @Test
    void fetch_words_goAsTheyAre() throws Exception {
        String word = "a  $HOME `id` 'b' \"c\" * ; d";

        TokenDocument document =
                command(List.of("printf", "%s", word), TOO_LONG).fetch().orElseThrow();

        assertThat(document.value().reveal()).isEqualTo(word);
    }

    // --- what it knows ---

    @Test
    void fetch_environment_isWhatProgramsNeedAndWhatIsPassedOn() throws Exception {
        variables.putAll(Map.of("HOME", "/h", "LANG", "C", "AWS_SECRET_ACCESS_KEY", canary.token(), "GH_HOST", "h"));
        Path program = program("env | sed 's/=.*//' | grep -v -e '^_$' -e SHLVL -e PWD | sort | tr '\\n' ,");

        TokenDocument document = command(List.of(program.toString()), TOO_LONG, "GH_HOST", "NOT_SET")
                .fetch()
                .orElseThrow();

        assertThat(document.value().reveal()).isEqualTo("GH_HOST,HOME,LANG,PATH,");
    }

    @Test
    void fetch_variableThatNoProcessCanHave_refusedWithoutIt() throws Exception {
        CommandSource source = script("echo \"$TOKEN\"");
        variables.put("TOKEN", canary.token() + "\0");

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e).hasMessage(source.describe() + " could not be started").hasNoCause();
    }

    // --- how it fails ---

    @Test
    void fetch_exitsWithOne_failsAndQuotesNothing() throws Exception {
        CommandSource source = script("echo \"$TOKEN\"", "echo \"$TOKEN\" >&2", "exit 1");

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e).hasMessage(source.describe() + " exited with 1").hasNoCause();
        assertThat(e.reason()).isEqualTo(Reason.UNREACHABLE);
        assertThat(e.fix()).contains("by hand").contains("env");
    }

    @Test
    void fetch_noSuchProgram_isAFaultOfTheConfiguration() {
        SourceException onPath = canary.caught(
                SourceException.class, command(List.of("keyturn-no-such", canary.token()), TOO_LONG)::fetch);
        SourceException atPath = canary.caught(
                SourceException.class, command(List.of("/keyturn/no-such", canary.token()), TOO_LONG)::fetch);

        assertThat(onPath).hasMessage("command keyturn-no-such (1 argument) is not on the PATH");
        assertThat(onPath.fix()).isEqualTo("install keyturn-no-such, or write its path");
        assertThat(onPath.reason()).isEqualTo(Reason.INVALID);
        assertThat(atPath).hasMessage("command /keyturn/no-such (1 argument) is not there, or cannot be executed");
        assertThat(atPath.reason()).isEqualTo(Reason.INVALID);
    }

    @Test
    void fetch_noPath_findsNothing() {
        variables.clear();

        assertThat(canary.caught(SourceException.class, command(List.of("true"), TOO_LONG)::fetch))
                .hasMessage("command true is not on the PATH");
    }

    @Test
    void fetch_notExecutable_isAFaultOfTheConfiguration() throws Exception {
        Path program = program("echo a");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rw-------"));

        for (Path each : List.of(program, folder)) {
            SourceException e =
                    canary.caught(SourceException.class, command(List.of(each.toString()), TOO_LONG)::fetch);
            assertThat(e).hasMessage("command " + each + " is not there, or cannot be executed");
        }
    }

    @Test
    void fetch_noInterpreter_saysSo() throws Exception {
        Path program = program();
        Files.writeString(program, "#!/keyturn/no-such\n");

        SourceException e = canary.caught(SourceException.class, command(List.of(program.toString()), TOO_LONG)::fetch);

        assertThat(e).hasMessage("command " + program + " could not be started").hasNoCause();
        assertThat(e.reason()).isEqualTo(Reason.UNREACHABLE);
        assertThat(e.fix()).contains("interpreter");
    }

    @Test
    void fetch_pathOfTheAgent_isWhereItIsLookedFor() throws Exception {
        program("echo found");
        variables.put("PATH", "/keyturn/no-such:" + folder);

        assertThat(command(List.of("program"), TOO_LONG)
                        .fetch()
                        .orElseThrow()
                        .value()
                        .reveal())
                .isEqualTo("found");
    }

    @Test
    void fetch_pathBelowTheWorkingDirectory_isPassedOver() throws Exception {
        program("echo found");
        Path relative = Path.of("").toAbsolutePath().relativize(folder);
        variables.put("PATH", ":" + relative + ":.");

        assertThat(canary.caught(SourceException.class, command(List.of("program"), TOO_LONG)::fetch))
                .hasMessage("command program is not on the PATH");
    }

    // --- how it ends ---

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '"',
            value = {":, :", "trap '' TERM, :", ":, trap '' TERM"})
    void fetch_tooLong_allOfItIsKilled(String itself, String itsChild) throws Exception {
        CommandSource source = script(
                Duration.ofMillis(300),
                itself,
                "echo $$ >> \"$PIDS\"",
                "(" + itsChild + "; sh -c 'echo $$; sleep 300 & echo $!; wait' >> \"$PIDS\") &",
                "printf %s \"$TOKEN\"",
                "while :; do sleep 300; done");

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e)
                .hasMessage(source.describe() + " did not end within 300 ms, and was killed")
                .hasNoCause();
        assertThat(e.reason()).isEqualTo(Reason.UNREACHABLE);
        assertThat(pids()).hasSize(3);
        assertNoneLives();
    }

    @Test
    void fetch_tooLong_itMayTidyUp() throws Exception {
        Path tidied = folder.resolve("tidied");
        CommandSource source = script(
                Duration.ofMillis(300), "trap 'touch " + tidied + "; exit' TERM", "while :; do sleep 0.01; done");

        canary.caught(SourceException.class, source::fetch);

        assertThat(tidied).exists();
    }

    @Test
    void fetch_interrupted_allOfItIsKilledAtOnce() throws Exception {
        CommandSource source =
                script("trap '' TERM", "echo $$ >> \"$PIDS\"", "sleep 300 & echo $! >> \"$PIDS\"", "wait", "sleep 300");
        AtomicReference<SourceException> thrown = new AtomicReference<>();
        CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            thrown.set(canary.caught(SourceException.class, source::fetch));
            interrupted.complete(Thread.currentThread().isInterrupted());
        });
        thread.start();
        awaitPids(2);

        thread.interrupt();

        assertThat(interrupted.get(30, TimeUnit.SECONDS)).isTrue();
        assertThat(thrown.get())
                .hasMessage(source.describe() + " was interrupted, and killed")
                .hasNoCause();
        assertNoneLives();
    }

    @Test
    void fetch_processThatIsLeftBehind_isNotWaitedForAndStays() throws Exception {
        CommandSource source = script("sleep 300 & echo $! >> \"$PIDS\"", "echo \"$TOKEN\"");

        assertThat(source.fetch().orElseThrow().value().reveal()).isEqualTo(canary.token());
        assertThat(ProcessHandle.of(pids().get(0))).isPresent();
    }

    @Test
    void fetch_processThatIsLeftBehindAndPrints_isNotReadForGood() throws Exception {
        CommandSource source = script("echo \"$TOKEN\"", "yes & echo $! >> \"$PIDS\"");

        try {
            source.fetch();
        } catch (SourceException e) {
            // What the other has printed by then is no token.
            canary.saw(e);
        }

        // Nobody reads what it prints any more.
        assertNoneLives();
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void fetch_twoHundredTimes_nothingIsLeft() throws Exception {
        CommandSource good = script("echo \"$TOKEN\"");
        CommandSource late = command(List.of("sleep", "300"), Duration.ofMillis(5));
        good.fetch();
        canary.caught(SourceException.class, late::fetch);
        int files = openFiles();
        Set<Thread> threads = ownThreads();

        for (int i = 0; i < 200; i++) {
            assertThat(good.fetch().orElseThrow().value().reveal()).isEqualTo(canary.token());
            if (i % 10 == 0) {
                canary.caught(SourceException.class, late::fetch);
            }
        }

        Awaitility.await()
                .until(() -> ProcessHandle.current().children().findAny().isEmpty());
        Awaitility.await().untilAsserted(() -> assertThat(openFiles()).isLessThanOrEqualTo(files));
        assertThat(threads).containsAll(ownThreads());
    }

    private static int openFiles() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return (int) open.count();
        }
    }

    /** Without the JDK's, which waits for the ends of processes and is kept for the next ones, and the tests'. */
    private static Set<Thread> ownThreads() {
        Set<Thread> threads = Thread.getAllStackTraces().keySet();
        threads.removeIf(thread -> thread.getName().startsWith("process reaper")
                || thread.getName().startsWith("awaitility"));
        return threads;
    }

    // --- in an agent ---

    private TokenAgent.Builder agent(TokenSource source) {
        return TokenAgent.builder()
                .environment(variables::get)
                .listener(canary.listener())
                .token("api_token", source);
    }

    @Test
    void agent_tokenThatChanges_isTakenWhenItIsAsked() throws Exception {
        Path version = Files.writeString(folder.resolve("version"), "1");
        CommandSource source = script("echo token-of-$(cat " + version + ")");

        try (TokenAgent agent = agent(source).start()) {
            assertThat(agent.provider("api_token").get().reveal()).isEqualTo("token-of-1");
            Files.writeString(version, "2");
            assertThat(agent.provider("api_token").refresh().reveal()).isEqualTo("token-of-2");
        }
    }

    @Test
    void agent_closed_killsWhatRuns() throws Exception {
        CommandSource source = script(
                "trap '' TERM",
                "if [ -e \"$PIDS\" ]; then echo $$ >> \"$PIDS\"; sleep 300; fi",
                "echo $$ >> \"$PIDS\"",
                "echo \"$TOKEN\"");
        TokenAgent agent = agent(source).start();
        CompletableFuture<Void> refresh = CompletableFuture.runAsync(
                () -> canary.caught(TokenUnavailableException.class, agent.provider("api_token")::refresh));
        awaitPids(2);

        agent.close();

        refresh.get(30, TimeUnit.SECONDS);
        assertNoneLives();
    }

    @Test
    void agent_noSuchProgram_isNotWaitedFor() {
        TokenAgent.Builder agent =
                agent(TokenSources.command("keyturn-no-such", "token")).startTimeout(TOO_LONG);

        assertThat(canary.caught(TokenUnavailableException.class, agent::start))
                .hasMessage("no token 'api_token': command keyturn-no-such (1 argument) is not on the PATH");
    }

    // --- what it is ---

    @Test
    void describe_words_areCountedAndNotShown() {
        List<String> told = new ArrayList<>();
        for (List<String> words :
                List.of(List.of("gh"), List.of("gh", canary.token()), List.of("gh", "auth", canary.token()))) {
            TokenSource source = command(words, TOO_LONG);
            canary.saw("source", source);
            told.add(source.describe());
        }

        assertThat(told).containsExactly("command gh", "command gh (1 argument)", "command gh (2 arguments)");
    }

    @Test
    void every_always_aMinute() {
        TokenSource source = TokenSources.command("gh", "auth", "token");

        assertThat(source.every()).contains(Duration.ofMinutes(1));
        assertThat(source.isLocal()).isFalse();
    }

    @Test
    void equals_sameProgram_whoeverAsks() {
        TokenSource source = TokenSources.command("gh", "auth", "token");

        assertThat(source)
                .isEqualTo(TokenSources.command("gh", "auth", "token"))
                .hasSameHashCodeAs(TokenSources.command("gh", "auth", "token"))
                .isEqualTo(source.in(context()))
                .isNotEqualTo(TokenSources.command("gh", "auth"))
                .isNotEqualTo(command(List.of("gh", "auth", "token"), Duration.ofSeconds(9)))
                .isNotEqualTo(command(List.of("gh", "auth", "token"), CommandSource.TIMEOUT, "GH_HOST"));
        assertThat(command(List.of("gh", "auth", "token"), CommandSource.TIMEOUT))
                .isEqualTo(source);
    }

    @Test
    void command_noneOrImpossible_refusedAtOnce() {
        assertThatThrownBy(TokenSources::command).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> TokenSources.command(" ")).isInstanceOf(IllegalArgumentException.class);
        assertThat(canary.caught(
                        IllegalArgumentException.class, () -> TokenSources.command("gh", canary.token() + "\0")))
                .hasMessage("a word of a command holds a NUL");
    }
}
