package io.keyturn.config;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A text, a list or a map of a configuration, and where it was written. An origin (a YAML file, a framework's properties,
 * a test) builds the tree; {@link #open} begins one reading of it.
 *
 * <p>Reading collects instead of failing. A key is read together with its type and its default, in the one place that
 * knows it: {@code settings.duration("start_timeout", Duration.ofSeconds(10))}. Where the value is wrong the problem is
 * noted at its place and the default is answered, so that one pass finds everything. A key that nobody asked for is
 * unknown, and {@link #finish} says so with a suggestion. A factory of a source thus need not check anything itself.
 *
 * <p>The tree is immutable; a reading is for one thread. What is read again later, on other threads, is {@link #apart}.
 */
public final class Settings {
    /** The tree as it was written. Exactly one of the three is there. */
    record Node(
            Location at,
            @Nullable Template text,
            @Nullable List<Settings> items,
            @Nullable Map<String, Entry> entries) {}

    /**
     * A key of a map and its value.
     *
     * @param key the key as it was written
     * @param at where the key stands
     * @param value what it is set to
     */
    public record Entry(String key, Location at, Settings value) {}

    /** Reads a value; what it throws is noted at the value's place. */
    @FunctionalInterface
    public interface Parser<T> {
        /** The value that is meant; a {@link ConfigException} where there is none. */
        T parse(Settings value);
    }

    private static final References NOTHING = new References() {
        @Override
        public @Nullable String variable(String name) {
            return null;
        }

        @Override
        public @Nullable String file(String path) {
            return null;
        }
    };

    private final Node node;
    private final Reading reading;
    private final References references;

    private Settings(Node node, Reading reading, References references) {
        this.node = node;
        this.reading = reading;
        this.references = references;
    }

    /** A text whose references are filled in when it is read. */
    public static Settings text(Location at, Template text) {
        return unread(new Node(at, text, null, null));
    }

    /** A list. */
    public static Settings list(Location at, List<Settings> items) {
        return unread(new Node(at, null, List.copyOf(items), null));
    }

    /** A map; a repeated key is the origin's to refuse, since it knows both places. */
    public static Settings map(Location at, Collection<Entry> entries) {
        Map<String, Entry> byKey = new LinkedHashMap<>();
        entries.forEach(entry -> byKey.put(entry.key(), entry));
        return unread(new Node(at, null, null, byKey));
    }

    /**
     * Settings that a program writes: maps, lists, and whatever else stands for its text as it is, without references.
     */
    public static Settings of(Map<String, ?> map) {
        return of(Location.of(""), map);
    }

    private static Settings of(Location at, Object value) {
        if (value instanceof Map<?, ?> map) {
            List<Entry> entries = new ArrayList<>();
            map.forEach((key, each) -> {
                Location place = at.child(String.valueOf(key));
                entries.add(new Entry(String.valueOf(key), place, of(place, each)));
            });
            return map(at, entries);
        }
        if (value instanceof Collection<?> list) {
            return list(at, list.stream().map(each -> of(at, each)).toList());
        }
        return text(at, new Literal(String.valueOf(value)));
    }

    /** A text that is what it is. It may be a secret. */
    private record Literal(String text) implements Template {
        @Override
        public String expand(References references) {
            return text;
        }

        @Override
        public String toString() {
            return "[text]";
        }
    }

    private static Settings unread(Node node) {
        return new Settings(node, Reading.forgetting(), NOTHING);
    }

    /** Begins a reading: nothing asked for yet, nothing wrong. */
    public Settings open(References with) {
        return new Settings(node, Reading.begin(), with);
    }

    /** The same settings in the same reading, with references that are looked up another way. */
    public Settings with(References with) {
        return new Settings(node, reading, with);
    }

    /** The same text apart from this reading: it may be read again later, on any thread, and notes nothing any more. */
    public Settings apart() {
        return new Settings(node, Reading.forgetting(), references);
    }

    private Settings in(Settings parent) {
        return new Settings(node, parent.reading, parent.references);
    }

    // --- what stands here ---

    /** Where the value was written. */
    public Location at() {
        return node.at;
    }

    /** Whether this is a text. */
    public boolean isText() {
        return node.text != null;
    }

    /** Whether this is a map. */
    public boolean isMap() {
        return node.entries != null;
    }

    /** Whether this is a text that stands for itself: nothing from outside the configuration is filled in. */
    public boolean isLiteral() {
        if (node.text == null) {
            return false;
        }
        LookUps lookUps = new LookUps();
        try {
            node.text.expand(lookUps);
        } catch (ConfigException e) {
            // Malformed or, since everything is empty here, missing: whoever reads the text hears of it.
            return !lookUps.asked;
        }
        return !lookUps.asked;
    }

    /** Tells whether anything is looked up, and that it is empty. */
    private static final class LookUps implements References {
        private boolean asked;

        @Override
        public String variable(String name) {
            asked = true;
            return "";
        }

        @Override
        public String file(String path) {
            asked = true;
            return "";
        }
    }

    /** What the references in it are filled in with. */
    public References references() {
        return references;
    }

    /** Whether another one is the same text as it was written, wherever that was, with the same references. */
    public boolean isSameText(Settings other) {
        return node.text != null && node.text.equals(other.node.text) && references.equals(other.references);
    }

    /**
     * The text, its references filled in as they are now.
     *
     * @throws ConfigException if this is no text, or a reference in it cannot be filled in
     */
    public String text() {
        if (node.text == null) {
            throw wrong("must be text, and is a " + (isMap() ? "map" : "list"));
        }
        try {
            return node.text.expand(reading.noting(references, node.at));
        } catch (ConfigException e) {
            throw new ConfigException(
                    e.problems().stream().map(p -> p.movedTo(node.at)).toList());
        }
    }

    /**
     * The text as a positive duration such as {@code 10s}, {@code 5m}, {@code 12h} or {@code 90d}.
     *
     * @throws ConfigException if it is none
     */
    public Duration duration() {
        return Durations.parse(text());
    }

    /** The items of a list; a text or a map is a list of one. */
    public List<Settings> items() {
        List<Settings> items = node.items == null ? List.of(this) : node.items;
        return items.stream().map(item -> item.in(this)).toList();
    }

    /** The keys of a map, in the order they were written; none of anything else. */
    public Set<String> keys() {
        return node.entries == null ? Set.of() : node.entries.keySet();
    }

    /** Whether a map has this key; asking for it makes it known. */
    public boolean has(String key) {
        return get(key).isPresent();
    }

    /** What a key of a map is set to; asking for it makes it known. */
    public Optional<Settings> get(String key) {
        if (node.entries == null) {
            return Optional.empty();
        }
        reading.asked(node).add(key);
        return Optional.ofNullable(node.entries.get(key))
                .map(entry -> entry.value().in(this));
    }

    // --- a key with its type and its default ---

    /** A key of any type: empty where it is not there, or where it is wrong, which is noted. */
    public <T> Optional<T> read(String key, Parser<T> parser) {
        Optional<Settings> value = get(key);
        if (value.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(parser.parse(value.get()));
        } catch (ConfigException e) {
            reading.add(e, value.get().at());
            return Optional.empty();
        }
    }

    /** A key of any type with its default. */
    public <T> T read(String key, T fallback, Parser<T> parser) {
        return read(key, parser).orElse(fallback);
    }

    /** Each item of a list; a wrong one is noted and left out. */
    public <T> List<T> each(String key, Parser<T> parser) {
        List<T> good = new ArrayList<>();
        for (Settings item : get(key).map(Settings::items).orElse(List.of())) {
            try {
                good.add(parser.parse(item));
            } catch (ConfigException e) {
                reading.add(e, item.at());
            }
        }
        return good;
    }

    /** A text. */
    public String text(String key, String fallback) {
        return read(key, fallback, Settings::text);
    }

    /** A text that must be there; what is answered where it is not makes no difference, since {@link #finish} fails. */
    public String text(String key) {
        if (!has(key)) {
            note("'" + key + "' is missing");
        }
        return text(key, "");
    }

    /** {@code true} or {@code false}. */
    public boolean flag(String key, boolean fallback) {
        return read(key, fallback, value -> switch (value.text()) {
            case "true" -> true;
            case "false" -> false;
            default -> throw value.wrong("must be true or false");
        });
    }

    /** A positive duration such as {@code 10s}, {@code 5m}, {@code 12h} or {@code 90d}. */
    public Duration duration(String key, Duration fallback) {
        return read(key, fallback, Settings::duration);
    }

    /** A day, which begins at midnight UTC, or an instant of ISO 8601; null where it is not there. */
    public @Nullable Instant date(String key) {
        return read(key, value -> Durations.date(value.text())).orElse(null);
    }

    /** A list of texts. */
    public List<String> texts(String key) {
        return each(key, Settings::text);
    }

    // --- what is wrong ---

    /** An exception that says that this value is wrong. */
    public ConfigException wrong(String message) {
        return new ConfigException(List.of(Problem.of(node.at, message)));
    }

    /** Notes that something is wrong with this value, and goes on. */
    public void note(String message) {
        note(Problem.of(node.at, message));
    }

    /** Notes a problem that was found elsewhere. */
    public void note(Problem problem) {
        reading.add(problem);
    }

    /** Notes that something outside is needed here, such as a variable. */
    public void need(String kind, String name) {
        reading.need(kind, name, node.at);
    }

    /**
     * Makes keys known that cannot stand here, since they belong to a later version, a module that is missing or another
     * place: whoever sets one is told why, at the key.
     */
    public void refuse(Map<String, String> why) {
        if (node.entries == null) {
            return;
        }
        reading.asked(node).addAll(why.keySet());
        node.entries.forEach((key, entry) -> {
            String message = why.get(key);
            if (message != null) {
                note(Problem.of(entry.at(), message));
            }
        });
    }

    /** What the reading has found to be needed outside the configuration, in the order of the file. */
    public List<Need> needs() {
        return reading.needs().stream()
                .sorted(Comparator.comparing(Need::at, ORDER))
                .toList();
    }

    /** What the reading has found to be wrong so far, with the keys that nobody asked for, in the order of the file. */
    public List<Problem> problems() {
        List<Problem> all = new ArrayList<>(reading.problems());
        addUnknownKeys(all);
        all.sort(Comparator.comparing(Problem::at, ORDER));
        return all;
    }

    /**
     * Ends the reading.
     *
     * @throws ConfigException if anything was wrong
     */
    public void finish() {
        List<Problem> all = problems();
        if (!all.isEmpty()) {
            throw new ConfigException(all);
        }
    }

    private static final Comparator<Location> ORDER =
            Comparator.comparingInt(Location::line).thenComparingInt(Location::column);

    private void addUnknownKeys(List<Problem> found) {
        for (Settings item : node.items == null ? List.<Settings>of() : node.items) {
            item.in(this).addUnknownKeys(found);
        }
        if (node.entries == null || !reading.wasRead(node)) {
            return;
        }
        Set<String> known = reading.asked(node);
        node.entries.forEach((key, entry) -> {
            if (known.contains(key)) {
                entry.value().in(this).addUnknownKeys(found);
                return;
            }
            String hint = Suggestion.of(key, known)
                    .map(word -> ", did you mean '" + word + "'?")
                    .orElse("");
            found.add(Problem.of(entry.at(), "unknown key '" + key + "'" + hint));
        });
    }
}
