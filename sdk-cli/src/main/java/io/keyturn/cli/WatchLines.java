package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.check.Status;
import io.keyturn.event.TokenEvent;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.lang.reflect.RecordComponent;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What is watched, as lines: an event each, and of a check what has changed since the one before, then how it ended. Each
 * line is written at once, so that two threads do not mix theirs.
 */
final class WatchLines {
    private static final int WIDTH = 15;

    private final Shell shell;
    private final boolean json;

    /** How each step ended in the last check, by token and step. Used by the thread that checks. */
    private Map<String, String> before = Map.of();

    WatchLines(Shell shell, boolean json) {
        this.shell = shell;
        this.json = json;
    }

    // --- events ---

    void event(TokenEvent event) {
        if (json) {
            document(document(event));
        } else {
            line(event.at(), word(event), text(event));
        }
    }

    /** The record's name, as reasons are written: {@code swap_refused}. */
    private static String word(TokenEvent event) {
        return event.getClass()
                .getSimpleName()
                .replaceAll("(?<=.)([A-Z])", "_$1")
                .toLowerCase(Locale.ROOT);
    }

    private static String text(TokenEvent event) {
        if (event instanceof TokenEvent.Resolved e) {
            return e.token() + "#" + e.fingerprint() + ", from " + e.source();
        }
        if (event instanceof TokenEvent.Swapped e) {
            return e.token() + "#" + e.fingerprint() + " takes the place of #" + e.previous() + ", from " + e.source();
        }
        if (event instanceof TokenEvent.SwapRefused e) {
            return e.token() + "#" + e.fingerprint() + " was not taken: " + e.message();
        }
        if (event instanceof TokenEvent.RefreshFailed e) {
            return e.token() + ": " + e.message();
        }
        if (event instanceof TokenEvent.Expired e) {
            return e.token() + "#" + e.fingerprint() + " has ended, and there is no other";
        }
        if (event instanceof TokenEvent.Rejected e) {
            return e.token() + "#" + e.fingerprint() + " was answered with 401";
        }
        if (event instanceof TokenEvent.ReloadFailed e) {
            return e.message();
        }
        if (event instanceof TokenEvent.Reloaded e) {
            return "in force: " + (e.tokens().isEmpty() ? "no token changed" : String.join(", ", e.tokens()))
                    + (e.restart().isEmpty() ? "" : "; needs a restart: " + String.join(", ", e.restart()));
        }
        StringBuilder text = new StringBuilder();
        fields(event)
                .forEach((name, value) -> text.append(text.isEmpty() ? "" : ", ")
                        .append(name.equals("token") || name.equals("message") ? "" : name + " ")
                        .append(value));
        return text.toString();
    }

    /** An event is a record whose parts have the names that a program wants. */
    private static Map<String, Object> fields(TokenEvent event) {
        Map<String, Object> fields = new LinkedHashMap<>();
        for (RecordComponent part : event.getClass().getRecordComponents()) {
            try {
                Object value = part.getAccessor().invoke(event);
                if (value != null && !part.getName().equals("at")) {
                    fields.put(part.getName(), value instanceof Reason reason ? reason.word() : value);
                }
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException("an event's parts are public", e);
            }
        }
        return fields;
    }

    private static String document(TokenEvent event) {
        StringWriter text = new StringWriter();
        try (JsonGenerator out = new JsonFactory().createGenerator(text)) {
            out.writeStartObject();
            out.writeStringField("event", word(event));
            out.writeStringField("at", event.at().toString());
            out.writeNumberField("schema", 1);
            for (Map.Entry<String, Object> field : fields(event).entrySet()) {
                out.writeFieldName(field.getKey());
                value(out, field.getValue());
            }
            out.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException("a StringWriter cannot fail", e);
        }
        return text.toString();
    }

    private static void value(JsonGenerator out, Object value) throws IOException {
        if (value instanceof Long number) {
            out.writeNumber(number);
        } else if (value instanceof List<?> items) {
            out.writeStartArray();
            for (Object item : items) {
                out.writeString(String.valueOf(item));
            }
            out.writeEndArray();
        } else {
            out.writeString(value.toString());
        }
    }

    // --- checks ---

    /** What has changed since the last check; of the first one, what is not as it should be. */
    void check(CheckReport report) {
        Instant now = Instant.now();
        if (json) {
            // The same document that check prints, with two keys before it.
            document("{\"event\":\"check\",\"at\":\"" + now + "\","
                    + report.toJson().substring(1));
            return;
        }
        Map<String, String> after = new HashMap<>();
        for (TokenCheck token : report.tokens()) {
            for (Step step : token.steps()) {
                String key = token.name() + " " + step.step();
                String found = step.status() + " " + step.reason();
                after.put(key, found);
                if (isNews(before.get(key), found, step)) {
                    line(now, "check", key + ": " + step.status().word() + ": " + step.detail() + fix(step.fix()));
                }
            }
        }
        before = after;
        String text = report.toString();
        line(now, "check", text.substring(text.lastIndexOf('\n', text.length() - 2) + 1));
    }

    private static boolean isNews(@Nullable String before, String found, Step step) {
        boolean isFine = step.status() == Status.PASS || step.status() == Status.SKIP;
        return before == null ? !isFine : !Objects.equals(before, found) && step.status() != Status.SKIP;
    }

    private static String fix(@Nullable String fix) {
        return fix == null ? "" : " (fix: " + fix + ")";
    }

    // --- lines ---

    private void line(Instant at, String what, String text) {
        String word = what + " ".repeat(Math.max(1, WIDTH - what.length()));
        String line =
                at.truncatedTo(ChronoUnit.SECONDS) + "  " + word + text.strip().replaceAll("\\p{Cntrl}", " ");
        shell.out().print(line + System.lineSeparator());
        shell.out().flush();
    }

    private void document(String json) {
        byte[] line = (json + "\n").getBytes(UTF_8);
        shell.out().write(line, 0, line.length);
        shell.out().flush();
    }
}
