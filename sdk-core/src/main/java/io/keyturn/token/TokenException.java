package io.keyturn.token;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A token cannot be had or used. Its message never holds a value, and it has no cause: what a library says of its input
 * may quote it, so such an exception is replaced, not wrapped.
 *
 * <p>It is an {@link IOException} because an OkHttp interceptor may throw nothing else.
 */
public class TokenException extends IOException {
    private static final long serialVersionUID = 1L;

    private final Reason reason;
    private final @Nullable String fix;

    /** A failure and, where it is known, what mends it. Neither text may hold a token's value. */
    public TokenException(Reason reason, String message, @Nullable String fix) {
        super(message);
        this.reason = reason;
        this.fix = fix;
    }

    /** Why, as one stable word. */
    public final Reason reason() {
        return reason;
    }

    /** What a person can do about it, or null. */
    public final @Nullable String fix() {
        return fix;
    }
}
