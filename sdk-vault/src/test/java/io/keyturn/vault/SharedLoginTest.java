package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.error;
import static io.keyturn.vault.FakeVault.found;
import static io.keyturn.vault.FakeVault.login;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.source;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Several tokens of one agent, and what they share. */
class SharedLoginTest {
    private static final String LOGIN = "POST auth/approle/login";
    private static final String GRANTED = "hvs." + Canary.WORD;
    private static final int MANY = 50;

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    @BeforeEach
    void approle() {
        vault.secret(7, "token", "one" + Canary.WORD).knows(GRANTED).on(LOGIN, login(GRANTED, 60, true, "service"));
    }

    /** Written anew each time, as in a file. */
    private static Object auth(String secretId) {
        return map("approle", map("role_id", "r", "secret_id", secretId));
    }

    private static List<TokenSource> many(SourceContext agent) {
        List<TokenSource> sources = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            sources.add(source(agent, "auth", auth("s" + Canary.WORD)));
        }
        return sources;
    }

    private static <T> List<Future<T>> together(ExecutorService threads, List<Callable<T>> all) {
        return all.stream().map(threads::submit).toList();
    }

    @Test
    void fiftyTokens_atTheSameTime_shareOneLogin() throws Exception {
        CountDownLatch open = new CountDownLatch(1);
        vault.on(LOGIN, call -> {
            await(open);
            return login(GRANTED, 60, true, "service");
        });
        List<TokenSource> sources = many(vault.agent());
        ExecutorService threads = Executors.newFixedThreadPool(MANY);
        try {
            List<Future<TokenDocument>> all = together(
                    threads,
                    sources.stream()
                            .<Callable<TokenDocument>>map(source -> () -> found(source))
                            .toList());
            Awaitility.await().until(() -> vault.calls(LOGIN).size() == 1);
            open.countDown();
            for (Future<TokenDocument> each : all) {
                assertThat(each.get(20, TimeUnit.SECONDS).version()).hasValue("7");
            }
        } finally {
            threads.shutdownNow();
        }

        assertThat(vault.calls(LOGIN)).hasSize(1);
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void fiftyTokens_loginRefused_eachHearsWhy() throws Exception {
        CountDownLatch open = new CountDownLatch(1);
        vault.on(LOGIN, call -> {
            await(open);
            return error(400, "no");
        });
        List<TokenSource> sources = many(vault.agent()).subList(0, 5);
        ExecutorService threads = Executors.newFixedThreadPool(MANY);
        try {
            List<Thread> waiting = new ArrayList<>();
            List<Future<TokenDocument>> all = together(
                    threads,
                    sources.stream()
                            .<Callable<TokenDocument>>map(source -> () -> {
                                synchronized (waiting) {
                                    waiting.add(Thread.currentThread());
                                }
                                return found(source);
                            })
                            .toList());
            Awaitility.await().until(() -> {
                synchronized (waiting) {
                    return waiting.stream()
                                    .filter(thread -> thread.getState() == Thread.State.TIMED_WAITING)
                                    .count()
                            >= 4;
                }
            });
            open.countDown();
            for (Future<TokenDocument> each : all) {
                ExecutionException e = canary.caught(ExecutionException.class, () -> each.get(20, TimeUnit.SECONDS));
                assertThat(e.getCause()).isInstanceOfSatisfying(SourceException.class, why -> {
                    assertThat(why.reason()).isEqualTo(Reason.LOGIN_REFUSED);
                    assertThat(why.fix()).isNotNull();
                });
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void otherCredentials_haveAnotherLogin() throws Exception {
        SourceContext agent = vault.agent();
        found(source(agent, "auth", auth("s" + Canary.WORD)));
        found(source(agent, "auth", auth("t" + Canary.WORD)));
        found(source(agent, "auth", auth("s" + Canary.WORD), "namespace", "team1"));

        assertThat(vault.calls(LOGIN)).hasSize(3);
    }

    @Test
    void mounts_areAskedForOnceALogin() throws Exception {
        List<TokenSource> sources = many(vault.agent());
        for (TokenSource source : sources) {
            found(source);
        }

        assertThat(vault.calls("GET sys/internal/ui/mounts/secret/agent")).hasSize(1);
    }

    @Test
    void fiftyTokens_renewalDue_renewOnce() throws Exception {
        vault.on("POST auth/token/renew-self", FakeVault.ok("auth", map("lease_duration", 60)));
        List<TokenSource> sources = many(vault.agent());
        for (TokenSource source : sources) {
            found(source);
        }
        vault.clock.advance(Duration.ofSeconds(45));
        for (TokenSource source : sources) {
            found(source);
        }

        assertThat(vault.calls("POST auth/token/renew-self")).hasSize(1);
        assertThat(vault.calls(LOGIN)).hasSize(1);
    }

    @Test
    void waitingForALogin_interrupted_ends() throws Exception {
        CountDownLatch open = new CountDownLatch(1);
        vault.on(LOGIN, call -> {
            await(open);
            return login(GRANTED, 60, true, "service");
        });
        List<TokenSource> sources = many(vault.agent());
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try {
            Future<TokenDocument> first = threads.submit(() -> found(sources.get(0)));
            Awaitility.await().until(() -> vault.calls(LOGIN).size() == 1);
            Thread.currentThread().interrupt();
            SourceException e = canary.caught(SourceException.class, sources.get(1)::fetch);
            assertThat(Thread.interrupted()).isTrue();
            assertThat(e.reason()).isEqualTo(Reason.STORE_UNREACHABLE);
            open.countDown();
            assertThat(first.get(20, TimeUnit.SECONDS).version()).hasValue("7");
        } finally {
            open.countDown();
            threads.shutdownNow();
        }
    }

    @Test
    void source_ofTheSameSettings_isEqual() {
        SourceContext agent = vault.agent();

        assertThat(source(agent, "auth", auth("s")))
                .isEqualTo(source(agent, "auth", auth("s")))
                .hasSameHashCodeAs(source(agent, "auth", auth("s")))
                .isNotEqualTo(source(agent, "auth", auth("t")))
                .isNotEqualTo(source(agent, "auth", auth("s"), "key", "other"))
                .isNotEqualTo(source(agent, "auth", auth("s"), "version", 3))
                .isNotEqualTo(source(agent, "auth", auth("s"), "path", "secret/other"));
    }
}
