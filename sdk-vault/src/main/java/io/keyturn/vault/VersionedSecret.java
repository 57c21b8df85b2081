package io.keyturn.vault;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A secret in KV v2, and the version of it that is known. Each look asks for the metadata, and for the value only where
 * that tells of another version; where the policy does not permit the metadata, the value is read each time.
 */
final class VersionedSecret {
    /** The source's: that is whom people know. */
    private static final Logger log = LoggerFactory.getLogger(VaultSource.class);

    private final Field field;
    private final Vault vault;

    private volatile @Nullable Version known;

    /** The number of the login that may not read the metadata; 0 if that is not known of any. */
    private volatile long withoutMetadata;

    private volatile boolean saidSo;

    /**
     * A version, with what its value says of itself.
     *
     * @param created as Vault writes it: a secret that was deleted with its metadata counts from 1 again
     */
    private record Version(long number, String created, TokenDocument document) {}

    VersionedSecret(Field field) {
        this.field = field;
        this.vault = field.vault();
    }

    /** The value is kept no longer. */
    void forget() {
        known = null;
    }

    /** The version that is meant as it is now. */
    TokenDocument read(Mount mount, Session session) throws SourceException {
        Optional<TokenDocument> unchanged =
                withoutMetadata == session.number() ? Optional.empty() : unchanged(mount, session);
        return unchanged.isPresent() ? unchanged.get() : value(mount, session);
    }

    // --- its metadata ---

    /** The version that is known, if it is the one that is meant; empty if the value is to be read. */
    private Optional<TokenDocument> unchanged(Mount mount, Session session) throws SourceException {
        ServiceAnswer metadata = vault.get(mount.metadata(field.path()), session.token());
        return switch (metadata.status()) {
            case Vault.OK -> unchanged(metadata);
            case Vault.NOT_FOUND -> throw notThere(mount, metadata);
            case Vault.FORBIDDEN -> {
                withoutMetadata = session.number();
                yield Optional.empty();
            }
            default -> throw vault.unexpected(metadata, "a look at " + mount.metadata(field.path()));
        };
    }

    private Optional<TokenDocument> unchanged(ServiceAnswer metadata) throws SourceException {
        long version = version(metadata);
        String number = String.valueOf(version);
        Optional<Instant> end = end(
                version,
                metadata.isTrue("data", "versions", number, "destroyed"),
                metadata.text("data", "versions", number, "deletion_time").orElse(""));
        Version before = known;
        return before != null && isStill(before, metadata, version)
                ? Optional.of(ending(before.document, end))
                : Optional.empty();
    }

    /** Which version is meant. */
    private long version(ServiceAnswer metadata) throws SourceException {
        long version =
                field.pinned() == 0 ? metadata.number("data", "current_version").orElse(0L) : field.pinned();
        if (version == 0) {
            throw field.absent("has no version yet", field.put());
        }
        if (!metadata.has("data", "versions", String.valueOf(version))) {
            throw field.absent(
                    "is not there, or no longer",
                    "let version be one that is kept: vault kv metadata get " + field.path());
        }
        return version;
    }

    private static boolean isStill(Version before, ServiceAnswer metadata, long version) throws SourceException {
        return before.number == version
                && metadata.text("data", "versions", String.valueOf(version), "created_time")
                        .map(before.created::equals)
                        .orElse(true);
    }

    // --- its value ---

    private TokenDocument value(Mount mount, Session session) throws SourceException {
        ServiceAnswer data = data(mount, session);
        return switch (data.status()) {
            case Vault.OK -> {
                if (withoutMetadata == session.number()) {
                    sayThatItIsReadEachTime(mount);
                }
                yield value(data);
            }
            case Vault.NOT_FOUND -> {
                if (!isOfVersion(data)) {
                    throw notThere(mount, data);
                }
                yield value(data);
            }
            case Vault.FORBIDDEN -> throw field.denied(mount.data(field.path()), rules(mount));
            default -> throw vault.unexpected(data, "reading " + mount.data(field.path()));
        };
    }

    /** What KV v2 answers, if that is what is mounted there. */
    ServiceAnswer data(Mount mount, Session session) throws SourceException {
        String path = mount.data(field.path());
        ServiceAnswer answer = field.pinned() == 0
                ? vault.get(path, session.token())
                : vault.get(path, field.pinned(), session.token());
        if (answer.status() != Vault.OK) {
            Vault.requireItsOwn(answer);
        }
        return answer;
    }

    /** Whether it is KV v2 that answers, of a version that there is or was. */
    static boolean isOfVersion(ServiceAnswer data) {
        return Vault.has(data, "data", "metadata");
    }

    /** The value that was answered, with what stands beside it. */
    TokenDocument value(ServiceAnswer data) throws SourceException {
        long number = data.number("data", "metadata", "version").orElse(0L);
        Optional<Instant> end = end(
                number,
                data.isTrue("data", "metadata", "destroyed"),
                data.text("data", "metadata", "deletion_time").orElse(""));
        if (!data.has("data", "data")) {
            throw gone("version " + number + " has no data any more", field.put());
        }
        String created = data.text("data", "metadata", "created_time").orElse("");
        Instant written = time(created).orElse(null);
        String origin = field.pinned() == 0 ? field.describe() + ", version " + number : field.describe();
        TokenDocument document = field.in(data, written, "data", "data")
                .withVersion(String.valueOf(number))
                .withOrigin(origin);
        if (written != null && document.issuedAt().isEmpty()) {
            document = document.withIssuedAt(written);
        }
        known = new Version(number, created, document);
        return ending(document, end);
    }

    private void sayThatItIsReadEachTime(Mount mount) {
        if (!saidSo) {
            saidSo = true;
            log.info(
                    "{}: its policy does not permit its metadata, so its value is read each time; to be told of new"
                            + " versions alone: {}",
                    field.describe(),
                    Field.rule(mount.metadata(field.path())));
        }
    }

    // --- its end ---

    /**
     * When a version will be deleted, if it will.
     *
     * @throws SourceException if it is gone already
     */
    private Optional<Instant> end(long version, boolean destroyed, String deletion) throws SourceException {
        if (destroyed) {
            throw gone("version " + version + " was destroyed", field.put());
        }
        Optional<Instant> end = time(deletion);
        if (end.isPresent() && !end.get().isAfter(vault.now())) {
            String undelete = "vault kv undelete -versions=" + version + " " + field.path();
            throw gone("version " + version + " was deleted at " + end.get(), field.put() + "; or " + undelete);
        }
        return end;
    }

    private SourceException gone(String how, String fix) {
        forget();
        return field.gone(how, fix);
    }

    private static TokenDocument ending(TokenDocument document, Optional<Instant> end) {
        return end.map(deletion -> Field.ending(document, deletion)).orElse(document);
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

    // --- where there is none ---

    /** Why there is none. */
    Field.NotThere notThere(Mount mount, ServiceAnswer answer) throws SourceException {
        Vault.requireItsOwn(answer);
        boolean spelled = field.path().startsWith(mount.path() + "data/");
        return field.notThere(spelled ? "leave out data/ in path: it is added by itself for KV v2" : field.put());
    }

    private String rules(Mount mount) {
        return Field.rule(mount.data(field.path())) + " and, so that new versions are seen without reading it, "
                + Field.rule(mount.metadata(field.path()));
    }
}
