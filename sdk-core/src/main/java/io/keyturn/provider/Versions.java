package io.keyturn.provider;

import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The numbers of a token's versions. Shared by the providers that have the token's name one after the other, so that no
 * number is used twice, and a value that two of them find at once is one version.
 */
final class Versions {
    private static final VarHandle NEWEST = Keeper.handle(MethodHandles.lookup(), "newest", Numbered.class);

    private volatile Numbered newest = Numbered.NONE;

    /** The number that was given last, and what got it; null once nobody may have that any more. */
    private record Numbered(long generation, @Nullable Token token) {
        static final Numbered NONE = new Numbered(0, null);

        Numbered forgotten() {
            return new Numbered(generation, null);
        }
    }

    /** Makes the version that has a number. */
    @FunctionalInterface
    interface Numbering {
        Token as(long generation) throws TokenException;
    }

    /**
     * The version that a document holds. The same value is the same version, whatever else is known of it. Null if
     * somebody else was given the number meanwhile, so that all is to be looked at anew.
     *
     * @param last what the provider that asks has found last, which need not be what was numbered last; null if nothing
     * @throws TokenException as the numbering does; then no number is given
     */
    @Nullable
    Token version(TokenDocument document, @Nullable Snapshot last, Numbering numbering) throws TokenException {
        Numbered before = newest;
        Token same = last != null && last.token().isOf(document)
                ? last.token()
                : before.token != null && before.token.isOf(document) ? before.token : null;
        long generation = same == null ? before.generation + 1 : same.generation();
        Token token = numbering.as(generation);
        return same != null || NEWEST.compareAndSet(this, before, new Numbered(generation, token)) ? token : null;
    }

    /** The number that was given last stays taken; nobody may have the value any more. */
    void forget() {
        Numbered before;
        do {
            before = newest;
        } while (!NEWEST.compareAndSet(this, before, before.forgotten()));
    }
}
