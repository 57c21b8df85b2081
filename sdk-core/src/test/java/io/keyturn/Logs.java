package io.keyturn;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.LoggerFactory;

/** What one class logs, from the moment this is opened. */
final class Logs extends AppenderBase<ILoggingEvent> implements AutoCloseable {
    private final List<String> lines = new CopyOnWriteArrayList<>();
    private final Logger logger;

    private Logs(Logger logger) {
        this.logger = logger;
    }

    static Logs of(Class<?> type) {
        Logger logger = (Logger) LoggerFactory.getLogger(type);
        Logs logs = new Logs(logger);
        logs.setContext(logger.getLoggerContext());
        logs.start();
        logger.addAppender(logs);
        return logs;
    }

    /** Level and message of each line, in order. */
    List<String> lines() {
        return lines;
    }

    @Override
    protected void append(ILoggingEvent event) {
        lines.add(event.getLevel() + " " + event.getFormattedMessage());
    }

    @Override
    public void close() {
        logger.detachAppender(this);
        stop();
    }
}
