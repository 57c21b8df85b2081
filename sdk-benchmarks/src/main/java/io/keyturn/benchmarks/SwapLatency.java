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
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * From the moment in which a file changes to the first {@code get()} that answers the new token, beside the shortest loop
 * that does the same: wait for an event of the folder, read the file. Aim: at most twice its
 * median and four times its 99th percentile.
 *
 * <p>A folder that is replaced by another gives no event; there the poll has to find it, within a second and 50 ms.
 */
final class SwapLatency {
    private static final long LOOK_NANOS = 20_000;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final int swaps;
    private final int swapsWithoutEvents;
    private final int warmUp;
    private final Random random = new Random(1);

    SwapLatency(boolean quick) {
        this.swaps = quick ? 10 : 200;
        this.swapsWithoutEvents = quick ? 2 : 15;
        this.warmUp = quick ? 10 : 1_000;
    }

    /** A place where a token lies, and a way in which it changes. */
    interface Mount {
        Path token();

        /** Changes it and answers when: the reading of {@code nanoTime} right before the new one is to be seen. */
        long swap(String value) throws IOException;
    }

    /** Makes a place in an empty folder. */
    private interface Mounting {
        Mount in(Path folder) throws IOException;
    }

    /** Who takes the token: what it has now is looked at again and again, in the same way whoever it is. */
    interface Taker {
        String now() throws IOException;
    }

    void print(Markdown out) throws Exception {
        out.heading("From the swap of a file to the first get() with the new token");
        out.columns("", "median ms", "p99 ms", "longest ms", "× raw, median", "× raw, p99");
        Path folder = SecretFolder.create();
        try {
            compare(out, "rename over the file", Rename::new, folder.resolve("rename"));
            compare(out, "Kubernetes' ..data swap", DataSwap::new, folder.resolve("data"));
            withoutEvents(out, folder.resolve("replaced"));
        } finally {
            SecretFolder.delete(folder);
        }
    }

    /** Both take turns, each in a folder of its own: at the same time they would take each other's processor. */
    private void compare(Markdown out, String name, Mounting mounting, Path folder) throws Exception {
        System.err.println("SwapLatency: " + name);
        Mount mine = mounting.in(Files.createDirectories(folder.resolve("keyturn")));
        Mount bare = mounting.in(Files.createDirectories(folder.resolve("raw")));
        Samples ours = new Samples();
        Samples raw = new Samples();
        try (TokenAgent agent = agent(mine);
                RawLoop loop = RawLoop.on(bare.token())) {
            TokenProvider provider = agent.provider("api_token");
            for (int i = 1; i <= warmUp + swaps; i++) {
                // What is measured is neither in step with the poll nor within the 50 ms of a file that was just
                // written.
                pause(i <= warmUp ? 1 : 60 + random.nextInt(40));
                double here = swap(mine, value(i), () -> provider.get().reveal());
                pause(i <= warmUp ? 1 : 60 + random.nextInt(40));
                double there = swap(bare, value(i), loop::now);
                if (i > warmUp) {
                    ours.add(here);
                    raw.add(there);
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
        out.row(name + ", raw", raw.median(), raw.quantile(0.99), raw.quantile(1), 1.0, 1.0);
    }

    private void withoutEvents(Markdown out, Path folder) throws Exception {
        System.err.println("SwapLatency: folder replaced");
        Mount mount = new ReplacedFolder(Files.createDirectories(folder));
        Samples ours = new Samples();
        try (TokenAgent agent = agent(mount)) {
            TokenProvider provider = agent.provider("api_token");
            for (int i = 1; i <= swapsWithoutEvents; i++) {
                pause(200 + random.nextInt(1000));
                ours.add(swap(mount, value(i), () -> provider.get().reveal()));
            }
        }
        out.row(
                "folder replaced, no event, keyturn",
                ours.median(),
                ours.quantile(0.99),
                ours.quantile(1),
                Double.NaN,
                Double.NaN);
    }

    private static TokenAgent agent(Mount mount) throws IOException {
        return TokenAgent.builder()
                .token("api_token", TokenSources.file(mount.token()))
                .start();
    }

    /** Milliseconds from the swap until it was taken. */
    private static double swap(Mount mount, String value, Taker taker) throws IOException {
        long swapped = mount.swap(value);
        return millis(await(taker, value) - swapped);
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

    /** When this was first what the taker has. */
    static long await(Taker taker, String value) throws IOException {
        long began = System.nanoTime();
        while (true) {
            boolean there = taker.now().equals(value);
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
        private volatile String latest = "";

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
                latest = Files.readString(token);
            } catch (NoSuchFileException e) {
                // Between two links.
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }

        String now() {
            return latest;
        }

        @Override
        public void close() throws IOException {
            service.close();
        }
    }
}
