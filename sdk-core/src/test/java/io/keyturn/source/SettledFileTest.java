package io.keyturn.source;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.keyturn.Canary;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

@DisabledOnOs(OS.WINDOWS)
class SettledFileTest {
    private static final Duration NEVER = Duration.ofSeconds(30);
    private static final int MOST = 64 * 1024;

    /** So long that whoever waits for it is found out. */
    private static final Duration VERY_QUIET = Duration.ofMinutes(10);

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void write() throws IOException {
        file = old(folder.resolve("token"), "first");
    }

    private static Path old(Path file, String content) throws IOException {
        Files.writeString(file, content);
        return Files.setLastModifiedTime(file, FileTime.from(Instant.now().minusSeconds(3_600)));
    }

    private void renameOver(String content) throws IOException {
        Files.move(Files.writeString(folder.resolve("next"), content), file, ATOMIC_MOVE);
    }

    private SettledFile settled() {
        return new SettledFile(file, MOST);
    }

    /** One for which nothing has been quiet for long enough. */
    private SettledFile impatient() {
        return new SettledFile(file, MOST, look -> null, VERY_QUIET, null);
    }

    private static String read(SettledFile settled) throws IOException {
        return assertTimeoutPreemptively(
                NEVER, () -> new String(settled.content().bytes(), UTF_8));
    }

    // --- what is taken at once ---

    @Test
    void read_oldFile_atOnce() throws IOException {
        assertThat(read(impatient())).isEqualTo("first");
    }

    @Test
    void read_renamedOver_atOnceHoweverYoung() throws IOException {
        SettledFile settled = impatient();
        read(settled);

        for (int i = 0; i < 20; i++) {
            renameOver("next" + i);

            assertThat(read(settled)).isEqualTo("next" + i);
        }
    }

    @Test
    void read_unchangedForLong_atOnceAgainAndAgain() throws IOException {
        SettledFile settled = settled();
        read(settled);
        Instant written = Instant.now();
        await().atMost(NEVER).until(() -> Instant.now().isAfter(written.plusMillis(60)));
        AtomicInteger reads = new AtomicInteger();

        assertTimeoutPreemptively(NEVER, () -> {
            while (reads.incrementAndGet() < 2_000) {
                settled.read();
            }
        });
    }

    // --- what is waited for ---

    /** Whoever reads a second time, and only then, has waited. */
    private static final class Counting {
        private final AtomicInteger reads = new AtomicInteger();
        private volatile long first;
        private volatile long last;

        private String look(FileLook look) {
            last = System.nanoTime();
            if (reads.getAndIncrement() == 0) {
                first = last;
            }
            return null;
        }

        SettledFile of(Path file) {
            return new SettledFile(file, MOST, this::look);
        }

        void reset() {
            reads.set(0);
        }

        int reads() {
            return reads.get();
        }

        Duration between() {
            return Duration.ofNanos(last - first);
        }
    }

    @Test
    void read_firstOfAYoungFile_twiceAndApart() throws IOException {
        Counting counting = new Counting();
        SettledFile settled = counting.of(file);
        await().atMost(NEVER).until(() -> {
            Files.writeString(file, "young");
            counting.reset();
            return read(settled).equals("young") && counting.reads() > 1;
        });

        assertThat(counting.between()).isGreaterThanOrEqualTo(Duration.ofMillis(50));
    }

    @Test
    void read_writtenInPlaceLongAgo_twiceAndApart() throws IOException {
        Counting counting = new Counting();
        SettledFile settled = counting.of(file);
        read(settled);
        old(file, "second");
        counting.reset();

        assertThat(read(settled)).isEqualTo("second");

        assertThat(counting.reads()).isGreaterThan(1);
        assertThat(counting.between()).isGreaterThanOrEqualTo(Duration.ofMillis(50));
    }

    @Test
    void read_sameSizeAndSameTime_noticedAndWaitedFor() throws IOException {
        Counting counting = new Counting();
        SettledFile settled = counting.of(file);
        read(settled);
        FileTime time = Files.getLastModifiedTime(file);
        Files.writeString(file, "FIRST");
        Files.setLastModifiedTime(file, time);
        counting.reset();

        assertThat(read(settled)).isEqualTo("FIRST");

        assertThat(counting.reads()).isGreaterThan(1);
    }

    @Test
    void read_afterItWasGone_isAFirstRead() throws IOException {
        Counting counting = new Counting();
        SettledFile settled = counting.of(file);
        read(settled);
        Files.delete(file);
        assertThatThrownBy(settled::read).isInstanceOf(SourceException.class);

        await().atMost(NEVER).until(() -> {
            Files.deleteIfExists(file);
            assertThatThrownBy(settled::read).isInstanceOf(SourceException.class);
            // Another inode, and yet it may be half.
            Files.writeString(folder.resolve("takes its inode"), "");
            Files.writeString(file, "back");
            counting.reset();
            return read(settled).equals("back") && counting.reads() > 1;
        });
    }

    @Test
    void read_emptiedFile_waitsForContent() throws Exception {
        SettledFile settled = settled();
        read(settled);
        ExecutorService pool = Executors.newSingleThreadExecutor();
        try {
            Files.writeString(file, "");
            Future<String> content = pool.submit(() -> read(settled));
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(150));
            Files.writeString(file, "content");

            assertThat(content.get(NEVER.toSeconds(), TimeUnit.SECONDS)).isEqualTo("content");
        } finally {
            pool.shutdownNow();
        }
    }

    @Test
    void read_emptyForGood_emptyInTheEndAndThenAtOnce() throws IOException {
        SettledFile settled = settled();
        read(settled);
        Files.writeString(file, "");

        assertThat(read(settled)).isEmpty();
        assertThat(read(new SettledFile(old(file, ""), MOST))).isEmpty();
    }

    /** Whoever waits for one that was written in place does not keep the next one waiting. */
    @Test
    void read_renamedOverWhileWaitedFor_atOnce() throws Exception {
        Counting counting = new Counting();
        SettledFile settled = new SettledFile(file, MOST, counting::look, VERY_QUIET, null);
        read(settled);
        counting.reset();
        ExecutorService pool = Executors.newSingleThreadExecutor();
        try {
            Files.writeString(file, "in place");
            Future<String> content = pool.submit(() -> read(settled));
            await().atMost(NEVER).until(() -> counting.reads() > 0);

            renameOver("renamed");

            assertThat(content.get(NEVER.toSeconds(), TimeUnit.SECONDS)).isEqualTo("renamed");
            // Whoever does not see it looks again after two seconds, which is the longest that it waits.
            assertThat(counting.between()).isLessThan(Duration.ofSeconds(2));
        } finally {
            pool.shutdownNow();
        }
    }

    @Test
    void read_theSameAgainHoweverYoung_atOnce() throws IOException {
        SettledFile settled = impatient();
        read(settled);
        renameOver("young");

        assertThat(read(settled)).isEqualTo("young");
        assertThat(read(settled)).isEqualTo("young");
    }

    // --- writers ---

    /** Each piece tells its version, so that what is half, or of two versions, is found. */
    private static byte[] version(int number) {
        return String.format("%05d", number).repeat(200).getBytes(UTF_8);
    }

    private static boolean isWhole(byte[] content) {
        return content.length == 1_000
                && Arrays.equals(content, version(Integer.parseInt(new String(content, 0, 5, UTF_8))));
    }

    private interface Writing {
        void write(byte[] version) throws IOException;
    }

    /** A writer, and those who read on other threads meanwhile. */
    private final class Writer {
        private final Writing writing;
        private final AtomicInteger round = new AtomicInteger();
        private final AtomicInteger tooFast = new AtomicInteger();
        /** Rounds in which the machine was so busy that the writer itself rested for too long in the middle. */
        private final Set<Integer> slow = ConcurrentHashMap.newKeySet();

        private final Set<Integer> bad = ConcurrentHashMap.newKeySet();
        private final AtomicBoolean over = new AtomicBoolean();

        Writer(Writing writing) {
            this.writing = writing;
        }

        private Void write() throws IOException {
            while (!over.get()) {
                int number = round.incrementAndGet();
                byte[] version = version(number);
                long begun = System.nanoTime();
                writing.write(version);
                if (System.nanoTime() - begun > 40_000_000) {
                    slow.add(number);
                }
                rest(number);
            }
            return null;
        }

        /** Mostly too short for a read, and now and then long enough. */
        private void rest(int number) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(number % 3 == 0 ? 120 : 20));
        }

        private Void read(int reads) throws SourceException {
            SettledFile settled = settled();
            for (int i = 0; i < reads; i++) {
                int before = round.get();
                while (round.get() == before) {
                    LockSupport.parkNanos(500_000);
                }
                try {
                    byte[] content = settled.read();
                    if (!isWhole(content)) {
                        bad.add(content.length < 1_000 ? numberAt(content, 0) : numberAt(content, 995) + 1);
                    }
                } catch (SourceException e) {
                    assertThat(e).hasMessage("file " + file + " is written faster than it can be read");
                    tooFast.incrementAndGet();
                }
            }
            return null;
        }

        private int numberAt(byte[] content, int at) {
            return content.length == 0 ? -1 : Integer.parseInt(new String(content, at, 5, UTF_8));
        }

        /** None is half, and none of two versions. */
        void withReaders(int readers, int readsEach) throws Exception {
            Files.write(file, version(0));
            ExecutorService pool = Executors.newCachedThreadPool();
            try {
                Future<?> writer = pool.submit(this::write);
                List<Future<?>> all = new ArrayList<>();
                for (int r = 0; r < readers; r++) {
                    all.add(pool.submit(() -> read(readsEach)));
                }
                for (Future<?> each : all) {
                    each.get(60, TimeUnit.SECONDS);
                }
                over.set(true);
                writer.get(NEVER.toSeconds(), TimeUnit.SECONDS);
            } finally {
                over.set(true);
                pool.shutdownNow();
            }
            assertThat(slow).containsAll(bad);
            assertThat(round).hasValueGreaterThan(10);
        }
    }

    /** Emptied, written by half, and written to the end after 5 ms: 300 reads, each while that is done. */
    @Test
    void read_writerPausesInTheMiddle_neverHalf() throws Exception {
        Writer writer = new Writer(version -> {
            try (OutputStream out = Files.newOutputStream(file, WRITE, TRUNCATE_EXISTING)) {
                out.write(version, 0, 500);
                LockSupport.parkNanos(5_000_000);
                out.write(version, 500, 500);
            }
        });

        writer.withReaders(10, 30);
    }

    /** Without emptying it first, and with the same size all the time. */
    @Test
    void read_overwrittenWithAPause_neverOfTwoVersions() throws Exception {
        Writer writer = new Writer(version -> {
            try (FileChannel channel = FileChannel.open(file, WRITE)) {
                channel.write(ByteBuffer.wrap(version, 0, 500));
                LockSupport.parkNanos(5_000_000);
                channel.write(ByteBuffer.wrap(version, 500, 500));
            }
        });

        writer.withReaders(10, 6);
    }

    /** In bursts with a rest now and then: 100,000 reads. */
    @Test
    void read_writtenInPlaceInATightLoop_neverHalf() throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger round = new AtomicInteger();
        Files.write(file, version(0));
        ExecutorService pool = Executors.newCachedThreadPool();
        try {
            Future<?> writer = pool.submit(() -> {
                while (!over.get()) {
                    Files.write(file, version(round.incrementAndGet()));
                    if (round.get() % 200 == 0) {
                        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(130));
                    }
                }
                return null;
            });
            List<Future<Integer>> all = new ArrayList<>();
            for (int r = 0; r < 4; r++) {
                SettledFile settled = settled();
                all.add(pool.submit(() -> {
                    int good = 0;
                    for (int i = 0; i < 25_000; i++) {
                        try {
                            assertThat(isWhole(settled.read())).isTrue();
                            good++;
                        } catch (SourceException e) {
                            assertThat(e).hasMessageEndingWith("is written faster than it can be read");
                        }
                    }
                    return good;
                }));
            }
            for (Future<Integer> each : all) {
                assertThat(each.get(60, TimeUnit.SECONDS)).isGreaterThan(20_000);
            }
            over.set(true);
            writer.get(NEVER.toSeconds(), TimeUnit.SECONDS);
        } finally {
            over.set(true);
            pool.shutdownNow();
        }
        assertThat(round).hasValueGreaterThan(100);
    }

    // --- what cannot be read ---

    @Test
    void read_writtenAllTheTime_failsInTheEnd() throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        Thread writer = new Thread(() -> {
            for (int i = 0; !over.get(); i++) {
                try {
                    Files.writeString(file, canary.token() + i);
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            }
        });
        SettledFile settled = settled();
        settled.read();
        writer.start();
        try {
            await().atMost(NEVER).until(() -> Files.size(file) > 5);

            SourceException e = canary.caught(SourceException.class, settled::read);

            assertThat(e).hasMessage("file " + file + " is written faster than it can be read");
            assertThat(e.reason()).isEqualTo(Reason.UNREACHABLE);
        } finally {
            over.set(true);
            writer.join(NEVER.toMillis());
        }
    }

    @Test
    void read_interrupted_endsAndStaysInterrupted() throws Exception {
        SettledFile settled = new SettledFile(file, MOST, look -> null, Duration.ofSeconds(1), null);
        settled.read();
        Files.writeString(file, canary.token());
        AtomicReference<SourceException> failure = new AtomicReference<>();
        AtomicBoolean interrupted = new AtomicBoolean();
        Thread reader = new Thread(() -> {
            failure.set(canary.caught(SourceException.class, settled::read));
            interrupted.set(Thread.currentThread().isInterrupted());
        });
        reader.start();
        await().atMost(NEVER).until(() -> reader.getState() == Thread.State.TIMED_WAITING);

        reader.interrupt();
        reader.join(NEVER.toMillis());

        assertThat(failure.get()).hasMessage("file " + file + ": the reading was interrupted");
        assertThat(failure.get().reason()).isEqualTo(Reason.UNREACHABLE);
        assertThat(interrupted).isTrue();
    }

    @Test
    void read_whatIsNoFile_saysSo() throws Exception {
        Path fifo = folder.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor())
                .isZero();
        Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), folder.resolve("absent"));

        assertThat(refused(folder.resolve("absent")))
                .isEqualTo("ABSENT file " + folder.resolve("absent") + " does not exist");
        assertThat(refused(folder)).isEqualTo("UNSAFE_FILE file " + folder + " is a directory");
        assertThat(refused(fifo)).isEqualTo("UNSAFE_FILE file " + fifo + " is not a regular file");
        assertThat(refused(dangling)).isEqualTo("ABSENT file " + dangling + " is a link to a file that does not exist");
    }

    private String refused(Path path) {
        SourceException e = assertTimeoutPreemptively(
                NEVER, () -> canary.caught(SourceException.class, () -> new SettledFile(path, MOST).read()));
        return e.reason() + " " + e.getMessage();
    }

    @Test
    void read_moreThanIsWanted_oneByteTellsIt() throws IOException {
        old(file, "x".repeat(100));

        assertThat(new SettledFile(file, 100).read()).hasSize(100);
        assertThat(new SettledFile(file, 99).read()).hasSize(100);
        assertThat(new SettledFile(file, 10).read()).hasSize(11);
    }
}
