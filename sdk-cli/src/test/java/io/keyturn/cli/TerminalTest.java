package io.keyturn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.cli.Cli.Ended;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a person at a terminal sees, and a file or a pipe does not. With real terminals: {@link RunnableJarIT}. */
class TerminalTest {
    private static final String ESCAPE = "\u001B";
    private static final String START_OF_LINE = "\r" + ESCAPE + "[K";

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Cli cli = new Cli(canary);

    private String seed() {
        cli.with("A", canary.token());
        return Cli.write(folder, "agent.yaml", "agent:\n  api_token: ${A}\n").toString();
    }

    @Test
    void colour_terminal_paintsWords() {
        String plain = cli.run("check", seed()).out();
        String painted = cli.onTerminal().run("check", seed()).out();

        assertThat(plain).doesNotContain(ESCAPE);
        assertThat(painted).contains(ESCAPE + "[33mwarn");
        assertThat(painted.replaceAll(ESCAPE + "\\[[0-9]+m", "")).isEqualTo(plain);
    }

    @Test
    void colour_json_isNever() {
        assertThat(cli.onTerminal().run("check", seed(), "--json").out()).doesNotContain(ESCAPE);
    }

    @Test
    @Timeout(60)
    void progress_waiting_isOneLineAndGoneInTheEnd() {
        try (RecordingServer api = RecordingServer.start()) {
            String file = Cli.write(folder, "slow.yaml", slow(api)).toString();

            Ended ended = cli.with("A", canary.token()).onTerminal().run("check", file, "--timeout", "1500ms");

            assertThat(ended.err()).startsWith(START_OF_LINE + "check " + file).endsWith(START_OF_LINE);
            assertThat(ended.err()).doesNotContain("\n");
            assertThat(ended.out()).doesNotContain("\r");
        }
    }

    @Test
    @Timeout(60)
    void progress_noTerminal_isNone() {
        try (RecordingServer api = RecordingServer.start()) {
            String file = Cli.write(folder, "slow.yaml", slow(api)).toString();

            Ended ended = cli.with("A", canary.token()).run("check", file, "--timeout", "1500ms");

            assertThat(ended.exit()).isEqualTo(3);
            assertThat(ended.err()).isEmpty();
        }
    }

    private static String slow(RecordingServer api) {
        CountDownLatch never = new CountDownLatch(1);
        api.on("/", seen -> {
            try {
                never.await(1, TimeUnit.MINUTES);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return Answer.ok("");
        });
        return "agent:\n  api_token: ${A}\n  endpoint: " + api.url("/") + "\n  check: GET /\n";
    }

    @ParameterizedTest
    @CsvSource({
        "/dev/pts/3, true",
        "/dev/tty, true",
        "/dev/tty1, true",
        "/dev/console, true",
        "/dev/null, false",
        "pipe:[1234], false",
        "socket:[1234], false",
        "/tmp/dev/pts/3, false"
    })
    void terminal_isToldByWhatADescriptorIs(String target, boolean terminal) throws Exception {
        Path descriptor = Files.createSymbolicLink(folder.resolve("fd"), Path.of(target));

        assertThat(Terminal.isTerminal(descriptor)).isEqualTo(terminal);
    }

    @Test
    void terminal_noSuchDescriptor_isNone() {
        assertThat(Terminal.isTerminal(folder.resolve("none"))).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "sdk-cli/target/keyturn.jar demo, java -jar sdk-cli/target/keyturn.jar",
        "/my files/k.jar check a.jar, java -jar /my files/k.jar",
        "io.keyturn.cli.HealthCheck check, keyturn",
        "'', keyturn"
    })
    void command_isWhatWasStarted(String started, String command) {
        assertThat(Shell.command(started)).isEqualTo(command);
    }

    @ParameterizedTest
    @CsvSource({"xterm, '', true", "xterm, 1, false", "xterm, 0, false", "dumb, '', false", "'', '', true"})
    void colour_variables_areHeard(String term, String noColour, boolean wanted) {
        assertThat(Shell.wantsColour(name -> name.equals("TERM") ? term : name.equals("NO_COLOR") ? noColour : null))
                .isEqualTo(wanted);
    }
}
