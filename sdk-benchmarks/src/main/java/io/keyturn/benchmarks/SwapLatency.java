package io.keyturn.benchmarks;

import io.keyturn.TokenAgent;
import io.keyturn.provider.TokenProvider;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * From the moment in which a file changes to the first {@code get()} that answers the new token, beside the shortest loop
 * that does the same: wait for an event of the folder, read the file. Both see the same swaps. Aim: at most twice its
 * median and four times its 99th percentile.
 *
 * <p>A folder that is replaced by another gives no event; there the poll has to find it, within a second and 50 ms.
 */
final class SwapLatency {
    private static final long LOOK_NANOS = 20_000;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final int swaps;
    private final int swapsWithoutEvents;
    private final Random random = new Random(1);

    SwapLatency(boolean quick) {
        this.swaps = quick ? 10 : 150;
        this.swapsWithoutEvents = quick ? 2 : 15;
    }

    /** A place where a token lies, and a way in which it changes. */
    interface Mount {
        Path token();

        /** Changes it and answers when: the reading of {@code nanoTime} right before the new one is to be seen. */
        long swap(String value) throws IOException;
    }

    void print(Markdown out) throws Exception {
        out.heading("From the swap of a file to the first get() with the new token");
        out.columns("", "median ms", "p99 ms", "longest ms", "× raw, median", "× raw, p99");
        Path folder = SecretFolder.create();
        try {
            print(out, "rename over the file", new Rename(Files.createDirectory(folder.resolve("rename"))), swaps);
            print(out, "Kubernetes' ..data swap", new DataSwap(Files.createDirectory(folder.resolve("data"))), swaps);
            print(
                    out,
                    "folder replaced, no event",
                    new ReplacedFolder(Files.createDirectory(folder.resolve("replaced"))),
                    swapsWithoutEvents);
        } finally {
            SecretFolder.delete(folder);
        }
    }

    private void print(Markdown out, String name, Mount mount, int howMany) throws Exception {
        System.err.println("SwapLatency: " + name);
        Samples ours = new Samples();
        Samples raw = new Samples();
        boolean events = !(mount instanceof ReplacedFolder);
        try (TokenAgent agent = TokenAgent.builder()
                        .token("api_token", TokenSources.file(mount.token()))
                        .start();
                RawLoop loop = RawLoop.on(mount.token())) {
            TokenProvider provider = agent.provider("api_token");
            for (int i = 0; i < howMany; i++) {
                // Neither in step with the poll nor so close that the last one still counts as being written (50 ms).
                pause(events ? 70 + random.nextInt(40) : 200 + random.nextInt(1000));
                String value = value(i + 1);
                long swapped = mount.swap(value);
                ours.add(millis(await(provider, value) - swapped));
                if (events) {
                    raw.add(millis(loop.await(value) - swapped));
                }
            }
        }
        out.row(
                name + ", keyturn",
                ours.median(),
                ours.quantile(0.99),
                ours.quantile(1),
                ours.median() / raw.median(),
                ours.quantile(0.99) / raw.quantile(0.99));
        if (events) {
            out.row(name + ", raw", raw.median(), raw.quantile(0.99), raw.quantile(1), 1.0, 1.0);
        }
    }

    private static double millis(long nanos) {
        return nanos / 1e6;
    }

    /** Each as long as tokens often are. */
    static String value(int number) {
        return String.format(Locale.ROOT, "%040d", number);
    }

    static void pause(long millis) throws InterruptedException {
        TimeUnit.MILLISECONDS.sleep(millis);
    }

    /** When the provider first answered this. */
    static long await(TokenProvider provider, String value) throws IOException {
        long began = System.nanoTime();
        while (true) {
            boolean there = provider.get().reveal().equals(value);
            long now = System.nanoTime();
            if (there) {
                return now;
            }
            if (now - began > PATIENCE_NANOS) {
                throw new IllegalStateException("the new token was not taken within 10 s");
            }
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    // --- how tokens change ---

    /** A new file is renamed over the old one. */
    static final class Rename implements Mount {
        private final Path token;

        Rename(Path folder) throws IOException {
            this(folder, "token");
        }

        Rename(Path folder, String name) throws IOException {
            token = SecretFolder.write(folder.resolve(name), value(0));
        }

        @Override
        public Path token() {
            return token;
        }

        @Override
        public long swap(String value) throws IOException {
            Path next = SecretFolder.write(token.resolveSibling(token.getFileName() + ".tmp"), value);
            long now = System.nanoTime();
            Files.move(next, token, StandardCopyOption.ATOMIC_MOVE);
            return now;
        }
    }

    /** As the kubelet does it: the token is a link through {@code ..data}, itself a link that is renamed over. */
    private static final class DataSwap implements Mount {
        private final Path folder;
        private int versions;

        DataSwap(Path folder) throws IOException {
            this.folder = folder;
            Files.createSymbolicLink(folder.resolve("..data"), version(value(0)));
            Files.createSymbolicLink(token(), Path.of("..data", "token"));
        }

        /** A new version of the folder that the links lead to. */
        private Path version(String value) throws IOException {
            versions++;
            Path name = Path.of("..version" + versions);
            SecretFolder.write(Files.createDirectory(folder.resolve(name)).resolve("token"), value);
            return name;
        }

        @Override
        public Path token() {
            return folder.resolve("token");
        }

        @Override
        public long swap(String value) throws IOException {
            Path old = folder.resolve("..version" + versions);
            Path link = Files.createSymbolicLink(folder.resolve("..data_tmp"), version(value));
            long now = System.nanoTime();
            Files.move(link, folder.resolve("..data"), StandardCopyOption.ATOMIC_MOVE);
            SecretFolder.delete(old);
            return now;
        }
    }

    /**
     * The folder above the token's own gives way to another: nothing in the token's folder changes. The old one stays, since
     * its end would be an event.
     */
    private static final class ReplacedFolder implements Mount {
        private final Path folder;
        private int replaced;

        ReplacedFolder(Path folder) throws IOException {
            this.folder = folder;
            tree("current", value(0));
        }

        private Path tree(String name, String value) throws IOException {
            Path tree = folder.resolve(name);
            SecretFolder.write(Files.createDirectories(tree.resolve("secrets")).resolve("token"), value);
            return tree;
        }

        @Override
        public Path token() {
            return folder.resolve("current/secrets/token");
        }

        @Override
        public long swap(String value) throws IOException {
            Path current = folder.resolve("current");
            Path next = tree("next", value);
            Files.move(current, folder.resolve("old-" + replaced++));
            long now = System.nanoTime();
            Files.move(next, current);
            return now;
        }
    }

    // --- what it is compared with ---

    /** The shortest loop that takes a swapped file: an event of its folder, and it is read. */
    private static final class RawLoop implements AutoCloseable {
        private final Path token;
        private final WatchService service;
        private final Map<String, Long> seen = new ConcurrentHashMap<>();

        private RawLoop(Path token, WatchService service) {
            this.token = token;
            this.service = service;
        }

        static RawLoop on(Path token) throws IOException {
            WatchService service = token.getFileSystem().newWatchService();
            token.getParent()
                    .register(
                            service,
                            StandardWatchEventKinds.ENTRY_CREATE,
                            StandardWatchEventKinds.ENTRY_MODIFY,
                            StandardWatchEventKinds.ENTRY_DELETE);
            RawLoop loop = new RawLoop(token, service);
            Thread thread = new Thread(loop::run, "raw-loop");
            thread.setDaemon(true);
            thread.start();
            return loop;
        }

        private void run() {
            try {
                while (true) {
                    WatchKey key = service.take();
                    key.pollEvents();
                    key.reset();
                    read();
                }
            } catch (InterruptedException | ClosedWatchServiceException e) {
                // It has ended.
            }
        }

        private void read() {
            try {
                seen.putIfAbsent(Files.readString(token), System.nanoTime());
            } catch (NoSuchFileException e) {
                // Between two links.
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }

        long await(String value) {
            long began = System.nanoTime();
            while (!seen.containsKey(value)) {
                if (System.nanoTime() - began > PATIENCE_NANOS) {
                    throw new IllegalStateException("the raw loop did not see the swap");
                }
                LockSupport.parkNanos(LOOK_NANOS);
            }
            return seen.get(value);
        }

        @Override
        public void close() throws IOException {
            service.close();
        }
    }
}
