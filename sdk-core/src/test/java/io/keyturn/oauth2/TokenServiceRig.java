package io.keyturn.oauth2;

import io.keyturn.ManualClock;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.config.Settings;
import io.keyturn.source.FileWatcher;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceHost;
import io.keyturn.source.TokenSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import okhttp3.OkHttpClient;

/** A token service on this machine, and sources of it as an agent opens them. */
final class TokenServiceRig implements AutoCloseable {
    final RecordingServer server = RecordingServer.start();
    final ManualClock clock = new ManualClock();
    final Map<String, String> variables = new ConcurrentHashMap<>();
    private final SourceHost agent = host(false);
    private final SourceHost look = host(true);

    private SourceHost host(boolean onlyLooks) {
        return new SourceHost(
                variables::get, clock, FileWatcher.none(), new OkHttpClient(), (delay, task) -> task.run(), onlyLooks);
    }

    String tokenUrl() {
        return server.url("/token");
    }

    /** Answers of the token endpoint from now on. */
    void answers(int status, String body) {
        server.on("/token", Answer.of(status, body).with("Content-Type", "application/json"));
    }

    void answers(Function<Seen, Answer> answer) {
        server.on("/token", answer);
    }

    SourceContext context(String... allow) {
        return new SourceContext(agent, Path.of(""), Set.of(allow));
    }

    SourceContext looking(String... allow) {
        return new SourceContext(look, Path.of(""), Set.of(allow));
    }

    /** Ends the look, as the command does. */
    void endLook() {
        look.close();
    }

    /** Ends the agent. */
    void endAgent() {
        agent.close();
    }

    /** A source of this service: the keys of {@code oauth2} beside its {@code token_url}. */
    TokenSource source(SourceContext context, Object... keysAndValues) {
        Settings settings = Settings.of(oauth2(keysAndValues)).open(context.references(List.of(), true));
        TokenSource source = new OAuth2SourceFactory().create(settings, context);
        settings.finish();
        return source;
    }

    /** The keys of {@code oauth2}, with this service's {@code token_url}. */
    Map<String, Object> oauth2(Object... keysAndValues) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("token_url", tokenUrl());
        for (int i = 0; i < keysAndValues.length; i += 2) {
            map.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return map;
    }

    /** The requests to the token endpoint so far. */
    List<Seen> asked() {
        return server.seen("/token");
    }

    /** The form of the one request so far. */
    String form() {
        List<Seen> asked = asked();
        if (asked.size() != 1) {
            throw new AssertionError("expected one request, but there were " + asked.size());
        }
        return asked.get(0).body();
    }

    /** As a careful writer does it: complete before it has its name, and for the owner alone. */
    static void write(Path file, String text) throws IOException {
        Path unnamed = Files.createTempFile(
                file.getParent(),
                "written",
                ".tmp",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(unnamed, text);
        Files.move(unnamed, file, StandardCopyOption.ATOMIC_MOVE);
    }

    /** An answer with a token, as RFC 6749 5.1 has it; further members in turn. */
    static String issued(String accessToken, Object... keysAndValues) {
        StringBuilder json = new StringBuilder("{\"access_token\":\"" + accessToken + "\",\"token_type\":\"Bearer\"");
        for (int i = 0; i < keysAndValues.length; i += 2) {
            Object value = keysAndValues[i + 1];
            json.append(",\"").append(keysAndValues[i]).append("\":");
            json.append(value instanceof String ? "\"" + value + "\"" : value);
        }
        return json.append('}').toString();
    }

    @Override
    public void close() {
        agent.close();
        look.close();
        server.close();
    }
}
