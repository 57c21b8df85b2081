package io.keyturn.check;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.keyturn.check.CheckReport.SourceCheck;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.config.Location;
import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import io.keyturn.token.Reason;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CheckReportTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Location PLACE = new Location("agent.yaml", 2, 14, "agent.api_token");

    private static Step step(String step, Status status, String reason, String detail, String fix) {
        return new Step(step, status, reason, detail, fix, 0, -1);
    }

    private static TokenCheck token(String name, Step... steps) {
        return new TokenCheck(
                name, null, null, null, List.of(), List.of(), List.of(), null, null, null, List.of(steps));
    }

    private static CheckReport report(TokenCheck... tokens) {
        return new CheckReport("ci-agent", List.of(), List.of(tokens), List.of(), false);
    }

    private static CheckReport errors(Problem... problems) {
        return new CheckReport("ci-agent", List.of(problems), List.of(), List.of(), false);
    }

    private static TokenCheck complete() {
        return new TokenCheck(
                "api_token",
                "3f9a1c2b44d0",
                "v7",
                "file /run/secrets/api_token",
                List.of(
                        new SourceCheck("environment variable A", false, "environment variable A is not set"),
                        new SourceCheck("file /run/secrets/api_token", true, "has the token")),
                List.of("https://api.example.com/v1"),
                List.of("read", "write"),
                Instant.parse("2026-12-31T00:00:00Z"),
                Instant.parse("2026-12-24T00:00:00Z"),
                "ci-agent",
                List.of(
                        step("config", Status.PASS, null, PLACE.toString(), null),
                        step("resolve", Status.PASS, null, "file /run/secrets/api_token", null),
                        step("reach", Status.PASS, null, "TCP 1 ms", null),
                        new Step("authenticate", Status.PASS, null, "GET /me: 200, as ci-agent", null, 200, 12),
                        new Step(
                                "anonymous",
                                Status.WARN,
                                "proves_nothing",
                                "proves nothing: without the token the answer is 200",
                                "check another path",
                                200,
                                3)));
    }

    // --- how it ends ---

    @ParameterizedTest
    @CsvSource({
        "PASS,    , 0, 0",
        "SKIP,    not_reached, 0, 0",
        "WARN,    no_check, 0, 1",
        "WARN,    unset, 0, 0",
        "WARN,    absent, 0, 0",
        "FAIL,    unset, 2, 2",
        "FAIL,    absent, 2, 2",
        "FAIL,    expired, 1, 1",
        "FAIL,    unauthenticated, 1, 1",
        "UNKNOWN, unreachable, 3, 3"
    })
    void exitCode_oneStep_isTheTables(Status status, String reason, int exit, int strict) {
        CheckReport report = report(token("t", step("resolve", status, reason, "d", "f")));

        assertThat(report.exitCode()).isEqualTo(exit);
        assertThat(report.ok()).isEqualTo(exit == 0);
        assertThat(report.asStrict().exitCode()).isEqualTo(strict);
        assertThat(report.status()).isEqualTo(status == Status.SKIP ? Status.PASS : status);
    }

    @Test
    void exitCode_mix_2Before1Before3Before0() {
        List<TokenCheck> tokens = new ArrayList<>();
        tokens.add(token("a", step("reach", Status.WARN, "no_endpoint", "d", "f")));
        assertThat(report(tokens.toArray(TokenCheck[]::new)).exitCode()).isZero();
        tokens.add(token("b", step("reach", Status.UNKNOWN, "unreachable", "d", "f")));
        assertThat(report(tokens.toArray(TokenCheck[]::new)).exitCode()).isEqualTo(3);
        tokens.add(token("c", step("authenticate", Status.FAIL, "unauthenticated", "d", "f")));
        assertThat(report(tokens.toArray(TokenCheck[]::new)).exitCode()).isEqualTo(1);
        tokens.add(token("d", step("resolve", Status.FAIL, "absent", "d", "f")));
        assertThat(report(tokens.toArray(TokenCheck[]::new)).exitCode()).isEqualTo(2);
    }

    @Test
    void exitCode_error_is2() {
        CheckReport report = errors(Problem.of(PLACE, "is wrong"));
        assertThat(report.exitCode()).isEqualTo(2);
        assertThat(report.status()).isEqualTo(Status.FAIL);
        assertThat(report.ok()).isFalse();
    }

    @Test
    void exitCode_nothingToCheck_is0() {
        assertThat(report().exitCode()).isZero();
        assertThat(report().asStrict().exitCode()).isZero();
        assertThat(report().status()).isEqualTo(Status.PASS);
    }

    @Test
    void status_ofAToken_isItsWorstStep() {
        assertThat(token(
                                "t",
                                step("resolve", Status.WARN, "r", "d", "f"),
                                step("reach", Status.UNKNOWN, "r", "d", "f"),
                                step("authenticate", Status.SKIP, "r", "d", "f"))
                        .status())
                .isEqualTo(Status.UNKNOWN);
    }

    @Test
    void token_name_isFound() {
        assertThat(report(token("a"), token("b")).token("b")).isPresent();
        assertThat(report(token("a")).token("c")).isEmpty();
    }

    // --- for people ---

    @Test
    void toString_everything_isAligned() {
        CheckReport report = new CheckReport(
                "ci-agent",
                List.of(new Problem(PLACE, Reason.UNSET, "environment variable AGENT_API_TOKEN is not set", null)),
                List.of(
                        complete(),
                        token(
                                "deploy",
                                step("config", Status.PASS, null, "agent.yaml:5:7 agent.tokens.deploy", null),
                                step("resolve", Status.UNKNOWN, "unreachable", "the store is down", "start the store"),
                                step("expiry", Status.SKIP, "not_reached", "not reached", "mend 'resolve' first"),
                                step("scopes", Status.SKIP, "not_reached", "not reached", "mend 'resolve' first"))),
                List.of(new Need("env", "AGENT_API_TOKEN", PLACE), new Need("file", "/run/secrets/api_token", PLACE)),
                false);

        assertThat(report.toString()).isEqualTo("""
                        agent.yaml:2:14 agent.api_token: environment variable AGENT_API_TOKEN is not set

                        api_token#3f9a1c2b44d0  from file /run/secrets/api_token
                          -        environment variable A       environment variable A is not set
                          chosen   file /run/secrets/api_token  has the token
                          pass     config        agent.yaml:2:14 agent.api_token
                          pass     resolve       file /run/secrets/api_token
                          pass     reach         TCP 1 ms
                          pass     authenticate  GET /me: 200, as ci-agent (12 ms)
                          warn     anonymous     proves nothing: without the token the answer is 200 (3 ms)
                                                 fix: check another path

                        deploy
                          pass     config        agent.yaml:5:7 agent.tokens.deploy
                          unknown  resolve       the store is down
                                                 fix: start the store
                          skip     expiry, scopes

                        needs env     AGENT_API_TOKEN         agent.yaml:2:14 agent.api_token
                        needs file    /run/secrets/api_token  agent.yaml:2:14 agent.api_token

                        fail: 1 error
                        """);
    }

    @ParameterizedTest
    @CsvSource({
        "PASS, false, 'pass: agent ci-agent, 1 token'",
        "WARN, false, 'warn: what was found (agent ci-agent, 1 token)'",
        "WARN, true, 'fail (strict): what was found (agent ci-agent, 1 token)'",
        "UNKNOWN, false, 'unknown: what was found (agent ci-agent, 1 token)'",
        "FAIL, true, 'fail: what was found (agent ci-agent, 1 token)'"
    })
    void toString_lastLine_tellsHowItEnded(Status status, boolean strict, String line) {
        CheckReport report = new CheckReport(
                "ci-agent",
                List.of(),
                List.of(token("t", step("reach", status, "r", "what was found", "f"))),
                List.of(),
                strict);
        assertThat(report.toString()).endsWith("\n" + line + "\n");
    }

    @Test
    void toString_severalBad_lastLineNamesTheFirstOfTheWorst() {
        CheckReport report = report(
                token("a", step("reach", Status.WARN, "r", "warned", "f")),
                token("b", step("reach", Status.FAIL, "r", "failed", "f")),
                token("c", step("reach", Status.FAIL, "r", "failed too", "f")));
        assertThat(report.toString()).endsWith("\nfail: b: failed, and 1 more (agent ci-agent, 3 tokens)\n");
    }

    @Test
    void render_colour_paintsOnlyWords() {
        CheckReport report = report(complete());

        String plain = report.render(false);
        String painted = report.render(true);

        assertThat(plain).doesNotContain("\u001B").isEqualTo(report.toString());
        assertThat(painted.replaceAll("\u001B\\[[0-9]+m", "")).isEqualTo(plain);
        assertThat(painted).contains("\u001B[32mpass").contains("\u001B[33mwarn");
    }

    // --- for programs ---

    private static JsonNode json(CheckReport report) throws Exception {
        return JSON.readTree(report.toJson());
    }

    @Test
    void toJson_everythingKnown_hasEveryField() throws Exception {
        Problem error = new Problem(PLACE, Reason.INVALID, "is wrong", "mend it");
        JsonNode root = json(new CheckReport(
                "ci-agent", List.of(error), List.of(complete()), List.of(new Need("env", "A", PLACE)), false));

        assertThat(root).isEqualTo(JSON.readTree("""
                        {"schema": 1, "agent": "ci-agent", "ok": false, "status": "fail",
                         "errors": [{"file": "agent.yaml", "line": 2, "column": 14, "path": "agent.api_token",
                                     "message": "is wrong", "fix": "mend it"}],
                         "tokens": [{"name": "api_token", "fingerprint": "3f9a1c2b44d0", "version": "v7",
                           "source": "file /run/secrets/api_token",
                           "sources": [
                             {"source": "environment variable A", "chosen": false, "why": "environment variable A is not set"},
                             {"source": "file /run/secrets/api_token", "chosen": true, "why": "has the token"}],
                           "endpoints": ["https://api.example.com/v1"], "scopes": ["read", "write"],
                           "expiresAt": "2026-12-31T00:00:00Z", "refreshAt": "2026-12-24T00:00:00Z", "identity": "ci-agent", "ok": true, "status": "warn",
                           "steps": [
                             {"step": "config", "status": "pass", "detail": "agent.yaml:2:14 agent.api_token"},
                             {"step": "resolve", "status": "pass", "detail": "file /run/secrets/api_token"},
                             {"step": "reach", "status": "pass", "detail": "TCP 1 ms"},
                             {"step": "authenticate", "status": "pass", "detail": "GET /me: 200, as ci-agent",
                              "httpStatus": 200, "ms": 12},
                             {"step": "anonymous", "status": "warn", "reason": "proves_nothing",
                              "detail": "proves nothing: without the token the answer is 200",
                              "fix": "check another path", "httpStatus": 200, "ms": 3}]}],
                         "needs": [{"kind": "env", "name": "A", "at": "agent.yaml:2:14 agent.api_token"}]}
                        """));
    }

    @Test
    void toJson_nothingKnown_leavesOut() throws Exception {
        assertThat(json(report(token("t")))).isEqualTo(JSON.readTree("""
                        {"schema": 1, "agent": "ci-agent", "ok": true, "status": "pass", "errors": [],
                         "tokens": [{"name": "t", "ok": true, "status": "pass", "steps": []}], "needs": []}
                        """));
        assertThat(json(errors(Problem.of(Location.of("tokens.t"), "is wrong"))).get("errors"))
                .isEqualTo(JSON.readTree("[{\"path\": \"tokens.t\", \"message\": \"is wrong\"}]"));
    }

    @Test
    void toJson_strict_aWarningIsNotOk() throws Exception {
        JsonNode root = json(report(token("t", step("reach", Status.WARN, "no_endpoint", "d", "f")))
                .asStrict());
        assertThat(root.get("ok").booleanValue()).isFalse();
        assertThat(root.get("status").textValue()).isEqualTo("warn");
        assertThat(root.get("tokens").get(0).get("ok").booleanValue()).isFalse();
    }

    @Test
    void toJson_oddText_isEscaped() throws Exception {
        JsonNode root = json(report(token("t", step("reach", Status.FAIL, "r", "\"\\\n\u001b ü", "f"))));
        assertThat(root.get("tokens").get(0).get("steps").get(0).get("detail").textValue())
                .isEqualTo("\"\\\n\u001b ü");
    }
}
