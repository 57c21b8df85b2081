package io.keyturn.aws;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import mockwebserver3.Dispatcher;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;

/**
 * Secrets Manager with one secret, as its API of JSON 1.1 answers: versions that do not change, labels that move. Each
 * call is counted, and can be answered otherwise.
 */
final class FakeSecretsManager implements AutoCloseable {
    static final String NAME = "prod/agent";
    static final Instant CREATED = Instant.parse("2026-11-20T08:00:00Z");
    private static final Pattern VERSION = Pattern.compile("\"VersionId\":\"([^\"]+)\"");
    private static final Pattern STAGE = Pattern.compile("\"VersionStage\":\"([^\"]+)\"");

    private final MockWebServer server = new MockWebServer();
    private final Map<String, String> values = new ConcurrentHashMap<>();
    private final Map<String, String> labels = new ConcurrentHashMap<>();
    private final Map<String, MockResponse> instead = new ConcurrentHashMap<>();
    private final Queue<String> calls = new ConcurrentLinkedQueue<>();
    private final Queue<RecordedRequest> requests = new ConcurrentLinkedQueue<>();
    private volatile boolean deleted;
    private volatile Duration delay = Duration.ZERO;

    static FakeSecretsManager start() throws Exception {
        FakeSecretsManager fake = new FakeSecretsManager();
        fake.server.setDispatcher(new Dispatcher() {
            @Override
            public MockResponse dispatch(RecordedRequest request) {
                return fake.answer(request)
                        .newBuilder()
                        .headersDelay(fake.delay.toMillis(), TimeUnit.MILLISECONDS)
                        .build();
            }
        });
        fake.server.start();
        return fake;
    }

    String url() {
        return "http://127.0.0.1:" + server.getPort();
    }

    int port() {
        return server.getPort();
    }

    // --- what it has ---

    /** A version with a text, and its labels. */
    FakeSecretsManager has(String version, String text, String... stages) {
        return hasJson(version, "\"SecretString\":" + quoted(text), stages);
    }

    FakeSecretsManager hasBinary(String version, byte[] bytes, String... stages) {
        return hasJson(version, "\"SecretBinary\":\"" + Base64.getEncoder().encodeToString(bytes) + "\"", stages);
    }

    private FakeSecretsManager hasJson(String version, String value, String... stages) {
        values.put(version, value);
        List.of(stages).forEach(stage -> labels.put(stage, version));
        return this;
    }

    /** As a rotation ends: the label goes to another version, and the one before it is the previous one. */
    void moveTo(String version) {
        labels.put("AWSPREVIOUS", labels.get("AWSCURRENT"));
        labels.put("AWSCURRENT", version);
    }

    void delete(boolean pending) {
        deleted = pending;
    }

    /** From now on this action is answered so; null for as usual. */
    void answers(String action, MockResponse response) {
        if (response == null) {
            instead.remove(action);
        } else {
            instead.put(action, response);
        }
    }

    /** From now on each answer takes this time. */
    void slow(Duration time) {
        delay = time;
    }

    static MockResponse error(int status, String code, String message) {
        return json(status, "{\"__type\":\"" + code + "\",\"message\":" + quoted(message) + "}");
    }

    static MockResponse json(int status, String body) {
        return new MockResponse.Builder()
                .code(status)
                .addHeader("Content-Type", "application/x-amz-json-1.1")
                .body(body)
                .build();
    }

    // --- what it was asked ---

    /** What it was asked since this was asked last, such as {@code [DescribeSecret, GetSecretValue v2]}. */
    List<String> calls() {
        List<String> all = List.copyOf(calls);
        calls.clear();
        return all;
    }

    List<RecordedRequest> requests() {
        return List.copyOf(requests);
    }

    private MockResponse answer(RecordedRequest request) {
        requests.add(request);
        String body = request.getBody() == null ? "" : request.getBody().utf8();
        String action = String.valueOf(request.getHeaders().get("X-Amz-Target")).replace("secretsmanager.", "");
        String version = first(VERSION, body);
        String stage = first(STAGE, body);
        calls.add(action + (version == null ? "" : " " + version) + (stage == null ? "" : " " + stage));
        MockResponse other = instead.get(action);
        if (other != null) {
            return other;
        }
        if (!body.contains("\"SecretId\":\"" + NAME + "\"") && !body.contains(":secret:" + NAME)) {
            return error(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
        }
        return action.equals("DescribeSecret") ? describe() : value(version, stage);
    }

    private static String first(Pattern pattern, String body) {
        Matcher found = pattern.matcher(body);
        return found.find() ? found.group(1) : null;
    }

    private MockResponse describe() {
        Map<String, TreeSet<String>> stages = new LinkedHashMap<>();
        labels.forEach((label, version) ->
                stages.computeIfAbsent(version, each -> new TreeSet<>()).add(label));
        String versions = stages.entrySet().stream()
                .map(each -> "\"" + each.getKey() + "\":"
                        + each.getValue().stream()
                                .map(label -> "\"" + label + "\"")
                                .toList())
                .collect(Collectors.joining(","));
        return json(
                200,
                "{\"Name\":\"" + NAME + "\",\"VersionIdsToStages\":{" + versions + "}"
                        + (deleted ? ",\"DeletedDate\":1796448690.118" : "") + "}");
    }

    private MockResponse value(String asked, String stage) {
        if (deleted) {
            return error(
                    400,
                    "InvalidRequestException",
                    "You can't perform this operation on the secret because it was marked for deletion.");
        }
        String version = asked != null ? asked : labels.get(stage == null ? "AWSCURRENT" : stage);
        String value = version == null ? null : values.get(version);
        if (value == null) {
            return error(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value.");
        }
        return json(
                200,
                "{\"Name\":\"" + NAME + "\",\"VersionId\":\"" + version + "\",\"CreatedDate\":"
                        + CREATED.getEpochSecond() + "," + value + "}");
    }

    private static String quoted(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + "\"";
    }

    static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    @Override
    public void close() {
        server.close();
    }
}
