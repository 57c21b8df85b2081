package io.keyturn;

import static io.keyturn.source.TokenSources.file;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenEvent.RefreshFailed;
import io.keyturn.event.TokenEvent.SwapRefused;
import io.keyturn.event.TokenEvent.Swapped;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A token that is replaced while the program runs: by its file, by an answer of its API, and only if the API likes it. */
class HotSwapTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private final List<AutoCloseable> open = new ArrayList<>();
    private RecordingServer server;

    @BeforeEach
    void start() {
        server = RecordingServer.start();
        open.add(server);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
        canary.saw("events", events);
    }

    private TokenAgent agent(TokenSource source, Consumer<TokenOptions> options) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token("api_token", source, t -> options.accept(t.endpoint(server.url("/"))))
                .listener(events::add)
                .start();
        open.add(agent);
        return agent;
    }

    private Path secret(String value) throws IOException {
        Path other = Files.writeString(folder.resolve("token~"), value);
        Files.setPosixFilePermissions(other, PosixFilePermissions.fromString("rw-------"));
        return Files.move(other, folder.resolve("token"), StandardCopyOption.ATOMIC_MOVE);
    }

    private <T extends TokenEvent> Stream<T> heard(Class<T> kind) {
        return events.stream().filter(kind::isInstance).map(kind::cast);
    }

    private <T extends TokenEvent> T awaitEvent(Class<T> kind) {
        await().atMost(Duration.ofSeconds(20))
                .until(() -> heard(kind).findFirst().isPresent());
        return heard(kind).findFirst().orElseThrow();
    }

    private static void awaitToken(TokenProvider tokens, String value) {
        await().atMost(Duration.ofSeconds(20)).until(() -> tokens.get().reveal().equals(value));
    }

    private int send(OkHttpClient client, String path) throws IOException {
        Request request = new Request.Builder().url(server.url(path)).build();
        try (Response response = client.newCall(request).execute()) {
            return response.code();
        }
    }

    private static Answer guarded(Seen request, String... accepted) {
        boolean right = Stream.of(accepted)
                .anyMatch(token -> request.header("Authorization").contains("Bearer " + token));
        return right ? Answer.ok("welcome") : Answer.of(401, "who are you?");
    }

    private List<String> bearers(String path) {
        return server.seen(path).stream()
                .map(seen -> String.join(",", seen.header("Authorization")))
                .toList();
    }

    // --- by its file ---

    @Test
    void file_replaced_theNextRequestCarriesTheNewToken() throws Exception {
        TokenAgent agent = agent(file(secret("token-one")), t -> {});
        OkHttpClient client = agent.install(new OkHttpClient());
        send(client, "/a");

        secret("token-two");
        awaitToken(agent.provider("api_token"), "token-two");
        send(client, "/b");

        assertThat(bearers("/a")).containsExactly("Bearer token-one");
        assertThat(bearers("/b")).containsExactly("Bearer token-two");
        assertThat(awaitEvent(Swapped.class).source()).startsWith("file ");
    }

    @Test
    void file_deleted_theOldTokenServesAndTheCheckSaysDegraded() throws Exception {
        Path token = secret("token-one");
        TokenAgent agent = agent(file(token), t -> {});

        Files.delete(token);

        assertThat(awaitEvent(RefreshFailed.class).reason()).isEqualTo(Reason.ABSENT);
        assertThat(agent.provider("api_token").get().reveal()).isEqualTo("token-one");
        assertThat(agent.check().tokens().get(0).step("resolve")).hasValueSatisfying(step -> {
            assertThat(step.reason()).isEqualTo("degraded");
            assertThat(step.detail()).contains("does not exist");
        });

        secret("token-two");

        awaitToken(agent.provider("api_token"), "token-two");
        assertThat(agent.check().tokens().get(0).step("resolve").orElseThrow().reason())
                .isNull();
    }

    @Test
    void file_rejected_isReadAgainAtOnce() throws Exception {
        secret("token-one");
        // Nobody tells of the change: only the 401 does.
        TokenAgent agent = agent(
                TokenSources.of(
                        "a file that nobody watches",
                        () -> TokenDocument.of(Files.readString(folder.resolve("token")))),
                t -> {});
        server.on("/a", request -> guarded(request, "token-two"));
        secret("token-two");

        assertThat(send(agent.install(new OkHttpClient()), "/a")).isEqualTo(200);

        assertThat(bearers("/a")).containsExactly("Bearer token-one", "Bearer token-two");
    }

    // --- only if the API likes it ---

    @Test
    void verify_refused_theOldTokenStaysAndAnEventSaysSo() throws Exception {
        server.on("/me", request -> guarded(request, "token-one", "token-three"));
        TokenAgent agent =
                agent(file(secret("token-one")), t -> t.check("GET /me").verify());
        TokenProvider tokens = agent.provider("api_token");

        secret("token-two");

        SwapRefused refused = awaitEvent(SwapRefused.class);
        assertThat(refused.reason()).isEqualTo(Reason.UNAUTHENTICATED);
        assertThat(refused.message()).isEqualTo("GET /me: the API refuses the new token (401)");
        assertThat(tokens.get().reveal()).isEqualTo("token-one");
        assertThat(agent.check().tokens().get(0).step("resolve").orElseThrow().reason())
                .isEqualTo("degraded");

        secret("token-three");

        awaitToken(tokens, "token-three");
        assertThat(bearers("/me")).contains("Bearer token-two").last().isEqualTo("Bearer token-three");
    }

    @Test
    void verify_notPermitted_isRefusedToo() throws Exception {
        server.on(
                "/me",
                request -> request.header("Authorization").contains("Bearer token-one")
                        ? Answer.ok("")
                        : Answer.of(403, ""));
        agent(file(secret("token-one")), t -> t.check("GET /me").verify());

        secret("token-two");

        assertThat(awaitEvent(SwapRefused.class).reason()).isEqualTo(Reason.NOT_PERMITTED);
    }

    @Test
    void verify_cannotBeTried_isTaken() throws Exception {
        server.on("/me", Answer.of(503, ""));
        TokenAgent agent =
                agent(file(secret("token-one")), t -> t.check("GET /me").verify());

        secret("token-two");

        awaitToken(agent.provider("api_token"), "token-two");
        assertThat(heard(SwapRefused.class)).isEmpty();
    }

    @Test
    void verify_serverGone_isTaken() throws Exception {
        TokenAgent agent =
                agent(file(secret("token-one")), t -> t.check("GET /me").verify());
        server.close();

        secret("token-two");

        awaitToken(agent.provider("api_token"), "token-two");
    }

    @Test
    void verify_aRuleDeniesTheTrial_isNotTaken() throws Exception {
        TokenAgent agent = agent(
                file(secret("token-one")),
                t -> t.check("GET /me").verify().policy((token, destination) -> {
                    throw new TokenDeniedException(Reason.DESTINATION, "not today", null);
                }));

        secret("token-two");

        assertThat(awaitEvent(SwapRefused.class).message()).isEqualTo("not today");
        assertThat(agent.provider("api_token").get().reveal()).isEqualTo("token-one");
        assertThat(server.seen()).isEmpty();
    }

    // --- by an answer of its API ---

    private TokenAgent rotatedBy(PushedSource source) throws IOException {
        return agent(source, t -> t.acceptRotatedFrom("X-New-Access-Token"));
    }

    private static PushedSource pushed(String value) {
        PushedSource source = TokenSources.pushed();
        source.set(value);
        return source;
    }

    @Test
    void header_bringsTheNextToken_itServesUntilTheSourceHasAnother() throws Exception {
        PushedSource source = pushed("token-one");
        TokenAgent agent = rotatedBy(source);
        TokenProvider tokens = agent.provider("api_token");
        OkHttpClient client = agent.install(new OkHttpClient());
        server.on("/a", Answer.of(500, "").with("X-New-Access-Token", "token-two"));

        send(client, "/a");

        awaitToken(tokens, "token-two");
        assertThat(awaitEvent(Swapped.class).source())
                .isEqualTo("response header X-New-Access-Token of " + server.url("/a"));
        assertThat(tokens.refresh().reveal())
                .as("the source has still what was replaced")
                .isEqualTo("token-two");
        send(client, "/b");
        assertThat(bearers("/b")).containsExactly("Bearer token-two");

        source.set("token-three");

        assertThat(tokens.get().reveal()).isEqualTo("token-three");
    }

    @Test
    void header_broughtATokenThatIsRejected_theSourcesOwnCountsAgain() throws Exception {
        TokenAgent agent = rotatedBy(pushed("token-one"));
        OkHttpClient client = agent.install(new OkHttpClient());
        server.on("/a", Answer.ok("").with("X-New-Access-Token", "token-two"));
        server.on("/b", request -> guarded(request, "token-one"));
        send(client, "/a");
        awaitToken(agent.provider("api_token"), "token-two");

        assertThat(send(client, "/b")).isEqualTo(200);

        assertThat(bearers("/b")).containsExactly("Bearer token-two", "Bearer token-one");
    }

    @Test
    void header_ofAStranger_isNotTaken() throws Exception {
        RecordingServer stranger = RecordingServer.start();
        open.add(stranger);
        stranger.on("/b", Answer.ok("").with("X-New-Access-Token", "token-evil"));
        TokenAgent agent = rotatedBy(pushed("token-one"));
        server.on("/a", Answer.redirect(302, stranger.url("/b")));

        assertThat(send(agent.install(new OkHttpClient()), "/a")).isEqualTo(200);

        assertThat(stranger.only().header("Authorization")).isEmpty();
        assertThat(agent.provider("api_token").refresh().reveal()).isEqualTo("token-one");
        assertThat(heard(Swapped.class)).isEmpty();
    }

    @Test
    void header_ofAnAnswerToAnOlderToken_comesTooLate() throws Exception {
        PushedSource source = pushed("token-one");
        TokenAgent agent = rotatedBy(source);
        server.on("/a", request -> {
            source.set("token-two");
            return Answer.ok("").with("X-New-Access-Token", "token-late");
        });

        send(agent.install(new OkHttpClient()), "/a");
        source.set("token-three");

        assertThat(agent.provider("api_token").get().reveal()).isEqualTo("token-three");
        await().until(() -> heard(Swapped.class).count() == 2);
        assertThat(heard(Swapped.class)).noneMatch(event -> event.source().contains("header"));
    }

    @Test
    void header_withWhatIsNoToken_isSaidAndNotTaken() throws Exception {
        TokenAgent agent = rotatedBy(pushed("token-one"));
        server.on("/a", Answer.ok("").with("X-New-Access-Token", "<html>" + canary.token()));
        server.on("/b", Answer.ok("").with("X-New-Access-Token", ""));
        OkHttpClient client = agent.install(new OkHttpClient());

        send(client, "/b");
        send(client, "/a");

        assertThat(awaitEvent(RefreshFailed.class).message())
                .isEqualTo("response header X-New-Access-Token holds no token");
        assertThat(agent.provider("api_token").get().reveal()).isEqualTo("token-one");
        assertThat(heard(RefreshFailed.class)).hasSize(1);
    }

    // --- what else a running agent does ---

    @Test
    void listen_untilClosed_hearsWhatHappens() throws Exception {
        PushedSource source = pushed("token-one");
        TokenAgent agent = rotatedBy(source);
        List<TokenEvent> late = new CopyOnWriteArrayList<>();

        AutoCloseable listening = agent.listen(late::add);
        source.set("token-two");
        await().until(() -> late.stream().anyMatch(Swapped.class::isInstance));
        listening.close();
        listening.close();
        source.set("token-three");
        await().until(() -> heard(Swapped.class).count() == 2);

        assertThat(late).filteredOn(Swapped.class::isInstance).hasSize(1);
    }

    @Test
    void getAsync_noTokenYet_completesWithItsToken() throws Exception {
        PushedSource source = TokenSources.pushed();
        TokenAgent agent = agent(source, TokenOptions::optional);
        TokenProvider tokens = agent.provider("api_token");
        assertThatThrownBy(() -> tokens.getAsync().toCompletableFuture().get(20, TimeUnit.SECONDS))
                .hasCauseInstanceOf(TokenUnavailableException.class);

        source.set("token-one");

        assertThat(tokens.getAsync()
                        .toCompletableFuture()
                        .get(20, TimeUnit.SECONDS)
                        .reveal())
                .isEqualTo("token-one");
    }

    @Test
    void post_refusedAfterARevocation_isSentAgainWithItsBody() throws Exception {
        TokenAgent agent = agent(file(secret("token-one")), t -> {});
        OkHttpClient client = agent.install(new OkHttpClient());
        server.on("/a", request -> guarded(request, "token-two"));
        secret("token-two");

        Request post = new Request.Builder()
                .url(server.url("/a"))
                .post(RequestBody.create("body".getBytes(UTF_8)))
                .build();
        try (Response response = client.newCall(post).execute()) {
            assertThat(response.code()).isEqualTo(200);
        }
        assertThat(server.seen("/a")).last().extracting(Seen::body).isEqualTo("body");
    }
}
