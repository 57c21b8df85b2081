package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import io.keyturn.Canary;
import io.keyturn.config.Settings;
import io.keyturn.event.TokenEvent;
import io.keyturn.source.FileWatcher;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceHost;
import io.keyturn.source.TokenSource;
import io.keyturn.vault.VaultSourceFactory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an outage costs, in the time of a manual clock: the calls that leave the agent are counted. */
class VaultOutageTest {
    private static final String LOGIN =
            "{\"auth\":{\"client_token\":\"hvs." + Canary.WORD + "\",\"lease_duration\":%d,\"renewable\":true}}";

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final Rig rig = new Rig();

    private final AtomicInteger calls = new AtomicInteger();
    private HttpServer server;
    private SourceHost host;
    private int lease = 3600;
    private int version = 1;

    @BeforeEach
    void start() throws IOException {
        server = serving(0);
    }

    @AfterEach
    void close() {
        host.close();
        server.stop(0);
    }

    private HttpServer serving(int port) throws IOException {
        HttpServer started = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        started.createContext("/v1/", exchange -> {
            String path = exchange.getRequestURI().getPath();
            String answer = "{}";
            if (path.endsWith("/login") || path.endsWith("/renew-self")) {
                answer = LOGIN.formatted(lease);
            } else if (path.contains("/mounts/")) {
                answer = "{\"data\":{\"path\":\"secret/\",\"type\":\"kv\",\"options\":{\"version\":\"2\"}}}";
            } else if (path.contains("/metadata/")) {
                answer = "{\"data\":{\"current_version\":" + version + ",\"versions\":{\"" + version + "\":{}}}}";
            } else if (path.contains("/data/")) {
                answer = "{\"data\":{\"data\":{\"token\":\"t" + version + Canary.WORD + "\"},\"metadata\":{\"version\":"
                        + version + "}}}";
            }
            byte[] bytes = answer.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        started.start();
        return started;
    }

    private LiveProvider provider() {
        Interceptor counting = chain -> {
            calls.incrementAndGet();
            return chain.proceed(chain.request());
        };
        host = new SourceHost(
                name -> null,
                rig.clock,
                FileWatcher.none(),
                new OkHttpClient.Builder().addInterceptor(counting).build(),
                (delay, task) -> {
                    var unused = rig.timer.in(delay.toNanos(), task);
                },
                false);
        SourceContext context = new SourceContext(host, Path.of("").toAbsolutePath(), Set.of());
        Settings settings = Settings.of(Map.of(
                "address",
                "http://127.0.0.1:" + server.getAddress().getPort(),
                "path",
                "secret/agent",
                "auth",
                Map.of("approle", Map.of("role_id", "r", "secret_id", "s" + Canary.WORD))));
        TokenSource source =
                new VaultSourceFactory().create(settings.open(context.references(List.of(), true)), context);
        return rig.atOnce(source);
    }

    @ParameterizedTest
    @ValueSource(ints = {20, 60, 90, 180, 300, 3600})
    void outage_ofAMinute_costsAtMostTenCalls(int leaseSeconds) throws Exception {
        lease = leaseSeconds;
        for (double luck : new double[] {0, 0.5, 0.999}) {
            rig.random = luck;
            LiveProvider provider = provider();
            String before = provider.get().reveal();
            rig.advance(Duration.ofMinutes(3));
            int port = server.getAddress().getPort();
            server.stop(0);

            assertThat(callsOfTheFirstMinute(provider)).as("the busiest minute").isBetween(1, 10);
            assertThat(provider.get().reveal()).as("the last good one serves").isEqualTo(before);

            server = serving(port);
            version++;
            rig.advance(Duration.ofMinutes(6));
            assertThat(provider.get().reveal()).startsWith("t" + version);
            provider.close();
            host.close();
        }
    }

    /** From the first call that fails. */
    private int callsOfTheFirstMinute(LiveProvider provider) {
        calls.set(0);
        for (int waited = 0; calls.get() == 0 && waited < 120; waited++) {
            rig.advance(Duration.ofMillis(500));
        }
        rig.advance(Duration.ofSeconds(60));
        assertThat(provider.lastFailure()).isPresent();
        return calls.get();
    }

    @Test
    void quietHour_costsOneCallAPollAndTheRenewals() throws Exception {
        LiveProvider provider = provider();
        var unused = provider.get();
        calls.set(0);

        rig.advance(Duration.ofMinutes(60));

        assertThat(calls.get())
                .as("a poll each minute or a little sooner, and a renewal or two")
                .isBetween(57, 78);
        assertThat(rig.events).noneMatch(TokenEvent.RefreshFailed.class::isInstance);
    }
}
