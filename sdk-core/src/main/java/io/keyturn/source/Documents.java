package io.keyturn.source;

import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.time.Instant;

/** Token documents as sources make them: what is wrong with one says where it came from. */
final class Documents {
    /** What a person should know of a token from a variable: a process sees its environment as it was at its start. */
    static final String ONLY_AT_RESTART = " (changes only at restart)";

    private Documents() {}

    static TokenDocument ofText(String text, String origin) throws SourceException {
        try {
            return TokenDocument.parse(text);
        } catch (TokenException e) {
            throw from(origin, e);
        }
    }

    static TokenDocument parse(byte[] bytes, Instant receivedAt, String origin) throws SourceException {
        try {
            return TokenDocument.parse(bytes, receivedAt);
        } catch (TokenException e) {
            throw from(origin, e);
        }
    }

    static SourceException from(String origin, TokenException e) {
        return new SourceException(e.reason(), origin + ": " + e.getMessage(), e.fix());
    }
}
