package io.keyturn.yaml;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.events.AliasEvent;
import org.yaml.snakeyaml.events.CollectionEndEvent;
import org.yaml.snakeyaml.events.CollectionStartEvent;
import org.yaml.snakeyaml.events.Event;
import org.yaml.snakeyaml.events.MappingStartEvent;
import org.yaml.snakeyaml.events.NodeEvent;
import org.yaml.snakeyaml.events.ScalarEvent;
import org.yaml.snakeyaml.parser.Parser;
import org.yaml.snakeyaml.parser.ParserImpl;

/**
 * The one reading of a text: the parser's events become settings. Events, not SnakeYAML's nodes: those no longer tell
 * {@code !!str abc} from {@code abc}, have aliases put in place, and accept a repeated key.
 *
 * <p>It goes on after what is merely not allowed, so that all of it is reported together; what is not YAML at all ends
 * it.
 */
final class YamlTree {
    private static final int DEEPEST = 20;
    private static final int LONGEST_KEY = 128;
    /** A deep path of long keys stops growing here: each value below it has a copy. */
    private static final int LONGEST_PATH = 256;
    /** More would tell a person nothing. */
    private static final int MOST_PROBLEMS = 20;

    private final YamlText text;
    private final Parser parser;
    private final List<Problem> problems = new ArrayList<>();
    /** The texts that have an anchor. */
    private final Map<String, String> anchored = new HashMap<>();
    /** How many characters aliases stood for. */
    private int repeated;
    /** The way to what is being read. */
    private String path = "";
    /** How far the parser came. */
    private @Nullable Mark reached;

    YamlTree(YamlText text) {
        this.text = text;
        LoaderOptions limits = new LoaderOptions();
        limits.setCodePointLimit(YamlText.MOST_BYTES);
        this.parser = new ParserImpl(text.reader(), limits);
    }

    Settings read() {
        next(); // the stream begins
        if (!next().is(Event.ID.DocumentStart)) {
            throw stop(Problem.of(text.at(0, ""), "there is nothing in it"));
        }
        Event root = next();
        Location at = text.at(root.getStartMark(), "");
        if (!(root instanceof MappingStartEvent)) {
            throw stop(Problem.of(
                    at,
                    isNothing(root) ? "there is nothing in it" : "must be a map, such as 'agent:' with keys below it"));
        }
        Settings settings = value(root, 1);
        next(); // the document ends
        Event end = next();
        if (end.is(Event.ID.DocumentStart)) {
            note(Problem.of(text.at(end.getStartMark(), ""), "a second document begins here; there must be only one"));
        }
        if (!problems.isEmpty()) {
            throw new ConfigException(problems);
        }
        return settings;
    }

    private Settings value(Event event, int depth) {
        Location at = text.at(event.getStartMark(), path);
        if (!(event instanceof CollectionStartEvent collection)) {
            return Settings.text(at, Placeholders.template(textOf(event)));
        }
        requireDepth(at, depth);
        refuseTag(collection, collection.getTag());
        if (collection.getAnchor() != null) {
            anchored.remove(collection.getAnchor());
        }
        return collection instanceof MappingStartEvent map ? map(map, at, depth) : list(at, depth);
    }

    private Settings list(Location at, int depth) {
        String parent = path;
        List<Settings> items = new ArrayList<>();
        for (Event event = next(); !event.is(Event.ID.SequenceEnd); event = next()) {
            path = under(parent, "[" + items.size() + "]");
            items.add(value(event, depth + 1));
            path = parent;
        }
        return Settings.list(at, items);
    }

    private Settings map(MappingStartEvent map, Location at, int depth) {
        String parent = path;
        Map<String, Settings.Entry> entries = new LinkedHashMap<>();
        for (Event event = next(); !event.is(Event.ID.MappingEnd); event = next()) {
            Location keyAt = text.at(event.getStartMark(), parent);
            String key = key(event, keyAt, depth);
            if (key == null) {
                value(next(), depth + 1);
                continue;
            }
            Settings.Entry former = entries.get(key);
            if (former != null) {
                int line = former.at().line();
                note(Problem.of(keyAt, "the key '" + key + "' was given before, in line " + line));
            }
            path = under(parent, parent.isEmpty() ? key : "." + key);
            Event value = next();
            if (map.isFlow() && isWithoutColon(value)) {
                note(Problem.of(keyAt, "a key without a value; a reference is written ${NAME}"));
            }
            entries.putIfAbsent(key, new Settings.Entry(key, keyAt, value(value, depth + 1)));
            path = parent;
        }
        return Settings.map(at, entries.values());
    }

    /** The text of a key, or null after one that cannot be: it must fit on a line, since paths and messages hold it. */
    private @Nullable String key(Event event, Location at, int depth) {
        if (event instanceof CollectionStartEvent) {
            note(Problem.of(at, "a key must be text; a reference is written ${NAME}"));
            skip(at, depth + 1);
            return null;
        }
        String key = textOf(event);
        if (!fitsOnALine(key)) {
            note(Problem.of(
                    at, "a key stands on one line, and has no tabs and at most " + LONGEST_KEY + " characters"));
            return null;
        }
        return key;
    }

    private static boolean fitsOnALine(String key) {
        boolean fits = key.length() <= LONGEST_KEY;
        for (int i = 0; fits && i < key.length(); i++) {
            fits = !Character.isISOControl(key.charAt(i));
        }
        return fits;
    }

    /** Goes to the end of a collection that has just begun. */
    private void skip(Location at, int depth) {
        requireDepth(at, depth);
        for (Event event = next(); !(event instanceof CollectionEndEvent); event = next()) {
            if (event instanceof CollectionStartEvent) {
                skip(at, depth + 1);
            }
        }
    }

    private void requireDepth(Location at, int depth) {
        if (depth > DEEPEST) {
            throw stop(Problem.of(at, "is nested more than " + DEEPEST + " deep"));
        }
    }

    /** In {@code {A}} the parser makes up a value; where one was meant to be empty, it stands behind a colon. */
    private boolean isWithoutColon(Event value) {
        return isNothing(value) && text.pointAt(value.getStartMark().getIndex() - 1) != ':';
    }

    private String textOf(Event event) {
        if (event instanceof AliasEvent alias) {
            return aliased(alias);
        }
        ScalarEvent scalar = (ScalarEvent) event;
        refuseTag(scalar, scalar.getTag());
        if (scalar.getAnchor() != null) {
            anchored.put(scalar.getAnchor(), scalar.getValue());
            if (scalar.isPlain() && scalar.getValue().isEmpty()) {
                note(Problem.of(
                        text.at(scalar.getStartMark(), path), "a text that begins with & must stand in quotes"));
            }
        }
        return scalar.getValue();
    }

    private String aliased(AliasEvent alias) {
        Location at = text.at(alias.getStartMark(), path);
        String value = anchored.get(alias.getAnchor());
        if (value == null) {
            note(Problem.of(at, "an alias can only stand for a text; a text that begins with * must stand in quotes"));
            return "";
        }
        repeated += value.length();
        if (repeated > YamlText.MOST_BYTES) {
            throw stop(Problem.of(at, "the aliases stand for more than 256 KiB"));
        }
        return value;
    }

    private void refuseTag(NodeEvent event, @Nullable String tag) {
        if (tag != null) {
            Location at = text.at(event.getStartMark(), path);
            note(Problem.of(at, "a tag cannot stand here; a text that begins with ! must stand in quotes"));
        }
    }

    private static boolean isNothing(Event event) {
        return event instanceof ScalarEvent scalar
                && scalar.isPlain()
                && scalar.getValue().isEmpty()
                && scalar.getAnchor() == null
                && scalar.getTag() == null;
    }

    private static String under(String parent, String step) {
        return parent.length() > LONGEST_PATH ? parent : parent + step;
    }

    private Event next() {
        try {
            Event event = parser.getEvent();
            reached = event.getEndMark();
            return event;
        } catch (RuntimeException e) {
            // Not only its own kind: numbers in escapes let a NumberFormatException slip out, which quotes them.
            throw stop(YamlFault.of(e, reached, text, path));
        }
    }

    private void note(Problem problem) {
        problems.add(problem);
        if (problems.size() == MOST_PROBLEMS) {
            throw new ConfigException(problems);
        }
    }

    private ConfigException stop(Problem problem) {
        problems.add(problem);
        return new ConfigException(problems);
    }
}
