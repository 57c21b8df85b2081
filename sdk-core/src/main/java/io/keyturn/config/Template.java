package io.keyturn.config;

/**
 * A text as it was written, with references that are filled in each time it is read. The language of the references is
 * the origin's own: {@code keyturn-yaml} brings {@code ${VAR}}.
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
