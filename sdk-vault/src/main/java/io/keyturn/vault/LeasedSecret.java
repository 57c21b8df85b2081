package io.keyturn.vault;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceException;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A secret of any engine but KV v2, and the lease of it that is held. One that Vault has made for the one who asks is asked
 * whether it is still there, and renewed ahead of its end; another is had where that fails. What has no lease is read each
 * time.
 */
final class LeasedSecret {
    /** How long a secret that took the place of a refused one is not doubted: each is one more that Vault has to make. */
    private static final Duration REPLACED = Duration.ofMinutes(1);

    /** How long, at the most, a secret without a token speaks for those that would be made after it. */
    private static final Duration FRUITLESS = Duration.ofHours(1);

    private final Field field;
    private final Vault vault;

    private volatile @Nullable Lease lease;
    private volatile @Nullable Fruitless fruitless;

    /** When a secret was last given up because a server had refused it. */
    private volatile @Nullable Instant replaced;

    /** The number of the login that may look at leases; 0 if that is not known of any. */
    private volatile long leasesShownTo;

    /** What is wrong with a secret that Vault has made, and until when another one is not asked for. */
    private record Fruitless(SourceException why, Instant until) {}

    LeasedSecret(Field field) {
        this.field = field;
        this.vault = field.vault();
    }

    /** The value is kept no longer. It ends with its lease. */
    void forget() {
        lease = null;
        fruitless = null;
    }

    /**
     * Of a secret that a server has refused, another is had: somebody may have taken it away where it is used, which Vault
     * does not know. The refused one ends with its lease.
     */
    void giveUp(Token refused) {
        Lease held = lease;
        if (held != null && refused.isOf(held.document())) {
            Instant now = vault.now();
            Instant before = replaced;
            if (before == null || !now.isBefore(before.plus(REPLACED))) {
                replaced = now;
                lease = null;
            }
        }
    }

    /**
     * The secret as it is now.
     *
     * @param login what it will be leased to
     */
    TokenDocument read(Login login, Session session) throws SourceException {
        Lease held = lease;
        if (held != null && held.login() == session.number()) {
            Optional<Lease> still = still(held, session);
            lease = still.orElse(null);
            if (still.isPresent()) {
                return document(still.get(), session);
            }
        }
        Instant asked = vault.now();
        Fruitless vain = fruitless;
        if (vain != null && asked.isBefore(vain.until)) {
            throw Field.again(vain.why);
        }
        String path = field.path();
        ServiceAnswer answer = vault.get(path, session.token());
        if (answer.status() != Vault.OK) {
            Vault.requireItsOwn(answer);
        }
        return switch (answer.status()) {
            case Vault.OK -> document(answer, login, session, asked);
            case Vault.NOT_FOUND -> throw field.notThere(field.put());
            case Vault.FORBIDDEN -> throw field.denied(path, Field.rule(path));
            default -> throw vault.unexpected(answer, "reading " + path);
        };
    }

    // --- one that was answered ---

    private TokenDocument document(ServiceAnswer answer, Login login, Session session, Instant asked)
            throws SourceException {
        if (!answer.has("data")) {
            throw field.gone("it has no data any more", field.put());
        }
        String id = answer.text("lease_id").orElse("");
        Duration granted = Lease.seconds(answer, "lease_duration");
        if (id.isEmpty() || granted.isZero()) {
            // Of KV v1 lease_duration is a hint how often to look, and no end.
            return field.in(answer, null, "data").withOrigin(field.describe());
        }
        login.leased(id);
        TokenDocument made;
        try {
            made = field.in(answer, asked, "data");
        } catch (SourceException e) {
            fruitless = new Fruitless(e, asked.plus(granted.compareTo(FRUITLESS) < 0 ? granted : FRUITLESS));
            throw e;
        }
        Lease held =
                new Lease(id, session.number(), answer.isTrue("renewable"), granted, asked, asked.plus(granted), made);
        lease = held;
        return document(held, session);
    }

    /** A secret lives no longer than the login that it was made for. */
    private TokenDocument document(Lease held, Session session) {
        Instant end = held.end();
        if (session.end() != null && session.end().isBefore(end)) {
            end = session.end();
        }
        return Field.ending(held.document(), end)
                .withIssuedAt(held.since())
                .withOrigin(field.describe() + ", lease of " + held.asked().toSeconds() + " s, "
                        + (held.renewable() ? "renewable" : "not renewable"));
    }

    // --- one that is held ---

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
}
