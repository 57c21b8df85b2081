package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.keyturn.Canary;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** The command, run in this process with an environment of its own. All that it prints is searched for the canary. */
final class Cli {
    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private final Canary canary;
    private final Map<String, String> variables = new HashMap<>();
    private InputStream in = InputStream.nullInputStream();
    private boolean terminal;

    /** How a run ended. */
    record Ended(int exit, String out, String err) {
        /** Standard output, which must be exactly one JSON document. */
        JsonNode json() {
            try {
                return JSON.readTree(out);
            } catch (IOException e) {
                throw new AssertionError("not one JSON document: " + out, e);
            }
        }

        /** How a step of the only token ended, and why. */
        String step(String name) {
            assertThat(json().get("tokens")).hasSize(1);
            for (JsonNode step : json().get("tokens").get(0).get("steps")) {
                if (step.get("step").asText().equals(name)) {
                    return step.get("status").asText()
                            + (step.has("reason") ? ": " + step.get("reason").asText() : "");
                }
            }
            throw new AssertionError("there is no step " + name + " in " + out);
        }
    }

    Cli(Canary canary) {
        this.canary = canary;
    }

    Cli with(String variable, String value) {
        variables.put(variable, value);
        return this;
    }

    Cli reading(String text) {
        return reading(new ByteArrayInputStream(text.getBytes(UTF_8)));
    }

    Cli reading(InputStream standardInput) {
        in = standardInput;
        return this;
    }

    Cli onTerminal() {
        terminal = true;
        return this;
    }

    Ended run(String... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Shell shell = new Shell(
                "keyturn",
                variables::get,
                in,
                new PrintStream(out, false, UTF_8),
                new PrintStream(err, false, UTF_8),
                terminal,
                terminal);
        int exit = HealthCheck.run(args, shell);
        shell.out().flush();
        shell.err().flush();
        Ended ended = new Ended(exit, out.toString(UTF_8), err.toString(UTF_8));
        canary.saw("output", ended.out).saw("errors", ended.err);
        return ended;
    }

    static Path write(Path folder, String name, String text) {
        try {
            return Files.writeString(folder.resolve(name), text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
