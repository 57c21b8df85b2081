package io.keyturn.config;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Settings as a test writes them: {@code Written.in("agent.yaml", map("agent", map("api_token", "${A}")))}. Everything
 * has the place that it would have in a YAML file with one key or item a line. References are {@code ${A}}, {@code
 * ${A:-default}} and {@code ${file:PATH}}, and no more than that: the real language lives in another module.
 */
public final class Written {
    private static final Pattern REFERENCE = Pattern.compile("\\$\\{(file:)?([^}:]*)(?::-([^}]*))?\\}?");

    private final String file;
    private int line;

    private Written(String file) {
        this.file = file;
    }

    /** Keys and values in turn; a value is a text, a list or a map. */
    public static Map<String, Object> map(Object... keysAndValues) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            map.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return map;
    }

    /** Settings of a file. */
    public static Settings in(String file, Object tree) {
        Written written = new Written(file);
        written.line = 1;
        return written.value(tree, 1, 1, "");
    }

    /** Settings of a program, which have a path alone. */
    public static Settings inProgram(Object tree) {
        return new Written("").value(tree, 0, 0, "");
    }

    /** A text with references. */
    public static Template template(String raw) {
        return new Text(raw);
    }

    /** Two that were written alike are equal. */
    private static final class Text implements Template {
        private final String raw;

        Text(String raw) {
            this.raw = raw;
        }

        @Override
        public String expand(References references) {
            return Written.expand(raw, references);
        }

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Text that && raw.equals(that.raw);
        }

        @Override
        public int hashCode() {
            return raw.hashCode();
        }
    }

    private Location at(int column, String path) {
        return file.isEmpty() ? Location.of(path) : new Location(file, line, column, path);
    }

    private Settings value(Object tree, int column, int indent, String path) {
        if (tree instanceof List<?> items) {
            return list(items, indent, path);
        }
        if (tree instanceof Map<?, ?> map) {
            return map(map, indent, path);
        }
        Settings text = Settings.text(at(column, path), template((String) tree));
        line++;
        return text;
    }

    private Settings list(List<?> items, int indent, String path) {
        Location at = at(indent, path);
        List<Settings> all = new ArrayList<>();
        for (Object item : items) {
            all.add(value(item, indent + 2, indent + 2, path + "[" + all.size() + "]"));
        }
        return Settings.list(at, all);
    }

    private Settings map(Map<?, ?> map, int indent, String path) {
        Location at = at(indent, path);
        List<Settings.Entry> entries = new ArrayList<>();
        map.forEach((name, value) -> {
            String key = (String) name;
            Location keyAt = at(indent, path);
            boolean nested = value instanceof Map<?, ?> || value instanceof List<?>;
            line += nested ? 1 : 0;
            Settings set = value(value, indent + key.length() + 2, indent + 2, path.isEmpty() ? key : path + "." + key);
            entries.add(new Settings.Entry(key, keyAt, set));
        });
        return Settings.map(at, entries);
    }

    private static String expand(String raw, References references) {
        List<Problem> problems = new ArrayList<>();
        Matcher reference = REFERENCE.matcher(raw);
        StringBuilder text = new StringBuilder();
        while (reference.find()) {
            String value = "";
            if (!reference.group().endsWith("}") || reference.group(2).isEmpty()) {
                problems.add(problem(Reason.INVALID, "a '}' is missing", null));
            } else {
                value = value(reference, references, problems);
            }
            reference.appendReplacement(text, Matcher.quoteReplacement(value));
        }
        if (!problems.isEmpty()) {
            throw new ConfigException(problems);
        }
        return reference.appendTail(text).toString();
    }

    private static String value(Matcher reference, References references, List<Problem> problems) {
        boolean isFile = reference.group(1) != null;
        String name = reference.group(2);
        String value = null;
        try {
            value = isFile ? references.file(name) : references.variable(name);
        } catch (TokenException e) {
            problems.add(problem(e.reason(), String.valueOf(e.getMessage()), e.fix()));
            return "";
        }
        String fallback = reference.group(3);
        if (value == null && fallback == null) {
            problems.add(
                    isFile
                            ? problem(Reason.ABSENT, "file " + name + " does not exist", null)
                            : problem(Reason.UNSET, "environment variable " + name + " is not set", null));
            return "";
        }
        return fallback != null && (value == null || value.isEmpty()) ? fallback : value;
    }

    private static Problem problem(Reason reason, String message, @Nullable String fix) {
        return new Problem(Location.of(""), reason, message, fix);
    }
}
