package io.keyturn.check;

import io.keyturn.check.CheckReport.Step;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The steps of one check while they are taken. */
final class Steps {
    static final String NOT_REACHED = "not_reached";
    private static final List<String> ORDER =
            List.of("config", "resolve", "expiry", "scopes", "policy", "reach", "authenticate", "anonymous");

    private final boolean withPolicy;
    private final List<Step> taken = new ArrayList<>();

    /** No steps yet; {@code withPolicy} tells whether a policy is asked on the way. */
    Steps(boolean withPolicy) {
        this.withPolicy = withPolicy;
    }

    void passed(String step, String detail) {
        add(new Step(step, Status.PASS, null, detail, null, 0, -1));
    }

    void add(String step, Status status, String reason, String detail, @Nullable String fix) {
        add(new Step(step, status, reason, detail, fix, 0, -1));
    }

    void add(Step step) {
        taken.add(step);
    }

    /** What was taken, in the order of the way. */
    List<Step> taken() {
        return taken.stream()
                .sorted(Comparator.comparing(step -> ORDER.indexOf(step.step())))
                .toList();
    }

    /** All steps; those that were not taken are skipped, since the one before them must be mended first. */
    List<Step> all() {
        String blocking = taken.get(taken.size() - 1).step();
        for (String step : ORDER) {
            if (step.equals("policy") && !withPolicy) {
                continue;
            }
            if (taken.stream().noneMatch(each -> each.step().equals(step))) {
                add(step, Status.SKIP, NOT_REACHED, "not reached", "mend '" + blocking + "' first");
            }
        }
        return taken();
    }
}
