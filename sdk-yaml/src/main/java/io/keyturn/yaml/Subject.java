package io.keyturn.yaml;

import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import io.keyturn.config.References;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import org.jspecify.annotations.Nullable;

/** What a reference names: an environment variable or a file. */
record Subject(boolean file, String name) {
    @Nullable
    String lookUp(References references) throws TokenException {
        return file ? references.file(name) : references.variable(name);
    }

    /**
     * That it is not there, or is empty where that is as bad.
     *
     * @param empty it is there, and empty
     * @param text what the configuration's author says about it; may be empty
     */
    Problem missing(boolean empty, String text) {
        String what = empty ? " is empty" : file ? " does not exist" : " is not set";
        String message = (file ? "file " : "environment variable ") + printable(shownName()) + what;
        return new Problem(
                Location.of(""),
                file ? Reason.ABSENT : Reason.UNSET,
                text.isEmpty() ? message : message + ": " + printable(text),
                shownName().equals(name) ? null : "to give a default, write ${env:" + plainName() + ":-default}");
    }

    /**
     * After {@code env:} anything is a name, so that {@code ${env:API_TOKEN-abc}} names a variable that nobody has set,
     * and what was meant as a default, which may be a secret, would be printed.
     */
    private String shownName() {
        String plain = plainName();
        return file || plain.length() == name.length() ? name : plain + "…";
    }

    private String plainName() {
        int end = 0;
        while (end < name.length() && isPlain(name.charAt(end))) {
            end++;
        }
        return name.substring(0, end);
    }

    private static boolean isPlain(char c) {
        return Expansion.isNamePart(c) || c == '.';
    }

    /** On one line, so that a text cannot pass for a message of its own. */
    private static String printable(String text) {
        StringBuilder line = new StringBuilder(text.length());
        text.chars().forEach(c -> line.append(Character.isISOControl(c) ? ' ' : (char) c));
        return line.toString();
    }
}
