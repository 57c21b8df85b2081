package io.keyturn.cli;

import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.check.Status;
import io.keyturn.token.Token;
import io.keyturn.yaml.YamlConfig;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/**
 * Shows what the check finds, and what it finds wrong, against an API on loopback; and then requests that flow while their
 * token is replaced. It needs no network and leaves nothing behind, and it fails if anything is not as it says.
 */
final class Demo {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final long BETWEEN_ROTATIONS_MILLIS = 1_000;
    private static final String BOLD = "\u001B[1m";
    private static final String GREEN = "\u001B[32m";
    private static final String RED = "\u001B[31m";
    private static final String PLAIN = "\u001B[0m";

    private final Shell shell;
    private final String token;
    private final String wrongToken;
    private final Duration flow;
    private int step;
    private int broken;
    private String count = "";

    /**
     * A demo with tokens that are made up for it.
     *
     * @param flow how long requests flow; each way of replacing the token is shown, however short that is
     */
    Demo(Shell shell, Duration flow) {
        this(shell, flow, madeUp(), madeUp());
    }

    Demo(Shell shell, Duration flow, String token, String wrongToken) {
        this.shell = shell;
        this.flow = flow;
        this.token = token;
        this.wrongToken = wrongToken;
    }

    private static String madeUp() {
        return "demo-" + Long.toHexString(new SecureRandom().nextLong() | Long.MIN_VALUE);
    }

    /** Shows everything; the exit code tells whether it was as promised. */
    int run() {
        long started = System.nanoTime();
        say("Keyturn against an API on this machine. No network, and nothing is left behind.");
        try (DemoFolder folder = DemoFolder.create();
                DemoServers servers = new DemoServers(token)) {
            OkHttpClient client = servers.client();
            rightToken(folder, servers, client);
            wrongToken(folder, client);
            unsetVariable();
            stranger(folder, servers, client);
            rotations(folder, servers, client);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return HealthCheck.UNKNOWN;
        } catch (IOException e) {
            // Of sockets and files; what they say holds no token.
            shell.err().println("keyturn: the demo cannot run here: " + e);
            return HealthCheck.UNKNOWN;
        }
        return end(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started));
    }

    private void rightToken(DemoFolder folder, DemoServers servers, OkHttpClient client) throws IOException {
        heading("A token, where it may go, and the request that proves it");
        String masked = token.substring(0, 5) + "*".repeat(token.length() - 5);
        show(folder.write("api-token", token) + "  (only its owner may read it)", masked);
        String yaml = DemoRotation.yaml(servers, "api-token");
        show(folder.write("agent.yaml", yaml).toString(), yaml);
        CheckReport report = check(YamlConfig.load(folder.file("agent.yaml")).httpClient(client));
        promise(report.status() == Status.PASS && report.exitCode() == HealthCheck.OK, "the API accepts the token");
    }

    private void wrongToken(DemoFolder folder, OkHttpClient client) throws IOException {
        heading("A wrong token, as after a mistake or a revocation");
        folder.write("api-token", wrongToken);
        CheckReport report = check(YamlConfig.load(folder.file("agent.yaml")).httpClient(client));
        promise(reasons(report).contains("unauthenticated"), "the API refuses the token");
        promise(report.exitCode() == HealthCheck.FAILED, "exit code 1");
        folder.write("api-token", token);
    }

    private void unsetVariable() {
        heading("A variable that is not set");
        String yaml = """
                agent:
                  api_token: ${AGENT_API_TOKEN}
                  endpoint: https://api.example.com
                  check: GET /v1/me
                """;
        show("agent.yaml", yaml);
        CheckReport report = check(YamlConfig.parse(yaml, "agent.yaml").environment(name -> null));
        promise(reasons(report).contains("unset"), "the variable is missed");
        promise(report.exitCode() == HealthCheck.USAGE, "exit code 2");
    }

    private void stranger(DemoFolder folder, DemoServers servers, OkHttpClient client) throws IOException {
        heading("A redirect to a stranger: the request follows it, the token does not");
        try (TokenAgent agent = YamlConfig.load(folder.file("agent.yaml")).start();
                Response response = agent.install(client)
                        .newCall(new Request.Builder().url(servers.movedUrl()).build())
                        .execute()) {
            Response first = response.priorResponse();
            Optional<Token> sent = first == null ? Optional.empty() : agent.sentWith(first);
            Map<String, List<String>> seen = servers.seenByStranger();
            show(
                    "agent.install(client), then GET " + servers.movedUrl(),
                    "the API       got "
                            + sent.map(token -> "the token " + token).orElse("no token") + ", and answered 302 to "
                            + servers.strangerUrl(),
                    "the stranger  got only " + String.join(", ", seen.keySet()));
            promise(sent.isPresent(), "the API gets the token");
            promise(response.isSuccessful() && !seen.isEmpty(), "the request follows the redirect");
            promise(
                    !seen.toString().contains(token) && agent.sentWith(response).isEmpty(),
                    "the stranger gets no token");
        }
    }

    private void rotations(DemoFolder folder, DemoServers servers, OkHttpClient client)
            throws IOException, InterruptedException {
        heading("The token is replaced while requests flow");
        show(DemoTraffic.THREADS
                + " threads send GET /v1/me through agent.install(client), and the token is replaced:");
        int arrived = 0;
        boolean inTime = true;
        try (TokenAgent agent = YamlConfig.load(folder.file("agent.yaml")).start()) {
            DemoTraffic traffic = new DemoTraffic(agent.install(client), servers.apiUrl() + "/v1/me");
            try (traffic) {
                DemoRotation rotation = new DemoRotation(folder, servers, agent, token, Demo::madeUp);
                DemoRotation.Way[] ways = DemoRotation.Way.values();
                long started = System.nanoTime();
                for (int i = 0; inTime && (i < ways.length || System.nanoTime() - started < flow.toNanos()); i++) {
                    DemoRotation.Ended ended = rotation.run(ways[i % ways.length]);
                    say("     " + line(ways[i % ways.length], ended));
                    inTime = ended.arrived();
                    arrived += ended.arrived() ? 1 : 0;
                    TimeUnit.MILLISECONDS.sleep(BETWEEN_ROTATIONS_MILLIS);
                }
            }
            count = arrived + " rotations, " + traffic.requests() + " requests, " + traffic.failed() + " failed";
            promise(inTime, "the API gets a request with the new token");
            promise(traffic.failed() == 0, "no request fails; the first one that did: " + traffic.firstFailure());
        }
    }

    private static String line(DemoRotation.Way way, DemoRotation.Ended ended) {
        String refused = ended.refused() == 0 ? "" : ", " + ended.refused() + " refused and sent again";
        return "%-52s #%s → #%s  %4d ms%s".formatted(way.text, ended.before(), ended.after(), ended.millis(), refused);
    }

    private int end(long millis) {
        say("");
        if (broken > 0) {
            say(paint(RED, broken + (broken == 1 ? " thing was" : " things were") + " not as promised."));
            say(paint(RED, count));
            return HealthCheck.FAILED;
        }
        say(paint(GREEN, "All of it as promised") + ", in " + Math.ceil(millis / 100.0) / 10
                + " s. Now with your own API:");
        show("agent.yaml", """
                agent:
                  api_token: ${AGENT_API_TOKEN}
                  endpoint: https://api.example.com
                  check: GET /v1/me
                """);
        show("and then", "export AGENT_API_TOKEN=...", shell.command() + " check agent.yaml");
        say("");
        say(paint(GREEN, count));
        return HealthCheck.OK;
    }

    // --- how it is shown ---

    private CheckReport check(TokenAgent.Builder builder) {
        CheckReport report = builder.check(LIMIT, Set.of());
        show("$ keyturn check agent.yaml", report.render(shell.colour()));
        say("   exit code " + report.exitCode());
        return report;
    }

    private static List<String> reasons(CheckReport report) {
        return report.tokens().stream()
                .flatMap(token -> token.steps().stream())
                .flatMap(found -> Stream.ofNullable(found.reason()))
                .toList();
    }

    private void promise(boolean kept, String what) {
        if (!kept) {
            broken++;
            say(paint(RED, "   not as promised: " + what));
        }
    }

    private void heading(String text) {
        step++;
        say("");
        say(paint(BOLD, step + "  " + text));
    }

    /** Something named, and its lines. */
    private void show(String name, String... texts) {
        say("");
        say("   " + name);
        for (String text : texts) {
            text.lines().forEach(line -> say(("     " + line).stripTrailing()));
        }
    }

    private void say(String line) {
        shell.out().println(line);
        shell.out().flush();
    }

    private String paint(String colour, String text) {
        return shell.colour() ? colour + text + PLAIN : text;
    }
}
