package io.keyturn.benchmarks;

import io.keyturn.TokenAgent;
import io.keyturn.benchmarks.SwapLatency.Rename;
import io.keyturn.provider.TokenProvider;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.regex.Pattern;

/**
 * Thousands of tokens, each in a file that is watched, in one agent: what each takes of the heap, how many threads there
 * are, and how long a swap among them takes beside the swap of a single one. Aim: 1 KiB a token beside its value, no
 * thread more, twice the time.
 */
final class ManyTokens {
    /** A String of the 40 characters of a value and its array. */
    private static final int VALUE_BYTES = 24 + 16 + 40;

    private static final int FOLDERS = 100;

    private static final Pattern POOLS = Pattern.compile("keyturn-(answers|files|fetch).*");

    private final int count;
    private final int swaps;
    private final Random random = new Random(1);

    ManyTokens(boolean quick) {
        this.count = quick ? 1_000 : 10_000;
        this.swaps = quick ? 10 : 100;
    }

    void print(Markdown out) throws Exception {
        System.err.println("ManyTokens");
        Path folder = SecretFolder.create();
        try {
            measure(out, folder);
        } finally {
            SecretFolder.delete(folder);
        }
    }

    private void measure(Markdown out, Path folder) throws Exception {
        Rename single = new Rename(Files.createDirectory(folder.resolve("single")));
        List<Rename> files = files(folder);
        try (TokenAgent one = start(List.of(single))) {
            int threadsOfOne = threads();
            long before = heap();
            long began = System.nanoTime();
            try (TokenAgent many = start(files)) {
                long started = System.nanoTime() - began;
                double bytes = (heap() - before) / (double) count;
                int threadsOfMany = threads() - threadsOfOne;
                Samples alone = new Samples();
                Samples among = new Samples();
                for (int i = 0; i < swaps; i++) {
                    SwapLatency.pause(40 + random.nextInt(20));
                    alone.add(swap(one, single, 0, i));
                    SwapLatency.pause(40 + random.nextInt(20));
                    int chosen = random.nextInt(count);
                    among.add(swap(many, files.get(chosen), chosen, i));
                }
                out.heading("Thousands of tokens in one agent, each in a watched file");
                out.columns("", "1 token", String.format(Locale.ROOT, "%,d tokens", count), "×");
                out.row("heap a token, without its value, B", "", bytes - VALUE_BYTES, "");
                out.row("threads of the agent", threadsOfOne, threadsOfMany, "");
                out.row("start, ms", "", started / 1e6, "");
                out.row("swap, median ms", alone.median(), among.median(), among.median() / alone.median());
                out.row(
                        "swap, p99 ms",
                        alone.quantile(0.99),
                        among.quantile(0.99),
                        among.quantile(0.99) / alone.quantile(0.99));
            }
        }
    }

    private List<Rename> files(Path folder) throws IOException {
        List<Path> folders = new ArrayList<>();
        for (int i = 0; i < FOLDERS; i++) {
            folders.add(Files.createDirectory(folder.resolve("team-" + i)));
        }
        List<Rename> files = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            files.add(new Rename(folders.get(i % FOLDERS), "token-" + i));
        }
        return files;
    }

    private static TokenAgent start(List<Rename> files) throws IOException {
        TokenAgent.Builder builder = TokenAgent.builder().startTimeout(Duration.ofMinutes(2));
        for (int i = 0; i < files.size(); i++) {
            builder.token("t" + i, TokenSources.file(files.get(i).token()));
        }
        return builder.start();
    }

    private double swap(TokenAgent agent, Rename file, int index, int round) throws IOException {
        String value = SwapLatency.value(round + 1);
        long swapped = file.swap(value);
        TokenProvider provider = agent.provider("t" + index);
        return (SwapLatency.await(() -> provider.get().reveal(), value) - swapped) / 1e6;
    }

    /** Threads that always are, without those of the pools, which end when there is nothing to do. */
    private static int threads() {
        return (int) Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name ->
                        name.startsWith("keyturn-") && !POOLS.matcher(name).matches())
                .count();
    }

    /** What is in use once everything is gone that can go. */
    private static long heap() throws InterruptedException {
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 5; i++) {
            System.gc();
            SwapLatency.pause(100);
            least = Math.min(
                    least,
                    ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
        }
        return least;
    }
}
