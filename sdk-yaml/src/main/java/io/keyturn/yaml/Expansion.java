package io.keyturn.yaml;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import io.keyturn.config.References;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One walk over a text that checks it and fills it in at the same time. There is no tree in between: each character is
 * looked at once, and a word that is not used is walked over like any other, but asks for nothing and writes nothing.
 *
 * <p>Parameters that all its methods share: {@code used} tells whether what stands here counts, {@code depth} how many
 * references it stands in.
 */
final class Expansion {
    private static final int DEEPEST = 8;
    /** No character: the end of the text, or a place that only the end of the text closes. */
    private static final int NONE = -1;

    private final String text;
    private final References references;
    private final boolean filesKnown;
    /** The next character to look at. */
    private int at;

    // What was written so far. Most texts are a single reference, whose value needs no copy: it waits here for a second
    // piece before there is a builder.
    private @Nullable String first;
    private int firstFrom;
    private int firstTo;
    private @Nullable StringBuilder all;

    /** A set, since a variable that is named twice is missing once. */
    private @Nullable Set<Problem> problems;

    Expansion(String text, References references, boolean filesKnown) {
        this.text = text;
        this.references = references;
        this.filesKnown = filesKnown;
    }

    String run() {
        copy(NONE, true, 0);
        if (problems != null) {
            throw new ConfigException(List.copyOf(problems));
        }
        if (all != null) {
            return all.toString();
        }
        return first == null ? "" : first.substring(firstFrom, firstTo);
    }

    /** Copies the text or a word, and stops before its closer, or at the end. */
    private void copy(int closer, boolean used, int depth) {
        int from = at;
        int braces = 0;
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == '$' && peek(1) == '$') {
                write(text, from, at + 1, used);
                at += 2;
                from = at;
            } else if (c == '$' && opensReference()) {
                write(text, from, at, used);
                reference(used, depth + 1);
                from = at;
            } else if (c == closer && braces == 0) {
                break;
            } else {
                // A word in braces ends where its own brace does: ${A:-{"a": {}}}
                braces += closer != '}' ? 0 : c == '{' ? 1 : c == '}' ? -1 : 0;
                at++;
            }
        }
        write(text, from, at, used);
    }

    /** {@code $<} is common in other texts: only before what could be a name does it open a reference. */
    private boolean opensReference() {
        int next = peek(1);
        return next == '{' || (next == '<' && isNameStart(peek(2)));
    }

    private void reference(boolean used, int depth) {
        int opener = at;
        if (depth > DEEPEST) {
            throw malformed(opener, "more than " + DEEPEST + " references stand inside one another, the last", null);
        }
        at += 2;
        int from = at;
        while (isNamePart(peek(0)) && (at > from || isNameStart(peek(0)))) {
            at++;
        }
        if (at == from) {
            throw unexpected(opener, "a name is missing");
        }
        String name = text.substring(from, at);
        boolean scheme = peek(0) == ':' && !isOperator(peek(1));
        rest(opener, scheme ? argument(opener, from, name) : new Subject(false, name), used, depth);
    }

    /** What a scheme is asked for; stands at the scheme's colon, and goes on to an operator or the closer. */
    private Subject argument(int opener, int nameAt, String scheme) {
        boolean file = scheme.equals("file");
        if (!file && !scheme.equals("env")) {
            throw unknownScheme(opener, nameAt, scheme);
        }
        if (file && !filesKnown) {
            throw malformed(nameAt, "'file:' is only known in a configuration file, and stands", null);
        }
        at++;
        int from = at;
        while (peek(0) != closerOf(opener) && !(peek(0) == ':' && isOperator(peek(1)))) {
            if (peek(0) == NONE || Character.isISOControl(peek(0))) {
                throw unexpected(opener, "a control character stands");
            }
            if (peek(0) == '$' && opensReference()) {
                throw malformed(at, "no reference can stand after '" + scheme + ":', and one does", null);
            }
            at++;
        }
        if (at == from) {
            throw malformed(at, "a " + (file ? "path" : "name") + " is missing", null);
        }
        return new Subject(file, text.substring(from, at));
    }

    /** Looks the subject up, and goes over its operator, if there is one, to behind the closer. */
    private void rest(int opener, Subject subject, boolean used, int depth) {
        int closer = closerOf(opener);
        String value = null;
        boolean known = used;
        if (used) {
            try {
                value = subject.lookUp(references);
            } catch (TokenException e) {
                // It is there, and must not be used: no operator makes up for that.
                note(new Problem(Location.of(""), e.reason(), String.valueOf(e.getMessage()), e.fix()));
                known = false;
            }
        }
        if (peek(0) != closer) {
            operation(opener, subject, value, known, depth);
        } else if (known && value == null) {
            note(subject.missing(false, ""));
        } else if (value != null) {
            write(value, 0, value.length(), known);
        }
        at++;
    }

    private void operation(int opener, Subject subject, @Nullable String value, boolean known, int depth) {
        boolean colon = peek(0) == ':';
        int operator = peek(colon ? 1 : 0);
        if (!isOperator(operator)) {
            throw unexpected(opener, "a '" + (char) closerOf(opener) + "' or one of :- - :? ? :+ + is missing");
        }
        at += colon ? 2 : 1;
        boolean missing = value == null || (colon && value.isEmpty());
        int word = at;
        copy(closerOf(opener), known && (operator == '-' ? missing : operator == '+' && !missing), depth);
        if (at == text.length()) {
            throw unclosed(opener);
        }
        if (operator == '?' && missing && known) {
            note(subject.missing(value != null, text.substring(word, at)));
        } else if (operator != '+' && !missing && value != null) {
            write(value, 0, value.length(), known);
        }
    }

    private void write(String from, int begin, int end, boolean used) {
        if (!used || begin == end) {
            return;
        }
        if (first == null) {
            first = from;
            firstFrom = begin;
            firstTo = end;
            return;
        }
        if (all == null) {
            all = new StringBuilder(text.length() + firstTo - firstFrom + end - begin);
            all.append(first, firstFrom, firstTo);
        }
        all.append(from, begin, end);
    }

    // --- characters ---

    private int peek(int ahead) {
        return at + ahead < text.length() ? text.charAt(at + ahead) : NONE;
    }

    private int closerOf(int opener) {
        return text.charAt(opener + 1) == '{' ? '}' : '>';
    }

    private static boolean isOperator(int c) {
        return c == '-' || c == '?' || c == '+';
    }

    private static boolean isNameStart(int c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    }

    static boolean isNamePart(int c) {
        return isNameStart(c) || (c >= '0' && c <= '9');
    }

    // --- what is wrong ---

    private Set<Problem> note(Problem problem) {
        if (problems == null) {
            problems = new LinkedHashSet<>();
        }
        problems.add(problem);
        return problems;
    }

    private ConfigException unknownScheme(int opener, int nameAt, String scheme) {
        String fix = "to give a default, write " + open(opener) + scheme + ":-default" + (char) closerOf(opener);
        boolean couldBeOne = scheme.equals(scheme.toLowerCase(Locale.ROOT));
        return couldBeOne
                ? malformed(nameAt, "unknown scheme '" + scheme + "'", fix)
                : malformed(at, "one of - ? + is missing after ':'", fix);
    }

    /** Something else should stand here; where nothing stands here, the reference has no end. */
    private ConfigException unexpected(int opener, String what) {
        return at == text.length()
                ? unclosed(opener)
                : malformed(at, what, "a plain " + open(opener) + " is written $" + open(opener));
    }

    private ConfigException unclosed(int opener) {
        String fix = "a plain " + open(opener) + " is written $" + open(opener)
                + "; where ' #' is part of the value, the value must stand in quotes";
        return malformed(opener, "a '" + (char) closerOf(opener) + "' is missing for the '" + open(opener) + "'", fix);
    }

    private String open(int opener) {
        return text.substring(opener, opener + 2);
    }

    private ConfigException malformed(int index, String what, @Nullable String fix) {
        String message = what + " at character " + (text.codePointCount(0, index) + 1);
        return new ConfigException(List.copyOf(note(new Problem(Location.of(""), Reason.INVALID, message, fix))));
    }
}
