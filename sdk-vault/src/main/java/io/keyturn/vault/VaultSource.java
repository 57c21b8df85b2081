package io.keyturn.vault;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A field of a secret in Vault: as whom it is asked for, and in which kind of engine it is. What is kept of it from one
 * look to the next differs with that, and is {@link VersionedSecret}'s in KV v2, and {@link LeasedSecret}'s in any other.
 */
final class VaultSource implements TokenSource {
    static final Optional<Duration> EVERY = Optional.of(Duration.ofMinutes(1));

    /** How long a path counts as denied once Vault has said that it is not the token's fault. */
    private static final Duration DENIED = Duration.ofMinutes(1);

    private final Vault vault;
    private final Field field;
    private final Auth auth;
    private final VersionedSecret versioned;
    private final LeasedSecret leased;

    private volatile @Nullable Nothing nothing;
    private volatile @Nullable Denial denial;

    /** Why there is none. */
    private record Nothing(String why, @Nullable String fix) {}

    /** Since when a login is known to be good and not to be permitted this path. */
    private record Denial(long login, Instant since) {}

    VaultSource(Vault vault, String path, String key, int pinned, Auth auth) {
        this.vault = vault;
        this.field = new Field(vault, path, key, pinned);
        this.auth = auth;
        this.versioned = new VersionedSecret(field);
        this.leased = new LeasedSecret(field);
    }

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        try {
            return Optional.of(permitted(Login.of(vault, auth)));
        } catch (Field.Absent e) {
            nothing = new Nothing(String.valueOf(e.getMessage()), e.fix());
            return Optional.empty();
        }
    }

    @Override
    public Optional<TokenDocument> fetchInsteadOf(Token refused) throws SourceException {
        leased.giveUp(refused);
        return fetch();
    }

    @Override
    public Optional<Duration> every() {
        return EVERY;
    }

    @Override
    public Watch watch(Runnable changed) {
        Watch login = Login.of(vault, auth).watch(changed);
        return () -> {
            login.close();
            // Nobody asks any more, so the secret is not kept.
            versioned.forget();
            leased.forget();
        };
    }

    @Override
    public SourceException absence() {
        Nothing found = nothing;
        return found == null ? TokenSource.super.absence() : new SourceException(Reason.ABSENT, found.why, found.fix);
    }

    @Override
    public String describe() {
        return field.describe();
    }

    /** What was read before makes no difference. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof VaultSource that && field.equals(that.field) && auth.equals(that.auth);
    }

    @Override
    public int hashCode() {
        return field.hashCode();
    }

    @Override
    public String toString() {
        return describe();
    }

    // --- as whom it is asked for ---

    /** Reads it; once more with another login, where Vault does not take this one's token any longer. */
    private TokenDocument permitted(Login login) throws SourceException {
        Session session = login.session();
        try {
            return read(login, session);
        } catch (Field.NotPermitted e) {
            if (isDenied(session)) {
                throw e;
            }
            Optional<Session> other = login.insteadOf(session);
            if (other.isEmpty()) {
                denial = new Denial(session.number(), vault.now());
                throw e;
            }
            return readAgain(login, other.get());
        }
    }

    private TokenDocument readAgain(Login login, Session session) throws SourceException {
        try {
            return read(login, session);
        } catch (Field.NotPermitted e) {
            denial = new Denial(session.number(), vault.now());
            throw e;
        }
    }

    /** So that a path that is denied again and again is not each time a reason to doubt the token. */
    private boolean isDenied(Session session) {
        Denial before = denial;
        return before != null && before.login == session.number() && vault.now().isBefore(before.since.plus(DENIED));
    }

    // --- in which engine it is ---

    private TokenDocument read(Login login, Session session) throws SourceException {
        Optional<Mount> mount = login.mountOf(field.path());
        if (mount.isEmpty()) {
            mount = asked(login, session);
        }
        try {
            return mount.isPresent() ? read(mount.get(), login, session) : guess(login, session);
        } catch (Field.NotThere e) {
            // It may have been unmounted, and mounted as something else.
            mount.ifPresent(login::forget);
            versioned.forget();
            throw e;
        }
    }

    private TokenDocument read(Mount mount, Login login, Session session) throws SourceException {
        if (mount.versioned()) {
            return versioned.read(mount, session);
        }
        if (field.pinned() != 0) {
            throw new SourceException(
                    Reason.INVALID,
                    describe() + " cannot be had: " + mount.path() + " is not KV v2, and has no versions",
                    "leave out version");
        }
        return leased.read(login, session);
    }

    /** Asks which mount the path lies in, which every token may that has any right below it. */
    private Optional<Mount> asked(Login login, Session session) throws SourceException {
        String path = field.path();
        ServiceAnswer answer = vault.get("sys/internal/ui/mounts/" + path, session.token());
        if (answer.status() == Vault.OK) {
            String found = answer.text("data", "path").orElse("");
            boolean isVersioned = answer.text("data", "type").orElse("").equals("kv")
                    && answer.text("data", "options", "version").orElse("").equals("2");
            Mount mount = new Mount(found, isVersioned);
            if (found.endsWith("/") && mount.holds(path)) {
                login.remember(mount);
                return Optional.of(mount);
            }
        }
        if (answer.status() == Vault.FORBIDDEN && !session.proven()) {
            throw field.denied(path, Field.rule(path));
        }
        // An old Vault, or something before it that hides what is below sys/.
        return Optional.empty();
    }

    /**
     * Nobody tells which engine it is. Then the first part of the path counts as the mount: it is KV v2 if it answers as
     * that, and is read as it stands if not.
     */
    private TokenDocument guess(Login login, Session session) throws SourceException {
        String path = field.path();
        Mount mount = new Mount(path.substring(0, path.indexOf('/') + 1), true);
        ServiceAnswer answer = versioned.data(mount, session);
        if (VersionedSecret.isOfVersion(answer)) {
            login.remember(mount);
            return versioned.value(answer);
        }
        try {
            return leased.read(login, session);
        } catch (Field.NotPermitted e) {
            if (answer.status() != Vault.FORBIDDEN) {
                throw versioned.notThere(mount, answer);
            }
            throw field.denied(
                    "either " + mount.data(path) + " or " + path,
                    Field.rule(mount.data(path)) + ", or without data/ if it is KV v1");
        }
    }
}
