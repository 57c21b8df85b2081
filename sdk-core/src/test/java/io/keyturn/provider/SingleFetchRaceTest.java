package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Very many threads need the same token at the same moment: 10,000 virtual ones where the JDK has them, else 1,000. None
 * of them waits much longer than the one fetch takes.
 */
@Timeout(120)
class SingleFetchRaceTest {
    private static final long FETCH_NANOS = Duration.ofMillis(300).toNanos();

    /** What is allowed beside the fetch: much, since this is a test of nothing but hangs where the machine is busy. */
    private static final long MARGIN_NANOS = Duration.ofSeconds(20).toNanos();

    private static final boolean VIRTUAL = Runtime.version().feature() >= 21;

    @RegisterExtension
    final Rig rig = new Rig();

    private final FakeSource source = FakeSource.of("token-1");
    private final int many = VIRTUAL ? 10_000 : 1_000;

    private static ExecutorService threads() throws ReflectiveOperationException {
        return VIRTUAL
                ? (ExecutorService) Executors.class
                        .getMethod("newVirtualThreadPerTaskExecutor")
                        .invoke(null)
                : Executors.newCachedThreadPool(task -> {
                    Thread thread = new Thread(task, "rig");
                    thread.setDaemon(true);
                    return thread;
                });
    }

    private record Answer<T>(T value, long waitedNanos) {}

    /** All ask at once, and the source takes its time. */
    private <T> List<T> asked(Callable<T> question) throws Exception {
        ExecutorService threads = threads();
        CountDownLatch ready = new CountDownLatch(many);
        CountDownLatch go = new CountDownLatch(1);
        List<Future<Answer<T>>> answers = new ArrayList<>();
        try {
            for (int i = 0; i < many; i++) {
                answers.add(threads.submit(() -> {
                    ready.countDown();
                    go.await();
                    long begun = System.nanoTime();
                    T value = question.call();
                    return new Answer<>(value, System.nanoTime() - begun);
                }));
            }
            ready.await();
            go.countDown();
            List<T> values = new ArrayList<>();
            List<Long> waits = new ArrayList<>();
            for (Future<Answer<T>> answer : answers) {
                Answer<T> one = answer.get(60, TimeUnit.SECONDS);
                values.add(one.value);
                waits.add(one.waitedNanos);
            }
            waits.sort(Long::compare);
            assertThat(waits.get(many * 99 / 100))
                    .as("what 99 of 100 waited at most, in ns")
                    .isLessThan(FETCH_NANOS + MARGIN_NANOS);
            return values;
        } finally {
            threads.shutdownNow();
        }
    }

    private FakeSource slowly(TokenDocument document) {
        return source.answers(() -> {
            long end = System.nanoTime() + FETCH_NANOS;
            while (System.nanoTime() < end) {
                LockSupport.parkNanos(end - System.nanoTime());
            }
            return Optional.of(document);
        });
    }

    @Test
    void get_manyMissAtOnce_oneFetch() throws Exception {
        LiveProvider provider = rig.provider(slowly(TokenDocument.of("token-1")));

        List<String> values = asked(() -> provider.get().reveal());

        assertThat(values).hasSize(many).containsOnly("token-1");
        assertThat(source.fetches()).isEqualTo(1);
    }

    @Test
    void get_manyFindItExpired_oneFetch() throws Exception {
        source.has(TokenDocument.of("token-1").withExpiresAt(rig.clock.instant().plusSeconds(60)));
        LiveProvider provider = rig.provider(source, Duration.ofSeconds(60));
        provider.get();
        // Nobody has looked since: the machine slept. Ends are told first, and only then is the source asked.
        rig.clock.step(Duration.ofMinutes(5));
        slowly(TokenDocument.of("token-2"));
        rig.advance(Rig.POLL);

        List<String> values = asked(() -> provider.get().reveal());

        assertThat(values).hasSize(many).containsOnly("token-2");
        assertThat(source.fetches()).isEqualTo(2);
    }

    @Test
    void invalidate_manyAreTold401AtOnce_oneFetch() throws Exception {
        LiveProvider provider = rig.provider(source);
        Token rejected = provider.get();
        slowly(TokenDocument.of("token-2"));

        List<Boolean> retries = asked(() -> provider.invalidate(rejected));

        assertThat(retries).hasSize(many).containsOnly(true);
        assertThat(source.fetches()).isEqualTo(2);
    }

    @Test
    void invalidate_manyAreTold401AndTheSourceHasNothingNew_oneFetch() throws Exception {
        LiveProvider provider = rig.provider(source);
        Token rejected = provider.get();
        slowly(TokenDocument.of("token-1"));

        List<Boolean> retries = asked(() -> provider.invalidate(rejected));

        assertThat(retries).hasSize(many).containsOnly(false);
        assertThat(source.fetches()).isEqualTo(2);
    }
}
