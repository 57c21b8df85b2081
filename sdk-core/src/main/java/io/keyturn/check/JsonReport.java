package io.keyturn.check;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.keyturn.check.CheckReport.SourceCheck;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A report as programs read it. What is not known is not there. */
final class JsonReport {
    private static final int SCHEMA = 1;

    private final CheckReport report;
    private final JsonGenerator out;

    private JsonReport(CheckReport report, JsonGenerator out) {
        this.report = report;
        this.out = out;
    }

    static String write(CheckReport report) {
        StringWriter text = new StringWriter();
        try (JsonGenerator out = new JsonFactory().createGenerator(text)) {
            new JsonReport(report, out).write();
        } catch (IOException e) {
            throw new UncheckedIOException("a StringWriter cannot fail", e);
        }
        return text.toString();
    }

    private void write() throws IOException {
        out.writeStartObject();
        out.writeNumberField("schema", SCHEMA);
        out.writeStringField("agent", report.agent());
        out.writeBooleanField("ok", report.ok());
        out.writeStringField("status", report.status().word());
        array("errors", report.errors(), this::problem);
        array("tokens", report.tokens(), this::token);
        array("needs", report.needs(), this::need);
        out.writeEndObject();
    }

    @FunctionalInterface
    private interface Writer<T> {
        void write(T item) throws IOException;
    }

    private <T> void array(String name, List<T> items, Writer<T> fields) throws IOException {
        out.writeArrayFieldStart(name);
        for (T item : items) {
            out.writeStartObject();
            fields.write(item);
            out.writeEndObject();
        }
        out.writeEndArray();
    }

    private void known(String name, @Nullable Object value) throws IOException {
        if (value != null) {
            out.writeStringField(name, value.toString());
        }
    }

    private void texts(String name, List<String> values) throws IOException {
        if (!values.isEmpty()) {
            out.writeFieldName(name);
            out.writeArray(values.toArray(String[]::new), 0, values.size());
        }
    }

    private void problem(Problem problem) throws IOException {
        if (!problem.at().file().isEmpty()) {
            out.writeStringField("file", problem.at().file());
        }
        if (problem.at().line() > 0) {
            out.writeNumberField("line", problem.at().line());
            out.writeNumberField("column", problem.at().column());
        }
        out.writeStringField("path", problem.at().path());
        out.writeStringField("message", problem.message());
        known("fix", problem.fix());
    }

    private void token(TokenCheck token) throws IOException {
        out.writeStringField("name", token.name());
        known("fingerprint", token.fingerprint());
        known("version", token.version());
        known("source", token.source());
        if (!token.sources().isEmpty()) {
            array("sources", token.sources(), this::source);
        }
        texts("endpoints", token.endpoints());
        texts("scopes", token.scopes());
        known("expiresAt", token.expiresAt());
        known("refreshAt", token.refreshAt());
        known("identity", token.identity());
        out.writeBooleanField("ok", report.ok(token));
        out.writeStringField("status", token.status().word());
        array("steps", token.steps(), this::step);
    }

    private void source(SourceCheck source) throws IOException {
        out.writeStringField("source", source.source());
        out.writeBooleanField("chosen", source.chosen());
        out.writeStringField("why", source.why());
    }

    private void step(Step step) throws IOException {
        out.writeStringField("step", step.step());
        out.writeStringField("status", step.status().word());
        known("reason", step.reason());
        out.writeStringField("detail", step.detail());
        known("fix", step.fix());
        if (step.httpStatus() > 0) {
            out.writeNumberField("httpStatus", step.httpStatus());
        }
        if (step.millis() >= 0) {
            out.writeNumberField("ms", step.millis());
        }
    }

    private void need(Need need) throws IOException {
        out.writeStringField("kind", need.kind());
        out.writeStringField("name", need.name());
        out.writeStringField("at", need.at().toString());
    }
}
