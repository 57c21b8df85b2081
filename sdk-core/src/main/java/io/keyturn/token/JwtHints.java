package io.keyturn.token;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.DateTimeException;
import java.util.Base64;
import org.jspecify.annotations.Nullable;

/**
 * What a JSON Web Token says of itself: {@code exp}, {@code iat}, {@code scope} and {@code scp} (RFC 7519, RFC 8693). A
 * text that only looks like one, or whose claims make no sense, is an opaque token and not an error.
 */
final class JwtHints {
    private static final int MOST_CHARACTERS = 16 * 1024;

    private JwtHints() {}

    static TokenDocument read(TokenDocument document) {
        String claims = claims(document.value().reveal());
        if (claims == null) {
            return document;
        }
        try {
            return read(document, claims);
        } catch (IOException | DateTimeException e) {
            return document;
        }
    }

    /** The middle one of three parts, decoded; null if this is no JSON Web Token. */
    private static @Nullable String claims(String text) {
        int first = text.indexOf('.');
        int second = text.indexOf('.', first + 1);
        boolean threeParts = second > 0 && text.indexOf('.', second + 1) < 0;
        if (!text.startsWith("eyJ") || !threeParts || text.length() > MOST_CHARACTERS) {
            return null;
        }
        try {
            return new String(Base64.getUrlDecoder().decode(text.substring(first + 1, second)), UTF_8);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private static TokenDocument read(TokenDocument opaque, String claims) throws IOException {
        TokenDocument document = opaque;
        try (JsonParser in = JsonDocument.JSON.createParser(claims)) {
            if (in.nextToken() != JsonToken.START_OBJECT) {
                return opaque;
            }
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                String claim = in.currentName();
                in.nextToken();
                switch (claim) {
                    case "exp" -> document = document.withExpiresAt(JsonDocument.numericDate(in));
                    case "iat" -> document = document.withIssuedAt(JsonDocument.numericDate(in));
                    case "scope", "scp" -> document = document.withScopes(JsonDocument.scopes(claim, in));
                    default -> in.skipChildren();
                }
            }
        }
        return document;
    }
}
