package io.keyturn.benchmarks;

import java.io.PrintStream;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Tables as they stand in docs/performance.md. */
final class Markdown {
    private final PrintStream out;

    Markdown(PrintStream out) {
        this.out = out;
    }

    void heading(String title) {
        out.println();
        out.println("## " + title);
        out.println();
    }

    void text(String text) {
        out.println(text);
    }

    /** The first row of a table: names on the left, numbers on the right. */
    void columns(String... titles) {
        row((Object[]) titles);
        List<String> rule = Collections.nCopies(titles.length - 1, "---:");
        out.println("|---|" + String.join("|", rule) + "|");
    }

    void row(Object... cells) {
        out.println(Arrays.stream(cells).map(Markdown::text).collect(Collectors.joining(" | ", "| ", " |")));
        out.flush();
    }

    /** A table of things in times of the first. */
    void compared(List<Compared> all) {
        columns("", "ns", "× the first", "± of it", "B", "B more than the first");
        for (Compared each : all) {
            row(
                    each.name(),
                    each.nanos(),
                    each.ratios().median(),
                    each.ratios().spread(),
                    Math.round(each.bytes()),
                    Math.round(each.bytes() - all.get(0).bytes()));
        }
    }

    /** Numbers with as many digits as mean something. */
    private static String text(Object cell) {
        if (!(cell instanceof Double number)) {
            return String.valueOf(cell);
        }
        if (number.isNaN()) {
            return "–";
        }
        return String.format(Locale.ROOT, number < 10 ? "%.2f" : number < 100 ? "%.1f" : "%,.0f", number);
    }
}
