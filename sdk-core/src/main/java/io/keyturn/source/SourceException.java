package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A source could not tell whether it has a token, or has something that must not be used as one. */
public class SourceException extends TokenException {
    private static final long serialVersionUID = 1L;

    private final @Nullable Duration retryAfter;

    /** A failure of a source; no text may hold a value. */
    public SourceException(Reason reason, String message, @Nullable String fix) {
        this(reason, message, fix, null);
    }

    /**
     * A failure of a source that said when it is to be asked again.
     *
     * @param retryAfter the time until then, as in the header {@code Retry-After}; it is heeded up to five minutes
     */
    public SourceException(Reason reason, String message, @Nullable String fix, @Nullable Duration retryAfter) {
        super(reason, message, fix);
        this.retryAfter = retryAfter;
    }

    /** When the source wants to be asked again, if it said so. */
    public Optional<Duration> retryAfter() {
        return Optional.ofNullable(retryAfter);
    }
}
