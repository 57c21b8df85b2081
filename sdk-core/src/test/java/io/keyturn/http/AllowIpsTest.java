package io.keyturn.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.TokenOptions;
import io.keyturn.event.TokenEvent;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import javax.net.SocketFactory;
import okhttp3.Call;
import okhttp3.ConnectionPool;
import okhttp3.Dns;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.WebSocket;
import okhttp3.WebSocketListener;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A token goes to the addresses that it may go to, whatever DNS says. The API is at 127.0.0.1; at 127.0.0.2, on the same
 * port, somebody listens who writes down each byte.
 */
@Tag("okhttp-floor")
@Timeout(60)
class AllowIpsTest {
    private static final String HOST = "api.example.test";

    @RegisterExtension
    final Canary canary = new Canary();

    private final List<AutoCloseable> open = new ArrayList<>();
    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private final Names names = new Names();
    private RecordingServer server;
    private Stranger stranger;

    /** What names mean, in turn; the last answer stays. */
    private static final class Names implements Dns {
        private final ConcurrentHashMap<String, List<List<InetAddress>>> answers = new ConcurrentHashMap<>();
        private final AtomicInteger asked = new AtomicInteger();

        void say(String name, List<InetAddress> always) {
            answers.put(name, new CopyOnWriteArrayList<>(List.of(always)));
        }

        void say(String name, List<InetAddress> first, List<InetAddress> then) {
            answers.put(name, new CopyOnWriteArrayList<>(List.of(first, then)));
        }

        @Override
        public List<InetAddress> lookup(String name) throws UnknownHostException {
            asked.incrementAndGet();
            List<List<InetAddress>> mine = answers.get(name);
            if (mine == null) {
                throw new UnknownHostException(name);
            }
            return mine.size() > 1 ? mine.remove(0) : mine.get(0);
        }
    }

    /** Accepts connections and reads what comes. */
    private static final class Stranger implements AutoCloseable {
        private final ServerSocket socket;
        private final AtomicInteger connections = new AtomicInteger();
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        Stranger(int port) {
            try {
                socket = new ServerSocket(port, 50, loopback(2));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            thread(() -> {
                while (!socket.isClosed()) {
                    try {
                        Socket connection = socket.accept();
                        connections.incrementAndGet();
                        thread(() -> listen(connection));
                    } catch (IOException e) {
                        return;
                    }
                }
            });
        }

        private static void thread(Runnable task) {
            Thread thread = new Thread(task, "stranger");
            thread.setDaemon(true);
            thread.start();
        }

        String heard() {
            return bytes.toString(ISO_8859_1);
        }

        private void listen(Socket connection) {
            try (connection) {
                byte[] read = new byte[8192];
                int count = connection.getInputStream().read(read);
                while (count > 0) {
                    bytes.write(read, 0, count);
                    connection
                            .getOutputStream()
                            .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".getBytes(ISO_8859_1));
                    count = connection.getInputStream().read(read);
                }
            } catch (IOException e) {
                // The client is gone; what was heard is what counts.
            }
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    private static InetAddress loopback(int last) {
        try {
            return InetAddress.getByAddress(new byte[] {127, 0, 0, (byte) last});
        } catch (UnknownHostException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<InetAddress> at(Integer... last) {
        return List.of(last).stream().map(AllowIpsTest::loopback).toList();
    }

    private static List<InetAddress> metadataService() {
        try {
            return List.of(InetAddress.getByAddress(new byte[] {(byte) 169, (byte) 254, (byte) 169, (byte) 254}));
        } catch (UnknownHostException e) {
            throw new UncheckedIOException(e);
        }
    }

    @BeforeEach
    void start() {
        server = RecordingServer.start();
        open.add(server);
        stranger = new Stranger(server.port());
        open.add(stranger);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    private TokenAgent agent(Consumer<TokenOptions> options) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "api",
                        TokenSources.value(canary.token()),
                        options.andThen(t -> t.allow("insecure_http").endpoint(server.url(HOST, "/v1"))))
                .listener(events::add)
                .listener(canary.listener())
                .start();
        open.add(agent);
        return agent;
    }

    private OkHttpClient client(TokenAgent agent) {
        return agent.install(new OkHttpClient.Builder().dns(names)).build();
    }

    private OkHttpClient client() throws IOException {
        return client(agent(t -> t.allowIps("127.0.0.1")));
    }

    private Request to(String path) {
        return new Request.Builder().url(server.url(HOST, path)).build();
    }

    private static int status(OkHttpClient client, Request request) throws IOException {
        try (Response response = client.newCall(request).execute()) {
            return response.code();
        }
    }

    private boolean carried(RecordingServer.Seen seen) {
        return seen.header("Authorization").equals(List.of("Bearer " + canary.token()));
    }

    private void assertDenied(OkHttpClient client, Request request, String... words) {
        Call call = client.newCall(request);
        TokenDeniedException denied =
                canary.caught(TokenDeniedException.class, () -> call.execute().close());
        assertThat(denied.reason()).isEqualTo(Reason.ADDRESS);
        assertThat(denied.getMessage()).contains(words);
        await().untilAsserted(() -> assertThat(events)
                .anySatisfy(event -> assertThat(event).isInstanceOfSatisfying(TokenEvent.Denied.class, told -> {
                    assertThat(told.reason()).isEqualTo(Reason.ADDRESS);
                    assertThat(told.token()).isEqualTo("api");
                    assertThat(told.message()).isEqualTo(denied.getMessage());
                })));
    }

    private void assertStrangerHeardNothing() {
        assertThat(stranger.heard()).isEmpty();
        if (SeamTest.isNew()) {
            assertThat(stranger.connections).hasValue(0);
        }
    }

    @Test
    void attach_allowedAddress_isSent() throws Exception {
        names.say(HOST, at(1));
        OkHttpClient client = client();

        assertThat(status(client, to("/v1/x"))).isEqualTo(200);

        assertThat(server.only()).matches(this::carried);
    }

    @Test
    void attach_otherAddress_isDeniedBeforeAByteIsSent() throws Exception {
        names.say(HOST, at(2));
        assertDenied(client(), to("/v1/x"), "127.0.0.2");
        assertStrangerHeardNothing();
    }

    @Test
    void attach_severalAddresses_onlyTheAllowedIsConnectedTo() throws Exception {
        names.say(HOST, at(2, 1));
        OkHttpClient client = client();
        if (SeamTest.isNew()) {
            assertThat(status(client, to("/v1/x"))).isEqualTo(200);
            assertThat(server.only()).matches(this::carried);
        } else {
            assertDenied(client, to("/v1/x"), "127.0.0.2");
        }
        assertStrangerHeardNothing();
    }

    /** What a name means is changed once its first answer was trusted. */
    @Test
    void attach_rebinding_isDenied() throws Exception {
        names.say(HOST, at(1), at(2));
        OkHttpClient client = client();
        assertThat(status(client, to("/v1/x"))).isEqualTo(200);

        client.connectionPool().evictAll();
        assertDenied(client, to("/v1/x"), "127.0.0.2");

        assertThat(server.seen()).hasSize(1);
        assertStrangerHeardNothing();
    }

    @Test
    void attach_rebindingToTheCloudsMetadata_isDeniedAndNotConnectedTo() throws Exception {
        names.say(HOST, at(1), metadataService());
        OkHttpClient client =
                client().newBuilder().connectTimeout(2, TimeUnit.SECONDS).build();
        assertThat(status(client, to("/v1/x"))).isEqualTo(200);
        client.connectionPool().evictAll();
        if (SeamTest.isNew()) {
            assertDenied(
                    client, to("/v1/x"), "token 'api' may go to no address that " + HOST + " has: 169.254.169.254");
        } else {
            Call call = client.newCall(to("/v1/x"));
            assertThatThrownBy(call::execute).isInstanceOf(IOException.class);
        }
        assertThat(server.seen()).hasSize(1);
    }

    /** There DNS is not asked, so only the wire tells. */
    @Test
    void attach_urlWithAnAddress_isDeniedBeforeAByteIsSent() throws Exception {
        String endpoint = server.url("127.0.0.2", "/v1");
        OkHttpClient client = client(agent(t -> t.allowIps("127.0.0.1").endpoint(endpoint)));

        assertDenied(client, new Request.Builder().url(endpoint).build(), "may not go to the address 127.0.0.2");

        assertThat(stranger.heard()).isEmpty();
        assertThat(names.asked).hasValue(0);
    }

    /** What DNS said to OkHttp is not what the socket did. */
    @Test
    void attach_socketConnectedElsewhere_isDeniedBeforeAByteIsSent() throws Exception {
        names.say(HOST, at(1));
        OkHttpClient client =
                client().newBuilder().socketFactory(new Diverting()).build();

        assertDenied(client, to("/v1/x"), "may not go to the address 127.0.0.2");

        assertThat(stranger.connections).hasValue(1);
        assertThat(stranger.heard()).isEmpty();
    }

    /** Its sockets connect to 127.0.0.2, whatever they are told. */
    private static final class Diverting extends SocketFactory {
        @Override
        public Socket createSocket() {
            return new Socket() {
                @Override
                public void connect(java.net.SocketAddress address, int timeout) throws IOException {
                    super.connect(new InetSocketAddress(loopback(2), ((InetSocketAddress) address).getPort()), timeout);
                }
            };
        }

        @Override
        public Socket createSocket(String host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(String host, int port, InetAddress local, int localPort) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(InetAddress host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(InetAddress host, int port, InetAddress local, int localPort) {
            throw new UnsupportedOperationException();
        }
    }

    @Test
    void attach_oneCallAfterAnother_shareAConnection() throws Exception {
        names.say(HOST, at(1));
        ConnectionPool pool = new ConnectionPool();
        OkHttpClient client = client().newBuilder().connectionPool(pool).build();
        for (int i = 0; i < 5; i++) {
            assertThat(status(client, to("/v1/x"))).isEqualTo(200);
        }
        assertThat(pool.connectionCount()).isEqualTo(1);
        assertThat(names.asked).hasValue(1);
    }

    /** A connection of a request without the token is no way for the token. */
    @Test
    void attach_connectionToAnotherAddressIsIdle_isNotUsed() throws Exception {
        names.say(HOST, at(2), at(2, 1));
        OkHttpClient client = client();
        assertThat(status(client, to("/v2"))).isEqualTo(200);
        assertThat(stranger.heard()).contains("GET /v2");
        if (SeamTest.isNew()) {
            assertThat(status(client, to("/v1/x"))).isEqualTo(200);
            assertThat(server.only()).matches(this::carried);
        } else {
            assertDenied(client, to("/v1/x"), "127.0.0.2");
        }
        assertThat(stranger.heard()).doesNotContain("/v1");
    }

    @Test
    void attach_withoutTheToken_goesAnywhere() throws Exception {
        names.say(HOST, at(2));
        OkHttpClient client = client();

        Request none =
                to("/v1/x").newBuilder().tag(TokenUse.class, TokenUse.none()).build();
        assertThat(status(client, none)).isEqualTo(200);
        assertThat(status(client, to("/v2"))).isEqualTo(200);
        Request own =
                to("/v1/own").newBuilder().header("Authorization", "Bearer own").build();
        assertThat(status(client, own)).isEqualTo(200);

        assertThat(stranger.heard()).contains("/v1/x", "/v2", "/v1/own").doesNotContain(canary.token());
    }

    @Test
    void attach_placeholderOfTheToken_isTheTokensWay() throws Exception {
        names.say(HOST, at(2));
        TokenAgent agent = agent(t -> t.allowIps("127.0.0.1").attachByName());
        Request request = to("/v1/x")
                .newBuilder()
                .header("Authorization", "Bearer " + agent.placeholder("api"))
                .build();
        assertDenied(client(agent), request, "127.0.0.2");
        assertStrangerHeardNothing();
    }

    @Test
    void attach_nameThatDnsDoesNotKnow_staysThatError() throws Exception {
        Call call = client().newCall(to("/v1/x"));
        assertThatThrownBy(call::execute).isExactlyInstanceOf(UnknownHostException.class);
    }

    // --- hop by hop ---

    @Test
    void redirect_nameHasMovedMeanwhile_theHopIsDenied() throws Exception {
        names.say(HOST, at(1), at(2));
        server.on("/v1/x", Answer.redirect(307, server.url(HOST, "/v1/y")).with("Connection", "close"));

        assertDenied(client(), to("/v1/x"), "127.0.0.2");

        assertThat(server.only().path()).isEqualTo("/v1/x");
        assertStrangerHeardNothing();
    }

    @Test
    void redirect_toAnotherEndpoint_isAskedWhereThatIs() throws Exception {
        String other = "other.example.test";
        names.say(HOST, at(1));
        names.say(other, at(2));
        OkHttpClient client = client(agent(t -> t.allowIps("127.0.0.1").endpoint(server.url(other, "/v1"))));
        server.on("/v1/x", Answer.redirect(302, server.url(other, "/v1/y")));

        assertDenied(client, to("/v1/x"), "may not go to the address 127.0.0.2");

        assertThat(server.seen()).hasSize(1);
        assertThat(stranger.heard()).isEmpty();
    }

    @Test
    void redirect_toAStranger_goesBare() throws Exception {
        names.say(HOST, at(1));
        names.say("stranger.example.test", at(2));
        OkHttpClient client = client();
        server.on("/v1/x", Answer.redirect(302, server.url("stranger.example.test", "/landed")));

        assertThat(status(client, to("/v1/x"))).isEqualTo(200);

        assertThat(server.only()).matches(this::carried);
        assertThat(stranger.heard()).contains("GET /landed").doesNotContain("Authorization");
    }

    @Test
    void redirect_fromElsewhere_isAskedOnTheWire() throws Exception {
        names.say("elsewhere.example.test", at(1));
        names.say(HOST, at(2));
        OkHttpClient client = client();
        server.on("/start", Answer.redirect(302, server.url(HOST, "/v1/x")));
        Request request = new Request.Builder()
                .url(server.url("elsewhere.example.test", "/start"))
                .build();

        assertDenied(client, request, "may not go to the address 127.0.0.2");

        assertThat(stranger.heard()).isEmpty();
    }

    // --- where nobody tells the address ---

    @Test
    void attach_behindAProxy_isDenied() throws Exception {
        RecordingServer proxy = RecordingServer.start();
        open.add(proxy);
        OkHttpClient client = client(agent(t -> t.allowIps("0.0.0.0/0", "::/0")))
                .newBuilder()
                .proxy(new Proxy(Proxy.Type.HTTP, new InetSocketAddress("127.0.0.1", proxy.port())))
                .build();

        assertDenied(client, to("/v1/x"), "proxy");
        assertThat(proxy.seen()).isEmpty();

        Request none =
                to("/v1/x").newBuilder().tag(TokenUse.class, TokenUse.none()).build();
        assertThat(status(client, none)).isEqualTo(200);
        assertThat(proxy.only().header("Authorization")).isEmpty();
    }

    @Test
    void attach_webSocket_isDenied() throws Exception {
        names.say(HOST, at(1));
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        client().newWebSocket(to("/v1/x"), new WebSocketListener() {
            @Override
            public void onFailure(WebSocket socket, Throwable t, Response response) {
                failure.complete(t);
            }
        });

        Throwable denied = failure.get(30, TimeUnit.SECONDS);
        assertThat(denied).isInstanceOf(TokenDeniedException.class);
        if (SeamTest.isNew()) {
            assertThat(((TokenDeniedException) denied).reason()).isEqualTo(Reason.ADDRESS);
            assertThat(denied).hasMessageContaining("it is a WebSocket's");
        }
        assertThat(server.seen()).isEmpty();
    }

    @Test
    void interceptor_aroundTheCall_isDenied() throws Exception {
        names.say(HOST, at(1));
        TokenAgent agent = agent(t -> t.allowIps("127.0.0.1"));
        OkHttpClient client = new OkHttpClient.Builder()
                .dns(names)
                .addInterceptor(agent.interceptor())
                .build();
        Call call = client.newCall(to("/v1/x"));
        assertThatThrownBy(call::execute).isInstanceOf(TokenDeniedException.class);
        assertThat(server.seen()).isEmpty();
    }

    @Test
    void interceptor_onTheWire_isAskedWhomItReaches() throws Exception {
        names.say(HOST, at(1), at(2));
        OkHttpClient client = new OkHttpClient.Builder()
                .dns(names)
                .addNetworkInterceptor(agent(t -> t.allowIps("127.0.0.1")).interceptor())
                .build();
        assertThat(status(client, to("/v1/x"))).isEqualTo(200);
        client.connectionPool().evictAll();
        assertDenied(client, to("/v1/x"), "may not go to the address 127.0.0.2");
        assertThat(stranger.heard()).isEmpty();
    }

    @Test
    void authorize_anotherClient_isDenied() throws Exception {
        TokenAgent agent = agent(t -> t.allowIps("127.0.0.1"));
        TokenDeniedException denied = canary.caught(
                TokenDeniedException.class, () -> agent.authorize("GET", URI.create(server.url(HOST, "/v1/x"))));
        assertThat(denied.reason()).isEqualTo(Reason.ADDRESS);
        assertThat(denied).hasMessageContaining("its client is not one made by agent.install(OkHttpClient)");
    }
}
