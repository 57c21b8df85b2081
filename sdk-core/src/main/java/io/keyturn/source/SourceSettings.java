package io.keyturn.source;

import io.keyturn.config.Settings;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** Reads which source a token has. */
record SourceSettings(Path folder) {
    private static final Pattern VARIABLE = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");
    private static final List<String> KEYS = List.of("value", "env", "file", "first_of");
    private static final Map<String, String> LATER = Map.of(
            "command", "'command' is not supported yet",
            "oauth2", "'oauth2' is not supported yet",
            "vault", "'vault' is not supported yet: it will need keyturn-vault on the class path",
            "aws_secrets_manager",
                    "'aws_secrets_manager' is not supported yet: it will need keyturn-aws on the class path");

    Optional<TokenSource> read(Settings token) {
        if (token.isText()) {
            return Optional.of(TemplateSource.of(token, token::note));
        }
        token.refuse(LATER);
        List<String> present = KEYS.stream().filter(token::has).toList();
        if (LATER.keySet().stream().anyMatch(token::has)) {
            return Optional.empty();
        }
        if (present.size() != 1) {
            token.note(
                    present.isEmpty()
                            ? "has no source: one of value, env, file and first_of is needed"
                            : "has several sources, " + String.join(" and ", present)
                                    + ": give one, or put them in a first_of");
            return Optional.empty();
        }
        return token.read(
                present.get(0),
                Optional.empty(),
                switch (present.get(0)) {
                    case "value" -> value -> Optional.of(TemplateSource.of(value, value::note));
                    case "env" -> name -> Optional.of(TokenSources.env(variable(name)));
                    case "file" -> path -> Optional.of(TokenSources.file(path(path)));
                    default -> list -> firstOf(list);
                });
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
            Path file = folder.resolve(Path.of(text));
            path.need("file", file.toString());
            return file;
        } catch (InvalidPathException e) {
            throw path.wrong("must be a path");
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
