package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.keyturn.TokenAgent;
import io.keyturn.TokenOptions;
import io.keyturn.provider.Snapshot;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import mockwebserver3.MockResponse;
import okhttp3.Connection;
import okhttp3.ConnectionPool;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** After a swap no idle connection remembers the old token. */
@Timeout(60)
class HeaderTablesTest {
    private static final String OLD = "ktn_tables_old_7Qm2Xv9LrT4w";
    private static final String NEW = "ktn_tables_new_5Hd3Kp6NsY0b";

    private final List<AutoCloseable> open = new ArrayList<>();
    private final List<Runnable> planned = new ArrayList<>();
    private final Map<String, Long> generations = new HashMap<>();
    private final HeaderTables tables = new HeaderTables(
            (delay, task) -> {
                assertThat(delay).isEqualTo(Duration.ofSeconds(30));
                planned.add(task);
            },
            (name, key) -> generations.getOrDefault(name, 0L));
    private Sites sites;
    private volatile Connection connection;

    @BeforeEach
    void start() throws Exception {
        sites = new Sites("api.test", "other.test");
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
        sites.close();
    }

    private static Snapshot snapshot(String name, String value, long generation) {
        Token token = Token.of(name, TokenDocument.of(value), generation, null);
        return new Snapshot(token, Secret.of("Bearer " + value), null, TokenSources.value(value));
    }

    /** A swap: from now on this is the version that requests get. */
    private Snapshot swapped(String value, long generation) {
        generations.put("api", generation);
        return snapshot("api", value, generation);
    }

    private OkHttpClient sending(Snapshot version) {
        return sites.client(Protocol.HTTP_2)
                .addNetworkInterceptor(chain -> {
                    tables.carry(chain.connection(), chain.getConnectionPool(), version, null);
                    return chain.proceed(chain.request()
                            .newBuilder()
                            .header("Authorization", version.sent().reveal())
                            .build());
                })
                .addNetworkInterceptor(this::note)
                .build();
    }

    private Response note(Interceptor.Chain chain) throws IOException {
        connection = chain.connection();
        return chain.proceed(chain.request());
    }

    /** Sends a request and answers the connection that it went by. */
    private Connection send(OkHttpClient client) throws Exception {
        Request request =
                new Request.Builder().url(sites.tls("api.test", "/v1/x")).build();
        try (Response response = client.newCall(request).execute()) {
            assertThat(response.code()).isEqualTo(200);
            assertThat(response.protocol()).isEqualTo(connection.protocol());
        }
        return connection;
    }

    /** Half a minute passes. */
    private void look() {
        List<Runnable> due = List.copyOf(planned);
        planned.clear();
        assertThat(due).hasSize(1);
        due.forEach(Runnable::run);
    }

    @Test
    void look_afterSwap_idleConnectionIsClosed() throws Exception {
        Connection old = send(sending(swapped(OLD, 1)));
        assertThat(Remembered.holds(old, OLD)).isTrue();

        Snapshot next = swapped(NEW, 2);
        look();

        assertThat(old.socket().isClosed()).isTrue();
        assertThat(sites.pool().connectionCount()).isZero();
        Connection another = send(sending(next));
        assertThat(another).isNotSameAs(old);
        assertThat(Remembered.holds(another, NEW)).isTrue();
        assertThat(Remembered.holds(another, OLD)).isFalse();
    }

    @Test
    void look_connectionHasSentTheNewOneToo_isClosed() throws Exception {
        Connection old = send(sending(swapped(OLD, 1)));
        assertThat(send(sending(swapped(NEW, 2)))).isSameAs(old);
        assertThat(Remembered.holds(old, OLD)).isTrue();

        look();

        assertThat(old.socket().isClosed()).isTrue();
    }

    @Test
    void look_noSwap_connectionStays() throws Exception {
        OkHttpClient client = sending(swapped(OLD, 1));
        Connection first = send(client);
        for (int i = 0; i < 3; i++) {
            look();
            assertThat(send(client)).isSameAs(first);
        }
    }

    @Test
    void look_connectionInUse_isClosedOnceItRests() throws Exception {
        CountDownLatch arrived = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        open.add(goOn::countDown);
        sites.on(sites.tls("api.test", "/v1/x"), hop -> {
            arrived.countDown();
            try {
                assertThat(goOn.await(50, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return new MockResponse.Builder().body("whole").build();
        });
        OkHttpClient client = sending(swapped(OLD, 1));
        Request request =
                new Request.Builder().url(sites.tls("api.test", "/v1/x")).build();
        CompletableFuture<String> answer = CompletableFuture.supplyAsync(() -> {
            try (Response response = client.newCall(request).execute()) {
                return response.body().string();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        assertThat(arrived.await(50, TimeUnit.SECONDS)).isTrue();
        Connection busy = connection;
        swapped(NEW, 2);

        look();
        assertThat(busy.socket().isClosed()).isFalse();
        goOn.countDown();
        assertThat(answer.get()).isEqualTo("whole");

        await().until(() -> sites.pool().idleConnectionCount() == 1);
        look();
        assertThat(busy.socket().isClosed()).isTrue();
        assertThat(planned).isEmpty();
    }

    @Test
    void look_otherClientsPool_isLeftAlone() throws Exception {
        OkHttpClient other = sending(snapshot("other", "any", 0))
                .newBuilder()
                .connectionPool(new ConnectionPool())
                .build();
        open.add(() -> other.connectionPool().evictAll());
        Connection others = send(other);
        Connection old = send(sending(swapped(OLD, 1)));
        swapped(NEW, 2);

        look();

        assertThat(old.socket().isClosed()).isTrue();
        assertThat(others.socket().isClosed()).isFalse();
        assertThat(send(other)).isSameAs(others);
    }

    @Test
    void carry_aSwapWithEachRequest_costsOneConnectionInHalfAMinute() throws Exception {
        Connection first = send(sending(swapped(OLD, 1)));
        for (int i = 2; i < 50; i++) {
            assertThat(send(sending(swapped(NEW + i, i)))).isSameAs(first);
        }
        assertThat(planned).hasSize(1);

        look();

        assertThat(first.socket().isClosed()).isTrue();
        assertThat(planned).isEmpty();
    }

    @Test
    void carry_moreTokensThanAreRemembered_newerOnesAreKnown() throws Exception {
        send(sending(snapshot("api", OLD, 0)));
        Connection shared = connection;
        for (int i = 0; i < 300; i++) {
            tables.carry(shared, sites.pool(), snapshot("t" + i, "value" + i, 0), null);
        }
        generations.put("api", 1L);
        look();
        assertThat(shared.socket().isClosed()).isFalse();

        generations.put("t299", 1L);
        look();
        assertThat(shared.socket().isClosed()).isTrue();
    }

    // --- as agents use it ---

    private static void look(TokenAgent agent) throws Exception {
        Object tables = tables(agent);
        var look = tables.getClass().getDeclaredMethod("look");
        look.setAccessible(true);
        look.invoke(tables);
    }

    private static Object tables(TokenAgent agent) {
        Object bindings = Remembered.field(Remembered.field(agent, "tokens"), "bindings");
        return Remembered.field(Remembered.field(bindings, "face"), "tables");
    }

    private static boolean isPlanned(TokenAgent agent) {
        return Remembered.field(tables(agent), "waiting").toString().equals("true");
    }

    private TokenAgent agent(PushedSource source, Placement placement) throws Exception {
        source.set(OLD);
        TokenAgent agent = TokenAgent.builder()
                .token("api", source, t -> endpoint(t).sendAs(placement))
                .start();
        open.add(agent);
        return agent;
    }

    private TokenOptions endpoint(TokenOptions options) {
        return options.endpoint(sites.tls("api.test", "/v1"));
    }

    private OkHttpClient client(TokenAgent agent, Protocol protocol) {
        return agent.install(sites.client(protocol))
                .addNetworkInterceptor(this::note)
                .build();
    }

    @Test
    void install_http2AfterSwap_idleConnectionIsClosed() throws Exception {
        PushedSource source = TokenSources.pushed();
        TokenAgent agent = agent(source, Placement.bearer());
        Connection old = send(client(agent, Protocol.HTTP_2));
        assertThat(Remembered.holds(old, OLD)).isTrue();
        assertThat(isPlanned(agent)).isTrue();

        look(agent);
        assertThat(old.socket().isClosed()).isFalse();
        assertThat(isPlanned(agent)).isTrue();

        source.set(NEW);
        look(agent);
        assertThat(old.socket().isClosed()).isTrue();
        assertThat(isPlanned(agent)).isFalse();
    }

    @Test
    void install_tokenPerKey_eachKeysSwapCounts() throws Exception {
        Map<String, PushedSource> sources = Map.of("a", TokenSources.pushed(), "b", TokenSources.pushed());
        sources.values().forEach(source -> source.set(OLD));
        TokenAgent agent = TokenAgent.builder()
                .tokenPerKey("api", sources::get, t -> endpoint(t))
                .start();
        open.add(agent);
        OkHttpClient client = client(agent, Protocol.HTTP_2)
                .newBuilder()
                .addInterceptor(chain -> chain.proceed(chain.request()
                        .newBuilder()
                        .tag(TokenUse.class, TokenUse.key("b"))
                        .build()))
                .build();
        Connection old = send(client);

        sources.get("a").set(NEW);
        look(agent);
        assertThat(old.socket().isClosed()).isFalse();

        sources.get("b").set(NEW);
        look(agent);
        assertThat(old.socket().isClosed()).isTrue();
    }

    @Test
    void install_http11_isLeftAlone() throws Exception {
        PushedSource source = TokenSources.pushed();
        TokenAgent agent = agent(source, Placement.bearer());
        OkHttpClient client = client(agent, Protocol.HTTP_1_1);
        Connection first = send(client);
        source.set(NEW);

        assertThat(isPlanned(agent)).isFalse();
        look(agent);
        assertThat(send(client)).isSameAs(first);
    }

    @Test
    void install_query_isNotRemembered() throws Exception {
        PushedSource source = TokenSources.pushed();
        TokenAgent agent = agent(source, Placement.query("api_key"));
        Connection first = send(client(agent, Protocol.HTTP_2));
        assertThat(sites.hops()).allMatch(hop -> SentAs.QUERY.carries(hop.seen(), OLD));

        assertThat(Remembered.by(first)).isNotEmpty();
        assertThat(Remembered.holds(first, OLD)).isFalse();
        assertThat(isPlanned(agent)).isFalse();
    }
}
