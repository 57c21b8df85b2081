package io.keyturn.yaml;

import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.error.MarkedYAMLException;

/** Why a text is not YAML, in words of our own: SnakeYAML's quote the text. */
final class YamlFault {
    private static final String IN_LIST = "while parsing a flow sequence";
    private static final String IN_MAP = "while parsing a flow mapping";
    private static final String BEHIND_BLOCK = "expected <block end>";

    private static final String TAG = "a tag cannot stand here; a text that begins with ! must stand in quotes";

    /** By what the parser was doing; shown where it began to. */
    private static final Map<String, String> BEGUN = Map.of(
            "while scanning a quoted scalar", "the quote that begins here is not closed",
            "while scanning a simple key", "a key must be followed by a colon and a space",
            "while scanning an alias", "a text that begins with * must stand in quotes",
            "while scanning an anchor", "a text that begins with & must stand in quotes",
            "while scanning a tag", TAG,
            // It resolves a tag there, and nothing else.
            "while parsing a node", TAG);

    /** By what the parser was doing, or by how its message begins; shown where it was noticed. */
    private static final Map<String, String> NOTICED = Map.of(
            IN_LIST,
            "a comma is missing here, or a ] for the [ of line ",
            IN_MAP,
            "a comma is missing here, or a } for the { of line ",
            "while scanning a double-quoted scalar",
            "in double quotes a backslash begins an escape; write \\\\, or use single quotes",
            "while scanning a block scalar",
            "after | or > only a digit, + or - can follow; a text that begins with one must stand in quotes",
            "while scanning for the next token",
            "a text that begins with this character must stand in quotes",
            "mapping values are not allowed",
            "a colon cannot stand here; a text with a colon and a space in it must stand in quotes, and a key needs a"
                    + " space behind its colon",
            "sequence entries are not allowed",
            "a list item cannot stand here; a text that begins with a dash and a space must stand in quotes",
            "mapping keys are not allowed",
            "a text that begins with a question mark and a space must stand in quotes",
            BEHIND_BLOCK,
            "nothing can follow here; if it is part of the text before it, all of that must stand in quotes",
            "expected the node content",
            "a value is missing here");

    private final YamlText text;
    private final String path;

    private YamlFault(YamlText text, String path) {
        this.text = text;
        this.path = path;
    }

    /**
     * What the parser threw, as a problem.
     *
     * @param reached the place up to which all was well, if any
     * @param path the way to what was being read
     */
    static Problem of(RuntimeException e, @Nullable Mark reached, YamlText text, String path) {
        YamlFault fault = new YamlFault(text, path);
        if (e instanceof MarkedYAMLException marked && marked.getProblemMark() != null) {
            return fault.of(marked);
        }
        Location after = reached == null ? text.at(0, path) : text.at(reached, path);
        return Problem.of(after, "is not valid YAML behind this place");
    }

    private Problem of(MarkedYAMLException e) {
        Mark noticed = e.getProblemMark();
        String doing = String.valueOf(e.getContext());
        String begun = BEGUN.get(doing);
        if (begun != null && e.getContextMark() != null) {
            return Problem.of(text.at(e.getContextMark(), path), begun);
        }
        Problem seen = seenAt(noticed.getIndex());
        if (seen != null) {
            return seen;
        }
        String message = message(doing, String.valueOf(e.getProblem()), noticed);
        boolean opened = doing.equals(IN_LIST) || doing.equals(IN_MAP);
        return Problem.of(
                text.at(noticed, path), opened ? message + (e.getContextMark().getLine() + 1) : message);
    }

    private String message(String doing, String problem, Mark noticed) {
        if (problem.startsWith(BEHIND_BLOCK) && noticed.getIndex() == indented(noticed.getIndex())) {
            return "the line does not fit to those above it; keys of one map begin in the same column";
        }
        return NOTICED.entrySet().stream()
                .filter(entry -> problem.startsWith(entry.getKey()) || doing.equals(entry.getKey()))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElse("is not valid YAML here");
    }

    /** What the text itself shows better than the parser's words. */
    private @Nullable Problem seenAt(int index) {
        int indented = indented(index);
        int tab = text.pointAt(indented) == '\t' && indented <= index ? indented : index;
        if (text.pointAt(tab) == '\t') {
            return Problem.of(text.at(tab, path), "a tab cannot stand here; YAML indents with spaces");
        }
        if (text.pointAt(index) == '{' && text.pointAt(index - 1) == '$') {
            String message = "in [ ] and { } a reference must stand in quotes, \"${NAME}\", or be written $<NAME>";
            return Problem.of(text.at(index - 1, path), message);
        }
        return null;
    }

    /** Where the line of an index has its first character other than a space. */
    private int indented(int index) {
        int first = text.lineStart(index);
        while (text.pointAt(first) == ' ') {
            first++;
        }
        return first;
    }
}
