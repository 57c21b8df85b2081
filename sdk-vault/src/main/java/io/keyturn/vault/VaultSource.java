package io.keyturn.vault;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A field of a secret in Vault. Of KV v2 each look asks for the metadata, and for the value only where that tells of a
 * version that is not known yet; a secret with a lease is asked whether it is still there, and renewed ahead of its end;
 * anything else is read.
 */
final class VaultSource implements TokenSource {
    private static final Logger log = LoggerFactory.getLogger(VaultSource.class);
    private static final Optional<Duration> EVERY = Optional.of(Duration.ofMinutes(1));

    /** How long a path counts as denied once Vault has said that it is not the token's fault. */
    private static final Duration DENIED = Duration.ofMinutes(1);

    /** How long a secret that took the place of a refused one is not doubted: each is one more that Vault has to make. */
    private static final Duration REPLACED = Duration.ofMinutes(1);

    /** How long, at the most, a secret without a token speaks for those that would be made after it. */
    private static final Duration FRUITLESS = Duration.ofHours(1);

    private final @Nullable Vault vault;
    private final String path;
    private final String key;

    /** Of KV v2; 0 for the latest. */
    private final int pinned;

    private final Auth auth;

    private volatile @Nullable Version known;
    private volatile @Nullable Lease lease;
    private volatile @Nullable Nothing nothing;
    private volatile @Nullable Denial denial;
    private volatile @Nullable Fruitless fruitless;

    /** When a secret was last given up because a server had refused it. */
    private volatile @Nullable Instant replaced;

    /** The number of the login that may not read the metadata; 0 if that is not known of any. */
    private volatile long withoutMetadata;

    /** The number of the login that may look at leases; 0 if that is not known of any. */
    private volatile long leasesShownTo;

    private volatile boolean saidSo;

    /**
     * A version of a secret in KV v2, with what its value says of itself.
     *
     * @param created as Vault writes it: a secret that was deleted with its metadata counts from 1 again
     */
    private record Version(long number, String created, TokenDocument document) {}

    /** Why there is none. */
    private record Nothing(String why, String fix) {}

    /** What is wrong with a secret that Vault has made, and until when another one is not asked for. */
    private record Fruitless(SourceException why, Instant until) {}

    /** Since when a login is known to be good and not to be permitted this path. */
    private record Denial(long login, Instant since) {}

    /** Vault answered 403, which may be meant of the path or of the token. */
    private static final class NotPermitted extends SourceException {
        private static final long serialVersionUID = 1L;

        NotPermitted(String message, String fix) {
            super(Reason.NOT_PERMITTED, message, fix);
        }
    }

    /** @param vault null if nobody says where it is */
    VaultSource(@Nullable Vault vault, String path, String key, int pinned, Auth auth) {
        this.vault = vault;
        this.path = path;
        this.key = key;
        this.pinned = pinned;
        this.auth = auth;
    }

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        if (vault == null) {
            return Optional.empty();
        }
        return new Look(vault, Login.of(vault, auth)).fetch();
    }

    /**
     * Of a secret with a lease that a server has refused, another is had: somebody may have taken it away where it is used,
     * which Vault does not know. The refused one ends with its lease.
     */
    @Override
    public Optional<TokenDocument> fetchInsteadOf(Token refused) throws SourceException {
        Lease held = lease;
        if (vault != null && held != null && refused.isOf(held.document())) {
            Instant now = vault.now();
            Instant before = replaced;
            if (before == null || !now.isBefore(before.plus(REPLACED))) {
                replaced = now;
                lease = null;
            }
        }
        return fetch();
    }

    @Override
    public Optional<Duration> every() {
        return EVERY;
    }

    @Override
    public Watch watch(Runnable changed) {
        if (vault == null) {
            return Watch.none();
        }
        Watch login = Login.of(vault, auth).watch(changed);
        return () -> {
            login.close();
            // Nobody asks any more, so the secret is not kept.
            known = null;
            lease = null;
            fruitless = null;
        };
    }

    @Override
    public SourceException absence() {
        Nothing found = nothing;
        if (vault == null) {
            return new SourceException(
                    Reason.UNSET,
                    "environment variable " + VaultSourceFactory.ADDRESS + " is not set, and " + described()
                            + " has no address",
                    null);
        }
        return found == null
                ? new SourceException(Reason.ABSENT, describe() + " has no token", null)
                : new SourceException(Reason.ABSENT, describe() + " " + found.why, found.fix);
    }

    @Override
    public String describe() {
        return vault == null ? described() : described() + " at " + vault.place();
    }

    private String described() {
        return "vault " + path + "#" + key + (pinned == 0 ? "" : " version " + pinned);
    }

    /** What was read before makes no difference. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof VaultSource that
                && Objects.equals(vault, that.vault)
                && path.equals(that.path)
                && key.equals(that.key)
                && pinned == that.pinned
                && auth.equals(that.auth);
    }

    @Override
    public int hashCode() {
        return Objects.hash(path, key);
    }

    @Override
    public String toString() {
        return describe();
    }

    /** One look at the secret. */
    private final class Look {
        private final Vault vault;
        private final Login login;

        Look(Vault vault, Login login) {
            this.vault = vault;
            this.login = login;
        }

        Optional<TokenDocument> fetch() throws SourceException {
            Session session = login.session();
            try {
                return read(session);
            } catch (NotPermitted e) {
                if (isDenied(session)) {
                    throw e;
                }
                Optional<Session> other = login.insteadOf(session);
                if (other.isEmpty()) {
                    denial = new Denial(session.number(), vault.now());
                    throw e;
                }
                return readAgain(other.get());
            }
        }

        private Optional<TokenDocument> readAgain(Session session) throws SourceException {
            try {
                return read(session);
            } catch (NotPermitted e) {
                denial = new Denial(session.number(), vault.now());
                throw e;
            }
        }

        /** So that a path that is denied again and again is not each time a reason to doubt the token. */
        private boolean isDenied(Session session) {
            Denial before = denial;
            return before != null
                    && before.login == session.number()
                    && vault.now().isBefore(before.since.plus(DENIED));
        }

        private Optional<TokenDocument> read(Session session) throws SourceException {
            Optional<Mount> mount = login.mountOf(path);
            if (mount.isEmpty()) {
                mount = asked(session);
            }
            return mount.isPresent() ? read(mount.get(), session) : guess(session);
        }

        private Optional<TokenDocument> read(Mount mount, Session session) throws SourceException {
            if (mount.versioned()) {
                return latest(mount, session);
            }
            if (pinned != 0) {
                throw new SourceException(
                        Reason.INVALID,
                        describe() + " cannot be had: " + mount.path() + " is not KV v2, and has no versions",
                        "leave out version");
            }
            return unversioned(session, Optional.of(mount));
        }

        // --- which engine it is ---

        /** Asks which mount the path lies in, which every token may that has any right below it. */
        private Optional<Mount> asked(Session session) throws SourceException {
            ServiceAnswer answer = vault.get("sys/internal/ui/mounts/" + path, session.token());
            if (answer.status() == Vault.OK) {
                String found = answer.text("data", "path").orElse("");
                boolean versioned = answer.text("data", "type").orElse("").equals("kv")
                        && answer.text("data", "options", "version").orElse("").equals("2");
                Mount mount = new Mount(found, versioned);
                if (found.endsWith("/") && mount.holds(path)) {
                    login.remember(mount);
                    return Optional.of(mount);
                }
            }
            if (answer.status() == Vault.FORBIDDEN && !session.proven()) {
                throw denied(path, rule(path));
            }
            // An old Vault, or something before it that hides what is below sys/.
            return Optional.empty();
        }

        /**
         * Nobody tells which engine it is. Then the first part of the path counts as the mount: it is KV v2 if it answers
         * as that, and is read as it stands if not.
         */
        private Optional<TokenDocument> guess(Session session) throws SourceException {
            Mount mount = new Mount(path.substring(0, path.indexOf('/') + 1), true);
            ServiceAnswer versioned = data(mount, session);
            if (Vault.has(versioned, "data", "metadata")) {
                login.remember(mount);
                return value(versioned);
            }
            try {
                return unversioned(session, Optional.empty());
            } catch (NotPermitted e) {
                if (versioned.status() != Vault.FORBIDDEN) {
                    return absent(mount, versioned);
                }
                throw denied(
                        "either " + mount.data(path) + " or " + path,
                        rule(mount.data(path)) + ", or without data/ if it is KV v1");
            }
        }

        // --- KV v2 ---

        private Optional<TokenDocument> latest(Mount mount, Session session) throws SourceException {
            if (withoutMetadata != session.number()) {
                ServiceAnswer metadata = vault.get(mount.metadata(path), session.token());
                switch (metadata.status()) {
                    case Vault.OK -> {
                        Optional<Long> version = version(metadata);
                        if (version.isEmpty()) {
                            return Optional.empty();
                        }
                        Version before = known;
                        if (before != null && isStill(before, metadata, version.get())) {
                            return Optional.of(ending(before.document, state(metadata, version.get())));
                        }
                    }
                    case Vault.NOT_FOUND -> {
                        return absent(mount, metadata);
                    }
                    case Vault.FORBIDDEN -> withoutMetadata = session.number();
                    default -> throw vault.unexpected(metadata, "a look at " + mount.metadata(path));
                }
            }
            ServiceAnswer data = data(mount, session);
            if (data.status() == Vault.OK && withoutMetadata == session.number() && !saidSo) {
                saidSo = true;
                log.info(
                        "{}: its policy does not permit its metadata, so its value is read each time; to be told of new"
                                + " versions alone: {}",
                        describe(),
                        rule(mount.metadata(path)));
            }
            return switch (data.status()) {
                case Vault.OK -> value(data);
                case Vault.NOT_FOUND -> Vault.has(data, "data", "metadata") ? value(data) : absent(mount, data);
                case Vault.FORBIDDEN -> throw denied(mount.data(path), rules(mount));
                default -> throw vault.unexpected(data, "reading " + mount.data(path));
            };
        }

        private static boolean isStill(Version before, ServiceAnswer metadata, long version) throws SourceException {
            return before.number == version
                    && metadata.text("data", "versions", String.valueOf(version), "created_time")
                            .map(before.created::equals)
                            .orElse(true);
        }

        private ServiceAnswer data(Mount mount, Session session) throws SourceException {
            ServiceAnswer answer = pinned == 0
                    ? vault.get(mount.data(path), session.token())
                    : vault.get(mount.data(path), pinned, session.token());
            if (answer.status() != Vault.OK) {
                Vault.requireItsOwn(answer);
            }
            return answer;
        }

        /** Which version is meant; empty if there is none. */
        private Optional<Long> version(ServiceAnswer metadata) throws SourceException {
            long version =
                    pinned == 0 ? metadata.number("data", "current_version").orElse(0L) : pinned;
            if (version == 0) {
                return nothing("has no version yet", put());
            }
            if (!metadata.has("data", "versions", String.valueOf(version))) {
                return nothing(
                        "is not there, or no longer", "let version be one that is kept: vault kv metadata get " + path);
            }
            var unused = state(metadata, version);
            return Optional.of(version);
        }

        /** What the metadata says of a version: when it will be deleted, if it will. */
        private Optional<Instant> state(ServiceAnswer metadata, long version) throws SourceException {
            String number = String.valueOf(version);
            return end(
                    number,
                    metadata.isTrue("data", "versions", number, "destroyed"),
                    metadata.text("data", "versions", number, "deletion_time").orElse(""));
        }

        /**
         * When a version will be deleted, if it will.
         *
         * @throws SourceException if it is gone already
         */
        private Optional<Instant> end(String version, boolean destroyed, String deletion) throws SourceException {
            if (destroyed) {
                throw gone("version " + version + " was destroyed", put());
            }
            Optional<Instant> end = time(deletion);
            if (end.isPresent() && !end.get().isAfter(vault.now())) {
                String undelete = "vault kv undelete -versions=" + version + " " + path;
                throw gone("version " + version + " was deleted at " + end.get(), put() + "; or " + undelete);
            }
            return end;
        }

        private SourceException gone(String how, String fix) {
            known = null;
            return new SourceException(Reason.REVOKED, describe() + ": " + how, fix);
        }

        /** A value of KV v2, with what stands beside it. */
        private Optional<TokenDocument> value(ServiceAnswer data) throws SourceException {
            long number = data.number("data", "metadata", "version").orElse(0L);
            Optional<Instant> end = end(
                    String.valueOf(number),
                    data.isTrue("data", "metadata", "destroyed"),
                    data.text("data", "metadata", "deletion_time").orElse(""));
            if (!data.has("data", "data")) {
                throw gone("version " + number + " has no data any more", put());
            }
            String created = data.text("data", "metadata", "created_time").orElse("");
            Instant written = time(created).orElse(null);
            Optional<TokenDocument> found = field(data, written, "data", "data");
            if (found.isEmpty()) {
                return found;
            }
            String origin = pinned == 0 ? describe() + ", version " + number : describe();
            TokenDocument document =
                    found.get().withVersion(String.valueOf(number)).withOrigin(origin);
            if (written != null && document.issuedAt().isEmpty()) {
                document = document.withIssuedAt(written);
            }
            known = new Version(number, created, document);
            return Optional.of(ending(document, end));
        }

        private Optional<Instant> time(String text) throws SourceException {
            if (text.isEmpty()) {
                return Optional.empty();
            }
            try {
                return Optional.of(OffsetDateTime.parse(text).toInstant());
            } catch (DateTimeException e) {
                throw new SourceException(
                        Reason.MALFORMED,
                        vault.name() + " answered a time that is none",
                        "is the address right? A proxy may have answered in its place");
            }
        }

        // --- everything else ---

        private Optional<TokenDocument> unversioned(Session session, Optional<Mount> mount) throws SourceException {
            Lease held = lease;
            if (held != null && held.login() == session.number()) {
                Optional<Lease> still = still(held, session);
                lease = still.orElse(null);
                if (still.isPresent()) {
                    return Optional.of(leased(still.get(), session));
                }
            }
            Instant asked = vault.now();
            Fruitless vain = fruitless;
            if (vain != null && asked.isBefore(vain.until)) {
                return none(vain.why);
            }
            ServiceAnswer answer = vault.get(path, session.token());
            if (answer.status() != Vault.OK) {
                Vault.requireItsOwn(answer);
            }
            return switch (answer.status()) {
                case Vault.OK -> secret(answer, session, asked);
                case Vault.NOT_FOUND -> absent(mount.orElse(new Mount("", false)), answer);
                case Vault.FORBIDDEN -> throw denied(path, rule(path));
                default -> throw vault.unexpected(answer, "reading " + path);
            };
        }

        private Optional<TokenDocument> secret(ServiceAnswer answer, Session session, Instant asked)
                throws SourceException {
            if (!answer.has("data")) {
                throw gone("it has no data any more", put());
            }
            String id = answer.text("lease_id").orElse("");
            Duration granted = Lease.seconds(answer, "lease_duration");
            if (id.isEmpty() || granted.isZero()) {
                // Of KV v1 lease_duration is a hint how often to look, and no end.
                return field(answer, null, "data").map(document -> document.withOrigin(describe()));
            }
            login.leased(id);
            Optional<TokenDocument> found;
            try {
                found = field(answer, asked, "data");
            } catch (SourceException e) {
                return none(vain(e, asked, granted));
            }
            if (found.isEmpty()) {
                return none(vain(absence(), asked, granted));
            }
            Lease made = new Lease(
                    id, session.number(), answer.isTrue("renewable"), granted, asked, asked.plus(granted), found.get());
            lease = made;
            return Optional.of(leased(made, session));
        }

        private SourceException vain(SourceException why, Instant asked, Duration granted) {
            fruitless = new Fruitless(why, asked.plus(granted.compareTo(FRUITLESS) < 0 ? granted : FRUITLESS));
            return why;
        }

        /** Nothing, for the reason that was found before. */
        private static Optional<TokenDocument> none(SourceException why) throws SourceException {
            if (why.reason() == Reason.ABSENT) {
                return Optional.empty();
            }
            throw new SourceException(why.reason(), String.valueOf(why.getMessage()), why.fix());
        }

        /** The lease as it is now, renewed if that is due; empty if another secret is to be had in its place. */
        private Optional<Lease> still(Lease held, Session session) throws SourceException {
            Instant now = vault.now();
            if (held.isDue(now)) {
                return held.renewable() ? renewed(held, session) : Optional.empty();
            }
            ServiceAnswer answer = vault.post("sys/leases/lookup", session.token(), Map.of("lease_id", held.id()));
            if (answer.status() == Vault.OK) {
                leasesShownTo = session.number();
                return Optional.of(held);
            }
            // Where it was permitted before, the login is gone, and its leases with it. Where it never was, there is
            // nothing but the time to go by.
            boolean neverPermitted = answer.status() == Vault.FORBIDDEN && leasesShownTo != session.number();
            return neverPermitted ? Optional.of(held) : Optional.empty();
        }

        private Optional<Lease> renewed(Lease held, Session session) throws SourceException {
            Instant asked = vault.now();
            ServiceAnswer answer = vault.post(
                    "sys/leases/renew",
                    session.token(),
                    Map.of(
                            "lease_id",
                            held.id(),
                            "increment",
                            String.valueOf(held.asked().toSeconds())));
            if (answer.status() != Vault.OK) {
                return Optional.empty();
            }
            Duration granted = Lease.seconds(answer, "lease_duration");
            return held.isShort(granted)
                    ? Optional.empty()
                    : Optional.of(held.renewed(granted, answer.isTrue("renewable"), asked));
        }

        /** A secret lives no longer than the login that it was made for. */
        private TokenDocument leased(Lease held, Session session) {
            Instant end = held.end();
            if (session.end() != null && session.end().isBefore(end)) {
                end = session.end();
            }
            return ending(held.document(), Optional.of(end))
                    .withIssuedAt(held.since())
                    .withOrigin(describe() + ", lease of " + held.asked().toSeconds() + " s, "
                            + (held.renewable() ? "renewable" : "not renewable"));
        }

        private TokenDocument ending(TokenDocument document, Optional<Instant> end) {
            boolean sooner = end.isPresent()
                    && document.expiresAt().map(own -> end.get().isBefore(own)).orElse(true);
            return sooner ? document.withExpiresAt(end.get()) : document;
        }

        // --- what is there, and what is not ---

        /** The field as a token document; empty if it is not there. */
        private Optional<TokenDocument> field(ServiceAnswer answer, @Nullable Instant received, String... data)
                throws SourceException {
            String[] at = new String[data.length + 1];
            System.arraycopy(data, 0, at, 0, data.length);
            at[data.length] = key;
            Optional<String> value = answer.text(at);
            if (value.isEmpty() && answer.has(at)) {
                throw new SourceException(
                        Reason.MALFORMED,
                        describe() + " is no text",
                        "let key be a field with the token alone, or with a token document as text");
            }
            if (value.isEmpty()) {
                // Their names are not told: whoever writes a secret may have taken name for value.
                int others = answer.keys(data).size();
                return nothing(
                        "has no such field, but " + others + (others == 1 ? " other" : " others"),
                        "let key be one of the fields that vault read " + path + " shows");
            }
            if (value.get().isBlank()) {
                return nothing("is empty", put());
            }
            return Optional.of(vault.context().document(value.get(), received, describe()));
        }

        private Optional<TokenDocument> absent(Mount mount, ServiceAnswer answer) throws SourceException {
            Vault.requireItsOwn(answer);
            // It may have been unmounted, and mounted as something else.
            login.forget(mount);
            known = null;
            boolean spelled = mount.versioned() && path.startsWith(mount.path() + "data/");
            return nothing(
                    "is not there (404)", spelled ? "leave out data/ in path: it is added by itself for KV v2" : put());
        }

        private <T> Optional<T> nothing(String why, String fix) {
            nothing = new Nothing(why, fix);
            return Optional.empty();
        }

        private String put() {
            return "store it: vault kv put " + path + " " + key + "=-";
        }

        private NotPermitted denied(String what, String rules) {
            return new NotPermitted(
                    describe() + ": the login is good, and its policy does not let it read " + what + " (403)",
                    "add to the policy: " + rules);
        }

        private String rules(Mount mount) {
            return rule(mount.data(path)) + " and, so that new versions are seen without reading it, "
                    + rule(mount.metadata(path));
        }

        private static String rule(String path) {
            return "path \"" + path + "\" { capabilities = [\"read\"] }";
        }
    }
}
