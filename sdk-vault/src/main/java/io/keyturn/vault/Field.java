package io.keyturn.vault;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A field of a secret in Vault: what it is called, what an answer holds in it, and what is said where that is no token.
 *
 * @param path where the secret is, mount first
 * @param pinned which version is meant, of KV v2; 0 for the latest
 */
record Field(Vault vault, String path, String key, int pinned) {
    /** There is no token in it. */
    static class Absent extends SourceException {
        private static final long serialVersionUID = 1L;

        private Absent(String message, @Nullable String fix) {
            super(Reason.ABSENT, message, fix);
        }
    }

    /** There is no secret (404); or not where it is looked for, since something else is mounted there by now. */
    static final class NotThere extends Absent {
        private static final long serialVersionUID = 1L;

        private NotThere(String message, String fix) {
            super(message, fix);
        }
    }

    /** Vault answered 403, which may be meant of the path or of the token. */
    static final class NotPermitted extends SourceException {
        private static final long serialVersionUID = 1L;

        private NotPermitted(String message, String fix) {
            super(Reason.NOT_PERMITTED, message, fix);
        }
    }

    // --- what it is called ---

    /** A field as it is written in a configuration. */
    static String described(String path, String key, int pinned) {
        return "vault " + path + "#" + key + (pinned == 0 ? "" : " version " + pinned);
    }

    String describe() {
        return described(path, key, pinned) + " at " + vault.place();
    }

    // --- what it holds ---

    /**
     * The token document in it.
     *
     * @param received what {@code expires_in} counts from; null if that is not known
     * @param data where in the answer the secret's fields are
     * @throws Absent if there is none
     */
    TokenDocument in(ServiceAnswer answer, @Nullable Instant received, String... data) throws SourceException {
        String[] at = new String[data.length + 1];
        System.arraycopy(data, 0, at, 0, data.length);
        at[data.length] = key;
        Optional<String> value = answer.text(at);
        if (value.isEmpty() && answer.has(at)) {
            throw new SourceException(
                    Reason.MALFORMED,
                    describe() + " is no text",
                    "let key be a field with the token alone, or with a token document as text");
        }
        if (value.isEmpty()) {
            // Their names are not told: whoever writes a secret may have taken name for value.
            int others = answer.keys(data).size();
            throw absent(
                    "has no such field, but " + others + (others == 1 ? " other" : " others"),
                    "let key be one of the fields that vault read " + path + " shows");
        }
        if (value.get().isBlank()) {
            throw absent("is empty", put());
        }
        return vault.context().document(value.get(), received, describe());
    }

    /** Nothing lives longer than what it depends on. */
    static TokenDocument ending(TokenDocument document, Instant end) {
        boolean sooner = document.expiresAt().map(end::isBefore).orElse(true);
        return sooner ? document.withExpiresAt(end) : document;
    }

    // --- what it does not hold ---

    Absent absent(String why, String fix) {
        return new Absent(describe() + " " + why, fix);
    }

    NotThere notThere(String fix) {
        return new NotThere(describe() + " is not there (404)", fix);
    }

    /** There was one. */
    SourceException gone(String how, String fix) {
        return new SourceException(Reason.REVOKED, describe() + ": " + how, fix);
    }

    NotPermitted denied(String what, String rules) {
        return new NotPermitted(
                describe() + ": the login is good, and its policy does not let it read " + what + " (403)",
                "add to the policy: " + rules);
    }

    /** What a policy says that lets a path be read. */
    static String rule(String path) {
        return "path \"" + path + "\" { capabilities = [\"read\"] }";
    }

    /** How a token gets into it. */
    String put() {
        return "store it: vault kv put " + path + " " + key + "=-";
    }

    /** The same failure for another caller. */
    static SourceException again(SourceException why) {
        String message = String.valueOf(why.getMessage());
        return why instanceof Absent
                ? new Absent(message, why.fix())
                : new SourceException(why.reason(), message, why.fix());
    }

    @Override
    public String toString() {
        return describe();
    }
}
