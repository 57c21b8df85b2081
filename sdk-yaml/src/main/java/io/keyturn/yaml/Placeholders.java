package io.keyturn.yaml;

import io.keyturn.config.ConfigException;
import io.keyturn.config.References;
import io.keyturn.config.Template;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * References in a text, such as {@code ${AGENT_API_TOKEN}}, filled in with the values of environment variables.
 *
 * <table>
 * <caption>Both forms, <code>${…}</code> and <code>$&lt;…&gt;</code>, mean the same.</caption>
 * <tr><th>written</th><th>set</th><th>empty</th><th>not set</th></tr>
 * <tr><td>{@code ${A}}, {@code $<A>}, {@code ${env:A}}</td><td>value</td><td>nothing</td><td>error</td></tr>
 * <tr><td>{@code ${A:-word}}</td><td>value</td><td>word</td><td>word</td></tr>
 * <tr><td>{@code ${A-word}}</td><td>value</td><td>nothing</td><td>word</td></tr>
 * <tr><td>{@code ${A:?text}}</td><td>value</td><td>error</td><td>error</td></tr>
 * <tr><td>{@code ${A?text}}</td><td>value</td><td>nothing</td><td>error</td></tr>
 * <tr><td>{@code ${A:+word}}</td><td>word</td><td>nothing</td><td>nothing</td></tr>
 * <tr><td>{@code ${A+word}}</td><td>word</td><td>word</td><td>nothing</td></tr>
 * </table>
 *
 * <p>A word may hold references, at most 8 inside one another; it is looked at whole, but variables are asked for only
 * where it is used. The text of a {@code ?} becomes part of the error as it was written. {@code $$} is a {@code $}; any
 * other {@code $} stands for itself. A value is never looked at again: what looks like a reference in it stays text.
 * After {@code env:} only the operators with a colon are known, since a name may hold the other characters.
 *
 * <p>In a configuration file {@code ${file:PATH}} is the content of a file, with the same three operators.
 */
public final class Placeholders {
    private Placeholders() {}

    /**
     * Fills in the references of a text; a text without {@code $} is answered as it is.
     *
     * @param variables answers a variable's value, or null where it is not set, as {@code System::getenv} does
     * @throws ConfigException with every variable that is not set, and with the place of what is malformed; no value is
     *     in it
     */
    public static String expand(String text, Function<String, @Nullable String> variables) {
        return text.indexOf('$') < 0 ? text : new Expansion(text, new Variables(variables), false).run();
    }

    /** A scalar of a configuration file: its references may name files, too. */
    static Template template(String raw) {
        return new Scalar(raw);
    }

    /** Two that were written alike are equal. */
    private static final class Scalar implements Template {
        private final String raw;

        Scalar(String raw) {
            this.raw = raw;
        }

        @Override
        public String expand(References references) {
            return raw.indexOf('$') < 0 ? raw : new Expansion(raw, references, true).run();
        }

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Scalar that && raw.equals(that.raw);
        }

        @Override
        public int hashCode() {
            return raw.hashCode();
        }

        /** What was written may be a token. */
        @Override
        public String toString() {
            return "[text]";
        }
    }

    /** Variables alone. Files are refused while the text is parsed, so that none is ever asked for. */
    private record Variables(Function<String, @Nullable String> values) implements References {
        @Override
        public @Nullable String variable(String name) {
            return values.apply(name);
        }

        @Override
        public @Nullable String file(String path) {
            return null;
        }
    }
}
