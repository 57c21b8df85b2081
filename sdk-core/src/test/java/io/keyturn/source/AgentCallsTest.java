package io.keyturn.source;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import mockwebserver3.SocketEffect;
import okhttp3.Cache;
import okhttp3.Call;
import okhttp3.Cookie;
import okhttp3.CookieJar;
import okhttp3.Headers;
import okhttp3.HttpUrl;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.tls.HandshakeCertificates;
import okhttp3.tls.HeldCertificate;
import okio.Buffer;
import okio.ByteString;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls to services that are none of the agent's endpoints, and what their answers say. */
class AgentCallsTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final ManualClock clock = new ManualClock();
    private final MockWebServer server = new MockWebServer();
    private final AgentCalls calls = new AgentCalls(
            () -> new OkHttpClient.Builder().callTimeout(Duration.ofSeconds(20)).build());

    @BeforeEach
    void start() throws IOException {
        server.start();
    }

    @AfterEach
    void close() {
        calls.close();
        server.close();
    }

    private ServiceAnswer send() throws SourceException {
        return send(calls);
    }

    private ServiceAnswer send(AgentCalls by) throws SourceException {
        Request request = new Request.Builder()
                .url(server.url("/v1/x"))
                .header("X-Vault-Token", canary.token())
                .build();
        return by.send(request, "the store", clock);
    }

    private SourceException failure(AgentCalls by, String url) {
        Request request = new Request.Builder().url(url).build();
        SourceException failure =
                catchThrowableOfType(SourceException.class, () -> by.send(request, "the store", clock));
        canary.saw("failure", failure);
        return failure;
    }

    private SourceException failure(AgentCalls by) {
        SourceException failure = catchThrowableOfType(SourceException.class, () -> send(by));
        canary.saw("failure", failure);
        return failure;
    }

    private static MockResponse answer(int status, String body) {
        return new MockResponse.Builder().code(status).body(body).build();
    }

    // --- the call ---

    @Test
    void send_redirect_isAnAnswer() throws SourceException {
        server.enqueue(new MockResponse.Builder()
                .code(307)
                .addHeader("Location", server.url("/elsewhere"))
                .build());

        assertThat(send().status()).isEqualTo(307);
        assertThat(server.getRequestCount()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "1", "2147483648"})
    void send_retryAfter_isNotObeyedByTheClient(String after) throws SourceException {
        server.enqueue(new MockResponse.Builder()
                .code(503)
                .addHeader("Retry-After", after)
                .build());
        server.enqueue(answer(200, "{}"));

        assertThat(send().status()).isEqualTo(503);
        assertThat(server.getRequestCount()).isEqualTo(1);
    }

    @Test
    void send_aMebibyte_isRead() throws SourceException {
        server.enqueue(new MockResponse.Builder()
                .body(new Buffer().write(new byte[1024 * 1024]))
                .build());

        assertThat(send().body()).hasSize(1024 * 1024);
    }

    @Test
    void send_aByteMore_isNoToken() {
        server.enqueue(new MockResponse.Builder()
                .body(new Buffer().write(new byte[1024 * 1024 + 1]))
                .build());

        assertThat(failure(calls).reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void send_nobodyThere_unreachable() throws IOException {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Request request = new Request.Builder().url("http://127.0.0.1:" + port).build();

        SourceException failure =
                catchThrowableOfType(SourceException.class, () -> calls.send(request, "the store", clock));

        assertThat(failure.reason()).isEqualTo(Reason.STORE_UNREACHABLE);
        assertThat(failure).hasMessage("the store is unreachable (nobody accepts connections there)");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void send_hangs_endsInTime(boolean within) {
        server.enqueue(
                within
                        ? new MockResponse.Builder()
                                .body("x".repeat(1_000))
                                .throttleBody(1, 1, TimeUnit.SECONDS)
                                .build()
                        : new MockResponse.Builder()
                                .onResponseStart(SocketEffect.Stall.INSTANCE)
                                .build());
        AgentCalls hurried = new AgentCalls(() ->
                new OkHttpClient.Builder().callTimeout(Duration.ofMillis(300)).build());

        assertThat(failure(hurried)).hasMessage("the store is unreachable (no answer in time)");
    }

    @Test
    void send_headerThatCannotBeSent_isNotQuoted() {
        Request.Builder request = new Request.Builder().url(server.url("/"));
        AgentCalls broken = new AgentCalls(() -> new OkHttpClient.Builder()
                .addInterceptor(chain -> {
                    throw new IllegalArgumentException("unexpected char in " + canary.token());
                })
                .build());

        SourceException failure =
                catchThrowableOfType(SourceException.class, () -> broken.send(request.build(), "the store", clock));

        canary.saw("failure", failure);
        assertThat(failure.reason()).isEqualTo(Reason.STORE_UNREACHABLE);
    }

    @Test
    void close_duringACall_endsIt() throws Exception {
        server.enqueue(new MockResponse.Builder()
                .onResponseStart(SocketEffect.Stall.INSTANCE)
                .build());
        CompletableFuture<SourceException> failure = CompletableFuture.supplyAsync(() -> failure(calls));
        Awaitility.await().until(() -> server.getRequestCount() == 1);

        calls.close();

        assertThat(failure.get(2, TimeUnit.SECONDS).reason()).isEqualTo(Reason.STORE_UNREACHABLE);
        assertThat(failure(calls).reason()).isEqualTo(Reason.CLOSED);
    }

    @Test
    void close_whileACallBegins_sendsNothing() {
        AtomicReference<AgentCalls> closing = new AtomicReference<>();
        AgentCalls beginning = new AgentCalls(() -> {
            closing.get().close();
            return new OkHttpClient();
        });
        closing.set(beginning);
        server.enqueue(answer(200, "{}"));

        assertThat(failure(beginning).reason()).isEqualTo(Reason.CLOSED);
        assertThat(server.getRequestCount()).isZero();
    }

    @Test
    void interrupt_duringACall_endsIt() throws Exception {
        server.enqueue(new MockResponse.Builder()
                .onResponseStart(SocketEffect.Stall.INSTANCE)
                .build());
        FutureTask<SourceException> failure = new FutureTask<>(() -> failure(calls));
        Thread caller = new Thread(failure, "caller");
        caller.start();
        Awaitility.await().until(() -> server.getRequestCount() == 1);

        caller.interrupt();

        assertThat(failure.get(2, TimeUnit.SECONDS)).hasMessage("the store is unreachable (the call was given up)");
    }

    @Test
    void interrupt_duringACall_isPassedOn() throws Exception {
        server.enqueue(new MockResponse.Builder()
                .onResponseStart(SocketEffect.Stall.INSTANCE)
                .build());
        FutureTask<Boolean> interrupted = new FutureTask<>(() -> {
            failure(calls);
            return Thread.currentThread().isInterrupted();
        });
        Thread caller = new Thread(interrupted, "caller");
        caller.start();
        Awaitility.await().until(() -> server.getRequestCount() == 1);

        caller.interrupt();

        assertThat(interrupted.get(2, TimeUnit.SECONDS)).isTrue();
    }

    /** What is left open otherwise goes on until its timeout, and holds a thread. */
    @Test
    void interrupt_duringACall_closesItsConnection() throws Exception {
        try (Peer peer = new Peer("")) {
            Thread caller = new Thread(() -> failure(calls, peer.url()), "caller");
            caller.start();
            peer.awaitRequest();

            caller.interrupt();

            assertThat(peer.isClosedByTheOtherSide()).isTrue();
        }
    }

    @Test
    void close_connectionThatIsKept_isClosed() throws Exception {
        try (Peer peer = new Peer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) {
            Request request = new Request.Builder().url(peer.url()).build();
            assertThat(calls.send(request, "the store", clock).status()).isEqualTo(200);

            calls.close();

            assertThat(peer.isClosedByTheOtherSide()).isTrue();
        }
    }

    /** A server for one connection, which answers the first request with this text, if it is any. */
    private static final class Peer implements AutoCloseable {
        private final ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        private final CountDownLatch asked = new CountDownLatch(1);
        private final FutureTask<Integer> end = new FutureTask<>(this::serve);
        private final String answer;

        Peer(String answer) throws IOException {
            this.answer = answer;
            Thread thread = new Thread(end, "peer");
            thread.setDaemon(true);
            thread.start();
        }

        private int serve() throws IOException {
            try (Socket socket = server.accept()) {
                InputStream in = socket.getInputStream();
                int lineBreaks = 0;
                while (lineBreaks < 2) {
                    int c = in.read();
                    lineBreaks = c == '\n' ? lineBreaks + 1 : c == '\r' ? lineBreaks : 0;
                }
                socket.getOutputStream().write(answer.getBytes(US_ASCII));
                asked.countDown();
                return in.read();
            }
        }

        String url() {
            return "http://127.0.0.1:" + server.getLocalPort() + "/";
        }

        void awaitRequest() throws InterruptedException {
            assertThat(asked.await(10, TimeUnit.SECONDS)).isTrue();
        }

        boolean isClosedByTheOtherSide() throws Exception {
            try {
                return end.get(10, TimeUnit.SECONDS) == -1;
            } catch (ExecutionException e) {
                // A reset ends it as well.
                return e.getCause() instanceof SocketException;
            }
        }

        @Override
        public void close() throws IOException {
            server.close();
        }
    }

    // --- the program's own client ---

    private AgentCalls callsLike(OkHttpClient program) {
        return new AgentCalls(() -> program);
    }

    @Test
    void send_clientOfTheProgram_lendsNeitherCookiesNorACacheNorALogin() throws Exception {
        OkHttpClient program = new OkHttpClient.Builder()
                .cache(new Cache(folder.toFile(), 1024 * 1024))
                .cookieJar(new CookieJar() {
                    @Override
                    public void saveFromResponse(HttpUrl url, List<Cookie> cookies) {
                        throw new AssertionError("a cookie was kept");
                    }

                    @Override
                    public List<Cookie> loadForRequest(HttpUrl url) {
                        return List.of(new Cookie.Builder()
                                .name("session")
                                .value("program")
                                .domain(url.host())
                                .build());
                    }
                })
                .authenticator((route, response) -> response.request()
                        .newBuilder()
                        .header("Authorization", "Basic cHJvZ3JhbQ==")
                        .build())
                .build();
        MockResponse kept = new MockResponse.Builder()
                .body("{}")
                .addHeader("Cache-Control", "max-age=3600")
                .addHeader("Set-Cookie", "session=store")
                .build();
        server.enqueue(kept);
        server.enqueue(kept);
        server.enqueue(answer(401, "{}"));

        try (AgentCalls own = callsLike(program)) {
            assertThat(send(own).status()).isEqualTo(200);
            assertThat(send(own).status()).isEqualTo(200);
            assertThat(send(own).status()).isEqualTo(401);
        }

        assertThat(server.getRequestCount()).isEqualTo(3);
        for (int i = 0; i < 3; i++) {
            Headers sent = server.takeRequest().getHeaders();
            assertThat(sent.get("Cookie")).isNull();
            assertThat(sent.get("Authorization")).isNull();
        }
    }

    @Test
    void close_clientOfTheProgram_itsOwnCallsGoOn() throws Exception {
        OkHttpClient program = new OkHttpClient();
        server.enqueue(new MockResponse.Builder()
                .onResponseStart(SocketEffect.Stall.INSTANCE)
                .build());
        Call own = program.newCall(new Request.Builder().url(server.url("/own")).build());
        CompletableFuture<Void> ended = CompletableFuture.runAsync(() -> assertThatThrownBy(own::execute));
        Awaitility.await().until(() -> server.getRequestCount() == 1);
        server.enqueue(answer(200, "{}"));
        AgentCalls agents = callsLike(program);
        send(agents);

        agents.close();

        assertThat(own.isCanceled()).isFalse();
        own.cancel();
        ended.get(10, TimeUnit.SECONDS);
    }

    @Test
    void send_certificateThatNobodyKnows_saysSo() throws Exception {
        HeldCertificate unknown = new HeldCertificate.Builder()
                .addSubjectAlternativeName("localhost")
                .build();
        server.useHttps(new HandshakeCertificates.Builder()
                .heldCertificate(unknown)
                .build()
                .sslSocketFactory());

        assertThat(failure(calls, server.url("/").toString()))
                .hasMessageStartingWith("the store is unreachable (TLS failed: ");
    }

    @Test
    void send_hostThatDnsDoesNotKnow_saysSo() {
        AgentCalls lost = callsLike(new OkHttpClient.Builder()
                .dns(host -> {
                    throw new UnknownHostException(host);
                })
                .build());

        assertThat(failure(lost, "http://vault.example.com/"))
                .hasMessage("the store is unreachable (DNS does not know the host)");
    }

    /** OkHttp sends again by itself what a connection has lost that it had kept open. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void send_connectionKeptOpenBreaks_whatIsGoodForOneUseIsNotSentAgain(boolean once) throws Exception {
        server.enqueue(answer(200, "{}"));
        server.enqueue(new MockResponse.Builder()
                .onResponseStart(new SocketEffect.CloseSocket())
                .build());
        server.enqueue(answer(200, "{}"));
        send();
        Request request = new Request.Builder()
                .url(server.url("/v1/x"))
                .post(RequestBody.create(canary.token(), MediaType.get("text/plain")))
                .build();

        if (once) {
            SourceException failure = catchThrowableOfType(
                    SourceException.class, () -> calls.send(AgentCalls.once(request), "the store", clock));
            assertThat(failure.reason()).isEqualTo(Reason.STORE_UNREACHABLE);
        } else {
            assertThat(calls.send(request, "the store", clock).status()).isEqualTo(200);
        }

        assertThat(server.getRequestCount()).isEqualTo(once ? 2 : 3);
        server.takeRequest();
        RecordedRequest sent = server.takeRequest();
        assertThat(sent.getBody()).isEqualTo(ByteString.encodeUtf8(canary.token()));
        assertThat(sent.getHeaders().get("Content-Type")).startsWith("text/plain");
    }

    // --- the answer ---

    @Test
    void answer_json_isToldByItsKeys() throws SourceException {
        server.enqueue(
                answer(
                        200,
                        "{\"data\":{\"token\":\"t\",\"n\":5,\"yes\":true,\"no\":null,\"list\":[\"a\",\"b\"],\"big\":99999999999999999999}}"));

        ServiceAnswer answer = send();

        assertThat(answer.text("data", "token")).hasValue("t");
        assertThat(answer.text("data", "n")).isEmpty();
        assertThat(answer.text("data", "token", "deeper")).isEmpty();
        assertThat(answer.number("data", "n")).hasValue(5L);
        assertThat(answer.number("data", "big")).isEmpty();
        assertThat(answer.isTrue("data", "yes")).isTrue();
        assertThat(answer.isTrue("data", "token")).isFalse();
        assertThat(answer.has("data", "no")).isFalse();
        assertThat(answer.has("data")).isTrue();
        assertThat(answer.texts("data", "list")).containsExactly("a", "b");
        assertThat(answer.texts("data", "token")).isEmpty();
        assertThat(answer.keys("data")).contains("token", "list");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "<html>SECRET</html>",
                "[\"SECRET\"]",
                "{\"a\":\"SECRET\"",
                "{\"a\":1,\"a\":2}",
                "{} {}",
                "\"SECRET\""
            })
    void answer_noJsonObject_isSaidWithoutIt(String body) throws SourceException {
        server.enqueue(answer(200, body.replace("SECRET", canary.token())));

        ServiceAnswer answer = send();
        SourceException failure = catchThrowableOfType(SourceException.class, () -> answer.text("a"));

        canary.saw("failure", failure).saw("answer", answer);
        assertThat(failure.reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void answer_veryDeep_isNoAnswer() throws SourceException {
        server.enqueue(answer(200, "{\"a\":" + "[".repeat(10_000) + "]".repeat(10_000) + "}"));

        ServiceAnswer answer = send();

        assertThat(catchThrowableOfType(SourceException.class, () -> answer.text("a"))
                        .reason())
                .isEqualTo(Reason.MALFORMED);
    }

    @Test
    void retryAfter_secondsOrDate_isHeeded() throws SourceException {
        String date = DateTimeFormatter.RFC_1123_DATE_TIME.format(
                clock.instant().plusSeconds(90).atOffset(ZoneOffset.UTC));
        for (String after : new String[] {"7", date, "-1", "soon", "99999999999", ""}) {
            server.enqueue(new MockResponse.Builder()
                    .code(429)
                    .addHeader("Retry-After", after)
                    .build());
        }

        assertThat(send().retryAfter()).hasValue(Duration.ofSeconds(7));
        assertThat(send().retryAfter()).hasValue(Duration.ofSeconds(90));
        for (int i = 0; i < 4; i++) {
            assertThat(send().retryAfter()).isEmpty();
        }
    }
}
