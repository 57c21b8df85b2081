package io.keyturn.token;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads the JSON that token services answer. Jackson's stream parser is asked for what a binding would let pass: no
 * coercion of numbers to text, no duplicate keys, nothing after the object.
 */
final class JsonDocument {
    /** Without a cap, a lifetime of 2^62 seconds would overflow an instant. */
    private static final long MOST_SECONDS = 100L * 365 * 24 * 3600;

    /** The end of the year 9999. Later is a mistake, most likely milliseconds: such a token would never end. */
    private static final long LATEST_SECOND = 253_402_300_799L;

    // Jackson would keep its buffers, with the last token in them, for the next reading on the same thread.
    static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
            .recyclerPool(JsonRecyclerPools.nonRecyclingPool())
            .build();

    private @Nullable String token;
    private @Nullable String tokenField;
    private @Nullable Set<String> scopes;
    private @Nullable Instant expiresAt;
    private @Nullable Instant issuedAt;
    private long expiresIn;

    private JsonDocument() {}

    static TokenDocument parse(String text, @Nullable Instant receivedAt) throws TokenException {
        JsonDocument document = new JsonDocument();
        try (JsonParser in = JSON.createParser(text)) {
            in.nextToken();
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                String field = in.currentName();
                in.nextToken();
                document.field(field, in);
            }
            if (in.nextToken() != null) {
                throw TokenText.malformed("something follows the JSON object");
            }
        } catch (JsonProcessingException e) {
            // Replaced, not wrapped: Jackson's message may quote the input.
            var at = e.getLocation();
            throw TokenText.malformed("it is not valid JSON, or repeats a key,"
                    + (at == null ? "" : " at line " + at.getLineNr() + ", column " + at.getColumnNr()));
        } catch (TokenException e) {
            throw e;
        } catch (IOException e) {
            throw TokenText.malformed("it is not valid JSON");
        }
        return document.finish(receivedAt);
    }

    private void field(String field, JsonParser in) throws IOException {
        if (in.currentToken() == JsonToken.VALUE_NULL && !field.endsWith("token")) {
            // Services write null for what they do not know; only the token itself must be there.
            return;
        }
        switch (field) {
            case "token", "access_token" -> {
                if (tokenField != null) {
                    throw TokenText.malformed("it has both /" + tokenField + " and /" + field);
                }
                tokenField = field;
                token = text(field, in);
            }
            case "scopes", "scope" -> scopes = scopes(field, in);
            case "expires_in" -> expiresIn = seconds(in);
            case "expires_at" -> expiresAt = instant(field, in);
            case "issued_at" -> issuedAt = instant(field, in);
            default -> in.skipChildren();
        }
    }

    private TokenDocument finish(@Nullable Instant receivedAt) throws TokenException {
        if (token == null) {
            throw TokenText.malformed("the JSON object has neither /token nor /access_token");
        }
        TokenDocument document = TokenDocument.opaque(token);
        if (issuedAt != null) {
            document = document.withIssuedAt(issuedAt);
        }
        if (expiresAt != null) {
            document = document.withExpiresAt(expiresAt);
        } else {
            Instant from = issuedAt != null ? issuedAt : receivedAt;
            if (expiresIn > 0 && from != null) {
                document = document.withIssuedAt(from).withExpiresAt(from.plusSeconds(expiresIn));
            }
        }
        return scopes == null ? document : document.withScopes(scopes);
    }

    private static String text(String field, JsonParser in) throws IOException {
        if (in.currentToken() != JsonToken.VALUE_STRING) {
            throw TokenText.malformed("/" + field + " must be text");
        }
        return in.getText();
    }

    /** A list of texts, or one text with spaces between the scopes (RFC 6749 3.3). */
    static Set<String> scopes(String field, JsonParser in) throws IOException {
        Set<String> found = new LinkedHashSet<>();
        if (in.currentToken() == JsonToken.START_ARRAY) {
            for (int i = 0; in.nextToken() != JsonToken.END_ARRAY; i++) {
                found.add(text(field + "/" + i, in));
            }
        } else {
            found.addAll(Arrays.asList(text(field, in).trim().split(" +")));
            found.remove("");
        }
        return found;
    }

    /** A positive whole number; some services (Azure AD v1) write it as text. */
    private static long seconds(JsonParser in) throws IOException {
        String digits = in.currentToken() == JsonToken.VALUE_STRING || in.currentToken() == JsonToken.VALUE_NUMBER_INT
                ? in.getText()
                : "";
        long seconds = digits.matches("[0-9]{1,18}") ? Long.parseLong(digits) : 0;
        if (seconds <= 0 || seconds > MOST_SECONDS) {
            throw TokenText.malformed("/expires_in must be a whole number of seconds from 1 to " + MOST_SECONDS);
        }
        return seconds;
    }

    /** ISO 8601, a day included, which begins at midnight UTC; or seconds since 1970. */
    private static Instant instant(String field, JsonParser in) throws IOException {
        try {
            if (in.currentToken() != JsonToken.VALUE_STRING) {
                return numericDate(in);
            }
            String text = in.getText();
            Instant instant = text.length() == 10
                    ? LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant()
                    : Instant.parse(text);
            return within(instant);
        } catch (DateTimeException | JsonProcessingException e) {
            throw TokenText.malformed(
                    "/" + field + " must be a time such as 2026-12-31T00:00:00Z, or seconds since 1970");
        }
    }

    /** Seconds, perhaps with a fraction; a double saturates where a BigDecimal of 1e999999999 would take minutes. */
    static Instant numericDate(JsonParser in) throws IOException {
        return within(Instant.ofEpochSecond((long) in.getDoubleValue()));
    }

    private static Instant within(Instant instant) {
        if (instant.getEpochSecond() < 0 || instant.getEpochSecond() > LATEST_SECOND) {
            throw new DateTimeException("not from 1970 to 9999");
        }
        return instant;
    }
}
