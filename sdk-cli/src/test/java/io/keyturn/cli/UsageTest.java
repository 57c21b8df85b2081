package io.keyturn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.cli.Cli.Ended;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class UsageTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Cli cli = new Cli(canary);

    /** Wrong: told on standard error, and nothing on standard output but a document for whoever parses it. */
    private Ended refused(String... args) {
        Ended ended = cli.run(args);
        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out()).isEmpty();
        assertThat(ended.err()).startsWith("keyturn: ").contains("\nSee: ");

        String[] json = new String[args.length + 1];
        System.arraycopy(args, 0, json, 0, args.length);
        json[args.length] = "--json";
        Ended document = cli.run(json);
        assertThat(document.exit()).isEqualTo(2);
        assertThat(document.json().get("ok").asBoolean()).isFalse();
        assertThat(document.json().get("errors")).hasSize(1);
        return ended;
    }

    @Test
    void noCommand_lists() {
        assertThat(refused().err())
                .contains("check, validate, explain, watch, status, demo")
                .contains("keyturn --help");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rotate", "audit", "chek", "check agent.yaml", ""})
    void unknownCommand_lists(String command) {
        assertThat(refused(command).err()).contains("unknown command").contains("validate");
    }

    @Test
    void unknownOption_suggests() {
        assertThat(refused("check", "--strikt").err()).contains("unknown option --strikt, did you mean --strict?");
        assertThat(refused("validate", "--strict").err()).contains("unknown option --strict");
        assertThat(refused("check", "-x").err()).contains("unknown option");
    }

    @ParameterizedTest
    @ValueSource(strings = {"check", "validate", "explain", "watch", "status", "demo"})
    void tooManyArguments_areRefused(String command) {
        assertThat(refused(command, "a.yaml", "b.yaml").err()).contains("too many arguments for " + command);
    }

    @Test
    void valueMissing_isTold() {
        assertThat(cli.run("check", "a.yaml", "--timeout").err()).contains("--timeout needs a value");
        assertThat(refused("check", "--token").err()).contains("--token needs a value");
        assertThat(refused("status").err()).contains("keyturn: FILE is missing");
    }

    @Test
    void optionTwice_isTold() {
        assertThat(refused("check", "--token", "a", "--token", "b").err()).contains("--token is given twice");
    }

    @ParameterizedTest
    @ValueSource(strings = {"10", "0s", "-1s", "soon", "1h30m", ""})
    void timeout_notADuration_isRefused(String time) {
        assertThat(refused("check", "--timeout=" + time).err()).contains("--timeout must be a duration such as");
        assertThat(refused("watch", "--interval=" + time).err()).contains("--interval must be a duration such as");
        assertThat(refused("status", "a", "--max-age=" + time).err()).contains("--max-age must be a duration such as");
        assertThat(refused("demo", "--time=" + time).err()).contains("--time must be a duration such as");
    }

    @Test
    void direct_withConfigOrIncomplete_isRefused() {
        assertThat(refused("check", "a.yaml", "--env", "A").err()).contains("CONFIG or --env");
        assertThat(refused("check", "--endpoint", "https://api.example.com").err())
                .contains("need --env");
        assertThat(refused("check", "--request", "GET /").err()).contains("need --env");
    }

    @Test
    void token_unknown_listsTheNames() {
        cli.with("A", canary.token());
        String file = Cli.write(folder, "agent.yaml", "agent:\n  tokens:\n    one: {env: A}\n    two: {env: A}\n")
                .toString();

        assertThat(refused("check", file, "--token", "three").err())
                .contains("--token takes the name of a token: one, two")
                .doesNotContain("three");
    }

    /** Somebody gives a token where its name is wanted, or in a wrong place: it is in their history then, not in our logs. */
    @Test
    void values_areNotRepeated() {
        cli.with("A", canary.token());
        String file = Cli.write(folder, "agent.yaml", "agent:\n  api_token: {env: A}\n")
                .toString();

        refused("check", file, "--token", canary.token());
        refused("check", file, canary.token());
        refused("check", file, "--tokn=" + canary.token());
        refused("check", file, "-t" + canary.token());
        refused("check", file, "--" + canary.token());
        refused("check", "--timeout", canary.token());
        assertThat(cli.run("check", "--json=" + canary.token()).json().get("errors"))
                .hasSize(1);
        refused(canary.token());
        assertThat(cli.run("check", "--env", canary.token()).exit()).isEqualTo(2);
        assertThat(cli.run("check", "--env", "A", "--endpoint", canary.token()).exit())
                .isEqualTo(2);
        assertThat(cli.run("check", "--env", "A", "--request", canary.token()).exit())
                .isEqualTo(2);
    }

    @Test
    void arguments_atSign_isNoFileOfArguments() {
        String file = Cli.write(folder, "args", "--help").toString();

        Ended ended = cli.run("check", "@" + file, "--strict");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out()).startsWith("@" + file + ": the file does not exist");
    }

    // --- help ---

    @Test
    void help_root_listsTheCommands() {
        Ended ended = cli.run("--help");

        assertThat(ended.exit()).isZero();
        assertThat(ended.out())
                .contains("check", "validate", "explain", "watch", "status", "demo", "--version")
                .doesNotContain("\u001B");
        assertThat(ended.err()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "check, Usage: keyturn check",
        "validate, Usage: keyturn validate",
        "explain, Usage: keyturn explain",
        "watch, Usage: keyturn watch",
        "status, Usage: keyturn status",
        "demo, Usage: keyturn demo"
    })
    void help_command_tellsItsOptions(String command, String usage) {
        for (String option : new String[] {"--help", "-h"}) {
            Ended ended = cli.run(command, option);
            assertThat(ended.exit()).isZero();
            assertThat(ended.out()).startsWith(usage);
        }
    }

    @Test
    void help_check_listsExitCodes() {
        assertThat(cli.run("check", "--help").out())
                .contains("--token", "--json", "--strict", "--timeout", "--env", "--endpoint", "--request")
                .contains("Exit codes:");
    }

    @Test
    void help_watchAndStatus_tellTheirOptions() {
        assertThat(cli.run("watch", "--help").out()).contains("--interval", "--json", "CONFIG");
        assertThat(cli.run("status", "--help").out()).contains("--max-age", "--json", "FILE", "Exit codes:");
    }

    @Test
    void version_isPrinted() {
        assertThat(cli.run("--version").out()).startsWith("keyturn ");
        assertThat(cli.run("-V").exit()).isZero();
    }

    // --- the same without picocli ---

    @Test
    void plainly_optionless_isWhatPicocliReads() {
        Shell shell = new Shell("keyturn", name -> null, System.in, System.out, System.err, false, false);
        for (String command : new String[] {"check", "validate", "explain"}) {
            for (String[] args :
                    new String[][] {{command}, {command, "a.yaml"}, {command, "-"}, {command, ""}, {command, "@a"}}) {
                assertThat(Asked.plainly(args)).isNotNull().isEqualTo(Grammar.read(args, shell));
            }
        }
        String[] status = {"status", "status.json"};
        assertThat(Asked.plainly(status)).isNotNull().isEqualTo(Grammar.read(status, shell));
    }

    @Test
    void plainly_anythingElse_isLeftToPicocli() {
        for (String[] args : new String[][] {
            {},
            {"demo"},
            {"watch"},
            {"status"},
            {"status", "--json"},
            {"check", "--json"},
            {"check", "-h"},
            {"check", "--"},
            {"check", "a", "b"},
            {"--help"}
        }) {
            assertThat(Asked.plainly(args)).isNull();
        }
    }
}
