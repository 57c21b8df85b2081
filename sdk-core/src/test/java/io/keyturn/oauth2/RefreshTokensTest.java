package io.keyturn.oauth2;

import static io.keyturn.config.Written.map;
import static io.keyturn.oauth2.TokenServiceRig.issued;
import static io.keyturn.oauth2.TokenServiceRig.write;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.keyturn.Canary;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.TokenAgent;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import io.keyturn.event.TokenEvent;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Refresh tokens that a service replaces each time, as RFC 9700 4.14.2 wants it, and never takes twice. */
@DisabledOnOs(OS.WINDOWS)
@Timeout(60)
class RefreshTokensTest {
    private static final Duration SOON = Duration.ofSeconds(30);

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final TokenServiceRig rig = new TokenServiceRig();
    private final AtomicInteger issued = new AtomicInteger();
    private final Set<String> used = ConcurrentHashMap.newKeySet();
    private final Queue<String> refused = new ConcurrentLinkedQueue<>();
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @AfterEach
    void close() {
        threads.shutdownNow();
        rig.close();
    }

    /** Each redemption gives the next one: R, R-1, R-2, … and takes none twice. */
    private void rotate(String... first) {
        Set<String> valid = ConcurrentHashMap.newKeySet();
        valid.addAll(List.of(first));
        rig.answers(request -> {
            String sent = refreshToken(request);
            if (!valid.remove(sent)) {
                refused.add(sent);
                return Answer.of(400, "{\"error\":\"invalid_grant\"}");
            }
            used.add(sent);
            int number = issued.incrementAndGet();
            String next = canary.token() + "-" + number;
            valid.add(next);
            return Answer.ok(issued("access-" + number, "expires_in", 3600, "refresh_token", next));
        });
    }

    private static String refreshToken(Seen request) {
        for (String pair : request.body().split("&", -1)) {
            if (pair.startsWith("refresh_token=")) {
                return URLDecoder.decode(pair.substring("refresh_token=".length()), UTF_8);
            }
        }
        throw new AssertionError("no refresh token");
    }

    private Path file() {
        return folder.resolve("refresh");
    }

    private Object[] saving() {
        return new Object[] {
            "grant",
            "refresh_token",
            "client_id",
            "app",
            "refresh_token",
            map("file", file().toString(), "save", "true")
        };
    }

    private TokenSource saved() {
        return rig.source(rig.context(), saving());
    }

    private TokenSource ephemeral(Object... more) {
        Object[] all = new Object[more.length + 6];
        System.arraycopy(
                new Object[] {"grant", "refresh_token", "client_id", "app", "refresh_token", map("env", "REFRESH")},
                0,
                all,
                0,
                6);
        System.arraycopy(more, 0, all, 6, more.length);
        return rig.source(rig.context("ephemeral"), all);
    }

    private static String access(TokenSource source) throws SourceException {
        return source.fetch().orElseThrow().value().reveal();
    }

    // --- it is saved ---

    @Test
    void fetch_rotated_isSavedForItsOwnerAlone() throws Exception {
        rotate(canary.token());
        write(file(), canary.token());
        TokenSource source = saved();

        assertThat(access(source)).isEqualTo("access-1");
        assertThat(file()).hasContent(canary.token() + "-1");
        assertThat(access(source)).isEqualTo("access-2");
        assertThat(file()).hasContent(canary.token() + "-2");

        assertThat(Files.getPosixFilePermissions(file())).isEqualTo(PosixFilePermissions.fromString("rw-------"));
        assertThat(refused).isEmpty();
    }

    /** As after a crash, or on another day. */
    @Test
    void fetch_anotherProcess_goesOnWithTheSavedOne() throws Exception {
        rotate(canary.token());
        write(file(), canary.token());
        access(saved());

        try (TokenServiceRig other = new TokenServiceRig()) {
            TokenSource source = other.source(
                    other.context(),
                    "token_url",
                    rig.tokenUrl(),
                    "grant",
                    "refresh_token",
                    "client_id",
                    "app",
                    "refresh_token",
                    map("file", file().toString(), "save", "true"));

            assertThat(access(source)).isEqualTo("access-2");
        }
        assertThat(refused).isEmpty();
    }

    /** It is there before anybody can have the access token, so that a crash at that moment loses nothing. */
    @Test
    void fetch_rotated_isSavedBeforeTheAccessTokenIsThere() throws Exception {
        rotate(canary.token());
        write(file(), canary.token());
        List<String> stored = new ArrayList<>();
        try (TokenAgent agent = TokenAgent.builder()
                .token("t", saved())
                .clock(rig.clock)
                .listener(event -> {
                    if (event instanceof TokenEvent.Resolved) {
                        stored.add(read(file()));
                    }
                })
                .start()) {
            await().atMost(SOON).until(() -> stored.size() == 1);
            assertThat(agent.provider("t").get().reveal()).isEqualTo("access-1");
        }
        assertThat(stored).containsExactly(canary.token() + "-1");
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Nothing came with it: the one that is there stays. */
    @Test
    void fetch_notRotated_staysWhatItWas() throws Exception {
        rig.answers(200, issued("access-1"));
        write(file(), canary.token());
        TokenSource source = saved();

        access(source);
        access(source);

        assertThat(file()).hasContent(canary.token());
        assertThat(rig.asked()).extracting(RefreshTokensTest::refreshToken).containsOnly(canary.token());
    }

    /** What came with a refresh token may be of no use; the refresh token is of use all the same. */
    @Test
    void fetch_malformedAccessToken_keepsTheRefreshTokenThatCameWithIt() throws Exception {
        rig.answers(200, "{\"access_token\":\"a\",\"token_type\":\"mac\",\"refresh_token\":\"next-one\"}");
        write(file(), canary.token());

        SourceException e = canary.caught(SourceException.class, saved()::fetch);

        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
        assertThat(file()).hasContent("next-one");
    }

    // --- it cannot be saved ---

    /** A folder that cannot be written to, also by root. */
    private void block() throws IOException {
        Files.createDirectory(folder.resolve(".refresh.keyturn"));
        Files.createFile(folder.resolve(".refresh.keyturn/x"));
    }

    private void unblock() throws IOException {
        Files.delete(folder.resolve(".refresh.keyturn/x"));
        Files.delete(folder.resolve(".refresh.keyturn"));
    }

    @Test
    void fetch_placeThatCannotBeWritten_isNotRedeemed() throws Exception {
        rotate(canary.token());
        write(file(), canary.token());
        block();
        TokenSource source = saved();

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e).hasMessageStartingWith("file " + file() + " cannot be written");
        assertThat(e.reason()).isEqualTo(Reason.UNSAFE_FILE);
        assertThat(rig.asked()).isEmpty();

        unblock();
        assertThat(access(source)).isEqualTo("access-1");
    }

    /** A service need not rotate each time: what could be written the last time may be read-only by now. */
    @Test
    void fetch_placeThatCanNoLongerBeWritten_isNotRedeemed() throws Exception {
        rig.answers(200, issued("access-1"));
        write(file(), canary.token());
        TokenSource source = saved();
        access(source);
        block();

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e.reason()).isEqualTo(Reason.UNSAFE_FILE);
        assertThat(rig.asked()).hasSize(1);
    }

    /** The link may lie on what ends with a container, and lead to what stays. */
    @Test
    void fetch_fileThatIsALink_savesWhereItLeads() throws Exception {
        rotate(canary.token());
        Path lasting = Files.createDirectory(folder.resolve("lasting")).resolve("refresh");
        write(lasting, canary.token());
        Files.createSymbolicLink(file(), lasting);

        assertThat(access(saved())).isEqualTo("access-1");

        assertThat(file()).isSymbolicLink();
        assertThat(lasting).hasContent(canary.token() + "-1");
        assertThat(Files.getPosixFilePermissions(lasting)).isEqualTo(PosixFilePermissions.fromString("rw-------"));
        assertThat(access(saved())).isEqualTo("access-2");
    }

    /** It was proved that it can be written, and then it cannot: between the answer and the saving. */
    @Test
    void fetch_savingFails_publishesNothingAndSavesFirstNextTime() throws Exception {
        rotate(canary.token());
        write(file(), canary.token());
        AtomicInteger asked = new AtomicInteger();
        rig.answers(request -> {
            int number = asked.incrementAndGet();
            assertThat(refreshToken(request)).isEqualTo(number == 1 ? canary.token() : canary.token() + "-1");
            if (number == 1) {
                quietly(this::block);
            }
            return Answer.ok(issued("access-" + number, "refresh_token", canary.token() + "-" + number));
        });
        TokenSource source = saved();

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e).hasMessageStartingWith("file " + file() + " cannot be written");
        assertThat(file()).hasContent(canary.token());

        // Still not: nothing is asked, and nothing forgotten.
        canary.caught(SourceException.class, source::fetch);
        // By another source of the same, as after a reload.
        canary.caught(SourceException.class, saved()::fetch);
        assertThat(asked).hasValue(1);

        unblock();
        assertThat(access(saved())).isEqualTo("access-2");
        assertThat(file()).hasContent(canary.token() + "-2");
    }

    /** What was saved late is in the file, and what comes after it is not. */
    @Test
    void fetch_savingFailsAgainAfterItWasMadeUpFor_forgetsNothing() throws Exception {
        write(file(), canary.token());
        AtomicInteger asked = new AtomicInteger();
        rig.answers(request -> {
            int number = asked.incrementAndGet();
            assertThat(refreshToken(request))
                    .isEqualTo(number == 1 ? canary.token() : canary.token() + "-" + (number - 1));
            if (number < 3) {
                quietly(this::block);
            }
            return Answer.ok(issued("access-" + number, "refresh_token", canary.token() + "-" + number));
        });
        for (int i = 0; i < 2; i++) {
            canary.caught(SourceException.class, saved()::fetch);
            unblock();
        }

        assertThat(access(saved())).isEqualTo("access-3");
        assertThat(file()).hasContent(canary.token() + "-3");
    }

    private interface Step {
        void run() throws IOException;
    }

    private static void quietly(Step step) {
        try {
            step.run();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Somebody has logged in again meanwhile: that counts. */
    @Test
    void fetch_anotherOneInTheFile_isTakenInsteadOfTheUnsaved() throws Exception {
        write(file(), canary.token());
        rig.answers(request -> {
            quietly(this::block);
            return Answer.ok(issued("access-1", "refresh_token", "unsaved"));
        });
        TokenSource source = saved();
        canary.caught(SourceException.class, source::fetch);
        unblock();

        write(file(), "logged-in-again");
        rig.answers(200, issued("access-2"));

        assertThat(access(source)).isEqualTo("access-2");
        assertThat(refreshToken(rig.asked().get(1))).isEqualTo("logged-in-again");
        assertThat(file()).hasContent("logged-in-again");
    }

    @Test
    void fetch_outage_doesNotWriteAgainAndAgain() throws Exception {
        rig.answers(500, "");
        write(file(), canary.token());
        TokenSource source = saved();
        canary.caught(SourceException.class, source::fetch);
        // A second name, so that another file cannot get the number of this one.
        Files.createLink(folder.resolve("first"), file());

        canary.caught(SourceException.class, source::fetch);
        canary.caught(SourceException.class, source::fetch);

        assertThat(Files.isSameFile(folder.resolve("first"), file())).isTrue();
    }

    // --- it is kept in memory ---

    @Test
    void fetch_ephemeral_goesOnWithTheRotatedOne() throws Exception {
        rotate(canary.token());
        rig.variables.put("REFRESH", canary.token());
        TokenSource source = ephemeral();

        assertThat(access(source)).isEqualTo("access-1");
        assertThat(access(source)).isEqualTo("access-2");
        assertThat(access(ephemeral("scope", "other"))).isEqualTo("access-3");
        assertThat(refused).isEmpty();
    }

    @Test
    void reload_ephemeral_goesOnWithTheRotatedOne() throws Exception {
        rotate(canary.token());
        Path config = folder.resolve("agent.yaml");
        Files.writeString(config, "read");
        Queue<TokenEvent> events = new ConcurrentLinkedQueue<>();
        try (TokenAgent agent = TokenAgent.builder()
                .settings(configuration("read"), folder)
                .reloadFrom(config, bytes -> configuration(new String(bytes, UTF_8)))
                .environment(Map.of("REFRESH", canary.token())::get)
                .listener(canary.listener())
                .listener(events::add)
                .start()) {
            assertThat(agent.provider("t").get().reveal()).isEqualTo("access-1");

            Files.writeString(config, "write");
            await().atMost(SOON).until(() -> agent.provider("t").get().reveal().equals("access-2"));
            assertThat(events).noneMatch(TokenEvent.RefreshFailed.class::isInstance);
        }
        assertThat(rig.asked())
                .extracting(RefreshTokensTest::refreshToken)
                .containsExactly(canary.token(), canary.token() + "-1");
        assertThat(refused).isEmpty();
    }

    private Settings configuration(String scope) {
        Map<String, Object> oauth2 = rig.oauth2(
                "grant", "refresh_token", "client_id", "app", "scope", scope, "refresh_token", map("env", "REFRESH"));
        return Written.in(
                "agent.yaml",
                map("agent", map("tokens", map("t", map("oauth2", oauth2, "allow", List.of("ephemeral"))))));
    }

    @Test
    void fetch_ephemeralAnotherOneConfigured_beginsAnew() throws Exception {
        rotate(canary.token());
        rig.variables.put("REFRESH", canary.token());
        access(ephemeral());

        rig.answers(200, issued("access-9"));
        rig.variables.put("REFRESH", "logged-in-again");
        access(ephemeral());

        assertThat(refreshToken(rig.asked().get(1))).isEqualTo("logged-in-again");
    }

    @Test
    void fetch_ephemeralTwoLogins_eachGoesOnWithItsOwn() throws Exception {
        rotate(canary.token(), "another-login");
        TokenSource one = literal(canary.token());
        TokenSource other = literal("another-login");

        for (int i = 0; i < 3; i++) {
            access(one);
            access(other);
        }

        assertThat(refused).isEmpty();
    }

    private TokenSource literal(String refreshToken) {
        return rig.source(
                rig.context("ephemeral"), "grant", "refresh_token", "client_id", "app", "refresh_token", refreshToken);
    }

    // --- several at once ---

    /** Two tokens of one login: whoever comes second sends what the first has got. */
    @Test
    void fetch_twoTokensAtOnce_redeemOneAfterTheOther() throws Exception {
        rotate(canary.token());
        write(file(), canary.token());
        List<Future<String>> fetched = new ArrayList<>();
        CountDownLatch go = new CountDownLatch(1);
        for (int i = 0; i < 8; i++) {
            TokenSource source = saved();
            fetched.add(threads.submit(() -> {
                go.await();
                return access(source);
            }));
        }
        go.countDown();

        List<String> tokens = new ArrayList<>();
        for (Future<String> each : fetched) {
            tokens.add(each.get(30, TimeUnit.SECONDS));
        }

        assertThat(tokens).doesNotHaveDuplicates().hasSize(8);
        assertThat(refused).isEmpty();
        assertThat(file()).hasContent(canary.token() + "-8");
    }

    @Test
    void fetch_interruptedWhileItWaits_endsAndLetsTheNextOneThrough() throws Exception {
        write(file(), canary.token());
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        rig.answers(request -> {
            asked.countDown();
            awaitQuietly(answer);
            return Answer.ok(issued("access-1"));
        });
        Future<String> first = threads.submit(() -> access(saved()));
        asked.await();
        CountDownLatch ended = new CountDownLatch(1);
        List<Throwable> thrown = new ArrayList<>();
        Thread second = new Thread(() -> {
            try {
                access(saved());
            } catch (SourceException e) {
                thrown.add(e);
            }
            ended.countDown();
        });
        second.start();
        await().atMost(SOON).until(() -> second.getState() == Thread.State.TIMED_WAITING);

        second.interrupt();

        assertThat(ended.await(30, TimeUnit.SECONDS)).isTrue();
        assertThat(thrown).singleElement().satisfies(e -> assertThat(e).hasMessageContaining("interrupted"));
        FutureTask<String> third = new FutureTask<>(() -> access(saved()));
        Thread waiting = new Thread(third);
        waiting.start();
        await().atMost(SOON)
                .until(() ->
                        waiting.getState() == Thread.State.TIMED_WAITING || waiting.getState() == Thread.State.WAITING);
        assertThat(rig.asked()).hasSize(1);
        answer.countDown();
        assertThat(first.get(30, TimeUnit.SECONDS)).isEqualTo("access-1");
        assertThat(third.get(30, TimeUnit.SECONDS)).isEqualTo("access-1");
    }

    // --- the answer is on its way, and nobody waits for it any more ---

    /** An agent gives a fetch up after its timeout, and the service may have taken the refresh token by then. */
    @Test
    void fetch_givenUpWhileTheServiceIsAsked_savesWhatIsAnswered() throws Exception {
        CountDownLatch answer = new CountDownLatch(1);
        Thread asking = asking(answer);

        asking.interrupt();
        asking.join(SOON.toMillis());
        assertThat(asking.isAlive()).isFalse();
        answer.countDown();

        await().atMost(SOON).untilAsserted(() -> assertThat(file()).hasContent("next"));
        rotate("next");
        assertThat(access(saved())).isEqualTo("access-1");
        assertThat(refused).isEmpty();
    }

    @Test
    void close_whileTheServiceIsAsked_savesWhatIsAnswered() throws Exception {
        CountDownLatch answer = new CountDownLatch(1);
        Thread asking = asking(answer);
        asking.interrupt();

        Thread closing = new Thread(rig::endAgent);
        closing.start();
        await().atMost(SOON).until(() -> closing.getState() == Thread.State.TIMED_WAITING);
        answer.countDown();
        closing.join(SOON.toMillis());

        assertThat(closing.isAlive()).isFalse();
        assertThat(file()).hasContent("next");
    }

    @Test
    void close_serviceThatHangs_endsInTime() throws Exception {
        CountDownLatch answer = new CountDownLatch(1);
        Thread asking = asking(answer);
        long begun = System.nanoTime();

        rig.endAgent();

        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(2));
        asking.join(SOON.toMillis());
        assertThat(asking.isAlive()).isFalse();
        answer.countDown();
    }

    /** A thread that has asked the service, which answers when it is told to. */
    private Thread asking(CountDownLatch answer) throws Exception {
        write(file(), canary.token());
        CountDownLatch asked = new CountDownLatch(1);
        rig.answers(request -> {
            asked.countDown();
            awaitQuietly(answer);
            return Answer.ok(issued("access-0", "refresh_token", "next"));
        });
        TokenSource source = saved();
        Thread thread = new Thread(() -> canary.caught(SourceException.class, source::fetch));
        thread.start();
        asked.await();
        return thread;
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // --- it is only looked at ---

    @Test
    void fetch_look_redeemsNothing() throws Exception {
        rotate(canary.token());
        write(file(), canary.token());
        TokenSource source = rig.source(rig.looking(), saving());

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e.reason()).isEqualTo(Reason.HELD_BY_AGENT);
        assertThat(e)
                .hasMessage("oauth2 refresh_token at " + rig.tokenUrl()
                        + " (client app): its refresh token is for the running agent, and was not redeemed to look");
        assertThat(rig.asked()).isEmpty();
        assertThat(file()).hasContent(canary.token());
    }

    @Test
    void fetch_lookWithoutRefreshToken_tellsThat() {
        SourceContext look = rig.looking();

        SourceException e = canary.caught(SourceException.class, rig.source(look, saving())::fetch);

        assertThat(e.reason()).isEqualTo(Reason.ABSENT);
    }

    @Test
    void fetch_revoked_tellsWhereTheNextOneBelongs() throws Exception {
        rig.answers(400, "{\"error\":\"invalid_grant\"}");
        write(file(), canary.token());

        SourceException e = canary.caught(SourceException.class, saved()::fetch);

        assertThat(e.reason()).isEqualTo(Reason.REVOKED);
        assertThat(e.fix()).isEqualTo("log in again, and put the new one in file " + file());
    }

    @Test
    void fetch_document_holdsNoRefreshToken() throws Exception {
        rotate(canary.token());
        write(file(), canary.token());

        TokenDocument document = saved().fetch().orElseThrow();

        canary.saw("document", document);
        assertThat(document.value().reveal()).isEqualTo("access-1");
    }
}
