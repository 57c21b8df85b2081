package io.keyturn;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.keyturn.AgentStatus.Phase;
import io.keyturn.provider.TokenStatus;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A status as it stands in a file. What is not known is not there. */
final class StatusDocument {
    private static final int SCHEMA = 1;

    private final Map<String, Object> fields;

    private StatusDocument(Map<String, Object> fields) {
        this.fields = fields;
    }

    // --- writing ---

    static String write(AgentStatus status) {
        StringWriter text = new StringWriter();
        try (JsonGenerator out = new JsonFactory().createGenerator(text)) {
            write(status, out);
        } catch (IOException e) {
            throw new UncheckedIOException("a StringWriter cannot fail", e);
        }
        return text.toString();
    }

    private static void write(AgentStatus status, JsonGenerator out) throws IOException {
        out.writeStartObject();
        out.writeNumberField("schema", SCHEMA);
        out.writeStringField("agent", status.agent());
        out.writeStringField("at", status.at().toString());
        out.writeStringField("phase", status.phase().word());
        out.writeBooleanField("ok", status.ok());
        out.writeStringField("status", status.status().word());
        known(out, "outdated", status.outdated());
        // Every document of ours has it; what would stand here keeps an agent from being started.
        out.writeArrayFieldStart("errors");
        out.writeEndArray();
        out.writeArrayFieldStart("tokens");
        for (TokenStatus token : status.tokens()) {
            out.writeStartObject();
            write(status, token, out);
            out.writeEndObject();
        }
        out.writeEndArray();
        out.writeEndObject();
    }

    private static void write(AgentStatus status, TokenStatus token, JsonGenerator out) throws IOException {
        out.writeStringField("name", token.name());
        out.writeBooleanField("required", status.required().contains(token.name()));
        out.writeStringField("state", token.state().name().toLowerCase(Locale.ROOT));
        known(out, "fingerprint", token.fingerprint());
        if (token.generation() > 0) {
            out.writeNumberField("generation", token.generation());
        }
        known(out, "source", token.source());
        known(out, "expiresAt", token.expiresAt());
        known(out, "refreshAt", token.refreshAt());
        known(out, "failure", token.failure());
        out.writeBooleanField("ok", status.ok(token));
        out.writeStringField("status", status.status(token).word());
    }

    private static void known(JsonGenerator out, String name, @Nullable Object value) throws IOException {
        if (value != null) {
            out.writeStringField(name, value.toString());
        }
    }

    // --- reading ---

    /** What was written is read; of anything else nothing is told, since it may be a secret in a wrong place. */
    static Optional<AgentStatus> read(byte[] json) {
        JsonFactory strict = JsonFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        try (JsonParser in = strict.createParser(json)) {
            in.nextToken();
            Object document = value(in);
            return in.nextToken() == null && document instanceof Map<?, ?> map
                    ? Optional.of(of(map).status())
                    : Optional.empty();
        } catch (IOException | IllegalArgumentException | DateTimeException e) {
            return Optional.empty();
        }
    }

    private static @Nullable Object value(JsonParser in) throws IOException {
        JsonToken token = in.currentToken();
        if (token == JsonToken.START_OBJECT) {
            Map<String, Object> fields = new LinkedHashMap<>();
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                String name = in.currentName();
                in.nextToken();
                Object value = value(in);
                if (value != null) {
                    fields.put(name, value);
                }
            }
            return fields;
        }
        if (token == JsonToken.START_ARRAY) {
            List<Object> items = new ArrayList<>();
            while (in.nextToken() != JsonToken.END_ARRAY) {
                Object item = value(in);
                if (item != null) {
                    items.add(item);
                }
            }
            return items;
        }
        if (token == JsonToken.VALUE_NUMBER_INT) {
            return in.getLongValue();
        }
        if (token == JsonToken.VALUE_TRUE || token == JsonToken.VALUE_FALSE) {
            return in.getBooleanValue();
        }
        return token == null || token == JsonToken.VALUE_NULL ? null : in.getText();
    }

    private static StatusDocument of(Map<?, ?> map) {
        Map<String, Object> fields = new LinkedHashMap<>();
        map.forEach((key, value) -> fields.put(String.valueOf(key), value));
        return new StatusDocument(fields);
    }

    private AgentStatus status() {
        if (!Long.valueOf(SCHEMA).equals(fields.get("schema"))) {
            throw new IllegalArgumentException("another schema");
        }
        List<TokenStatus> tokens = new ArrayList<>();
        Set<String> required = new HashSet<>();
        for (Object item : required("tokens", List.class)) {
            if (!(item instanceof Map<?, ?> map)) {
                throw new IllegalArgumentException("not a token");
            }
            StatusDocument token = of(map);
            tokens.add(token.token());
            if (token.required("required", Boolean.class)) {
                required.add(token.required("name", String.class));
            }
        }
        Phase phase = Phase.valueOf(required("phase", String.class).toUpperCase(Locale.ROOT));
        return new AgentStatus(
                required("agent", String.class),
                Instant.parse(required("at", String.class)),
                phase,
                tokens,
                required,
                text("outdated"));
    }

    private TokenStatus token() {
        Object generation = fields.getOrDefault("generation", 0L);
        return new TokenStatus(
                required("name", String.class),
                TokenStatus.State.valueOf(required("state", String.class).toUpperCase(Locale.ROOT)),
                text("fingerprint"),
                generation instanceof Long number ? number : 0,
                text("source"),
                time("expiresAt"),
                time("refreshAt"),
                text("failure"));
    }

    private <T> T required(String name, Class<T> type) {
        Object value = fields.get(name);
        if (!type.isInstance(value)) {
            throw new IllegalArgumentException("a key is missing");
        }
        return type.cast(value);
    }

    private @Nullable String text(String name) {
        return fields.get(name) instanceof String text ? text : null;
    }

    private @Nullable Instant time(String name) {
        String text = text(name);
        return text == null ? null : Instant.parse(text);
    }
}
