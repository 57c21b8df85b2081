package io.keyturn.benchmarks;

import java.util.List;

/** {@link AttachBenchmark} as a table, in which what is compared takes turns. */
final class Attaching {
    private final boolean quick;

    Attaching(boolean quick) {
        this.quick = quick;
    }

    void print(Markdown out) throws Exception {
        List<String> names = List.copyOf(new AttachBenchmark().calls().keySet());
        Relay relay = new Relay(Attaching.class, names, quick ? 200 : 1500);
        out.heading("Attaching it to a request, on a chain that answers at once");
        out.compared(quick ? relay.compare(1, 3) : relay.compare(15, 30));
    }

    /** One of the processes. */
    public static void main(String... nameAndWarmUp) throws Exception {
        AttachBenchmark benchmark = new AttachBenchmark();
        benchmark.start();
        Relay.run(benchmark.calls().get(nameAndWarmUp[0]), Long.parseLong(nameAndWarmUp[1]));
        benchmark.close();
    }
}
