package io.keyturn.aws;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** One field of a secret that is a JSON object, as AWS's console writes it. */
final class JsonField {
    // Jackson would keep its buffers, with the last secret in them, for the next reading on the same thread.
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
            .recyclerPool(JsonRecyclerPools.nonRecyclingPool())
            .build();

    private JsonField() {}

    /**
     * The text of a field.
     *
     * @param where the secret, for messages
     * @throws SourceException if there is no such field, or no text in it
     */
    static String text(String json, String key, String where) throws SourceException {
        @Nullable String text;
        try (JsonParser in = JSON.createParser(json)) {
            if (in.nextToken() != JsonToken.START_OBJECT) {
                throw noObject(where, key);
            }
            text = text(in, key, where);
        } catch (SourceException e) {
            throw e;
        } catch (IOException e) {
            // Replaced, not wrapped: Jackson's message may quote the secret.
            throw noObject(where, key);
        }
        if (text == null) {
            throw new SourceException(
                    Reason.ABSENT,
                    where + " has no field '" + key + "'",
                    "add it to the secret's JSON, or correct 'key'; names of fields are told apart by case");
        }
        return text;
    }

    /** All of it is read: what is broken further down, or has the field twice, is not to be trusted. */
    private static @Nullable String text(JsonParser in, String key, String where) throws IOException {
        String found = null;
        while (in.nextToken() == JsonToken.FIELD_NAME) {
            boolean wanted = in.currentName().equals(key);
            JsonToken value = in.nextToken();
            if (wanted && value != JsonToken.VALUE_NULL) {
                if (value != JsonToken.VALUE_STRING && !value.isNumeric()) {
                    throw new SourceException(
                            Reason.MALFORMED,
                            where + ": the field '" + key + "' is no text",
                            "write the token itself into it, in quotes");
                }
                found = in.getText();
            }
            in.skipChildren();
        }
        if (in.currentToken() != JsonToken.END_OBJECT || in.nextToken() != null) {
            throw noObject(where, key);
        }
        return found;
    }

    private static SourceException noObject(String where, String key) {
        return new SourceException(
                Reason.MALFORMED,
                where + " is no JSON object, so it has no field '" + key + "'",
                "leave 'key' out if the whole value is the token");
    }
}
