package io.keyturn.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.Main;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * Measures everything and prints the tables of docs/performance.md: without arguments in some fifteen minutes, with
 * {@code --quick} in a minute or two, to see that it works. Any other arguments are JMH's own.
 */
public final class Table {
    private static final String BYTES = "gc.alloc.rate.norm";

    private final boolean quick;
    private final Markdown out;
    private boolean failed;

    private Table(boolean quick) {
        this.quick = quick;
        this.out = new Markdown(System.out);
    }

    /** See above. */
    public static void main(String... arguments) throws Exception {
        boolean quick = List.of(arguments).equals(List.of("--quick"));
        if (arguments.length == 0 || quick) {
            new Table(quick).print();
        } else {
            Main.main(arguments);
        }
    }

    private void print() throws IOException {
        out.text("Measured on " + machine() + ", " + System.getProperty("java.vm.name") + " "
                + System.getProperty("java.runtime.version") + (quick ? "; a trial run, whose numbers mean little" : "")
                + ".");
        part("Memory", () -> new ManyTokens(quick).print(out));
        part("Benchmarks", this::benchmarks);
        part("Attaching", () -> new Attaching(quick).print(out));
        part("Whole call", () -> new WholeCall(quick).print(out));
        part("Stampede", () -> new Stampede(quick).print(out));
        part("Swap", () -> new SwapLatency(quick).print(out));
        if (failed) {
            System.exit(1);
        }
    }

    /** Something to measure. */
    @FunctionalInterface
    private interface Part {
        void print() throws Exception;
    }

    /** One that cannot be measured does not take the others with it. */
    private void part(String name, Part part) {
        long began = System.nanoTime();
        try {
            part.print();
        } catch (Exception e) {
            failed = true;
            e.printStackTrace();
            out.text("");
            out.text(name + " was not measured: " + e.getMessage());
        }
        System.err.println(name + " took " + TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - began) + " s");
    }

    private void benchmarks() throws RunnerException {
        out.heading("The current token");
        measured(CurrentTokenBenchmark.class, "volatileField", Map.of());
        out.heading("Filling in the references of a text");
        measured(PlaceholdersBenchmark.class, "commonsText", Map.of("text", "${AGENT_API_TOKEN}"));
    }

    /**
     * Runs a class of benchmarks a few times over, each time in new processes, and prints the medians of these rounds. A
     * round's time is the lower quartile of many short stretches: what else the machine does meanwhile only ever adds.
     */
    private void measured(Class<?> benchmarks, String baseline, Map<String, String> parameters) throws RunnerException {
        Map<String, Samples> nanos = new LinkedHashMap<>();
        Map<String, Samples> bytes = new LinkedHashMap<>();
        int rounds = quick ? 1 : 3;
        for (int round = 0; round < rounds; round++) {
            System.err.println(benchmarks.getSimpleName() + ", round " + (round + 1) + " of " + rounds);
            for (RunResult result : run(benchmarks, parameters)) {
                String name = name(result.getParams());
                nanos.computeIfAbsent(name, each -> new Samples())
                        .add(stretches(result).quantile(0.25));
                Result<?> allocated = result.getSecondaryResults().get(BYTES);
                bytes.computeIfAbsent(name, each -> new Samples()).add(allocated.getScore());
            }
        }
        double plainest = nanos.get(baseline).median();
        out.columns("", "ns", "from", "to", "B", "× " + baseline);
        nanos.forEach((name, samples) -> out.row(
                name,
                samples.median(),
                samples.quantile(0),
                samples.quantile(1),
                Math.round(bytes.get(name).median()),
                samples.median() / plainest));
    }

    private static Samples stretches(RunResult result) {
        Samples stretches = new Samples();
        for (BenchmarkResult fork : result.getBenchmarkResults()) {
            for (IterationResult iteration : fork.getIterationResults()) {
                stretches.add(iteration.getPrimaryResult().getScore());
            }
        }
        return stretches;
    }

    private Collection<RunResult> run(Class<?> benchmarks, Map<String, String> parameters) throws RunnerException {
        ChainedOptionsBuilder options = new OptionsBuilder()
                .include("\\." + benchmarks.getSimpleName() + "\\.")
                .forks(1)
                .warmupIterations(quick ? 1 : 3)
                .warmupTime(TimeValue.milliseconds(quick ? 100 : 300))
                .measurementIterations(quick ? 2 : 20)
                .measurementTime(TimeValue.milliseconds(50))
                .addProfiler(GCProfiler.class)
                .shouldFailOnError(true)
                .verbosity(VerboseMode.SILENT);
        parameters.forEach(options::param);
        return new Runner(options.build()).run();
    }

    private static String name(BenchmarkParams benchmark) {
        String full = benchmark.getBenchmark();
        return full.substring(full.lastIndexOf('.') + 1);
    }

    private static String machine() throws IOException {
        Path processors = Path.of("/proc/cpuinfo");
        String model = System.getProperty("os.arch");
        if (Files.isReadable(processors)) {
            model = Files.readAllLines(processors).stream()
                    .filter(line -> line.startsWith("model name"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse(model);
        }
        return Runtime.getRuntime().availableProcessors() + " cores (" + model + "), " + System.getProperty("os.name")
                + " " + System.getProperty("os.version");
    }
}
