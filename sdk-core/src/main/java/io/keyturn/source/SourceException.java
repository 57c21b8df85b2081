package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import org.jspecify.annotations.Nullable;

/** A source could not tell whether it has a token, or has something that must not be used as one. */
public class SourceException extends TokenException {
    private static final long serialVersionUID = 1L;

    /** A failure of a source; no text may hold a value. */
    public SourceException(Reason reason, String message, @Nullable String fix) {
        super(reason, message, fix);
    }
}
