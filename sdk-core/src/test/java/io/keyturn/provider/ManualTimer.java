package io.keyturn.provider;

import io.keyturn.ManualClock;
import java.time.Duration;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;

/** Runs what is due when a test lets time go by, on the test's thread, each task at its very moment. */
final class ManualTimer implements Schedule.Timer {
    private final ManualClock clock;
    private final PriorityQueue<Task> waiting = new PriorityQueue<>(
            Comparator.comparingLong((Task task) -> task.dueNanos).thenComparingLong(task -> task.number));
    private long planned;
    private int ran;

    ManualTimer(ManualClock clock) {
        this.clock = clock;
    }

    private static final class Task extends FutureTask<Object> {
        private final long dueNanos;
        private final long number;

        Task(Runnable code, long dueNanos, long number) {
            super(code, null);
            this.dueNanos = dueNanos;
            this.number = number;
        }
    }

    @Override
    public Future<?> in(long nanos, Runnable code) {
        synchronized (waiting) {
            Task task = new Task(code, clock.nanos() + nanos, planned++);
            waiting.add(task);
            return task;
        }
    }

    /** How much is planned. */
    int size() {
        synchronized (waiting) {
            waiting.removeIf(Task::isDone);
            return waiting.size();
        }
    }

    /** How many tasks run meanwhile. */
    int ranWhile(Runnable something) {
        int before = ran;
        something.run();
        return ran - before;
    }

    void advance(Duration time) {
        long end = clock.nanos() + time.toNanos();
        for (Task task = next(end); task != null; task = next(end)) {
            clock.advance(Duration.ofNanos(Math.max(0, task.dueNanos - clock.nanos())));
            task.run();
            ran++;
        }
        clock.advance(Duration.ofNanos(Math.max(0, end - clock.nanos())));
    }

    private Task next(long end) {
        synchronized (waiting) {
            Task first = waiting.peek();
            return first == null || first.dueNanos > end ? null : waiting.poll();
        }
    }
}
