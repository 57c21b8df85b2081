package io.keyturn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.cli.Cli.Ended;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The table of what is found, its step and reason, and how the command ends, row by row. */
class ExitCodeTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Cli cli = new Cli(canary);
    private final RecordingServer api = RecordingServer.start();

    @BeforeEach
    void guard() {
        cli.with("AGENT_API_TOKEN", canary.token());
        api.on(
                "/v1/me",
                seen -> seen.header("Authorization").contains("Bearer " + canary.token())
                        ? Answer.ok("{\"login\": \"ci-agent\"}")
                        : Answer.of(401, "who are you?"));
    }

    @AfterEach
    void stop() {
        api.close();
    }

    private static String yaml(String... keys) {
        return "agent:\n  api_token: ${AGENT_API_TOKEN}\n" + indented(keys);
    }

    private static String indented(String... keys) {
        StringBuilder all = new StringBuilder();
        for (String key : keys) {
            all.append("  ").append(key).append('\n');
        }
        return all.toString();
    }

    private String endpoint() {
        return "endpoint: " + api.url("/");
    }

    private String fileToken(String content) throws IOException {
        Path file = Cli.write(folder, "api-token", content);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        return "api_token: {file: api-token}";
    }

    private Ended check(String yaml, String... options) {
        String[] args = new String[options.length + 3];
        args[0] = "check";
        args[1] = Cli.write(folder, "agent.yaml", yaml).toString();
        args[2] = "--json";
        System.arraycopy(options, 0, args, 3, options.length);
        return cli.run(args);
    }

    /** Runs it as programs and as people read it, strict and not. */
    private void endsWith(String yaml, String step, String found, int exit, int strictExit, String words) {
        Ended ended = check(yaml);
        assertThat(ended.step(step)).isEqualTo(found);
        assertThat(ended.exit()).isEqualTo(exit);
        assertThat(ended.json().get("ok").asBoolean()).isEqualTo(exit == 0);
        assertThat(ended.err()).isEmpty();

        assertThat(check(yaml, "--strict").exit()).isEqualTo(strictExit);

        Ended text = cli.run("check", folder.resolve("agent.yaml").toString());
        assertThat(text.exit()).isEqualTo(exit);
        assertThat(text.out()).contains(words);
        assertThat(text.err()).isEmpty();
    }

    // --- it works, or nearly ---

    @Test
    void check_worksAndAnonymousIsRefused_passes() {
        endsWith(yaml(endpoint(), "check: GET /v1/me"), "anonymous", "pass", 0, 0, "without the token: 401");
    }

    @Test
    void check_noEndpoint_warns() {
        endsWith(yaml(), "reach", "warn: no_endpoint", 0, 1, "no endpoint is declared");
    }

    @Test
    void check_noCheck_warns() {
        endsWith(yaml(endpoint()), "authenticate", "warn: no_check", 0, 1, "nothing proves that the token works");
    }

    @Test
    void check_healthPathOpenToAll_provesNothing() {
        endsWith(yaml(endpoint(), "check: GET /health"), "anonymous", "warn: proves_nothing", 0, 1, "proves nothing");
    }

    @Test
    void check_tokenEndsSoon_warns() throws IOException {
        String soon = Instant.now().plus(1, ChronoUnit.HOURS).toString();
        endsWith(
                yaml(endpoint(), "check: GET /v1/me", "expires_at: " + soon),
                "expiry",
                "warn: expires_soon",
                0,
                1,
                "ends at");
    }

    @Test
    void check_optionalTokenNotThere_warnsHoweverStrict() {
        String yaml = "agent:\n  api_token: {env: NOT_SET}\n  required: false\n  " + endpoint() + "\n";
        endsWith(yaml, "resolve", "warn: unset", 0, 0, "NOT_SET is not set");
    }

    // --- the configuration ---

    @Test
    void check_unknownKey_is2() {
        Ended ended = check(yaml("endpiont: https://api.example.com"));
        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.json().get("errors").get(0).get("message").asText())
                .isEqualTo("unknown key 'endpiont', did you mean 'endpoint'?");
        assertThat(ended.json().get("errors").get(0).get("line").asInt()).isEqualTo(3);
    }

    @Test
    void check_variableUnset_is2() {
        String yaml = "agent:\n  api_token: ${NOT_SET}\n  " + endpoint() + "\n";
        endsWith(yaml, "resolve", "fail: unset", 2, 2, "2:14 agent.api_token: environment variable NOT_SET is not set");
    }

    @Test
    void check_fileAbsent_is2() {
        String yaml = "agent:\n  api_token: {file: nowhere}\n";
        endsWith(yaml, "resolve", "fail: absent", 2, 2, "nowhere");
    }

    // --- a token that must not be used ---

    @Test
    void check_fileOpenToOthers_is1() throws IOException {
        String source = fileToken(canary.token());
        Files.setPosixFilePermissions(folder.resolve("api-token"), PosixFilePermissions.fromString("rw-rw-r--"));
        endsWith("agent:\n  " + source + "\n", "resolve", "fail: unsafe_file", 1, 1, "api-token");
    }

    @Test
    void check_fileWithoutAToken_is1() throws IOException {
        String source = fileToken(canary.token() + "\n" + canary.token());
        endsWith("agent:\n  " + source + "\n", "resolve", "fail: malformed", 1, 1, "api-token");
    }

    @Test
    void check_tokenExpired_is1() {
        endsWith(yaml("expires_at: 2020-01-01"), "expiry", "fail: expired", 1, 1, "expired");
    }

    @Test
    void check_scopeForbidden_is1() {
        endsWith(yaml("scopes: {granted: [read, admin], forbid: [admin]}"), "scopes", "fail: scope", 1, 1, "admin");
    }

    @Test
    void check_lifetimeTooLong_is1() {
        endsWith(
                yaml("issued_at: 2026-01-01", "expires_at: 2999-01-01", "max_lifetime: 90d"),
                "expiry",
                "fail: lifetime",
                1,
                1,
                "lives longer");
    }

    // --- what the API says ---

    @ParameterizedTest
    @CsvSource({
        "401, fail: unauthenticated, 1, unauthenticated (401)",
        "403, fail: not_permitted, 1, not permitted (403)",
        "302, fail: redirected, 1, redirected (302)",
        "307, fail: redirected, 1, redirected (307)",
        "404, fail: unexpected_status, 1, 404",
        "429, unknown: rate_limited, 3, rate limited (429)",
        "500, unknown: server_error, 3, server error (500)",
        "503, unknown: server_error, 3, server error (503)"
    })
    void check_status_tellsWhatItMeans(int status, String found, int exit, String words) {
        try (RecordingServer stranger = RecordingServer.start()) {
            Answer answer = Answer.of(status, canary.token());
            api.on("/v1/me", status / 100 == 3 ? answer.with("Location", stranger.url("/login")) : answer);

            endsWith(yaml(endpoint(), "check: GET /v1/me"), "authenticate", found, exit, exit, words);

            assertThat(stranger.seen()).isEmpty();
        }
    }

    @Test
    void check_statusThatIsExpected_passes() {
        api.on("/v1/me", seen -> Answer.of(seen.header("Authorization").isEmpty() ? 403 : 404, ""));
        endsWith(yaml(endpoint(), "check: {request: GET /v1/me, expect: [404]}"), "authenticate", "pass", 0, 0, "404");
    }

    @Test
    void check_identity_isTold() {
        Ended ended = check(yaml(endpoint(), "check: {request: GET /v1/me, identity: /login}"));
        assertThat(ended.json().get("tokens").get(0).get("identity").asText()).isEqualTo("ci-agent");
    }

    // --- the policy ---

    @ParameterizedTest
    @CsvSource({
        "200, true,  deny,  pass,                       0, 0, allows GET /v1/me",
        "200, false, deny,  fail: policy,               1, 1, does not allow GET",
        "200, false, allow, fail: policy,               1, 1, does not allow GET",
        "404, true,  deny,  unknown: policy_unreachable, 3, 3, gave no decision",
        "404, true,  allow, warn: policy_unreachable,   0, 1, requests are sent meanwhile"
    })
    void check_policy_asItAnswers(
            int status, String result, String onError, String found, int exit, int strict, String words) {
        try (RecordingServer opa = RecordingServer.start()) {
            opa.on("/v1/data/agent/allow", Answer.of(status, "{\"result\":" + result + "}"));
            String policy =
                    "policy: {opa: '" + opa.url("/v1/data/agent/allow") + "', timeout: 10s, on_error: " + onError + "}";

            endsWith(yaml(endpoint(), "check: GET /v1/me", policy), "policy", found, exit, strict, words);
        }
    }

    @Test
    void explainAndValidate_policy_isNotAsked() {
        try (RecordingServer opa = RecordingServer.start()) {
            String yaml = yaml(endpoint(), "check: GET /v1/me", "policy: {opa: '" + opa.url("/v1/data/a/b") + "'}");
            String file = Cli.write(folder, "agent.yaml", yaml).toString();

            Ended explained = cli.run("explain", file, "--json");
            assertThat(explained.exit()).isZero();
            assertThat(explained.step("policy")).isEqualTo("skip: not_asked");
            assertThat(cli.run("validate", file).exit()).isZero();
            assertThat(opa.seen()).isEmpty();
        }
    }

    // --- nobody could tell ---

    @Test
    void check_portClosed_isUnreachable() throws IOException {
        int port;
        try (ServerSocket closed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = closed.getLocalPort();
        }
        endsWith(
                yaml("endpoint: http://127.0.0.1:" + port, "check: GET /"),
                "reach",
                "unknown: unreachable",
                3,
                3,
                "unreachable");
    }

    @Test
    void check_certificateOfNobody_isUnreachable() {
        try (RecordingServer tls = RecordingServer.startTls()) {
            endsWith(
                    yaml("endpoint: " + tls.url("/"), "check: GET /"),
                    "reach",
                    "unknown: unreachable",
                    3,
                    3,
                    "TLS failed");
            assertThat(tls.seen()).isEmpty();
        }
    }

    @Test
    void check_notHttp_isUnreachable() throws IOException {
        try (ServerSocket mute = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Ended ended = check(
                    yaml("endpoint: http://127.0.0.1:" + mute.getLocalPort(), "check: GET /"), "--timeout", "300ms");
            assertThat(ended.step("reach")).isEqualTo("unknown: unreachable");
            assertThat(ended.exit()).isEqualTo(3);
        }
    }

    // --- several tokens ---

    @ParameterizedTest
    @CsvSource({
        "ok, ok, 0",
        "ok, down, 3",
        "down, wrong, 1",
        "wrong, down, 1",
        "down, unset, 2",
        "unset, wrong, 2",
        "wrong, ok, 1"
    })
    void check_tokensDiffer_theWorstDecides(String first, String second, int exit) {
        String yaml = "agent:\n  tokens:\n" + token("first", first) + token("second", second);
        assertThat(check(yaml).exit()).isEqualTo(exit);
    }

    @Test
    void check_oneTokenNamed_onlyThatCounts() {
        String yaml = "agent:\n  tokens:\n" + token("good", "ok") + token("bad", "wrong");

        assertThat(check(yaml, "--token", "good").exit()).isZero();
        assertThat(check(yaml, "--token", "bad").exit()).isEqualTo(1);
        assertThat(check(yaml, "--token=good").json().get("tokens")).hasSize(1);
    }

    private String token(String name, String how) {
        cli.with("WRONG", "another-token");
        api.on("/down", Answer.of(503, ""));
        String variable = switch (how) {
            case "wrong" -> "WRONG";
            case "unset" -> "NOT_SET";
            default -> "AGENT_API_TOKEN";
        };
        String path = how.equals("down") ? "/down" : "/v1/me";
        return "    " + name + ": {env: " + variable + ", attach: by_name, " + endpoint() + ", check: GET " + path
                + "}\n";
    }
}
