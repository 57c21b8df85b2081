package io.keyturn.benchmarks;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;

/**
 * Compares things by letting them take turns in one thread, each round in another order, so that what else the machine does
 * meets all of them. The ratios are those of neighbours, and the lower quartile of each block counts: a disturbance only
 * ever adds.
 */
final class Turns {
    private static final int TURNS_A_BLOCK = 50;

    private final List<Subject> subjects = new ArrayList<>();
    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** Written so that the compiler leaves nothing out. */
    @SuppressWarnings("UnusedVariable")
    private volatile Object result;

    /** One of them, what its present block has shown, and what all have. */
    private static final class Subject {
        private final Callable<?> call;
        private final Compared compared;
        private Samples nanos = new Samples();
        private Samples bytes = new Samples();

        private Subject(String name, Callable<?> call) {
            this.call = call;
            this.compared = new Compared(name);
        }
    }

    /** Adds one. The others are compared with the first. */
    Turns with(String name, Callable<?> call) {
        subjects.add(new Subject(name, call));
        return this;
    }

    List<Compared> measure(int blocks) throws Exception {
        run(blocks / 2);
        subjects.forEach(subject -> subject.compared.clear());
        run(blocks);
        return subjects.stream().map(subject -> subject.compared).toList();
    }

    private void run(int blocks) throws Exception {
        List<Subject> order = new ArrayList<>(subjects);
        for (int i = 0; i < blocks; i++) {
            for (int turn = 0; turn < TURNS_A_BLOCK; turn++) {
                Collections.rotate(order, 1);
                for (Subject subject : order) {
                    turn(subject);
                }
            }
            double first = subjects.get(0).nanos.quantile(0.25);
            for (Subject subject : subjects) {
                double nanos = subject.nanos.quantile(0.25);
                subject.compared.add(nanos, nanos / first, subject.bytes.median());
                subject.nanos = new Samples();
                subject.bytes = new Samples();
            }
        }
    }

    private void turn(Subject subject) throws Exception {
        long bytes = threads.getCurrentThreadAllocatedBytes();
        long began = System.nanoTime();
        result = subject.call.call();
        double nanos = System.nanoTime() - began;
        subject.bytes.add(threads.getCurrentThreadAllocatedBytes() - bytes);
        subject.nanos.add(nanos);
    }
}
