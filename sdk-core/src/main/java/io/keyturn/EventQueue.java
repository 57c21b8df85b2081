package io.keyturn;

import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenListener;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes events from whatever thread they happen on and hands them to the listeners on one of its own, in order. Nobody
 * waits for a listener: when too many events wait, the newest are dropped, counted and, once there is room, told.
 */
final class EventQueue implements TokenListener, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(TokenAgent.class);
    private static final int MOST_WAITING = 1024;
    private static final long CLOSE_MILLIS = 500;

    private final List<TokenListener> listeners;
    private final AtomicLong dropped = new AtomicLong();
    private final ThreadPoolExecutor thread;
    private volatile TokenListener first = event -> {};

    EventQueue(List<TokenListener> listeners) {
        this.listeners = new CopyOnWriteArrayList<>(listeners);
        this.thread = new ThreadPoolExecutor(
                1,
                1,
                10,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(MOST_WAITING),
                DaemonThreads.named("keyturn-listeners"),
                (event, queue) -> dropped.incrementAndGet());
        thread.allowCoreThreadTimeOut(true);
    }

    /**
     * Tells this one at once, whatever the others do, on the thread on which something happens: it neither blocks nor throws.
     */
    void tellFirst(TokenListener listener) {
        first = listener;
    }

    /** Tells one more listener from now on; closing what is answered ends that. */
    AutoCloseable add(TokenListener listener) {
        AtomicBoolean heard = new AtomicBoolean(true);
        listeners.add(listener);
        return () -> {
            // Once: the same listener may have been added again.
            if (heard.compareAndSet(true, false)) {
                listeners.remove(listener);
            }
        };
    }

    @Override
    public void onEvent(TokenEvent event) {
        first.onEvent(event);
        if (listeners.isEmpty() && !log.isWarnEnabled()) {
            // Nobody would hear it, and a thread has its price where a command checks a token and ends.
            return;
        }
        thread.execute(() -> tell(event));
    }

    private void tell(TokenEvent event) {
        long lost = dropped.getAndSet(0);
        if (lost > 0) {
            log.warn("{} events were dropped, since the listeners are too slow", lost);
        }
        log(event);
        for (TokenListener listener : listeners) {
            try {
                listener.onEvent(event);
            } catch (Throwable t) {
                // Of an error, too: the next listener and the next event are not its business. Only the class is told,
                // since what a listener says may hold anything.
                log.warn("a listener failed with {}", t.getClass().getName());
            }
        }
    }

    private static void log(TokenEvent event) {
        if (event instanceof TokenEvent.Resolved
                || event instanceof TokenEvent.Swapped
                || event instanceof TokenEvent.Reloaded) {
            log.info("{}", event);
        } else if (event instanceof TokenEvent.Overridden) {
            log.debug("{}", event);
        } else {
            log.warn("{}", event);
        }
    }

    /** Lets the listeners hear what has happened so far, for a moment. */
    @Override
    public void close() {
        thread.shutdown();
        try {
            if (!thread.awaitTermination(CLOSE_MILLIS, TimeUnit.MILLISECONDS)) {
                thread.shutdownNow();
            }
        } catch (InterruptedException e) {
            thread.shutdownNow();
            Thread.currentThread().interrupt();
        }
    }
}
