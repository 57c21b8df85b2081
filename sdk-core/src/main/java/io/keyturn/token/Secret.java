package io.keyturn.token;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import org.jspecify.annotations.Nullable;

/**
 * A text that must not be seen by accident: it prints as {@code [secret]}, cannot be serialized, and has no getter that
 * a mapper would find. {@link #reveal()} is the only way to the text, so that a search for it finds every use.
 *
 * <p>The text stays in the heap until it is collected; Java offers no way to erase it from there. Immutable.
 */
public final class Secret {
    // Transient, so that mappers which look at fields instead of getters (Gson, Jackson if told to) leave it out, too.
    private final transient String text;

    private Secret(String text) {
        this.text = text;
    }

    /** Guards a text. */
    public static Secret of(String text) {
        return new Secret(text);
    }

    /** The text itself. */
    public String reveal() {
        return text;
    }

    /**
     * Whether a text repeats it, as an answer may repeat what it was asked: eight characters of it in a row are no
     * accident, and of a shorter one all.
     */
    public boolean isRepeatedIn(String other) {
        int run = Math.min(text.length(), 8);
        for (int i = 0; i + run <= text.length(); i++) {
            if (other.contains(text.substring(i, i + run))) {
                return true;
            }
        }
        return false;
    }

    /** Compares in a time that does not depend on where the texts differ. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Secret secret
                && MessageDigest.isEqual(text.getBytes(UTF_8), secret.text.getBytes(UTF_8));
    }

    /** The same for every secret: a hash would tell something of the text, and secrets are no keys of maps. */
    @Override
    public int hashCode() {
        return Secret.class.hashCode();
    }

    @Override
    public String toString() {
        return "[secret]";
    }
}
