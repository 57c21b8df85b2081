package io.keyturn.policy;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import org.jspecify.annotations.Nullable;

/** A rule forbids to use a token, or to use it there. Nothing was sent. */
public final class TokenDeniedException extends TokenException {
    private static final long serialVersionUID = 1L;

    /** A denial; no text may hold a value. */
    public TokenDeniedException(Reason reason, String message, @Nullable String fix) {
        super(reason, message, fix);
    }
}
