package io.keyturn.policy;

import static io.keyturn.policy.RawServer.answer;
import static io.keyturn.policy.RawServer.json;
import static io.keyturn.policy.RawServer.write;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.policy.RawServer.Asked;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("okhttp-floor")
@Timeout(120)
class OpaPolicyTest {
    private static final String YES = json("{\"result\":true}");
    private static final String NO = json("{\"result\":false}");
    private static final Duration PATIENT = Duration.ofSeconds(60);
    private static final Duration SHORT = Duration.ofMillis(300);
    private static final Duration CACHE = Duration.ofSeconds(30);
    private static final Duration PAUSE = Duration.ofMillis(250);

    @RegisterExtension
    final Canary canary = new Canary();

    private final ManualClock clock = new ManualClock();
    private final RawServer opa = new RawServer();
    private final ExecutorService threads = Executors.newCachedThreadPool(daemon("test-policy"));
    private final OkHttpClient http = new OkHttpClient.Builder()
            .followRedirects(false)
            .followSslRedirects(false)
            .build();
    private final CountDownLatch over = new CountDownLatch(1);

    private static ThreadFactory daemon(String name) {
        return task -> {
            Thread thread = new Thread(task, name);
            thread.setDaemon(true);
            return thread;
        };
    }

    @AfterEach
    void close() throws IOException {
        over.countDown();
        threads.shutdownNow();
        opa.close();
    }

    // --- a question ---

    private RemotePolicy policy(Duration timeout, Duration cache, boolean allowsUnasked) {
        return new OpaPolicy(
                opa.url("/v1/data/agent/allow"),
                "ci-agent",
                timeout,
                cache,
                allowsUnasked,
                http,
                threads,
                clock::nanos);
    }

    private RemotePolicy policy() {
        return policy(PATIENT, CACHE, false);
    }

    private Token token() {
        return Token.of("api_token", TokenDocument.of(canary.token()).withScopes(Set.of("read")));
    }

    private static Destination to(String method, String url) {
        return new Destination(method, HttpUrl.get(url), null);
    }

    private static Destination me() {
        return to("GET", "https://api.example.com/v1/me");
    }

    private void allow(RemotePolicy policy) throws TokenDeniedException {
        policy.check(token(), me());
    }

    private TokenDeniedException denial(RemotePolicy policy) {
        return canary.caught(TokenDeniedException.class, () -> policy.check(token(), me()));
    }

    private void hang(Asked request, Socket socket) throws InterruptedException {
        over.await();
    }

    private static void drip(Asked request, Socket socket) throws Exception {
        for (int i = 0; i < YES.length(); i++) {
            write(socket, YES.substring(i, i + 1));
            Thread.sleep(100);
        }
    }

    private static void reset(Asked request, Socket socket) throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    // --- what it answers ---

    private static final Reason UNREACHABLE = Reason.POLICY_UNREACHABLE;

    private static Arguments row(String name, String answer, Reason reason) {
        return row(name, reason, (request, socket) -> write(socket, answer));
    }

    private static Arguments row(String name, Reason reason, RawServer.Reply reply) {
        return Arguments.of(name, reason, reply);
    }

    static Stream<Arguments> answers() {
        String allowed = "{\"result\":true}";
        return Stream.of(
                row("false", NO, Reason.POLICY),
                row("undefined", json("{}"), Reason.POLICY),
                row("no result", json("{\"decision_id\":\"1\"}"), Reason.POLICY),
                row("a text", json("{\"result\":\"true\"}"), Reason.POLICY),
                row("a number", json("{\"result\":1}"), Reason.POLICY),
                row("null", json("{\"result\":null}"), Reason.POLICY),
                row("an object", json("{\"result\":{\"allow\":true}}"), Reason.POLICY),
                row("a list", json("{\"result\":[true]}"), Reason.POLICY),
                row("an empty list", json("{\"result\":[]}"), Reason.POLICY),
                row("another key's", json("{\"allow\":true}"), Reason.POLICY),
                row("another case", json("{\"Result\":true}"), Reason.POLICY),
                row("deeper", json("{\"data\":{\"result\":true}}"), Reason.POLICY),
                row("both", json("{\"result\":true,\"result\":false}"), Reason.POLICY),
                row("both, the other way", json("{\"result\":false,\"result\":true}"), Reason.POLICY),
                row("twice", json("{\"result\":true,\"result\":true}"), Reason.POLICY),
                row("garbage behind", json("{\"result\":true} x"), Reason.POLICY),
                row("another object behind", json("{\"result\":true}{\"result\":false}"), Reason.POLICY),
                row("a trailing comma", json("{\"result\":true,}"), Reason.POLICY),
                row("not closed", json("{\"result\":true"), Reason.POLICY),
                row("not capital", json("{\"result\":True}"), UNREACHABLE),
                row("cut in the word", json("{\"result\":tru"), UNREACHABLE),
                row("another key twice", json("{\"a\":1,\"a\":2,\"result\":true}"), UNREACHABLE),
                row("no object", json("true"), UNREACHABLE),
                row("in a list", json("[true]"), UNREACHABLE),
                row("the object in a list", json("[{\"result\":true}]"), UNREACHABLE),
                row("no quotes", json("{result:true}"), UNREACHABLE),
                row("empty", json(""), UNREACHABLE),
                row("white space", json("  \n"), UNREACHABLE),
                row("HTML", answer("200 OK", "text/html", "<html><body>true</body></html>"), UNREACHABLE),
                row("201", answer("201 Created", "application/json", allowed), UNREACHABLE),
                row("204", "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", UNREACHABLE),
                row("400", answer("400 Bad Request", "application/json", allowed), UNREACHABLE),
                row("401", answer("401 Unauthorized", "application/json", allowed), UNREACHABLE),
                row("404", answer("404 Not Found", "application/json", allowed), UNREACHABLE),
                row("500", answer("500 Internal Server Error", "application/json", allowed), UNREACHABLE),
                row("503", answer("503 Service Unavailable", "application/json", allowed), UNREACHABLE),
                row("too long", json("{\"x\":\"" + "x".repeat(64 * 1024) + "\",\"result\":true}"), UNREACHABLE),
                row("too long behind", json(allowed + " ".repeat(64 * 1024)), UNREACHABLE),
                row("too deep", json("{\"x\":" + "[".repeat(5_000) + "]".repeat(5_000) + "}"), UNREACHABLE),
                row("truncated", UNREACHABLE, (request, socket) -> write(socket, YES.replace(": 15", ": 40"))),
                row("no HTTP", UNREACHABLE, (request, socket) -> write(socket, "{\"result\":true}")),
                row("closed", UNREACHABLE, (request, socket) -> {}),
                row("reset", UNREACHABLE, OpaPolicyTest::reset),
                row("a gzip bomb", UNREACHABLE, OpaPolicyTest::bomb));
    }

    private static void bomb(Asked request, Socket socket) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream zip = new GZIPOutputStream(bytes)) {
            zip.write("{\"result\":true}".getBytes(UTF_8));
            byte[] blanks = " ".repeat(1 << 20).getBytes(UTF_8);
            for (int i = 0; i < 20; i++) {
                zip.write(blanks);
            }
        }
        write(
                socket,
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: " + bytes.size()
                        + "\r\n\r\n");
        bytes.writeTo(socket.getOutputStream());
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("answers")
    void check_anyAnswerButTrue_denies(String name, Reason reason, RawServer.Reply reply) {
        opa.with(reply);

        TokenDeniedException denied = denial(policy());

        assertThat(denied.reason()).isEqualTo(reason);
        assertThat(denied.fix()).isNotBlank();
        assertThat(denied)
                .hasMessageStartingWith("Open Policy Agent at " + opa.url("/v1/data/agent/allow") + " ")
                .hasMessageContaining("GET api.example.com/v1/me with token 'api_token'")
                .hasNoCause();
    }

    /** Only where there is no decision: a no, or more than one word, stays a no. */
    @ParameterizedTest(name = "{0}")
    @MethodSource("answers")
    void check_anyAnswerButTrueAndErrorsAllow_allowsWhereThereIsNoDecision(
            String name, Reason reason, RawServer.Reply reply) throws Exception {
        opa.with(reply);
        RemotePolicy lenient = policy(PATIENT, CACHE, true);

        if (reason == Reason.POLICY) {
            assertThat(denial(lenient).reason()).isEqualTo(Reason.POLICY);
        } else {
            allow(lenient);
        }
        // Whoever proves it is told nevertheless.
        TokenDeniedException proved = canary.caught(TokenDeniedException.class, () -> lenient.prove(token(), me()));
        assertThat(proved.reason()).isEqualTo(reason);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"result\":true}",
                " { \"result\" : true } \n",
                "{\"decision_id\":\"4ca6\",\"result\":true}",
                "{\"result\":true,\"warning\":{\"code\":\"x\",\"list\":[1,{\"result\":false}]}}"
            })
    void check_resultTrue_allows(String body) throws Exception {
        opa.with(json(body));

        allow(policy());

        assertThat(opa.asked()).hasSize(1);
    }

    @Test
    void check_zippedTrue_allows() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream zip = new GZIPOutputStream(bytes)) {
            zip.write("{\"result\":true}".getBytes(UTF_8));
        }
        opa.with((request, socket) -> {
            write(socket, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n");
            bytes.writeTo(socket.getOutputStream());
        });

        allow(policy());
    }

    @ParameterizedTest
    @ValueSource(ints = {301, 302, 303, 307, 308})
    void check_redirectToOneThatAllows_deniesAndIsNotFollowed(int status) throws Exception {
        try (RawServer generous = new RawServer()) {
            opa.with("HTTP/1.1 " + status + " Moved\r\nLocation: " + generous.url("/v1/data/agent/allow")
                    + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

            assertThat(denial(policy())).hasMessageContaining("answered " + status);

            assertThat(generous.asked()).isEmpty();
        }
    }

    @Test
    void check_hangs_deniesInTime() {
        opa.with(this::hang);

        TokenDeniedException denied = denial(policy(SHORT, CACHE, false));

        assertThat(denied.reason()).isEqualTo(Reason.POLICY_UNREACHABLE);
        assertThat(denied).hasMessageEndingWith(": no answer within 300 ms");
    }

    @Test
    void check_drips_deniesInTime() {
        // Each byte is on time, all of them are not.
        opa.with(OpaPolicyTest::drip);

        assertThat(denial(policy(SHORT, CACHE, false))).hasMessageEndingWith(": no answer within 300 ms");
    }

    @Test
    void check_nobodyThere_denies() throws Exception {
        opa.close();

        assertThat(denial(policy())).hasMessageEndingWith(": nobody accepts connections there");
    }

    @Test
    void check_nameUnknown_denies() {
        RemotePolicy policy = new OpaPolicy(
                HttpUrl.get("http://opa.invalid/v1/data/agent/allow"),
                "ci-agent",
                PATIENT,
                CACHE,
                false,
                http,
                threads,
                clock::nanos);

        assertThat(denial(policy)).hasMessageEndingWith(": DNS does not know the host");
    }

    @Test
    void check_lookUpOfTheNameHangs_deniesInTime() {
        // It heeds neither a timeout nor an interruption, as the system's does not.
        OkHttpClient slow = http.newBuilder()
                .dns(host -> {
                    boolean waiting = true;
                    while (waiting) {
                        try {
                            over.await();
                            waiting = false;
                        } catch (InterruptedException e) {
                            waiting = over.getCount() > 0;
                        }
                    }
                    return List.of();
                })
                .build();
        RemotePolicy policy = new OpaPolicy(
                HttpUrl.get("http://opa.example.com/v1/data/agent/allow"),
                "ci-agent",
                SHORT,
                CACHE,
                false,
                slow,
                threads,
                clock::nanos);

        assertThat(denial(policy)).hasMessageEndingWith(": no answer within 300 ms");
    }

    @Test
    void check_clientFails_deniesAndTellsItsClassOnly() {
        OkHttpClient broken = http.newBuilder()
                .addInterceptor(chain -> {
                    throw new IllegalStateException("with " + canary.token());
                })
                .build();
        RemotePolicy policy = new OpaPolicy(
                opa.url("/v1/data/agent/allow"), "ci-agent", PATIENT, CACHE, false, broken, threads, clock::nanos);

        assertThat(denial(policy))
                .hasMessageEndingWith(": the HTTP client failed with java.lang.IllegalStateException");
    }

    @Test
    void describe_addressWithUserAndQuery_tellsNeither() {
        RemotePolicy policy = new OpaPolicy(
                HttpUrl.get("http://me:" + "secret@127.0.0.1:1/v1/data/agent/allow?key=secret#secret"),
                "ci-agent",
                PATIENT,
                CACHE,
                false,
                http,
                threads,
                clock::nanos);

        assertThat(policy.describe())
                .hasToString("Open Policy Agent at http://127.0.0.1:1/v1/data/agent/allow")
                .isEqualTo(policy.toString());
        assertThat(denial(policy).getMessage()).doesNotContain("secret");
    }

    // --- what it is asked ---

    private JsonNode onlyBody() throws IOException {
        assertThat(opa.asked()).hasSize(1);
        return new ObjectMapper().readTree(opa.asked().get(0).body());
    }

    @Test
    void check_asks_withWhatTheContractSaysAndNoMore() throws Exception {
        Token token = token();

        policy().check(token, to("DELETE", "https://API.example.com:8443/v1/a%2Fb/" + "%7Bx%7D?key=secret"));

        Map<String, Object> input = Map.of(
                "agent", "ci-agent",
                "token", "api_token",
                "fingerprint", token.fingerprint(),
                "scopes", List.of("read"),
                "method", "DELETE",
                "host", "api.example.com",
                "path", "/v1/a%2Fb/%7Bx%7D");
        JsonNode body = onlyBody();
        assertThat(body).isEqualTo(new ObjectMapper().valueToTree(Map.of("input", input)));
        Asked asked = opa.asked().get(0);
        assertThat(asked.line()).isEqualTo("POST /v1/data/agent/allow HTTP/1.1");
        assertThat(asked.head()).containsIgnoringCase("content-type: application/json");
        canary.saw("question", asked);
    }

    @Test
    void check_scopesUnknown_asksWithNull() throws Exception {
        policy().check(Token.of("api_token", TokenDocument.of(canary.token())), me());

        assertThat(onlyBody().at("/input").has("scopes")).isTrue();
        assertThat(onlyBody().at("/input/scopes").isNull()).isTrue();
    }

    @Test
    void check_scopesNone_asksWithAnEmptyList() throws Exception {
        policy().check(Token.of("t", TokenDocument.of(canary.token()).withScopes(Set.of())), me());

        assertThat(onlyBody().at("/input/scopes").isArray()).isTrue();
        assertThat(onlyBody().at("/input/scopes")).isEmpty();
    }

    // --- what is remembered ---

    @Test
    void check_allowed_isAskedAgainWhenTheCacheEnds() throws Exception {
        RemotePolicy policy = policy();
        allow(policy);
        clock.advance(CACHE.minusNanos(1));
        // Being used makes no allow older.
        allow(policy);
        assertThat(opa.asked()).hasSize(1);

        clock.advance(Duration.ofNanos(1));
        opa.with(NO);

        assertThat(denial(policy).reason()).isEqualTo(Reason.POLICY);
        assertThat(opa.asked()).hasSize(2);
    }

    @Test
    void check_cacheOff_asksEachTime() throws Exception {
        RemotePolicy policy = policy(PATIENT, Duration.ZERO, false);

        allow(policy);
        allow(policy);
        opa.with(NO);

        denial(policy);
        assertThat(opa.asked()).hasSize(3);
    }

    @Test
    void check_denied_isNotRemembered() throws Exception {
        RemotePolicy policy = policy();
        opa.with(NO);
        denial(policy);

        opa.with(YES);

        allow(policy);
        assertThat(opa.asked()).hasSize(2);
    }

    @Test
    void check_noDecision_isNotRemembered() throws Exception {
        RemotePolicy policy = policy();
        opa.with(answer("500 Oh", "text/plain", "oh"));
        denial(policy);

        opa.with(YES);

        allow(policy);
        assertThat(opa.asked()).hasSize(2);
    }

    @Test
    void check_whatDiffersInAnything_isAskedOnItsOwn() throws Exception {
        RemotePolicy policy = policy();
        TokenDocument document = TokenDocument.of("value-one").withScopes(Set.of("read"));
        Token token = Token.of("a", document);
        policy.check(token, me());

        policy.check(Token.of("b", document), me());
        policy.check(Token.of("a", TokenDocument.of("value-two").withScopes(Set.of("read"))), me());
        policy.check(Token.of("a", document.withScopes(Set.of("read", "write"))), me());
        policy.check(Token.of("a", TokenDocument.of("value-one")), me());
        policy.check(token, to("POST", "https://api.example.com/v1/me"));
        policy.check(token, to("GET", "https://api.example.org/v1/me"));
        policy.check(token, to("GET", "https://api.example.com/v1/you"));
        assertThat(opa.asked()).hasSize(8);

        // What it is not told of makes no other question.
        policy.check(token, to("GET", "https://api.example.com/v1/me?q=1"));
        policy.check(Token.of("a", document, 7, null), me());
        assertThat(opa.asked()).hasSize(8);
    }

    @Test
    void check_veryManyQuestions_areForgottenAgain() throws Exception {
        RemotePolicy policy = policy();
        String path = "/" + "x".repeat(60_000);
        for (int i = 0; i < 100; i++) {
            policy.check(token(), to("GET", "https://api.example.com/" + i + path));
        }
        for (int i = 0; i < 100; i++) {
            policy.check(token(), to("GET", "https://api.example.com/" + i + path));
        }

        // Most of six million characters were not kept.
        assertThat(opa.asked()).hasSizeGreaterThan(150);
    }

    @Test
    void prove_allowedBefore_asksAgainAndForgetsWhatIsAllowedNoMore() throws Exception {
        RemotePolicy policy = policy();
        allow(policy);
        policy.prove(token(), me());
        assertThat(opa.asked()).hasSize(2);

        opa.with(NO);
        assertThat(canary.caught(TokenDeniedException.class, () -> policy.prove(token(), me()))
                        .reason())
                .isEqualTo(Reason.POLICY);

        assertThat(denial(policy).reason()).isEqualTo(Reason.POLICY);
    }

    // --- many at a time ---

    /** Threads that each ask the same, and how many were allowed and denied. */
    private final class Burst {
        final AtomicInteger allowed = new AtomicInteger();
        final AtomicInteger denied = new AtomicInteger();
        final List<Thread> asking = new ArrayList<>();

        Burst(RemotePolicy policy, int many, ThreadFactory factory) {
            for (int i = 0; i < many; i++) {
                Thread thread = factory.newThread(() -> ask(policy));
                asking.add(thread);
                thread.start();
            }
        }

        private void ask(RemotePolicy policy) {
            try {
                policy.check(token(), me());
                allowed.incrementAndGet();
            } catch (TokenDeniedException e) {
                denied.incrementAndGet();
            }
        }

        void awaitWaiting() {
            await().atMost(PATIENT)
                    .until(() -> asking.stream().allMatch(thread -> thread.getState() == Thread.State.TIMED_WAITING));
        }

        void join() throws InterruptedException {
            for (Thread thread : asking) {
                thread.join();
            }
        }
    }

    /** Virtual threads where the JDK has them. */
    private static ThreadFactory virtual() throws ReflectiveOperationException {
        if (Runtime.version().feature() < 21) {
            return daemon("asking");
        }
        Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
        return (ThreadFactory)
                Class.forName("java.lang.Thread$Builder").getMethod("factory").invoke(builder);
    }

    private void burst(ThreadFactory factory, String answer, int allowed) throws Exception {
        CountDownLatch open = new CountDownLatch(1);
        opa.with((request, socket) -> {
            open.await();
            write(socket, answer);
        });
        Burst burst = new Burst(policy(), 1_000, factory);
        burst.awaitWaiting();
        open.countDown();
        burst.join();

        assertThat(burst.allowed).hasValue(allowed);
        assertThat(burst.denied).hasValue(1_000 - allowed);
        assertThat(opa.asked()).hasSize(1);
    }

    @Test
    void check_thousandAtOnceAllowed_asksOnce() throws Exception {
        burst(daemon("asking"), YES, 1_000);
    }

    @Test
    void check_thousandAtOnceDenied_asksOnce() throws Exception {
        burst(daemon("asking"), NO, 0);
    }

    @Test
    void check_thousandVirtualThreadsAllowed_asksOnce() throws Exception {
        burst(virtual(), YES, 1_000);
    }

    @Test
    void check_thousandVirtualThreadsDenied_asksOnce() throws Exception {
        burst(virtual(), NO, 0);
    }

    /** Without a gate: whoever comes when the first has its answer finds it remembered. */
    @Test
    void check_allowedAsOthersArrive_asksOnce() throws Exception {
        for (int round = 0; round < 50; round++) {
            int before = opa.asked().size();
            Burst burst = new Burst(policy(), 40, daemon("asking"));
            burst.join();

            assertThat(burst.allowed).hasValue(40);
            assertThat(opa.asked()).hasSize(before + 1);
        }
    }

    /** One looked up what is remembered before the other's answer was there, and what is under way after that. */
    @Test
    void check_answeredBetweenItsTwoLooks_asksNotAgain() throws Exception {
        CountDownLatch answered = new CountDownLatch(1);
        AtomicInteger held = new AtomicInteger();
        RemotePolicy policy =
                new OpaPolicy(opa.url("/v1/data/agent/allow"), "ci-agent", PATIENT, CACHE, false, http, threads, () -> {
                    if (Thread.currentThread().getName().equals("late") && held.getAndIncrement() == 0) {
                        awaitQuietly(answered);
                    }
                    return clock.nanos();
                });
        Burst late = new Burst(policy, 1, daemon("late"));
        await().atMost(PATIENT).until(() -> held.get() == 1);

        allow(policy);
        answered.countDown();
        late.join();

        assertThat(late.allowed).hasValue(1);
        assertThat(opa.asked()).hasSize(1);
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void check_manyHang_takeNoTimeOfAnother() throws Exception {
        opa.with((request, socket) -> {
            if (request.body().contains("/hang/")) {
                over.await();
            }
            write(socket, YES);
        });
        RemotePolicy policy = policy();
        List<Thread> hanging = IntStream.range(0, 40)
                .mapToObj(i -> daemon("asking").newThread(() -> {
                    try {
                        policy.check(token(), to("GET", "https://api.example.com/hang/" + i));
                    } catch (TokenDeniedException e) {
                        // At the end of the test.
                    }
                }))
                .toList();
        hanging.forEach(Thread::start);
        await().atMost(PATIENT).until(() -> opa.asked().size() == 40);

        allow(policy);

        assertThat(hanging).allMatch(Thread::isAlive);
    }

    @Test
    void check_interruptedWhileWaiting_isLetGoAndTheOthersGetTheirAnswer() throws Exception {
        CountDownLatch open = new CountDownLatch(1);
        opa.with((request, socket) -> {
            open.await();
            write(socket, YES);
        });
        RemotePolicy policy = policy(PATIENT, CACHE, true);
        AtomicReference<TokenDeniedException> denied = new AtomicReference<>();
        AtomicInteger flagged = new AtomicInteger();
        Thread first = daemon("asking").newThread(() -> {
            try {
                policy.check(token(), me());
            } catch (TokenDeniedException e) {
                denied.set(e);
                flagged.addAndGet(Thread.currentThread().isInterrupted() ? 1 : 0);
            }
        });
        first.start();
        await().atMost(PATIENT).until(() -> opa.asked().size() == 1);
        Burst others = new Burst(policy, 5, daemon("asking"));
        others.awaitWaiting();

        first.interrupt();
        first.join();
        // Denied, though errors allow: it is no error of the policy's.
        assertThat(denied.get()).isNotNull();
        assertThat(canary.saw(denied.get()).reason()).isEqualTo(Reason.POLICY_UNREACHABLE);
        assertThat(flagged).as("the flag stays set").hasValue(1);

        open.countDown();
        others.join();
        assertThat(others.allowed).hasValue(5);
        assertThat(opa.asked()).hasSize(1);
    }

    // --- an outage ---

    @Test
    void check_outage_othersFailAtOnceAndOneTriesAfterThePause() throws Exception {
        RemotePolicy policy = policy();
        opa.with(OpaPolicyTest::reset);
        String first = denial(policy).getMessage();
        int asked = opa.asked().size();

        // Whatever they ask, and without asking.
        assertThat(denial(policy)).hasMessage(first);
        TokenDeniedException other = canary.caught(
                TokenDeniedException.class, () -> policy.check(token(), to("PUT", "https://api.example.com/v1/x")));
        assertThat(other.reason()).isEqualTo(Reason.POLICY_UNREACHABLE);
        clock.advance(PAUSE.minusNanos(1));
        denial(policy);
        assertThat(opa.asked()).hasSize(asked);

        opa.with(YES);
        clock.advance(Duration.ofNanos(1));
        allow(policy);
        policy.check(token(), to("PUT", "https://api.example.com/v1/x"));
        assertThat(opa.asked()).hasSize(asked + 2);
    }

    @Test
    void check_outageWhereErrorsAllow_allowsAtOnceAndForgetsThatWhenItIsOver() throws Exception {
        RemotePolicy policy = policy(PATIENT, CACHE, true);
        opa.with(OpaPolicyTest::reset);
        allow(policy);
        int asked = opa.asked().size();
        allow(policy);
        assertThat(opa.asked()).hasSize(asked);

        opa.with(NO);
        clock.advance(PAUSE);

        assertThat(denial(policy).reason()).isEqualTo(Reason.POLICY);
    }

    @Test
    void check_outageAndOneTries_theOthersDoNotWaitForIt() throws Exception {
        RemotePolicy policy = policy();
        opa.with(OpaPolicyTest::reset);
        denial(policy);
        int asked = opa.asked().size();
        CountDownLatch open = new CountDownLatch(1);
        opa.with((request, socket) -> {
            open.await();
            write(socket, YES);
        });
        clock.advance(PAUSE);
        Burst trying = new Burst(policy, 1, daemon("asking"));
        await().atMost(PATIENT).until(() -> opa.asked().size() == asked + 1);

        assertThat(denial(policy)).hasMessageContaining("gave no decision");
        TokenDeniedException other = canary.caught(
                TokenDeniedException.class, () -> policy.check(token(), to("PUT", "https://api.example.com/v1/x")));
        assertThat(other.reason()).isEqualTo(Reason.POLICY_UNREACHABLE);
        assertThat(opa.asked()).hasSize(asked + 1);

        open.countDown();
        trying.join();
        assertThat(trying.allowed).hasValue(1);
        allow(policy);
    }

    @Test
    void check_stillDeadAfterThePause_isLeftAloneForAnother() throws Exception {
        RemotePolicy policy = policy();
        opa.with(OpaPolicyTest::reset);
        denial(policy);
        clock.advance(PAUSE);
        denial(policy);
        int asked = opa.asked().size();

        denial(policy);
        assertThat(opa.asked()).hasSize(asked);

        opa.with(YES);
        clock.advance(PAUSE);
        allow(policy);
    }

    @Test
    void check_oneSlowAnswerAmongQuickOnes_isNoOutage() throws Exception {
        RemotePolicy policy = policy();
        CountDownLatch open = new CountDownLatch(1);
        opa.with((request, socket) -> {
            if (request.body().contains("/slow")) {
                open.await();
                reset(request, socket);
            } else {
                write(socket, YES);
            }
        });
        Thread slow = daemon("asking")
                .newThread(() -> canary.caught(
                        TokenDeniedException.class,
                        () -> policy.check(token(), to("GET", "https://api.example.com/slow"))));
        slow.start();
        await().atMost(PATIENT).until(() -> opa.asked().size() == 1);
        clock.advance(Duration.ofMillis(1));
        policy.check(token(), to("GET", "https://api.example.com/quick"));

        open.countDown();
        slow.join();

        policy.check(token(), to("GET", "https://api.example.com/quick/too"));
    }

    @Test
    void check_answersErrors_isNoOutage() throws Exception {
        RemotePolicy policy = policy();
        opa.with(answer("500 Oh", "text/plain", "oh"));
        denial(policy);
        denial(policy);
        assertThat(opa.asked()).hasSize(2);

        opa.with(YES);
        allow(policy);
    }

    @Test
    void prove_inAnOutage_asksAndEndsIt() throws Exception {
        RemotePolicy policy = policy();
        opa.with(OpaPolicyTest::reset);
        denial(policy);
        opa.with(YES);

        policy.prove(token(), me());

        policy.check(token(), to("PUT", "https://api.example.com/v1/x"));
    }

    @Test
    void check_threadsAreShutDown_deniesAsClosedEvenWhereErrorsAllow() {
        threads.shutdown();
        for (boolean lenient : new boolean[] {true, false}) {
            TokenDeniedException denied = denial(policy(PATIENT, CACHE, lenient));
            assertThat(denied.reason()).isEqualTo(Reason.CLOSED);
            assertThat(denied).hasMessage("agent closed");
        }
    }

    @Test
    void admit_resolved_asksNobody() {
        assertThatCode(() -> policy().admit(token())).doesNotThrowAnyException();
        assertThat(opa.asked()).isEmpty();
        assertThat(Rule.of(policy()).isAskedOfRequests()).isTrue();
    }
}
