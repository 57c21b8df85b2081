package io.keyturn;

import io.keyturn.check.Status;
import io.keyturn.provider.TokenStatus;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How an agent stands at a moment: what it knows without asking anybody. It prints for people ({@link #toString}) and as
 * one JSON document ({@link #toJson}), which is what stands in a {@code status_file}; neither holds a value. Immutable.
 *
 * @param agent the agent's name
 * @param at when this was so, by the agent's clock
 * @param tokens each token, in the order of the configuration
 * @param required the names of those without which the agent is not usable
 * @param outdated why what the configuration says now is not in force; null if it is
 */
public record AgentStatus(
        String agent,
        Instant at,
        Phase phase,
        List<TokenStatus> tokens,
        Set<String> required,
        @Nullable String outdated) {
    /** Where in its life an agent is. */
    public enum Phase {
        /** It waits for its required tokens. */
        STARTING,
        /** It has been started. */
        RUNNING,
        /** It has been closed, or did not get as far as to run. */
        CLOSED,
        /** Nothing was heard of it for too long: see {@link AgentStatus#asOf}. */
        SILENT;

        /** The phase as it stands in JSON, such as {@code running}. */
        public String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** A status; the lists are copied. */
    public AgentStatus {
        tokens = List.copyOf(tokens);
        required = Set.copyOf(required);
    }

    /** Whether the agent runs and every required token is handed out; a degraded one is. */
    public boolean ok() {
        return phase == Phase.RUNNING && tokens.stream().allMatch(this::ok);
    }

    /** Whether this token is handed out, or need not be. */
    boolean ok(TokenStatus token) {
        return token.isUsable() || !required.contains(token.name());
    }

    /**
     * In one word: {@code PASS}; {@code WARN} if a token's source fails, an optional token is not there or the configuration
     * is outdated; {@code FAIL} if it is not {@link #ok}; {@code UNKNOWN} if nothing was heard for too long.
     */
    public Status status() {
        if (phase == Phase.SILENT) {
            return Status.UNKNOWN;
        }
        if (!ok()) {
            return Status.FAIL;
        }
        boolean isFresh = tokens.stream().allMatch(token -> token.state() == TokenStatus.State.FRESH);
        return isFresh && outdated == null ? Status.PASS : Status.WARN;
    }

    Status status(TokenStatus token) {
        if (!ok(token)) {
            return Status.FAIL;
        }
        return token.state() == TokenStatus.State.FRESH ? Status.PASS : Status.WARN;
    }

    /** What is known of one token. */
    public Optional<TokenStatus> token(String name) {
        return tokens.stream().filter(token -> token.name().equals(name)).findFirst();
    }

    /**
     * The same as somebody reads it later. What is older than the limit tells nothing of now, and neither does what is as
     * far in the future: then the phase is {@link Phase#SILENT}.
     */
    public AgentStatus asOf(Instant now, Duration maxAge) {
        boolean tells = Duration.between(at, now).abs().compareTo(maxAge) <= 0;
        return tells ? this : new AgentStatus(agent, at, Phase.SILENT, tokens, required, outdated);
    }

    /** One JSON document, {@code "schema": 1}; see {@code docs/check.md}. */
    public String toJson() {
        return StatusDocument.write(this);
    }

    /** Reads what {@link #toJson} wrote, in UTF-8; empty if it is anything else. Keys that are not known are left out. */
    public static Optional<AgentStatus> parse(byte[] json) {
        return StatusDocument.read(json);
    }

    /** A line for each token, and one for the agent, which says the most important of it. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (TokenStatus token : tokens) {
            text.append("  ")
                    .append(pad(status(token).word(), 9))
                    .append(printable(line(token)))
                    .append('\n');
        }
        return text.append(status().word())
                .append(": ")
                .append(printable(summary()))
                .toString();
    }

    private String line(TokenStatus token) {
        StringBuilder line = new StringBuilder(token.name());
        line.append(token.fingerprint() == null ? "" : "#" + token.fingerprint());
        line.append("  ").append(token.state().name().toLowerCase(Locale.ROOT));
        line.append(required.contains(token.name()) ? "" : " (optional)");
        line.append(token.source() == null ? "" : ", from " + token.source());
        line.append(token.expiresAt() == null ? "" : ", ends at " + token.expiresAt());
        line.append(token.refreshAt() == null ? "" : ", asked again at " + token.refreshAt());
        line.append(token.failure() == null ? "" : ": " + token.failure());
        return line.toString();
    }

    private String summary() {
        String who = "agent " + agent + " (" + tokens.size() + (tokens.size() == 1 ? " token" : " tokens") + ") ";
        return switch (phase) {
            case STARTING -> who + "is starting";
            case CLOSED -> who + "is closed";
            case SILENT -> who + "has told nothing since " + at;
            case RUNNING -> who + running() + ", at " + at;
        };
    }

    private String running() {
        List<String> missing = tokens.stream()
                .filter(token -> !ok(token))
                .map(TokenStatus::name)
                .toList();
        if (!missing.isEmpty()) {
            return "is not usable without " + String.join(", ", missing);
        }
        if (outdated != null) {
            return "is degraded: the configuration was changed and cannot be used: " + outdated;
        }
        return status() == Status.PASS ? "is usable" : "is usable, and degraded";
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(Math.max(1, width - text.length()));
    }

    /** What was read from a file may hold what a terminal would obey. */
    private static String printable(String text) {
        return text.replaceAll("\\p{Cntrl}", "?");
    }
}
