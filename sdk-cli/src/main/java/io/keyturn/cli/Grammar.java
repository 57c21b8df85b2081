package io.keyturn.cli;

import io.keyturn.cli.Asked.Direct;
import io.keyturn.config.Location;
import io.keyturn.config.Settings;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.OverwrittenOptionException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The command line, for picocli. It is written as calls and not as annotations, and only the command that is asked for is
 * built: that takes half the time.
 */
final class Grammar {
    private static final List<String> COMMANDS = List.of("check", "validate", "explain", "watch", "status", "demo");

    /** The option of each command that is a time. */
    private static final Map<String, String> TIMES =
            Map.of("watch", "--interval", "status", "--max-age", "demo", "--time");

    private Grammar() {}

    /**
     * What a command line asks for; null if that was help, which is printed.
     *
     * @throws UsageException if it cannot be meant
     */
    static @Nullable Asked read(String[] args, Shell shell) {
        ParseResult parsed = parse(args);
        ParseResult command = parsed.hasSubcommand() ? parsed.subcommand() : parsed;
        if (command.isUsageHelpRequested()) {
            command.commandSpec().commandLine().usage(shell.out(), shell.colour() ? Ansi.ON : Ansi.OFF);
            return null;
        }
        if (command.isVersionHelpRequested()) {
            shell.out().println("keyturn " + version());
            return null;
        }
        if (!parsed.hasSubcommand()) {
            throw new UsageException("which command? " + String.join(", ", COMMANDS), "--help");
        }
        return asked(command);
    }

    private static ParseResult parse(String[] args) {
        try {
            // A file that holds arguments (@file) is a surprise that nobody here needs.
            return new CommandLine(root(args)).setExpandAtFiles(false).parseArgs(args);
        } catch (ParameterException e) {
            CommandSpec at = e.getCommandLine().getCommandSpec();
            throw new UsageException(message(e, at), (at.parent() == null ? "" : at.name() + " ") + "--help");
        }
    }

    /** In words of our own: picocli's repeat what was given, which may be a token in a wrong place. */
    private static String message(ParameterException e, CommandSpec at) {
        if (e instanceof UnmatchedArgumentException unmatched) {
            return unmatched(unmatched, at);
        }
        if (e instanceof MissingParameterException missing) {
            ArgSpec first = missing.getMissing().get(0);
            return first instanceof OptionSpec ? option(first) + " needs a value" : first.paramLabel() + " is missing";
        }
        if (e instanceof OverwrittenOptionException twice) {
            return option(twice.getOverwritten()) + " is given twice";
        }
        return option(e.getArgSpec()) + " takes no such value";
    }

    private static String option(@Nullable ArgSpec spec) {
        return spec instanceof OptionSpec option ? option.longestName() : "an argument";
    }

    private static String unmatched(UnmatchedArgumentException e, CommandSpec at) {
        String first = e.getUnmatched().get(0);
        if (first.startsWith("-") && first.length() > 1) {
            List<String> near = e.getSuggestions();
            String name = first.replaceFirst("(?s)=.*", "");
            return "unknown option"
                    + (name.matches("--[a-z-]{1,20}") ? " " + name : "")
                    + (near.isEmpty() ? "" : ", did you mean " + near.get(0) + "?");
        }
        return at.parent() == null
                ? "unknown command; there are " + String.join(", ", COMMANDS)
                : "too many arguments for " + at.name();
    }

    private static String version() {
        String version = HealthCheck.class.getPackage().getImplementationVersion();
        return version == null ? "(not packaged)" : version;
    }

    // --- what there is ---

    private static CommandSpec root(String[] args) {
        CommandSpec root = command("keyturn", "Proves that an agent's API tokens work.");
        root.addOption(OptionSpec.builder("-V", "--version")
                .arity("0")
                .type(boolean.class)
                .versionHelp(true)
                .description("Prints the version.")
                .build());
        String first = args.length == 0 ? "" : args[0];
        List<String> needed = COMMANDS.contains(first) ? List.of(first) : COMMANDS;
        for (String name : needed) {
            root.addSubcommand(name, new CommandLine(subcommand(name)));
        }
        return root;
    }

    private static CommandSpec subcommand(String name) {
        return switch (name) {
            case "check" -> check();
            case "validate" -> config(command(name, "Tells whether a configuration is right, and what it needs."));
            case "explain" -> config(command(name, "Tells which source gave each token, and why the others did not."));
            case "watch" -> watch();
            case "status" -> status();
            default ->
                command(name, "Shows all of it against an API on loopback, in about 20 s.")
                        .addOption(option("--time", "TIME", "How long requests flow; 15s unless it is said."));
        };
    }

    private static CommandSpec check() {
        CommandSpec check =
                config(command("check", "Proves each token: is it there, may it be used, does its API accept it?"));
        check.addOption(option("--token", "NAME", "Only the token of this name."));
        check.addOption(flag("--strict", "A warning is a failure."));
        check.addOption(option("--timeout", "TIME", "The time for the whole run; 10s unless it is said."));
        check.addOption(option("--env", "VARIABLE", "In place of a file: the variable that holds the token."));
        check.addOption(option("--endpoint", "URL", "With --env: where the token may go."));
        check.addOption(option("--request", "REQUEST", "With --env: what proves it, such as 'GET /v1/me'."));
        check.usageMessage().exitCodeListHeading("Exit codes:%n").exitCodeList(exitCodes());
        return check;
    }

    private static CommandSpec watch() {
        return config(command("watch", "Keeps checking, and tells what happens: swaps, refusals, failures, reloads."))
                .addOption(option("--interval", "TIME", "From one check to the next; 30s unless it is said."));
    }

    private static CommandSpec status() {
        CommandSpec status = command("status", "Tells what a running agent wrote to its status_file; asks nobody.")
                .addPositional(PositionalParamSpec.builder()
                        .index("0")
                        .arity("1")
                        .required(true)
                        .type(String.class)
                        .paramLabel("FILE")
                        .description("What status_file names in the agent's configuration.")
                        .build())
                .addOption(option("--max-age", "TIME", "How old it may be; 30s unless it is said."))
                .addOption(flag("--json", "Prints one JSON document."));
        status.usageMessage().exitCodeListHeading("Exit codes:%n").exitCodeList(statusExitCodes());
        return status;
    }

    private static Map<String, String> statusExitCodes() {
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "The agent is usable; it may be degraded.");
        codes.put("1", "It is not usable.");
        codes.put("2", "The command line is wrong, there is no such file, or it is no agent's status.");
        codes.put("3", "It could not be told: nothing was written for longer than --max-age.");
        return codes;
    }

    private static Map<String, String> exitCodes() {
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "Every token works; there may be warnings.");
        codes.put("1", "A token does not work.");
        codes.put("2", "The command line or the configuration is wrong, or what it names is not there.");
        codes.put("3", "It could not be told: the API cannot be reached, or has problems of its own.");
        return codes;
    }

    private static CommandSpec config(CommandSpec command) {
        return command.addPositional(PositionalParamSpec.builder()
                        .index("0")
                        .arity("0..1")
                        .type(String.class)
                        .paramLabel("CONFIG")
                        .description("The file, or - for standard input. Default: $KEYTURN_CONFIG, then agent.yaml.")
                        .build())
                .addOption(flag("--json", "Prints one JSON document."));
    }

    private static CommandSpec command(String name, String does) {
        CommandSpec command = CommandSpec.create().name(name);
        command.usageMessage().description(does).sortOptions(false).width(100);
        return command.addOption(OptionSpec.builder("-h", "--help")
                .arity("0")
                .type(boolean.class)
                .usageHelp(true)
                .description("Prints this.")
                .build());
    }

    private static OptionSpec flag(String name, String does) {
        return OptionSpec.builder(name)
                .arity("0")
                .type(boolean.class)
                .description(does)
                .build();
    }

    private static OptionSpec option(String name, String label, String does) {
        return OptionSpec.builder(name)
                .arity("1")
                .type(String.class)
                .paramLabel(label)
                .description(does)
                .build();
    }

    // --- what was asked ---

    private static Asked asked(ParseResult command) {
        String name = command.commandSpec().name();
        String config = command.matchedPositionalValue(0, null);
        String token = command.matchedOptionValue("--token", null);
        return new Asked(
                name,
                config,
                direct(command, config),
                token == null ? Set.of() : Set.of(token),
                command.hasMatchedOption("--json"),
                command.hasMatchedOption("--strict"),
                time(command));
    }

    private static @Nullable Direct direct(ParseResult command, @Nullable String config) {
        String variable = command.matchedOptionValue("--env", null);
        String endpoint = command.matchedOptionValue("--endpoint", null);
        String request = command.matchedOptionValue("--request", null);
        if (variable != null && config != null) {
            throw new UsageException("CONFIG or --env: the token is described by one of them", "check --help");
        }
        if (variable == null && (endpoint != null || request != null)) {
            throw new UsageException("--endpoint and --request need --env", "check --help");
        }
        return variable == null ? null : new Direct(variable, endpoint, request);
    }

    /** A duration as the configuration writes them. */
    private static Duration time(ParseResult command) {
        String name = command.commandSpec().name();
        String option = TIMES.getOrDefault(name, "--timeout");
        String text = command.matchedOptionValue(option, null);
        if (text == null) {
            return Asked.time(name);
        }
        Location at = Location.of(option);
        Settings.Entry written = new Settings.Entry(option, at, Settings.text(at, references -> text));
        Duration time = Settings.map(at, List.of(written)).duration(option, Duration.ZERO);
        if (time.isZero()) {
            throw new UsageException(option + " must be a duration such as 500ms, 10s or 2m", name + " --help");
        }
        return time;
    }
}
