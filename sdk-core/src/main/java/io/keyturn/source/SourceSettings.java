package io.keyturn.source;

import io.keyturn.config.Settings;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads which source a token or a credential has.
 *
 * @param form what is expected there
 */
record SourceSettings(SourceContext context, Form form) {
    private static final Pattern VARIABLE = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");
    private static final List<String> KEYS = List.of("value", "env", "file", "command", "first_of");

    /** Which of our modules brings which key. */
    private static final Map<String, String> MODULES =
            Map.of("vault", "keyturn-vault", "aws_secrets_manager", "keyturn-aws");

    Optional<TokenSource> read(Settings source) {
        if (source.isText()) {
            return Optional.of(TemplateSource.of(source, form, source::note));
        }
        List<String> present = known().stream().filter(source::has).toList();
        if (isMissingModule(source)) {
            return Optional.empty();
        }
        if (present.size() != 1) {
            source.note(
                    present.isEmpty()
                            ? "has no source: one of value, env, file, command, oauth2, vault, aws_secrets_manager"
                                    + " and first_of is needed"
                            : "has several sources, " + String.join(" and ", present)
                                    + ": give one, or put them in a first_of");
            return Optional.empty();
        }
        String key = present.get(0);
        return source.read(
                key,
                Optional.empty(),
                switch (key) {
                    case "value" -> value -> Optional.of(TemplateSource.of(value, form, value::note));
                    case "env" -> name -> Optional.of(new EnvSource(variable(name), form, context));
                    case "file" -> path -> Optional.of(new FileSource(path(path), form, context));
                    case "command" -> command -> Optional.of(command(command));
                    case "first_of" -> this::firstOf;
                    default -> settings -> Optional.of(made(key, settings));
                });
    }

    /** Every key that stands for a source. */
    private Set<String> known() {
        Set<String> all = new LinkedHashSet<>(KEYS);
        all.addAll(context.host().factories().keySet());
        return all;
    }

    /** Whether it has the key of a module of ours that is not there. */
    private boolean isMissingModule(Settings source) {
        boolean missing = false;
        for (Map.Entry<String, String> module : MODULES.entrySet()) {
            String key = module.getKey();
            if (!context.host().factories().containsKey(key) && source.has(key)) {
                source.refuse(Map.of(key, "'" + key + "' needs " + module.getValue() + " on the class path"));
                source.need("module", module.getValue());
                missing = true;
            }
        }
        return missing;
    }

    private TokenSource made(String key, Settings settings) {
        @Nullable TokenSourceFactory factory = context.host().factories().get(key);
        if (factory == null || form == Form.PEM) {
            throw settings.wrong("'" + key + "' has no PEM: give a file, a variable or the text itself");
        }
        return ConfiguredSource.read(factory, settings, context);
    }

    private static String variable(Settings name) {
        // In env: ${API_TOKEN} the token itself would be taken for a name, and shown in messages.
        if (name.isText() && !name.isLiteral()) {
            throw name.wrong("must be the name of an environment variable as it is, without ${…}");
        }
        String variable = name.text();
        if (!VARIABLE.matcher(variable).matches()) {
            throw name.wrong("must be the name of an environment variable");
        }
        name.need("env", variable);
        return variable;
    }

    private Path path(Settings path) {
        String text = path.text();
        if (text.isBlank()) {
            throw path.wrong("must be a path, and is empty");
        }
        if (!path.isLiteral() && text.indexOf('/') < 0 && text.indexOf('\\') < 0) {
            // In file: ${API_TOKEN} the token itself would be taken for a file's name, and shown in messages.
            throw path.wrong("must hold a '/' where it comes from a variable, such as ./token;"
                    + " for a variable that holds the token itself, write env instead of file");
        }
        try {
            Path file = context.folder().resolve(Path.of(text));
            path.need("file", file.toString());
            return file;
        } catch (InvalidPathException e) {
            throw path.wrong("must be a path");
        }
    }

    private TokenSource command(Settings command) {
        Set<String> passedOn = new LinkedHashSet<>();
        Duration timeout = CommandSource.TIMEOUT;
        Optional<Settings> run = Optional.of(command);
        if (command.isMap()) {
            run = command.get("run");
            passedOn.addAll(command.each("env", SourceSettings::variable));
            timeout = command.duration("timeout", timeout);
        }
        List<Settings> items = run.map(Settings::items).orElse(List.of());
        List<String> words = new ArrayList<>();
        for (Settings item : items) {
            words.add(words.isEmpty() ? program(item) : item.text());
        }
        try {
            return new CommandSource(words, passedOn, timeout, context);
        } catch (IllegalArgumentException e) {
            throw command.wrong("must be a list of words, such as [gh, auth, token]");
        }
    }

    /** One that is written as a path lies where files do: relative to the configuration. */
    private String program(Settings word) {
        String text = word.text();
        if (text.indexOf('/') < 0) {
            if (!word.isLiteral()) {
                // In command: ${API_TOKEN} the token itself would be taken for a program's name, and shown in messages.
                throw word.wrong("must be the program as it is, or hold a '/' where it comes from a variable;"
                        + " for a variable that holds the token itself, write env instead of command");
            }
            return text;
        }
        try {
            return context.folder().resolve(text).toString();
        } catch (InvalidPathException e) {
            throw word.wrong("must be a program's name, or its path");
        }
    }

    private Optional<TokenSource> firstOf(Settings list) {
        if (list.items().isEmpty()) {
            throw list.wrong("must list at least one source");
        }
        List<TokenSource> members =
                list.items().stream().flatMap(item -> read(item).stream()).toList();
        if (members.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new FirstOf(members));
    }
}
