package io.keyturn.check;

import io.keyturn.check.CheckReport.SourceCheck;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A report as people read it: one line a step, aligned, with the fix beneath what failed. The last line is the one that
 * is read first, so it says what matters most.
 */
final class TextReport {
    private static final int STATUS_WIDTH = 9;
    private static final int STEP_WIDTH = 14;
    private static final String BOLD = "1";
    private static final String DIM = "2";
    private static final String CYAN = "36";

    private final boolean colour;
    private final StringBuilder out = new StringBuilder();

    TextReport(boolean colour) {
        this.colour = colour;
    }

    String render(CheckReport report) {
        for (Problem problem : report.errors()) {
            problem(problem);
        }
        if (!report.errors().isEmpty()) {
            line("");
        }
        for (TokenCheck token : report.tokens()) {
            token(token);
        }
        needs(report.needs());
        line(summary(report));
        return out.toString();
    }

    private void problem(Problem problem) {
        String place = problem.at().toString();
        line((place.isEmpty() ? "" : place + ": ") + paint(colourOf(Status.FAIL), problem.message()));
        fix(2, problem.fix());
    }

    private void token(TokenCheck token) {
        line(paint(BOLD, token.name())
                + (token.fingerprint() == null ? "" : "#" + token.fingerprint())
                + (token.source() == null ? "" : "  from " + token.source()));
        sources(token.sources());
        StringBuilder rest = new StringBuilder();
        for (Step step : token.steps()) {
            if (Steps.NOT_REACHED.equals(step.reason())) {
                rest.append(rest.length() == 0 ? "" : ", ").append(step.step());
            } else {
                step(step);
            }
        }
        // What could not be tried is one line in the end: what is to be mended stands above it.
        if (rest.length() > 0) {
            line("  " + word(Status.SKIP) + paint(DIM, rest.toString()));
        }
        line("");
    }

    private void step(Step step) {
        String millis = step.millis() < 0 ? "" : paint(DIM, " (" + step.millis() + " ms)");
        line("  " + word(step.status()) + pad(step.step(), STEP_WIDTH) + step.detail() + millis);
        fix(2 + STATUS_WIDTH + STEP_WIDTH, step.fix());
    }

    private void fix(int indent, @Nullable String fix) {
        if (fix != null) {
            line(" ".repeat(indent) + paint(CYAN, "fix: ") + fix);
        }
    }

    private void sources(List<SourceCheck> sources) {
        int width = 0;
        for (SourceCheck source : sources) {
            width = Math.max(width, source.source().length());
        }
        for (SourceCheck source : sources) {
            String chosen = source.chosen()
                    ? paint(colourOf(Status.PASS), pad("chosen", STATUS_WIDTH))
                    : pad("-", STATUS_WIDTH);
            line("  " + chosen + pad(source.source(), width + 2) + source.why());
        }
    }

    private void needs(List<Need> needs) {
        int width = 0;
        for (Need need : needs) {
            width = Math.max(width, need.name().length());
        }
        for (Need need : needs) {
            line("needs " + pad(need.kind(), STATUS_WIDTH - 1) + pad(need.name(), width + 2) + need.at());
        }
        if (!needs.isEmpty()) {
            line("");
        }
    }

    private String summary(CheckReport report) {
        boolean tooStrict = report.status() == Status.WARN && !report.ok();
        String verdict = tooStrict ? "fail (strict)" : report.status().word();
        int errors = report.errors().size();
        int tokens = report.tokens().size();
        String who = (report.agent().equals("agent") ? "" : "agent " + report.agent() + ", ")
                + tokens
                + (tokens == 1 ? " token" : " tokens");
        String what = errors > 0
                ? errors + (errors == 1 ? " error" : " errors")
                : report.status() == Status.PASS ? who : worst(report) + " (" + who + ")";
        return paint(colourOf(tooStrict ? Status.FAIL : report.status()), verdict) + ": " + what;
    }

    /** The first of what is worst, and how many tokens more are as bad. */
    private static String worst(CheckReport report) {
        List<TokenCheck> bad = report.tokens().stream()
                .filter(token -> token.status() == report.status())
                .toList();
        String first = bad.get(0).steps().stream()
                .filter(step -> step.status() == report.status())
                .findFirst()
                .map(Step::detail)
                .orElse("");
        return (report.tokens().size() == 1 ? "" : bad.get(0).name() + ": ")
                + first
                + (bad.size() == 1 ? "" : ", and " + (bad.size() - 1) + " more");
    }

    private void line(String text) {
        out.append(text.stripTrailing()).append('\n');
    }

    private String word(Status status) {
        return paint(colourOf(status), pad(status.word(), STATUS_WIDTH));
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(Math.max(1, width - text.length()));
    }

    private static String colourOf(Status status) {
        return switch (status) {
            case PASS -> "32";
            case WARN, UNKNOWN -> "33";
            case FAIL -> "31";
            case SKIP -> DIM;
        };
    }

    private String paint(String code, String text) {
        return colour ? "\u001B[" + code + "m" + text + "\u001B[0m" : text;
    }
}
