package io.keyturn;

import java.util.concurrent.ThreadFactory;

/** Threads that keep no process alive. */
record DaemonThreads(String name) implements ThreadFactory {
    static ThreadFactory named(String name) {
        return new DaemonThreads(name);
    }

    @Override
    public Thread newThread(Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        return thread;
    }
}
