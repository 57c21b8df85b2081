package io.keyturn.cli;

import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.config.ConfigException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Keeps an agent open that only looks: what happens to its tokens is told when it happens, and a check is made again and
 * again. Ends when the process is told to end, when its thread is interrupted, or when nobody reads it any more.
 */
final class Watch {
    /** How long the end of the process waits for the last lines; all together must take less than 2 s. */
    private static final long END_MILLIS = 1_500;

    private final Asked asked;
    private final Shell shell;
    private final WatchLines lines;
    private final CountDownLatch over = new CountDownLatch(1);
    private final CountDownLatch told = new CountDownLatch(1);

    Watch(Asked asked, Shell shell) {
        this.asked = asked;
        this.shell = shell;
        this.lines = new WatchLines(shell, asked.json());
    }

    int run() {
        TokenAgent agent;
        try {
            agent = Configuration.read(asked, shell, Asked.LIMIT)
                    .listener(event -> {
                        lines.event(event);
                        endIfUnread();
                    })
                    .watch();
        } catch (ConfigException e) {
            CheckReport report = new CheckReport("agent", e.problems(), List.of(), List.of(), false);
            shell.print(report, asked.json());
            return report.exitCode();
        }
        Thread here = Thread.currentThread();
        Thread atExit = new Thread(() -> end(here), "keyturn-end");
        if (!isEndingWith(atExit)) {
            agent.close();
            return HealthCheck.UNKNOWN;
        }
        boolean interrupted;
        int exit;
        try {
            exit = keepChecking(agent);
        } finally {
            // Closing tells what has happened so far, for which it must be able to wait.
            interrupted = Thread.interrupted();
            agent.close();
            shell.out().flush();
            told.countDown();
            forget(atExit);
        }
        if (interrupted) {
            here.interrupt();
        }
        return exit;
    }

    private int keepChecking(TokenAgent agent) {
        int exit = HealthCheck.OK;
        while (over.getCount() > 0) {
            long started = System.nanoTime();
            CheckReport report = agent.check();
            if (Thread.currentThread().isInterrupted()) {
                // It was cut off, and tells nothing.
                return exit;
            }
            lines.check(report);
            exit = report.exitCode();
            endIfUnread();
            try {
                Duration left = asked.time().minusNanos(System.nanoTime() - started);
                var unused = over.await(left.toNanos(), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return exit;
            }
        }
        return exit;
    }

    private void endIfUnread() {
        if (shell.out().checkError()) {
            over.countDown();
        }
    }

    /** On the thread that ends the process: the process is gone when this returns. */
    private void end(Thread watching) {
        over.countDown();
        watching.interrupt();
        try {
            var unused = told.await(END_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static boolean isEndingWith(Thread atExit) {
        try {
            Runtime.getRuntime().addShutdownHook(atExit);
            return true;
        } catch (IllegalStateException e) {
            // The process is ending already.
            return false;
        }
    }

    private static void forget(Thread atExit) {
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException e) {
            // It is what ends this.
        }
    }
}
