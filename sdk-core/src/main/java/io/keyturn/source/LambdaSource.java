package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.util.Optional;
import java.util.concurrent.Callable;

/** Code of the program's own, which may throw anything. */
record LambdaSource(String describe, Callable<? extends TokenDocument> code) implements TokenSource {
    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        try {
            return Optional.ofNullable(code.call()).map(document -> document.withOrigin(describe));
        } catch (SourceException e) {
            throw e;
        } catch (TokenException e) {
            throw Form.from(describe, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new SourceException(Reason.UNREACHABLE, describe + " was interrupted", null);
        } catch (Throwable e) {
            // Replaced, not wrapped: its message may hold what it read. An AssertionError's may, too.
            throw new SourceException(
                    Reason.UNREACHABLE,
                    describe + " failed with " + e.getClass().getName(),
                    null);
        }
    }
}
