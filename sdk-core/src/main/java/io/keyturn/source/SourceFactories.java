package io.keyturn.source;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which factories there are: those of this module, and those that {@link ServiceLoader} finds. */
final class SourceFactories {
    private static final Logger log = LoggerFactory.getLogger(SourceFactories.class);

    private SourceFactories() {}

    /** By key. Where two have the same key the first is taken: ours, then those beside ours, then the application's. */
    static Map<String, TokenSourceFactory> load() {
        Map<String, TokenSourceFactory> factories = new LinkedHashMap<>();
        ClassLoader ours = SourceFactories.class.getClassLoader();
        ClassLoader applications = Thread.currentThread().getContextClassLoader();
        add(factories, ours);
        if (applications != null && !applications.equals(ours)) {
            add(factories, applications);
        }
        return factories;
    }

    private static void add(Map<String, TokenSourceFactory> factories, @Nullable ClassLoader loader) {
        Iterator<TokenSourceFactory> found =
                ServiceLoader.load(TokenSourceFactory.class, loader).iterator();
        while (hasNext(found)) {
            try {
                TokenSourceFactory factory = found.next();
                factories.putIfAbsent(factory.key(), factory);
            } catch (ServiceConfigurationError | RuntimeException | LinkageError e) {
                // One that cannot be loaded, such as a module whose own libraries are not there, is as if it were
                // missing.
                warn(e);
            }
        }
    }

    private static boolean hasNext(Iterator<TokenSourceFactory> found) {
        try {
            return found.hasNext();
        } catch (ServiceConfigurationError e) {
            warn(e);
            return false;
        }
    }

    private static void warn(Throwable e) {
        Throwable cause = e.getCause() == null ? e : e.getCause();
        // Which class is missing, and which entry is wrong, is Java's own word. Anybody's exception may hold anything.
        boolean told = cause instanceof LinkageError
                || cause instanceof ClassNotFoundException
                || cause instanceof ServiceConfigurationError;
        log.warn(
                "a factory of sources cannot be loaded: {}",
                told ? cause.toString() : cause.getClass().getName());
    }
}
