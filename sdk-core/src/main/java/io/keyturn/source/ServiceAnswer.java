package io.keyturn.source;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.time.Clock;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import okhttp3.Headers;
import org.jspecify.annotations.Nullable;

/**
 * What a service answered: its status and, where it is JSON, what stands where. It may hold secrets, so it prints as its
 * status alone. For one thread.
 */
public final class ServiceAnswer {
    // Jackson would keep its buffers, with the last secret in them, for the next reading on the same thread.
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
            .recyclerPool(JsonRecyclerPools.nonRecyclingPool())
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(64).build())
            .build();

    private final String service;
    private final int status;
    private final Headers headers;
    private final byte[] body;
    private final Clock clock;
    private @Nullable Object root;

    ServiceAnswer(String service, int status, Headers headers, byte[] body, Clock clock) {
        this.service = service;
        this.status = status;
        this.headers = headers;
        this.body = body;
        this.clock = clock;
    }

    /** The HTTP status. */
    public int status() {
        return status;
    }

    /** The body as it came. */
    public byte[] body() {
        return body.clone();
    }

    /**
     * The body as a token document.
     *
     * @param asked when the service was asked, from which {@code expires_in} counts
     * @throws SourceException if it is none
     */
    public TokenDocument document(Instant asked) throws SourceException {
        return Form.TOKEN.document(body, asked, service);
    }

    /**
     * When the service wants to be asked again, if it said so: a number of seconds or a date (RFC 9110 10.2.3). What is
     * neither is not heeded.
     */
    public Optional<Duration> retryAfter() {
        String text = headers.get(AgentCalls.RETRY_AFTER);
        if (text == null) {
            return Optional.empty();
        }
        if (text.matches("[0-9]{1,9}")) {
            return Optional.of(Duration.ofSeconds(Long.parseLong(text)));
        }
        try {
            Instant at = ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME)
                    .toInstant();
            return Optional.of(Duration.between(clock.instant(), at)).filter(wait -> !wait.isNegative());
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }

    /** A text at the end of these keys; empty if there is none, or it is no text. */
    public Optional<String> text(String... keys) throws SourceException {
        return at(keys) instanceof String text ? Optional.of(text) : Optional.empty();
    }

    /** A whole number at the end of these keys; empty if there is none, or it is no number. */
    public Optional<Long> number(String... keys) throws SourceException {
        return at(keys) instanceof Long number ? Optional.of(number) : Optional.empty();
    }

    /** Whether {@code true} stands at the end of these keys. */
    public boolean isTrue(String... keys) throws SourceException {
        return Boolean.TRUE.equals(at(keys));
    }

    /** Whether anything but {@code null} stands at the end of these keys. */
    public boolean has(String... keys) throws SourceException {
        return at(keys) != null;
    }

    /** The texts of a list at the end of these keys; of anything else there are none. */
    public List<String> texts(String... keys) throws SourceException {
        List<String> texts = new ArrayList<>();
        if (at(keys) instanceof List<?> list) {
            list.forEach(each -> texts.add(String.valueOf(each)));
        }
        return texts;
    }

    /** The keys of a map at the end of these keys; of anything else there are none. */
    public List<String> keys(String... keys) throws SourceException {
        List<String> names = new ArrayList<>();
        if (at(keys) instanceof Map<?, ?> map) {
            map.keySet().forEach(each -> names.add(String.valueOf(each)));
        }
        return names;
    }

    private @Nullable Object at(String... keys) throws SourceException {
        Object here = root();
        for (String key : keys) {
            here = here instanceof Map<?, ?> map ? map.get(key) : null;
        }
        return here;
    }

    private Object root() throws SourceException {
        Object known = root;
        if (known == null) {
            known = parsed();
            root = known;
        }
        return known;
    }

    private Object parsed() throws SourceException {
        try (JsonParser in = JSON.createParser(body)) {
            if (in.nextToken() == JsonToken.START_OBJECT) {
                Object object = value(in);
                if (object != null && in.nextToken() == null) {
                    return object;
                }
            }
        } catch (IOException e) {
            // Replaced, not wrapped: Jackson's message may quote the input.
        }
        throw new SourceException(
                Reason.MALFORMED,
                service + " answered " + status + " with something that is no JSON object",
                "is the address right? A proxy or a login page may have answered in its place");
    }

    private static @Nullable Object value(JsonParser in) throws IOException {
        return switch (in.currentToken()) {
            case START_OBJECT -> {
                Map<String, @Nullable Object> map = new LinkedHashMap<>();
                while (in.nextToken() != JsonToken.END_OBJECT) {
                    String key = in.currentName();
                    in.nextToken();
                    map.put(key, value(in));
                }
                yield map;
            }
            case START_ARRAY -> {
                List<@Nullable Object> list = new ArrayList<>();
                while (in.nextToken() != JsonToken.END_ARRAY) {
                    list.add(value(in));
                }
                yield list;
            }
            case VALUE_STRING -> in.getText();
            case VALUE_NUMBER_INT ->
                in.getNumberType() == JsonParser.NumberType.BIG_INTEGER ? (Object) in.getText() : in.getLongValue();
            case VALUE_NUMBER_FLOAT -> in.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            default -> null;
        };
    }

    /** Its status; what it says may be secret. */
    @Override
    public String toString() {
        return service + " answered " + status;
    }
}
