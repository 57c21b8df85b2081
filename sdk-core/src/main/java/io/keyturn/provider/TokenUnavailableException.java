package io.keyturn.provider;

import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** There is no token that may be handed out. Its message names every source that was tried, and why each gave none. */
public final class TokenUnavailableException extends TokenException {
    private static final long serialVersionUID = 1L;

    // Not sent along where an exception is serialized; the message says the same.
    private final transient List<TokenException> attempts;

    private TokenUnavailableException(
            Reason reason, String message, @Nullable String fix, List<TokenException> attempts) {
        super(reason, message, fix);
        this.attempts = attempts;
    }

    /**
     * No source had a token that may be used.
     *
     * @param attempts each source that was asked, in order, and why it gave none; at least one. No text may hold a value
     */
    public static TokenUnavailableException of(String token, List<? extends TokenException> attempts) {
        TokenException last = attempts.get(attempts.size() - 1);
        return new TokenUnavailableException(
                last.reason(), "no token '" + token + "': " + why(attempts), last.fix(), List.copyOf(attempts));
    }

    /** One failure that is no source's; the text must not hold a value. */
    public static TokenUnavailableException of(String token, Reason reason, String why) {
        return of(token, List.of(new SourceException(reason, why, null)));
    }

    private static String why(List<? extends TokenException> attempts) {
        return attempts.stream().map(TokenException::getMessage).collect(Collectors.joining("; "));
    }

    /** What the attempts say: the message without the token's name. */
    public String why() {
        return why(attempts);
    }

    /** Each source that was tried and why it gave no token, in order; at least one. */
    public List<TokenException> attempts() {
        return attempts;
    }
}
