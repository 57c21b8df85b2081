package io.keyturn.source;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.keyturn.Canary;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.WatchService;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** Each fault is a real one; where events are to be seen at work, the next poll is an hour away. */
@EnabledOnOs(OS.LINUX)
class FileWatcherTest {
    private static final Duration HOUR = Duration.ofHours(1);
    private static final Duration SOON = Duration.ofMillis(20);
    private static final Duration NEVER = Duration.ofSeconds(30);
    private static final int TIMES = 1_000;

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final AtomicInteger poolThreads = new AtomicInteger();
    private final ExecutorService pool = Executors.newFixedThreadPool(8, task -> {
        Thread thread = new Thread(task, "files");
        thread.setDaemon(true);
        poolThreads.incrementAndGet();
        return thread;
    });
    private final List<Thread> threads = new ArrayList<>();
    private final List<FileWatcher> watchers = new ArrayList<>();

    @AfterEach
    void close() throws InterruptedException {
        watchers.forEach(FileWatcher::close);
        for (Thread thread : threads) {
            thread.join(NEVER.toMillis());
            assertThat(thread.isAlive()).isFalse();
        }
        pool.shutdownNow();
    }

    private FileWatcher watcher(Duration poll) {
        return watcher(poll, new Disk());
    }

    private FileWatcher watcher(Duration poll, Disk disk) {
        FileWatcher watcher = new FileWatcher(poll, System::nanoTime, pool, this::thread, disk);
        watchers.add(watcher);
        return watcher;
    }

    private Thread thread(Runnable task) {
        Thread thread = new Thread(task, "keyturn-watch");
        thread.setDaemon(true);
        threads.add(thread);
        return thread;
    }

    /** A file that is watched, and what was seen of it. */
    private static final class Seen implements AutoCloseable {
        private final Path file;
        private final AtomicInteger calls = new AtomicInteger();
        private final Watch watch;
        private volatile String last;
        /** What is done about what was read. */
        private volatile Runnable act = () -> {};

        Seen(FileWatcher watcher, Path file) {
            this.file = file;
            this.watch = watcher.watch(file, this::look);
        }

        private void look() {
            try {
                last = Files.readString(file);
            } catch (IOException e) {
                last = "gone";
            }
            calls.incrementAndGet();
            act.run();
        }

        /** Busy, since it is called a thousand times. */
        void awaitLast(String content) {
            long end = System.nanoTime() + NEVER.toNanos();
            while (!content.equals(last)) {
                assertThat(System.nanoTime())
                        .as("%s is not seen, but %s", content, last)
                        .isLessThan(end);
                LockSupport.parkNanos(20_000);
            }
        }

        @Override
        public void close() {
            watch.close();
        }
    }

    /** Waits until events are heard of what happens to a file. */
    private Seen heard(FileWatcher watcher, Path file) throws IOException {
        Seen seen = new Seen(watcher, file);
        String content = Files.exists(file) ? Files.readString(file) : null;
        Path sameFile = file.toRealPath();
        await().pollInterval(Duration.ofMillis(5)).atMost(NEVER).until(() -> {
            Files.writeString(sameFile, "ready");
            return "ready".equals(seen.last);
        });
        Files.writeString(sameFile, content);
        seen.awaitLast(content);
        return seen;
    }

    private Path file(String name, String content) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, content);
    }

    private void renameOver(Path file, String content) throws IOException {
        Files.move(Files.writeString(folder.resolve("next"), content), file, ATOMIC_MOVE);
    }

    // --- what happens to files, a thousand times ---

    @Test
    void watch_renamedOver_eachIsSeen() throws IOException {
        Path file = file("token", "0");
        Seen seen = heard(watcher(HOUR), file);

        for (int i = 1; i <= TIMES; i++) {
            renameOver(file, String.valueOf(i));
            seen.awaitLast(String.valueOf(i));
        }
    }

    @Test
    void watch_writtenInPlace_eachIsSeen() throws IOException {
        Path file = file("token", "1000");
        Seen seen = heard(watcher(HOUR), file);

        for (int i = 1_001; i <= 1_000 + TIMES; i++) {
            Files.writeString(file, String.valueOf(i));
            seen.awaitLast(String.valueOf(i));
        }
    }

    @Test
    void watch_deletedAndCreated_bothAreSeen() throws IOException {
        Path file = file("token", "0");
        Seen seen = heard(watcher(HOUR), file);

        for (int i = 1; i <= TIMES; i++) {
            Files.delete(file);
            seen.awaitLast("gone");
            Files.writeString(file, String.valueOf(i));
            seen.awaitLast(String.valueOf(i));
        }
    }

    @Test
    void watch_kubernetesSwap_eachIsSeen() throws IOException {
        Path before = kubernetes("..0", "0");
        Path file = Files.createSymbolicLink(folder.resolve("token"), Path.of("..data/token"));
        Seen seen = heard(watcher(HOUR), file);

        for (int i = 1; i <= TIMES; i++) {
            Path next = kubernetes(".." + i, String.valueOf(i));
            Files.delete(before.resolve("token"));
            Files.delete(before);
            before = next;
            seen.awaitLast(String.valueOf(i));
        }
    }

    /** All of them stand behind the same link, so one event is about each. */
    @Test
    void watch_severalFilesBehindOneLink_eachIsToldUntilItEnds() throws IOException {
        kubernetes("..0", "0");
        FileWatcher watcher = watcher(HOUR);
        Seen one = heard(watcher, Files.createSymbolicLink(folder.resolve("one"), Path.of("..data/token")));
        Seen two = heard(watcher, Files.createSymbolicLink(folder.resolve("two"), Path.of("..data/token")));
        Seen three = heard(watcher, Files.createSymbolicLink(folder.resolve("three"), Path.of("..data/token")));

        kubernetes("..1", "1");
        List.of(one, two, three).forEach(seen -> seen.awaitLast("1"));
        one.close();
        kubernetes("..2", "2");
        List.of(two, three).forEach(seen -> seen.awaitLast("2"));
        three.close();
        kubernetes("..3", "3");

        two.awaitLast("3");
        assertThat(one.last).isEqualTo("1");
        assertThat(three.last).isEqualTo("2");
    }

    private Path kubernetes(String version, String content) throws IOException {
        Path made = Files.createDirectory(folder.resolve(version));
        Files.writeString(made.resolve("token"), content);
        Path link = Files.createSymbolicLink(folder.resolve("..data_tmp"), Path.of(version));
        Files.move(link, folder.resolve("..data"), ATOMIC_MOVE);
        return made;
    }

    /** No event tells of it. */
    @Test
    void watch_folderReplaced_eachIsSeenByThePoll() throws IOException {
        Path file = file("current/token", "0");
        Seen seen = new Seen(watcher(Duration.ofMillis(1)), file);

        for (int i = 1; i <= TIMES; i++) {
            file("next/token", String.valueOf(i));
            Files.move(folder.resolve("current"), folder.resolve("last"));
            Files.move(folder.resolve("next"), folder.resolve("current"));
            seen.awaitLast(String.valueOf(i));
            Files.delete(folder.resolve("last/token"));
            Files.delete(folder.resolve("last"));
        }
    }

    /** After the poll has found it, events are heard of the new folder. */
    @Test
    void watch_folderReplaced_eventsComeFromTheNewOne() throws IOException {
        Path file = file("current/token", "0");
        HearingDisk disk = new HearingDisk();
        Seen seen = new Seen(watcher(SOON, disk), file);
        file("next/token", "1");
        Files.move(folder.resolve("current"), folder.resolve("last"));
        Files.move(folder.resolve("next"), folder.resolve("current"));
        seen.awaitLast("1");
        await().atMost(NEVER).until(() -> {
            // Nothing but an event tells of these: the poll sees no difference any more.
            disk.frozen = true;
            Files.writeString(file, "event");
            LockSupport.parkNanos(10_000_000);
            disk.frozen = false;
            return "event".equals(seen.last);
        });
    }

    /** Looks that show nothing of what has changed since. */
    private static final class HearingDisk extends Disk {
        private final Map<Path, Signature> before = new ConcurrentHashMap<>();
        private volatile boolean frozen;

        @Override
        Signature look(Path file) {
            if (frozen) {
                return before.getOrDefault(file, Signature.NONE);
            }
            Signature now = super.look(file);
            before.put(file, now);
            return now;
        }
    }

    // --- links ---

    @Test
    void watch_targetOfALinkWrittenElsewhere_seen() throws IOException {
        Path target = file("elsewhere/deep/secret", "0");
        Path file = Files.createSymbolicLink(folder.resolve("token"), target);
        Seen seen = heard(watcher(HOUR), file);

        for (int i = 1; i <= 20; i++) {
            renameOver(target, "a" + i);
            seen.awaitLast("a" + i);
            Files.writeString(target, "b" + i);
            seen.awaitLast("b" + i);
        }
    }

    @Test
    void watch_anyLinkOfAChainReplaced_seen() throws IOException {
        for (String place : List.of("a", "b", "c")) {
            file(place + "/secret", place);
        }
        Path last = Files.createSymbolicLink(folder.resolve("last"), Path.of("a"));
        Path middle = Files.createSymbolicLink(folder.resolve("middle"), Path.of("last/../last/secret"));
        Path file = Files.createSymbolicLink(folder.resolve("token"), middle);
        Seen seen = heard(watcher(HOUR), file);

        point(last, Path.of("b"));
        seen.awaitLast("b");
        point(middle, Path.of("c/secret"));
        seen.awaitLast("c");
        point(last, Path.of("c"));
        point(middle, Path.of("last/secret"));
        point(last, Path.of("a"));
        seen.awaitLast("a");
        point(file, folder.resolve("b/secret"));
        seen.awaitLast("b");
        renameOver(file, "no link any more");
        seen.awaitLast("no link any more");
    }

    /** A link that comes onto the way and is replaced before anybody listens to it. */
    @Test
    void watch_linkReplacedBeforeItsWayIsFollowed_seen() throws IOException {
        file("a/secret", "a");
        file("c/secret", "c");
        Path last = Files.createSymbolicLink(folder.resolve("last"), Path.of("c"));
        Path file = Files.createSymbolicLink(folder.resolve("token"), Path.of("a/secret"));
        AtomicBoolean replacing = new AtomicBoolean();
        Disk slow = new Disk() {
            @Override
            List<Path> way(Path to) {
                if (replacing.compareAndSet(true, false)) {
                    replaced(last, Path.of("a"));
                    // Long enough for its event to be heard, which is about nothing that is known.
                    LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
                }
                return super.way(to);
            }
        };
        Seen seen = heard(watcher(HOUR, slow), file);

        replacing.set(true);
        point(file, Path.of("last/secret"));

        await().until(() -> !replacing.get());
        seen.awaitLast("a");
        point(last, Path.of("c"));
        seen.awaitLast("c");
    }

    /** Beside another thread that points a link elsewhere, so under another name until it is. */
    private void replaced(Path link, Path target) {
        try {
            Files.move(Files.createSymbolicLink(folder.resolve("aside"), target), link, ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void point(Path link, Path target) throws IOException {
        Files.move(Files.createSymbolicLink(folder.resolve("next"), target), link, ATOMIC_MOVE);
    }

    @Test
    void watch_loopOfLinks_isWaitedFor() throws IOException {
        Path one = folder.resolve("one");
        Path two = Files.createSymbolicLink(folder.resolve("two"), one);
        Files.createSymbolicLink(one, two);
        Seen seen = new Seen(watcher(SOON), one);

        renameOver(two, "there");

        seen.awaitLast("there");
    }

    // --- what is not there, or no file ---

    @Test
    void watch_folderThatComesLater_seenByThePoll() throws IOException {
        Seen seen = new Seen(watcher(SOON), folder.resolve("deep/down/token"));

        Path file = file("deep/down/token", "there");

        seen.awaitLast("there");
        Files.delete(file);
        seen.awaitLast("gone");
    }

    @Test
    void watch_somethingElseInItsPlace_seen() throws Exception {
        Path file = file("token", "0");
        Seen seen = heard(watcher(HOUR), file);

        Files.delete(file);
        seen.awaitLast("gone");
        int calls = seen.calls.get();
        Files.createDirectory(file);
        await().atMost(NEVER).until(() -> seen.calls.get() > calls);
        Files.delete(file);
        Files.writeString(file, "back");
        seen.awaitLast("back");
    }

    // --- where events do not come ---

    /** Nobody comes to hear them, as when there is no processor for it: only OVERFLOW is left of them. */
    @Test
    void watch_overflow_seen() throws Exception {
        Stall stall = new Stall();
        FileWatcher watcher = watcher(stall);
        Seen seenOther = heard(watcher, file("other/token", "0"));
        Seen seen = heard(watcher, file("token", "0"));

        stall.begin(() -> renameOver(seenOther.file, "1"));
        renameOver(seen.file, "lost");
        overflow();
        stall.end();

        seen.awaitLast("lost");
        seenOther.awaitLast("1");
    }

    /**
     * It was told and read, and changes before it is looked at for the first time since: the look shows a difference, and
     * not whether that was read.
     */
    @Test
    void watch_overflowBetweenItsReadingAndTheLook_seen() throws Exception {
        Stall stall = new Stall();
        FileWatcher watcher = watcher(stall);
        Seen seenOther = heard(watcher, file("other/token", "0"));
        Seen seen = heard(watcher, file("token", "0"));
        CountDownLatch read = new CountDownLatch(1);
        seen.act = () -> {
            if ("1".equals(seen.last)) {
                awaitOnce(read);
            }
        };
        renameOver(seen.file, "1");
        seen.awaitLast("1");

        stall.begin(() -> renameOver(seenOther.file, "1"));
        renameOver(seen.file, "lost");
        overflow();
        stall.end();
        // Heard after the overflow.
        Files.writeString(seenOther.file, "2");
        seenOther.awaitLast("2");
        read.countDown();

        seen.awaitLast("lost");
    }

    /** Holds up whoever listens, or looks. */
    private static final class Stall {
        private final CountDownLatch begun = new CountDownLatch(1);
        private final CountDownLatch over = new CountDownLatch(1);
        private volatile boolean stalling;

        long nanos() {
            if (stalling) {
                begun.countDown();
                awaitOnce(over);
            }
            return System.nanoTime();
        }

        interface Happening {
            void happen() throws IOException;
        }

        void begin(Happening heard) throws IOException {
            stalling = true;
            heard.happen();
            awaitOnce(begun);
        }

        void end() {
            stalling = false;
            over.countDown();
        }
    }

    private FileWatcher watcher(Stall stall) {
        FileWatcher watcher = new FileWatcher(HOUR, stall::nanos, pool, this::thread);
        watchers.add(watcher);
        return watcher;
    }

    /** More than a folder's events are kept. */
    private void overflow() throws IOException {
        for (int i = 0; i < 600; i++) {
            file("more" + i, "");
        }
    }

    private static void awaitOnce(CountDownLatch latch) {
        try {
            assertThat(latch.await(NEVER.toSeconds(), TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static final class DeafDisk extends Disk {
        @Override
        WatchService events() throws IOException {
            throw new IOException("User limit of inotify instances reached or too many open files");
        }
    }

    @Test
    void watch_noWatchService_polledAndSaidOnce() throws IOException {
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        Logger logger = (Logger) LoggerFactory.getLogger(FileWatcher.class);
        log.start();
        logger.addAppender(log);
        try {
            FileWatcher watcher = watcher(SOON, new DeafDisk());
            Path one = file("one", "0");
            Path two = file("two", "0");
            Seen seenOne = new Seen(watcher, one);
            Seen seenTwo = new Seen(watcher, two);
            for (int i = 1; i <= 20; i++) {
                renameOver(one, "a" + i);
                Files.writeString(two, "b" + i);
                seenOne.awaitLast("a" + i);
                seenTwo.awaitLast("b" + i);
            }
        } finally {
            logger.detachAppender(log);
        }
        assertThat(log.list)
                .extracting(event -> event.getLevel() + " " + event.getFormattedMessage())
                .containsExactly("INFO file events are not to be had (java.io.IOException);"
                        + " files are looked at every 20 ms");
    }

    /** In a process of its own, since the limit is one for a user. */
    @Test
    void watch_limitOfWatchesReached_polledAndSaidOnce() throws Exception {
        List<String> alone = List.of("unshare", "--user", "--map-root-user", "sh", "-c");
        String limit = "echo 1 > /proc/sys/user/max_inotify_watches";
        assumeTrue(SecretFileReader.works(alone, limit), "unshare(1) is not permitted here");
        for (String name : List.of("a", "b", "c")) {
            file(name + "/token", "0");
        }
        List<String> command = new ArrayList<>(alone);
        command.addAll(List.of(limit + "; exec \"$@\"", "sh"));
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), LimitedWatching.class.getName()));
        command.add(folder.toString());
        Path answer = folder.resolve("answer");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(answer.toFile())
                .start();

        assertThat(process.waitFor(NEVER.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(Files.readAllLines(answer)).containsExactly("said once", "a", "b", "c");
    }

    /** Watches files in three folders where there may be one watch. */
    static final class LimitedWatching {
        private LimitedWatching() {}

        public static void main(String[] args) throws Exception {
            ListAppender<ILoggingEvent> log = new ListAppender<>();
            log.start();
            ((Logger) LoggerFactory.getLogger(FileWatcher.class)).addAppender(log);
            try (FileWatcher watcher = new FileWatcher(
                    SOON,
                    System::nanoTime,
                    Executors.newFixedThreadPool(2, LimitedWatching::daemon),
                    LimitedWatching::daemon)) {
                Map<String, CountDownLatch> seen = new ConcurrentHashMap<>();
                for (String name : List.of("a", "b", "c")) {
                    seen.put(name, new CountDownLatch(1));
                    Path file = Path.of(args[0], name, "token");
                    watcher.watch(file, () -> {
                        try {
                            if (Files.readString(file).equals("1")) {
                                seen.get(name).countDown();
                            }
                        } catch (IOException e) {
                            throw new AssertionError(e);
                        }
                    });
                }
                await().atMost(NEVER).until(() -> !log.list.isEmpty());
                for (String name : List.of("a", "b", "c")) {
                    Path file = Path.of(args[0], name, "token");
                    Files.writeString(file, "1");
                    if (!seen.get(name).await(NEVER.toSeconds(), TimeUnit.SECONDS)) {
                        System.out.println("not seen");
                    }
                }
                System.out.println("said " + (log.list.size() == 1 ? "once" : log.list.toString()));
            }
            System.out.println("a\nb\nc");
        }

        private static Thread daemon(Runnable task) {
            Thread thread = new Thread(task);
            thread.setDaemon(true);
            return thread;
        }
    }

    /** A writer can set back the time of the content, and not that of the inode. */
    @Test
    void watch_sameSizeAndSameTime_seenByThePoll() throws IOException {
        Path file = file("token", "0000");
        FileTime time = Files.getLastModifiedTime(file);
        Seen seen = new Seen(watcher(SOON, new DeafDisk()), file);

        for (int i = 1_001; i < 1_020; i++) {
            Files.writeString(file, String.valueOf(i));
            Files.setLastModifiedTime(file, time);
            seen.awaitLast(String.valueOf(i));
        }
    }

    @Test
    void watch_nothingHappens_nothingIsTold() throws Exception {
        Path old = file("token", "0");
        // What was written just now is told once more, since a second writing may have left the same times.
        await().atMost(NEVER).until(() -> !new Disk().look(old).isYoung());
        AtomicInteger looks = new AtomicInteger();
        Seen seen = new Seen(
                watcher(Duration.ofMillis(2), new Disk() {
                    @Override
                    Signature look(Path file) {
                        looks.incrementAndGet();
                        return super.look(file);
                    }
                }),
                old);
        file("other", "1");

        await().atMost(NEVER).until(() -> looks.get() > 50);

        assertThat(seen.calls).hasValue(0);
    }

    // --- what hangs, and what fails ---

    /** Hangs at some files, as a network that has gone does. */
    private static final class HangingDisk extends Disk {
        private final CountDownLatch back = new CountDownLatch(1);
        private final AtomicInteger hanging = new AtomicInteger();
        private volatile Predicate<Path> gone = path -> false;

        @Override
        Signature look(Path file) {
            hang(file);
            Signature here = super.look(file);
            return file.toString().contains("/far")
                    ? new Signature(-7, here.inode(), here.size(), here.modified(), here.changed())
                    : here;
        }

        @Override
        List<Path> way(Path file) {
            hang(file);
            return super.way(file);
        }

        private void hang(Path file) {
            if (gone.test(file)) {
                hanging.incrementAndGet();
                awaitOnce(back);
                hanging.decrementAndGet();
            }
        }
    }

    @Test
    void watch_lookThatHangs_othersOfTheSameFolderAreSeen() throws IOException {
        HangingDisk disk = new HangingDisk();
        FileWatcher watcher = watcher(SOON, disk);
        Path hung = file("a", "0");
        Path good = file("b", "0");
        Seen seenHung = heard(watcher, hung);
        Seen seenGood = heard(watcher, good);
        disk.gone = hung::equals;
        await().atMost(NEVER).until(() -> disk.hanging.get() > 0);

        for (int i = 1; i <= 50; i++) {
            renameOver(good, String.valueOf(i));
            seenGood.awaitLast(String.valueOf(i));
        }

        assertThat(disk.hanging).hasValue(1);
        renameOver(hung, "after");
        disk.gone = path -> false;
        disk.back.countDown();
        seenHung.awaitLast("after");
    }

    @Test
    void watch_deviceThatHangs_holdsTwoThreadsAndOthersAreSeen() throws IOException {
        HangingDisk disk = new HangingDisk();
        FileWatcher watcher = watcher(SOON, disk);
        for (int i = 0; i < 50; i++) {
            heard(watcher, file("far" + i + "/token", "0"));
        }
        Path good = file("near/token", "0");
        Seen seenGood = heard(watcher, good);
        disk.gone = path -> path.toString().contains("/far");
        await().atMost(NEVER).until(() -> disk.hanging.get() == 2);

        for (int i = 1; i <= 50; i++) {
            Path far = folder.resolve("far" + i % 50 + "/token");
            renameOver(far, "unseen");
            renameOver(good, String.valueOf(i));
            seenGood.awaitLast(String.valueOf(i));
        }

        assertThat(disk.hanging).hasValue(2);
        disk.gone = path -> false;
        disk.back.countDown();
    }

    @Test
    void watch_tellingThatHangs_othersAreSeen() throws Exception {
        FileWatcher watcher = watcher(HOUR);
        Path hung = file("a", "0");
        Path good = file("b", "0");
        CountDownLatch over = new CountDownLatch(1);
        AtomicInteger calls = new AtomicInteger();
        Seen seenGood = heard(watcher, good);
        Watch watch = watcher.watch(hung, () -> {
            calls.incrementAndGet();
            awaitOnce(over);
        });
        await().atMost(NEVER).until(() -> {
            Files.writeString(hung, "1");
            return calls.get() == 1;
        });

        for (int i = 1; i <= 50; i++) {
            renameOver(hung, "x" + i);
            renameOver(good, String.valueOf(i));
            seenGood.awaitLast(String.valueOf(i));
        }

        assertThat(calls).as("one at a time").hasValue(1);
        over.countDown();
        await().atMost(NEVER)
                .untilAsserted(() -> assertThat(calls).as("what came meanwhile").hasValueGreaterThan(1));
        watch.close();
    }

    /** Whoever hears of a change does at once what is to be done about it, and somebody else hears of the next. */
    @Test
    void watch_severalTellingsThatHang_othersAreSeen() throws Exception {
        FileWatcher watcher = watcher(HOUR);
        Path good = file("good", "0");
        Seen seenGood = heard(watcher, good);
        CountDownLatch over = new CountDownLatch(1);
        AtomicInteger hanging = new AtomicInteger();
        for (int i = 1; i <= 5; i++) {
            Path hung = file("hung" + i, "0");
            int number = i;
            watcher.watch(hung, () -> {
                hanging.incrementAndGet();
                awaitOnce(over);
            });
            await().pollInterval(Duration.ofMillis(5)).atMost(NEVER).until(() -> {
                Files.writeString(hung, "1");
                return hanging.get() == number;
            });

            renameOver(good, String.valueOf(i));

            seenGood.awaitLast(String.valueOf(i));
        }
        over.countDown();
    }

    /** It may have been left by what was done about a change, and is nothing to the watching. */
    @Test
    void watch_tellingThatLeavesAnInterruption_theNextAreSeen() throws IOException {
        FileWatcher watcher = watcher(HOUR);
        Path file = file("token", "0");
        Seen good = heard(watcher, file("good", "0"));
        AtomicInteger calls = new AtomicInteger();
        watcher.watch(file, () -> {
            calls.incrementAndGet();
            Thread.currentThread().interrupt();
        });

        await().pollInterval(Duration.ofMillis(5)).atMost(NEVER).until(() -> {
            Files.writeString(file, "1");
            return calls.get() > 10;
        });

        renameOver(good.file, "1");
        good.awaitLast("1");
    }

    @Test
    void watch_tellingThatFails_theNextIsToldAllTheSame() throws IOException {
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        Logger logger = (Logger) LoggerFactory.getLogger(FileWatcher.class);
        log.start();
        logger.setAdditive(false);
        logger.addAppender(log);
        try {
            FileWatcher watcher = watcher(HOUR);
            Path file = file("token", "0");
            List<Throwable> failures = List.of(
                    new IllegalStateException(canary.token()),
                    new OutOfMemoryError(canary.token()),
                    new StackOverflowError(canary.token()),
                    new AssertionError(canary.token()));
            AtomicInteger calls = new AtomicInteger();
            watcher.watch(
                    file, () -> FileWatcherTest.<RuntimeException>sneak(failures.get(calls.getAndIncrement() % 4)));

            await().pollInterval(Duration.ofMillis(5)).atMost(NEVER).until(() -> {
                renameOver(file, canary.token());
                return calls.get() > 8;
            });
        } finally {
            logger.detachAppender(log);
            logger.setAdditive(true);
        }
        assertThat(log.list.get(0).getFormattedMessage())
                .isEqualTo("watching files failed with java.lang.IllegalStateException, and goes on");
        log.list.forEach(event -> canary.saw("log", event.getFormattedMessage()));
    }

    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    private static <T extends Throwable> void sneak(Throwable thrown) throws T {
        throw (T) thrown;
    }

    @Test
    void watch_lookThatFails_theNextOneSees() throws IOException {
        AtomicInteger failures = new AtomicInteger();
        Path file = file("token", "0");
        Disk failing = new Disk() {
            @Override
            Signature look(Path path) {
                if (Thread.currentThread().getName().equals("files") && failures.getAndIncrement() % 2 == 0) {
                    FileWatcherTest.<RuntimeException>sneak(
                            failures.get() % 4 == 1 ? new StackOverflowError() : new IllegalStateException());
                }
                return super.look(path);
            }
        };
        Logger logger = (Logger) LoggerFactory.getLogger(FileWatcher.class);
        logger.setLevel(Level.ERROR);
        try {
            Seen seen = new Seen(watcher(Duration.ofMillis(2), failing), file);
            for (int i = 1; i <= 20; i++) {
                renameOver(file, String.valueOf(i));
                seen.awaitLast(String.valueOf(i));
            }
        } finally {
            logger.setLevel(null);
        }
    }

    // --- many ---

    /** Most of them are not there, which spares the disk and makes no difference here. */
    @Test
    void watch_tenThousandInAFolder_noThreadMoreAndOneIsWoken() throws IOException {
        int many = 10_000;
        AtomicInteger calls = new AtomicInteger();
        AtomicInteger mine = new AtomicInteger();
        Path chosen = file("t" + many / 2, "0");
        FileWatcher watcher = watcher(HOUR);
        heard(watcher, file("other", "0"));
        for (int i = 0; i < many; i++) {
            Path file = folder.resolve("t" + i);
            watcher.watch(file, file.equals(chosen) ? mine::incrementAndGet : calls::incrementAndGet);
        }

        await().pollInterval(Duration.ofMillis(5)).atMost(NEVER).until(() -> {
            renameOver(chosen, "1");
            return mine.get() > 0;
        });

        assertThat(calls).hasValue(0);
        assertThat(threads).hasSize(1);
        assertThat(poolThreads.get()).isLessThanOrEqualTo(8);
    }

    // --- its end ---

    @Test
    void close_ofAWatch_nothingIsToldAndNothingIsKept() throws IOException {
        FileWatcher watcher = watcher(HOUR);
        Path file = file("token", "0");
        Seen other = heard(watcher, file("other", "0"));
        Seen[] seen = {heard(watcher, file)};

        seen[0].close();
        seen[0].close();
        int calls = seen[0].calls.get();
        renameOver(file, "1");
        renameOver(other.file, "1");
        other.awaitLast("1");

        assertThat(seen[0].calls).hasValue(calls);
        WeakReference<Seen> kept = new WeakReference<>(seen[0]);
        seen[0] = null;
        await().atMost(NEVER).until(() -> {
            System.gc();
            return kept.get() == null;
        });
    }

    @Test
    void close_ofAWatchAndAnother_sameFolderIsHeardAgain() throws IOException {
        FileWatcher watcher = watcher(Duration.ofMillis(200));
        Path file = file("token", "0");

        for (int i = 0; i < 20; i++) {
            heard(watcher, file).close();
        }
    }

    @Test
    void close_ofAWatchWhileItsFileIsLookedAt_isNotAddedAgain() throws IOException {
        HangingDisk disk = new HangingDisk();
        FileWatcher watcher = watcher(HOUR, disk);
        Path file = file("token", "0");
        Seen[] seen = {heard(watcher, file)};
        disk.gone = file::equals;
        renameOver(file, "1");
        await().atMost(NEVER).until(() -> disk.hanging.get() == 1);

        seen[0].close();
        int calls = seen[0].calls.get();
        disk.back.countDown();
        await().atMost(NEVER).until(() -> disk.hanging.get() == 0);
        WeakReference<Seen> kept = new WeakReference<>(seen[0]);
        assertThat(seen[0].calls).hasValue(calls);
        seen[0] = null;

        await().atMost(NEVER).until(() -> {
            System.gc();
            return kept.get() == null;
        });
    }

    @Test
    void close_watcher_threadEndsAndNothingIsTold() throws Exception {
        FileWatcher watcher = watcher(HOUR);
        Path file = file("token", "0");
        Seen seen = heard(watcher, file);
        assertThat(threads.get(0).isAlive()).isTrue();

        watcher.close();
        watcher.close();
        threads.get(0).join(NEVER.toMillis());

        assertThat(threads.get(0).isAlive()).isFalse();
        int calls = seen.calls.get();
        Watch late = watcher.watch(file, seen.calls::incrementAndGet);
        renameOver(file, "1");
        late.close();
        seen.close();
        assertThat(seen.calls).hasValue(calls);
        assertThat(threads).hasSize(1);
    }

    @Test
    void close_whileALookHangs_returnsAtOnce() throws Exception {
        HangingDisk disk = new HangingDisk();
        FileWatcher watcher = watcher(SOON, disk);
        Path file = file("token", "0");
        heard(watcher, file);
        disk.gone = path -> true;
        await().atMost(NEVER).until(() -> disk.hanging.get() > 0);

        watcher.close();

        assertThat(disk.hanging.get()).isPositive();
        disk.back.countDown();
        // It may have been the one that hung.
        threads.get(0).join(NEVER.toMillis());
        assertThat(threads.get(0).isAlive()).isFalse();
    }

    @Test
    void close_executorThatRefuses_isBorne() throws Exception {
        FileWatcher watcher = watcher(SOON);
        Path file = file("token", "0");
        heard(watcher, file);

        pool.shutdownNow();
        renameOver(file, "1");
        await().pollDelay(Duration.ofMillis(100)).atMost(NEVER).until(threads.get(0)::isAlive);

        watcher.close();
    }

    @Test
    void watcher_nothingWatched_noThread() {
        watcher(SOON).close();

        assertThat(threads).isEmpty();
    }

    @Test
    void none_watchesNothing() throws IOException {
        Path file = file("token", "0");
        Seen seen = new Seen(FileWatcher.none(), file);

        renameOver(file, "1");
        seen.close();

        assertThat(seen.calls).hasValue(0);
        assertThat(FileWatcher.none()).isSameAs(FileWatcher.none());
    }
}
