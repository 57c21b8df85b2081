package io.keyturn.config;

/**
 * A text as it was written, with references that are filled in each time it is read. The language of the references is
 * the origin's own: {@code keyturn-yaml} brings {@code ${VAR}}.
 *
 * <p>Templates that were written alike should be equal: a token whose source stays the same keeps its provider when its
 * configuration is read again. A template's {@code toString} must not show its text, which may be a token.
 */
@FunctionalInterface
public interface Template {
    /**
     * The text that is meant.
     *
     * @throws ConfigException with every reference that is malformed, unset or refused; the places are left to whoever
     *     knows where the text stands
     */
    String expand(References references);
}
