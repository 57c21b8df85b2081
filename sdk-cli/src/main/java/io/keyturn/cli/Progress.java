package io.keyturn.cli;

import java.io.PrintStream;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** One line that tells a person at a terminal that something is under way. It is rewritten, and gone in the end. */
final class Progress {
    /** What is over before this needs no line. */
    private static final long QUIET_MILLIS = 400;

    private static final long STEP_MILLIS = 200;
    private static final String START_OF_LINE = "\r\u001B[K";

    private final PrintStream err;
    private final String what;
    private final long started = System.nanoTime();
    private final CountDownLatch over = new CountDownLatch(1);
    private final Thread thread = new Thread(this::tell, "keyturn-progress");

    private Progress(PrintStream err, String what) {
        this.err = err;
        this.what = what;
    }

    /** Begins to tell it, if a person looks. */
    static Progress begin(Shell shell, String what) {
        Progress progress = new Progress(shell.err(), what);
        if (shell.progress()) {
            progress.thread.setDaemon(true);
            progress.thread.start();
        }
        return progress;
    }

    private void tell() {
        try {
            if (over.await(QUIET_MILLIS, TimeUnit.MILLISECONDS)) {
                return;
            }
            do {
                long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - started);
                err.print(START_OF_LINE + what + " … " + seconds + " s");
                err.flush();
            } while (!over.await(STEP_MILLIS, TimeUnit.MILLISECONDS));
            err.print(START_OF_LINE);
            err.flush();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits until the line is gone, so that it does not fall into the result. */
    void end() {
        over.countDown();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
