package io.keyturn.check;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.filter.FilteringParserDelegate;
import com.fasterxml.jackson.core.filter.JsonPointerBasedFilter;
import com.fasterxml.jackson.core.filter.TokenFilter;
import java.io.IOException;
import java.util.regex.Pattern;
import okhttp3.ResponseBody;
import org.jspecify.annotations.Nullable;

/** Whom an API's answer names. */
final class JsonIdentity {
    private static final int MOST_BYTES = 1 << 20;

    /** What a terminal prints as it stands: no control characters, nothing that turns the direction of writing. */
    private static final Pattern PRINTABLE = Pattern.compile("[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S} ]{1,100}");

    private JsonIdentity() {}

    /** The text or number that a JSON pointer leads to; null if there is none, or it cannot be printed. */
    static @Nullable String find(ResponseBody body, String pointer) {
        try (JsonParser in = new FilteringParserDelegate(
                new JsonFactory().createParser(body.source().inputStream().readNBytes(MOST_BYTES)),
                new JsonPointerBasedFilter(JsonPointer.compile(pointer)),
                TokenFilter.Inclusion.ONLY_INCLUDE_ALL,
                false)) {
            JsonToken found = in.nextToken();
            boolean named = found == JsonToken.VALUE_STRING || (found != null && found.isNumeric());
            return named && PRINTABLE.matcher(in.getText()).matches() ? in.getText() : null;
        } catch (IOException | IllegalArgumentException e) {
            // An answer that is not JSON, or breaks off, names nobody; whether it proves the token its status has said.
            return null;
        }
    }
}
