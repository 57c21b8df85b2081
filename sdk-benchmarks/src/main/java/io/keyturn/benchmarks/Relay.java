package io.keyturn.benchmarks;

import com.sun.management.ThreadMXBean;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.ProcessBuilder.Redirect;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;

/**
 * Compares calls that take less than a microsecond. Each has a process to itself, since the compiler makes something else of
 * it where others have run, and the processes take turns of some milliseconds, since a machine changes its speed from one
 * second to the next. The ratios are those of neighbours. All of it is done with several sets of processes: from one to the
 * next the same code differs by a tenth.
 */
final class Relay {
    private static final long TURN = TimeUnit.MILLISECONDS.toNanos(20);

    private final Class<?> main;
    private final List<String> names;
    private final long warmUp;

    /**
     * A comparison.
     *
     * @param main has a main method that is given one of the names and says {@link #run}
     * @param names of what is compared, with the first one
     * @param warmUp milliseconds
     */
    Relay(Class<?> main, List<String> names, long warmUp) {
        this.main = main;
        this.names = names;
        this.warmUp = warmUp;
    }

    List<Compared> compare(int sets, int turns) throws IOException {
        List<Compared> all = names.stream().map(Compared::new).toList();
        for (int set = 0; set < sets; set++) {
            System.err.println(main.getSimpleName() + ", processes " + (set + 1) + " of " + sets);
            List<Runner> runners = new ArrayList<>();
            try {
                for (String name : names) {
                    runners.add(new Runner(name));
                }
                for (int turn = 0; turn < turns; turn++) {
                    for (Runner runner : runners) {
                        runner.turn();
                    }
                }
                for (int i = 0; i < names.size(); i++) {
                    Runner runner = runners.get(i);
                    all.get(i).add(runner.nanos.median(), runner.ratioTo(runners.get(0)), runner.bytes.median());
                }
            } finally {
                runners.forEach(Runner::close);
            }
        }
        return all;
    }

    /** A process, as seen from outside. */
    private final class Runner implements Closeable {
        private final Process process;
        private final PrintStream orders;
        private final BufferedReader answers;
        private final Samples nanos = new Samples();
        private final Samples bytes = new Samples();

        Runner(String name) throws IOException {
            Path java = Path.of(System.getProperty("java.home"), "bin", "java");
            process = new ProcessBuilder(
                            java.toString(),
                            "-Xmx256m",
                            "-cp",
                            System.getProperty("java.class.path"),
                            main.getName(),
                            name,
                            String.valueOf(warmUp))
                    .redirectError(Redirect.DISCARD)
                    .start();
            orders = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
            answers = process.inputReader(StandardCharsets.UTF_8);
            if (!"ready".equals(answers.readLine())) {
                close();
                throw new IOException(main.getName() + " " + name + " does not run");
            }
        }

        void turn() throws IOException {
            orders.println();
            String[] answer = String.valueOf(answers.readLine()).split(" ");
            nanos.add(Double.parseDouble(answer[0]));
            bytes.add(Double.parseDouble(answer[1]));
        }

        double ratioTo(Runner first) {
            return nanos.over(first.nanos).median();
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }

    // --- in that process ---

    /** Written so that the compiler leaves nothing out. */
    @SuppressWarnings("UnusedVariable")
    private static volatile Object result;

    /**
     * Takes turns until nobody gives any more.
     *
     * @param warmUp milliseconds
     */
    static void run(Callable<?> call, long warmUp) throws Exception {
        long calls = 0;
        long began = System.nanoTime();
        for (long end = began + TimeUnit.MILLISECONDS.toNanos(warmUp); System.nanoTime() < end; calls += 1000) {
            repeat(call, 1000);
        }
        long turn = Math.max(1, calls * TURN / (System.nanoTime() - began));
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.out.println("ready");
        while (orders.readLine() != null) {
            // Another process has had the caches meanwhile.
            repeat(call, turn / 20);
            long bytes = threads.getCurrentThreadAllocatedBytes();
            long start = System.nanoTime();
            repeat(call, turn);
            long nanos = System.nanoTime() - start;
            System.out.println(
                    (double) nanos / turn + " " + (double) (threads.getCurrentThreadAllocatedBytes() - bytes) / turn);
        }
    }

    private static void repeat(Callable<?> call, long times) throws Exception {
        for (long i = 0; i < times; i++) {
            result = call.call();
        }
    }
}
