package io.keyturn.source;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.ProcessBuilder.Redirect;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/**
 * A program that was started for what it prints. It has nothing to read, and what it says on its standard error goes
 * nowhere. For one thread.
 *
 * <p>A read from a pipe cannot be interrupted, and ends only when everybody has closed the other end: a process that the
 * program has left behind would keep it waiting for good. So nothing is read but what is already there, and what is
 * waited for in between is the end of the program, which wakes this thread at once.
 */
final class RunningCommand implements AutoCloseable {
    /** How long programs that are asked to end may take for it. */
    private static final long GRACE_NANOS = Duration.ofMillis(100).toNanos();

    /** How long is waited before one looks whether it has printed more: a quick program is not kept waiting. */
    private static final long SHORTEST_PAUSE_NANOS = Duration.ofMillis(1).toNanos();

    private static final long LONGEST_PAUSE_NANOS = Duration.ofMillis(20).toNanos();

    private final Process process;
    private final InputStream printed;
    /** The processes that were asked to end: once the program has, nobody can tell any more which were its own. */
    private List<ProcessHandle> asked = List.of();

    private RunningCommand(Process process) {
        this.process = process;
        this.printed = process.getInputStream();
    }

    /**
     * Starts it in the working directory of this process.
     *
     * @param environment all the variables that it has
     * @throws IOException if it could not be started; the message may repeat what stands here
     */
    static RunningCommand start(List<String> words, Map<String, String> environment) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(words)
                .redirectInput(Redirect.from(Redirect.DISCARD.file()))
                .redirectError(Redirect.DISCARD);
        builder.environment().clear();
        builder.environment().putAll(environment);
        return new RunningCommand(builder.start());
    }

    /**
     * What it prints until it ends.
     *
     * @param most so many bytes are read, and one more; whoever gets that many has not seen everything
     * @throws TimeoutException if it has not ended in time; it was then asked to
     * @throws InterruptedException if this thread is interrupted meanwhile
     */
    byte[] output(Duration limit, int most) throws IOException, InterruptedException, TimeoutException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        long begun = System.nanoTime();
        long pause = SHORTEST_PAUSE_NANOS;
        boolean ended = false;
        while (!ended && all.size() <= most) {
            long left = limit.toNanos() - (System.nanoTime() - begun);
            if (left <= 0) {
                askToEnd();
                throw new TimeoutException();
            }
            ended = process.waitFor(Math.min(pause, left), TimeUnit.NANOSECONDS);
            // Whatever it has printed before its end is there by now.
            pause = take(all, most) ? SHORTEST_PAUSE_NANOS : Math.min(2 * pause, LONGEST_PAUSE_NANOS);
        }
        return all.toByteArray();
    }

    /** Takes what is there, and tells whether there was anything. */
    private boolean take(ByteArrayOutputStream all, int most) throws IOException {
        int before = all.size();
        int there = printed.available();
        while (there > 0 && all.size() <= most) {
            all.writeBytes(printed.readNBytes(Math.min(there, most + 1 - all.size())));
            there = printed.available();
        }
        return all.size() > before;
    }

    /** What it has ended with: 0 if all went well. */
    int exitValue() {
        return process.exitValue();
    }

    private void askToEnd() throws InterruptedException {
        asked = Stream.concat(Stream.of(process.toHandle()), process.descendants())
                .toList();
        asked.forEach(ProcessHandle::destroy);
        long begun = System.nanoTime();
        while (asked.stream().anyMatch(ProcessHandle::isAlive) && System.nanoTime() - begun < GRACE_NANOS) {
            TimeUnit.NANOSECONDS.sleep(SHORTEST_PAUSE_NANOS);
        }
    }

    /**
     * Ends the program and all that it has started, at once, if it has not ended. What a program leaves behind that ends
     * well is meant to stay, such as an agent that keeps a key open.
     */
    @Override
    public void close() throws IOException {
        if (process.isAlive()) {
            kill(process.toHandle());
        }
        asked.forEach(RunningCommand::kill);
        printed.close();
    }

    /** From the top down, so that none starts another one that is not seen. */
    private static void kill(ProcessHandle top) {
        Deque<ProcessHandle> doomed = new ArrayDeque<>(List.of(top));
        while (!doomed.isEmpty()) {
            ProcessHandle next = doomed.remove();
            // Of one that has ended its number may be another's by now, and so would its children be.
            List<ProcessHandle> children = next.isAlive() ? next.children().toList() : List.of();
            next.destroyForcibly();
            doomed.addAll(children);
        }
    }
}
