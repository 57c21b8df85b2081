package io.keyturn.token;

import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a source answers: a token's value with, where it is known, when it was issued and ends, what it may be used for,
 * the source's own version of it and where it came from. Immutable.
 *
 * <p>A value is one to 65,536 printable ASCII characters, since a header must carry it. Of a JSON Web Token the claims
 * {@code exp}, {@code iat}, {@code scope} and {@code scp} are read as hints. Its signature is not looked at: whoever
 * accepts the token checks it, and nothing here is decided in its favour because of a claim.
 */
public final class TokenDocument {
    private final Secret value;
    private final @Nullable Instant expiresAt;
    private final @Nullable Instant issuedAt;
    private final @Nullable Set<String> scopes;
    private final @Nullable String version;
    private final @Nullable String origin;

    private TokenDocument(
            Secret value,
            @Nullable Instant expiresAt,
            @Nullable Instant issuedAt,
            @Nullable Set<String> scopes,
            @Nullable String version,
            @Nullable String origin) {
        this.value = value;
        this.expiresAt = expiresAt;
        this.issuedAt = issuedAt;
        this.scopes = scopes;
        this.version = version;
        this.origin = origin;
    }

    /**
     * A document of a value alone.
     *
     * @throws IllegalArgumentException if a header cannot carry the value; the message does not repeat it
     */
    public static TokenDocument of(String value) {
        try {
            return opaque(value);
        } catch (TokenException e) {
            throw new IllegalArgumentException(e.getMessage());
        }
    }

    /**
     * Reads a token document: plain text, or JSON as token services answer it, such as {@code {"access_token": "…",
     * "scope": "read write", "expires_in": 3600}}. See {@code docs/token-documents.md} for every field.
     *
     * @param bytes strict UTF-8; a byte order mark and one trailing line break are not part of a plain token
     * @param receivedAt what {@code expires_in} counts from where the document has no {@code issued_at}
     * @throws TokenException if it is not a token; the message tells where, never what stood there
     */
    public static TokenDocument parse(byte[] bytes, Instant receivedAt) throws TokenException {
        return parse(TokenText.decode(bytes), receivedAt);
    }

    /**
     * Reads a token document that has no time of its own, such as an environment variable: {@code expires_in} tells an
     * end only where there is an {@code issued_at}, and is passed over where there is none.
     *
     * @throws TokenException if it is not a token; the message tells where, never what stood there
     */
    public static TokenDocument parse(String text) throws TokenException {
        return parse(TokenText.trim(text), null);
    }

    private static TokenDocument parse(String text, @Nullable Instant receivedAt) throws TokenException {
        return text.stripLeading().startsWith("{") ? JsonDocument.parse(text, receivedAt) : opaque(text);
    }

    /**
     * The text of a file as token documents read it: strict UTF-8 without its byte order mark and its one trailing line
     * break.
     *
     * @throws TokenException if it is not valid UTF-8
     */
    public static String decode(byte[] bytes) throws TokenException {
        return TokenText.decode(bytes);
    }

    /**
     * A document of PEM blocks (RFC 7468), such as a private key: no token, and read by whoever asked for it. Its line
     * breaks become blanks.
     *
     * @throws TokenException if it is none; the message does not repeat it
     */
    public static TokenDocument pem(String text) throws TokenException {
        return new TokenDocument(Secret.of(TokenText.pem(text)), null, null, null, null, null);
    }

    /** A value as it stands, with the hints that a JSON Web Token gives. */
    static TokenDocument opaque(String value) throws TokenException {
        TokenText.requireToken(value);
        return JwtHints.read(new TokenDocument(Secret.of(value), null, null, null, null, null));
    }

    /** The token's value. */
    public Secret value() {
        return value;
    }

    /** When it ends, if that is known. */
    public Optional<Instant> expiresAt() {
        return Optional.ofNullable(expiresAt);
    }

    /** When it was issued, if that is known. */
    public Optional<Instant> issuedAt() {
        return Optional.ofNullable(issuedAt);
    }

    /** What it may be used for; empty if that is not known. */
    public Optional<Set<String>> scopes() {
        return Optional.ofNullable(scopes);
    }

    /** The source's own name for this version, if it has one. */
    public Optional<String> version() {
        return Optional.ofNullable(version);
    }

    /** Where it came from, for people: which of several sources, and what is special about it. */
    public Optional<String> origin() {
        return Optional.ofNullable(origin);
    }

    /** The same document with this end. */
    public TokenDocument withExpiresAt(Instant end) {
        return new TokenDocument(value, end, issuedAt, scopes, version, origin);
    }

    /** The same document with this time of issue. */
    public TokenDocument withIssuedAt(Instant issued) {
        return new TokenDocument(value, expiresAt, issued, scopes, version, origin);
    }

    /** The same document with these scopes. */
    public TokenDocument withScopes(Set<String> granted) {
        Set<String> copy = Collections.unmodifiableSet(new LinkedHashSet<>(granted));
        return new TokenDocument(value, expiresAt, issuedAt, copy, version, origin);
    }

    /** The same document with the source's own name for this version. */
    public TokenDocument withVersion(String name) {
        return new TokenDocument(value, expiresAt, issuedAt, scopes, name, origin);
    }

    /** The same document with where it came from; the text must not hold a value. */
    public TokenDocument withOrigin(String source) {
        return new TokenDocument(value, expiresAt, issuedAt, scopes, version, source);
    }

    /** Tells what is known of it, never the value. */
    @Override
    public String toString() {
        return "TokenDocument[secret"
                + expiresAt().map(end -> ", expires " + end).orElse("") + "]";
    }
}
