package io.keyturn.vault;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.keyturn.ManualClock;
import io.keyturn.config.Settings;
import io.keyturn.source.FileWatcher;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.SourceHost;
import io.keyturn.source.TokenSource;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import mockwebserver3.Dispatcher;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.OkHttpClient;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A Vault that answers as a test tells it, and an agent around the source: a manual clock, variables, and what was planned
 * for later. What nobody has told it, it answers as Vault does a path that is not permitted.
 */
final class FakeVault implements BeforeEachCallback, AfterEachCallback {
    private static final ObjectMapper JSON = new ObjectMapper();

    final MockWebServer server = new MockWebServer();
    final ManualClock clock = new ManualClock();
    final Map<String, String> variables = new ConcurrentHashMap<>();
    final List<Later> later = new CopyOnWriteArrayList<>();
    private final Map<String, Function<Call, MockResponse>> answers = new ConcurrentHashMap<>();
    private final List<Call> calls = new CopyOnWriteArrayList<>();
    private final List<SourceHost> hosts = new ArrayList<>();

    /** Something that was planned. */
    record Later(Duration delay, Runnable task) {}

    /** A request as it arrived. */
    record Call(String what, String query, String token, String namespace, String body) {
        /** What a field of its body says. */
        String says(String field) {
            try {
                return JSON.readTree(body).path(field).asText();
            } catch (IOException e) {
                throw new IllegalStateException("no JSON was sent");
            }
        }
    }

    @Override
    public void beforeEach(ExtensionContext context) throws IOException {
        server.setDispatcher(new Dispatcher() {
            @Override
            public MockResponse dispatch(RecordedRequest request) {
                Call call = new Call(
                        request.getMethod() + " "
                                + request.getUrl().encodedPath().replaceFirst("^/v1/", ""),
                        String.valueOf(request.getUrl().query()),
                        request.getHeaders().get("X-Vault-Token"),
                        request.getHeaders().get("X-Vault-Namespace"),
                        request.getBody() == null ? "" : request.getBody().utf8());
                calls.add(call);
                return answers.getOrDefault(call.what, any -> error(403, "permission denied"))
                        .apply(call);
            }
        });
        server.start();
        variables.put("VAULT_ADDR", address());
    }

    @Override
    public void afterEach(ExtensionContext context) {
        hosts.forEach(SourceHost::close);
        server.close();
    }

    String address() {
        return "http://127.0.0.1:" + server.getPort();
    }

    // --- what it answers ---

    FakeVault on(String what, Function<Call, MockResponse> answer) {
        answers.put(what, answer);
        return this;
    }

    FakeVault on(String what, MockResponse answer) {
        return on(what, call -> answer);
    }

    FakeVault never(String what) {
        answers.remove(what);
        return this;
    }

    static MockResponse error(int status, String... errors) {
        return json(status, map("errors", List.of(errors)));
    }

    static MockResponse ok(Object... keysAndValues) {
        return json(200, map(keysAndValues));
    }

    static MockResponse json(int status, Map<String, Object> body) {
        return raw(status, write(body));
    }

    static MockResponse raw(int status, String body) {
        return new MockResponse.Builder().code(status).body(body).build();
    }

    private static String write(Object body) {
        try {
            return JSON.writeValueAsString(body);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Keys and values in turn; a value may be null. */
    static Map<String, Object> map(Object... keysAndValues) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            map.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return map;
    }

    // --- what it has ---

    FakeVault mount(String path, String type, String version) {
        return mount(path, type, version, path + "agent");
    }

    FakeVault mount(String path, String type, String version, String secret) {
        Map<String, Object> options = version == null ? Map.of() : map("version", version);
        return on(
                "GET sys/internal/ui/mounts/" + secret,
                ok("data", map("path", path, "type", type, "options", options)));
    }

    /** The token that is given to the agent is good, and has no end. */
    FakeVault knows(String token) {
        return on(
                "GET auth/token/lookup-self",
                call -> token.equals(call.token) ? ok("data", map("ttl", 0)) : error(403, "permission denied"));
    }

    /** A secret of KV v2 at {@code secret/agent}. */
    FakeVault secret(int version, String field, Object value) {
        mount("secret/", "kv", "2");
        on("GET secret/metadata/agent", metadata(version, "", false));
        return on("GET secret/data/agent", data(version, map(field, value), "", false));
    }

    static MockResponse metadata(int current, String deletion, boolean destroyed) {
        Map<String, Object> versions = new LinkedHashMap<>();
        for (int i = 1; i <= current; i++) {
            boolean last = i == current;
            versions.put(String.valueOf(i), map("deletion_time", last ? deletion : "", "destroyed", last && destroyed));
        }
        return ok("data", map("current_version", current, "versions", versions));
    }

    static MockResponse data(int version, Map<String, Object> data, String deletion, boolean destroyed) {
        Map<String, Object> metadata = map(
                "created_time",
                "2026-11-24T11:00:00.5Z",
                "deletion_time",
                deletion,
                "destroyed",
                destroyed,
                "version",
                version);
        return json(data == null ? 404 : 200, map("data", map("data", data, "metadata", metadata)));
    }

    static MockResponse login(String token, int seconds, boolean renewable, String type) {
        return ok(
                "auth",
                map("client_token", token, "lease_duration", seconds, "renewable", renewable, "token_type", type));
    }

    // --- what it was asked ---

    /** Each call so far, as {@code GET secret/data/agent}. */
    List<String> asked() {
        return calls.stream().map(Call::what).toList();
    }

    List<Call> calls(String what) {
        return calls.stream().filter(call -> call.what.equals(what)).toList();
    }

    void forget() {
        calls.clear();
    }

    // --- who asks ---

    SourceHost host(boolean onlyLooks) {
        SourceHost host = new SourceHost(
                variables::get,
                clock,
                FileWatcher.none(),
                new OkHttpClient.Builder().callTimeout(Duration.ofSeconds(5)).build(),
                (delay, task) -> later.add(new Later(delay, task)),
                onlyLooks);
        hosts.add(host);
        return host;
    }

    SourceContext agent() {
        return context(host(false));
    }

    SourceContext look() {
        return context(host(true));
    }

    static SourceContext context(SourceHost host) {
        return new SourceContext(host, Path.of("").toAbsolutePath(), Set.of());
    }

    /** The source that these settings mean, for {@code secret/agent} unless they say otherwise. */
    static TokenSource source(SourceContext context, Object... settings) {
        Map<String, Object> all = new HashMap<>(Map.of("path", "secret/agent"));
        all.putAll(map(settings));
        Settings read = Settings.of(all).open(context.references(List.of(), true));
        TokenSource source = new VaultSourceFactory().create(read, context);
        read.finish();
        return source;
    }

    static TokenDocument found(TokenSource source) throws SourceException {
        return source.fetch().orElseThrow(source::absence);
    }

    /** Runs what was planned for now or earlier, as if its time had come. */
    Duration runLater() {
        Later next = later.remove(0);
        next.task.run();
        return next.delay;
    }
}
