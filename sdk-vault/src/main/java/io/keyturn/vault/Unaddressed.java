package io.keyturn.vault;

import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.Optional;

/** A field of a secret in a Vault of which nobody says where it is. */
record Unaddressed(String path, String key, int pinned, Auth auth) implements TokenSource {
    @Override
    public Optional<TokenDocument> fetch() {
        return Optional.empty();
    }

    @Override
    public Optional<Duration> every() {
        return VaultSource.EVERY;
    }

    @Override
    public SourceException absence() {
        return new SourceException(
                Reason.UNSET,
                "environment variable " + VaultSourceFactory.ADDRESS + " is not set, and " + describe()
                        + " has no address",
                null);
    }

    @Override
    public String describe() {
        return Field.described(path, key, pinned);
    }

    @Override
    public String toString() {
        return describe();
    }
}
