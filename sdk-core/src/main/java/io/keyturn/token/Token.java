package io.keyturn.token;

import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One version of a named token. Immutable, and safe to log: {@link #toString()} tells name, fingerprint and expiry, never
 * the value.
 *
 * <p>Two tokens are equal when name and value are; the values are compared in constant time.
 */
public final class Token {
    private final String name;
    private final Secret value;
    private final @Nullable String version;
    private final long generation;

    /** As a number, since a text takes several times the room and is seldom asked for. */
    private final long fingerprint;

    // Rules ask for them before each request.
    private final Optional<Instant> expiresAt;
    private final Optional<Instant> issuedAt;
    private final Optional<Set<String>> scopes;

    private Token(String name, TokenDocument document, long generation, long fingerprint) {
        this.name = name;
        this.value = document.value();
        this.version = document.version().orElse(null);
        this.generation = generation;
        this.fingerprint = fingerprint;
        this.expiresAt = document.expiresAt();
        this.issuedAt = document.issuedAt();
        this.scopes = document.scopes();
    }

    /** A token for a test: generation 1, fingerprint without a key. */
    public static Token of(String name, TokenDocument document) {
        return of(name, document, 1, null);
    }

    /**
     * A version of a token.
     *
     * @param generation counts the versions that this process has seen, from 1
     * @param fingerprintKey the key of the fingerprint's HMAC, or null for a plain SHA-256
     */
    public static Token of(String name, TokenDocument document, long generation, @Nullable Secret fingerprintKey) {
        return new Token(name, document, generation, Fingerprint.of(document.value(), fingerprintKey));
    }

    /** The name that the configuration gives it. */
    public String name() {
        return name;
    }

    /** The value itself: the only way to it, easy to find by a search. */
    public String reveal() {
        return value.reveal();
    }

    /** When it ends, if that is known. */
    public Optional<Instant> expiresAt() {
        return expiresAt;
    }

    /** When it was issued, if that is known. */
    public Optional<Instant> issuedAt() {
        return issuedAt;
    }

    /** What it may be used for; empty if that is not known. */
    public Optional<Set<String>> scopes() {
        return scopes;
    }

    /** The source's own name for this version, if it has one. */
    public Optional<String> version() {
        return Optional.ofNullable(version);
    }

    /**
     * Counts up with each swap in this process. It is what tells two versions apart, since files and variables have no
     * version and a rollback repeats one.
     */
    public long generation() {
        return generation;
    }

    /**
     * Twelve hexadecimal digits of the value's SHA-256, or of its HMAC-SHA-256 where the agent has a fingerprint key: the
     * only form of a token that leaves the process.
     */
    public String fingerprint() {
        return Fingerprint.text(fingerprint);
    }

    /** Whether a document holds the value of this version; compared in constant time. */
    public boolean isOf(TokenDocument other) {
        return value.equals(other.value());
    }

    /** Whether a text repeats the value, or eight characters of it in a row. */
    public boolean isRepeatedIn(String text) {
        return value.isRepeatedIn(text);
    }

    /** Whether it was stored together with the word {@code Bearer}, which belongs to what is sent of it. */
    public boolean beginsWithBearer() {
        return reveal().regionMatches(true, 0, "Bearer ", 0, 7);
    }

    /** Whether it has ended by then. A token whose end is not known never has. */
    public boolean isExpired(Instant now) {
        return expiresAt.isPresent() && !now.isBefore(expiresAt.get());
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Token token && name.equals(token.name) && value.equals(token.value);
    }

    @Override
    public int hashCode() {
        return name.hashCode();
    }

    /** For example {@code api_token#3f9a1c2b44d0 expires 2026-12-31T00:00:00Z}. */
    @Override
    public String toString() {
        return name + "#" + fingerprint()
                + expiresAt().map(end -> " expires " + end).orElse("");
    }
}
