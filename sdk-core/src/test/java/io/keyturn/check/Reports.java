package io.keyturn.check;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.CheckReport.TokenCheck;
import java.util.List;

/** What must be true of every report, and ways to look into one. */
final class Reports {
    private static final List<String> WAY =
            List.of("config", "resolve", "expiry", "scopes", "policy", "reach", "authenticate", "anonymous");

    private Reports() {}

    /** Hands all that a report tells to the canary, and looks at its form. */
    static CheckReport seen(CheckReport report, Canary canary) {
        canary.saw("report", report)
                .saw("coloured report", report.render(true))
                .saw("JSON", report.toJson())
                .saw("tokens", report.tokens())
                .saw("errors", report.errors());
        for (TokenCheck token : report.tokens()) {
            assertThat(token.steps())
                    .extracting(Step::step)
                    .isSubsetOf(WAY)
                    .isSortedAccordingTo((a, b) -> Integer.compare(WAY.indexOf(a), WAY.indexOf(b)));
            assertThat(token.steps()).allSatisfy(step -> {
                boolean passed = step.status() == Status.PASS;
                assertThat(step.detail()).isNotBlank().doesNotContain("\n");
                assertThat(step.reason() == null).as("%s has no reason", step).isEqualTo(passed);
                assertThat(step.fix() == null).as("%s has no fix", step).isEqualTo(passed);
            });
        }
        return report;
    }

    /** The one token's step. */
    static Step step(CheckReport report, String name) {
        assertThat(report.tokens()).hasSize(1);
        return report.tokens().get(0).step(name).orElseThrow(() -> new AssertionError("no " + name + " in " + report));
    }

    static void assertStep(CheckReport report, String step, Status status, String reason) {
        assertThat(step(report, step))
                .as(report.toString())
                .returns(status, Step::status)
                .returns(reason, Step::reason);
    }
}
