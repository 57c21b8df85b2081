package io.keyturn;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Problem;
import io.keyturn.event.TokenListener;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.token.TokenException;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URLEncoder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.regex.Pattern;
import org.assertj.core.api.Assertions;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.slf4j.LoggerFactory;

/**
 * A token that must not come out, and the search for it. As an extension it listens around each test to standard output,
 * standard error, the logs (SLF4J through Logback at TRACE, and java.util.logging), and looks at the names of threads;
 * exceptions, events and any other text are handed to it. After the test it searches all of that for the token, for any
 * eight characters of it in a row, and for both in base64 (plain and for URLs, whatever stands before it), hexadecimal,
 * URL encoding and JSON escapes.
 *
 * <pre>{@code
 * @RegisterExtension
 * final Canary canary = new Canary();
 *
 * TokenException e = canary.caught(TokenException.class, () -> source(canary.token()).fetch());
 * }</pre>
 *
 * <p>It may be handed things from any thread. Standard output is one for the whole JVM: tests that run at the same time
 * hear each other.
 */
public final class Canary implements BeforeEachCallback, AfterEachCallback, AutoCloseable {
    /**
     * Unlike anything else that is printed. It begins as a word does, which parsers like to quote, and goes on with
     * characters that URLs and base64 for URLs write another way.
     */
    public static final String TOKEN = "kT9xQ2vB7m+Z4/pL8wR3~nD6sYc0=";

    /** The same without characters that mean something in YAML, JSON, URLs or references. */
    public static final String WORD = "kT9xQ2vB7mZ4pL8wR3nD6s";

    private static final int SLICE = 8;

    private final String token;
    private final Map<String, String> needles;
    private final Queue<Seen> seen = new ConcurrentLinkedQueue<>();
    private final List<AutoCloseable> ears = new ArrayList<>();

    /** What was emitted, and where. */
    private record Seen(String where, String text) {}

    /** A canary with the usual token. */
    public Canary() {
        this(TOKEN);
    }

    /** A canary with a token of one's own, which must be at least eight characters long. */
    public Canary(String token) {
        this.token = token;
        this.needles = needles(token);
    }

    /** The token to be hidden. */
    public String token() {
        return token;
    }

    // --- what it is handed ---

    /** A text that was emitted, such as a report. */
    public Canary saw(String where, Object text) {
        seen.add(new Seen(where, String.valueOf(text)));
        return this;
    }

    /** An exception that was thrown: all that it, its causes and what it suppressed tell. */
    public <T extends Throwable> T saw(T thrown) {
        StringWriter trace = new StringWriter();
        thrown.printStackTrace(new PrintWriter(trace));
        saw("stack trace", trace);
        look(thrown, Collections.newSetFromMap(new IdentityHashMap<>()));
        return thrown;
    }

    /** What the code throws, which must be of this type. */
    public <T extends Throwable> T caught(Class<T> type, ThrowingCallable code) {
        Throwable thrown = Assertions.catchThrowable(code);
        if (thrown != null) {
            saw(thrown);
        }
        Assertions.assertThat(thrown).isInstanceOf(type);
        return type.cast(thrown);
    }

    /** To be told of an agent's events. */
    public TokenListener listener() {
        return event -> saw("event", event);
    }

    private void look(Throwable thrown, Set<Throwable> looked) {
        if (!looked.add(thrown)) {
            return;
        }
        saw("exception", thrown);
        saw("message", thrown.getMessage());
        saw("localized message", thrown.getLocalizedMessage());
        if (thrown instanceof TokenException e) {
            saw("fix", e.fix());
        }
        if (thrown instanceof TokenUnavailableException e) {
            e.attempts().forEach(attempt -> look(attempt, looked));
        }
        if (thrown instanceof ConfigException e) {
            for (Problem problem : e.problems()) {
                saw("problem", problem)
                        .saw("fix", problem.fix())
                        .saw("path", problem.at().path());
            }
        }
        if (thrown.getCause() != null) {
            look(thrown.getCause(), looked);
        }
        for (Throwable suppressed : thrown.getSuppressed()) {
            look(suppressed, looked);
        }
    }

    // --- what it listens to ---

    @Override
    public void beforeEach(ExtensionContext context) {
        listen();
    }

    @Override
    public void afterEach(ExtensionContext context) {
        close();
    }

    /** Begins to listen. What is printed still goes where it went. */
    public Canary listen() {
        // Its console handler is made when it is first used, and would keep the stream of that moment.
        Logger root = Logger.getLogger("");
        root.getHandlers();
        ears.add(new Printed("standard output", System.out, System::setOut));
        ears.add(new Printed("standard error", System.err, System::setErr));
        ears.add(new JavaLogs());
        if (isLogbackThere()) {
            ears.add(new SlfLogs());
        }
        return this;
    }

    /** Ends the listening and searches. */
    @Override
    public void close() {
        Thread.getAllStackTraces().keySet().forEach(thread -> saw("thread name", thread.getName()));
        stopListening();
        assertUnseen();
    }

    private void stopListening() {
        System.out.flush();
        System.err.flush();
        Collections.reverse(ears);
        for (AutoCloseable ear : ears) {
            try {
                ear.close();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
        ears.clear();
    }

    static boolean isLogbackThere() {
        try {
            return LoggerFactory.getILoggerFactory().getClass().getName().startsWith("ch.qos.logback.");
        } catch (LinkageError e) {
            return false;
        }
    }

    /** Keeps what is printed, and passes it on when it is flushed, which a stream does by itself after each text. */
    private final class Printed extends ByteArrayOutputStream {
        private final String where;
        private final PrintStream before;
        private final Consumer<PrintStream> set;
        private int passedOn;

        Printed(String where, PrintStream before, Consumer<PrintStream> set) {
            this.where = where;
            this.before = before;
            this.set = set;
            set.accept(new PrintStream(this, true, UTF_8));
        }

        @Override
        public void flush() {
            before.write(buf, passedOn, count - passedOn);
            before.flush();
            passedOn = count;
        }

        @Override
        public void close() {
            set.accept(before);
            saw(where, toString(UTF_8));
        }
    }

    /** All of java.util.logging, but for the servers of the tests, which may say what they were sent. */
    private final class JavaLogs extends Handler implements AutoCloseable {
        private static final List<String> SERVERS = List.of("mockwebserver3", "com.sun.net.httpserver", "sun.net.");

        // Held, since the framework keeps loggers weakly, and a level is forgotten with its logger.
        private final Map<Logger, Optional<Level>> levels = new LinkedHashMap<>();

        JavaLogs() {
            setLevel(Level.ALL);
            for (String name : List.of("io.keyturn", "okhttp3")) {
                Logger logger = Logger.getLogger(name);
                levels.put(logger, Optional.ofNullable(logger.getLevel()));
                logger.setLevel(Level.ALL);
            }
            Logger.getLogger("").addHandler(this);
        }

        @Override
        public void publish(LogRecord log) {
            String name = String.valueOf(log.getLoggerName());
            if (SERVERS.stream().anyMatch(name::startsWith)) {
                return;
            }
            saw("log " + name, new SimpleFormatter().formatMessage(log));
            if (log.getThrown() != null) {
                saw(log.getThrown());
            }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {
            Logger.getLogger("").removeHandler(this);
            levels.forEach((logger, level) -> logger.setLevel(level.orElse(null)));
        }
    }

    /** Logback's classes are mentioned here alone: the CLI's tests do without. */
    private final class SlfLogs extends ch.qos.logback.core.AppenderBase<ch.qos.logback.classic.spi.ILoggingEvent>
            implements AutoCloseable {
        private final ch.qos.logback.classic.Logger root;
        private final ch.qos.logback.classic.Level before;

        SlfLogs() {
            root = (ch.qos.logback.classic.Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
            before = root.getLevel();
            setContext(root.getLoggerContext());
            start();
            root.setLevel(ch.qos.logback.classic.Level.TRACE);
            root.addAppender(this);
        }

        @Override
        protected void append(ch.qos.logback.classic.spi.ILoggingEvent event) {
            saw("log " + event.getLoggerName(), event.getFormattedMessage());
            saw("log context", event.getMDCPropertyMap());
            if (event.getKeyValuePairs() != null) {
                saw("log values", event.getKeyValuePairs());
            }
            if (event.getThrowableProxy() instanceof ch.qos.logback.classic.spi.ThrowableProxy proxy) {
                saw(proxy.getThrowable());
            }
        }

        @Override
        public void close() {
            root.detachAppender(this);
            root.setLevel(before);
            stop();
        }
    }

    // --- the search ---

    /** Fails if an exception tells anything of {@link #WORD}: itself, what it carries, its causes, what it suppressed. */
    public static void assertNotIn(Throwable thrown) {
        Canary word = new Canary(WORD);
        word.saw(thrown);
        word.assertUnseen();
    }

    /** Fails if the token, or a piece of it, was seen so far. */
    public void assertUnseen() {
        Assertions.assertThat(findings()).as("places where the token was seen").isEmpty();
    }

    /** Where the token was seen so far, and in which form. */
    public List<String> findings() {
        Set<String> found = new LinkedHashSet<>();
        for (Seen each : seen) {
            needles.forEach((needle, form) -> {
                if (each.text.contains(needle)) {
                    found.add(each.where + " has it " + form);
                }
            });
        }
        return List.copyOf(found);
    }

    /** What is searched for, and in which form that is the token. */
    static Map<String, String> needles(String token) {
        if (token.length() < SLICE) {
            throw new IllegalArgumentException("too short for a search");
        }
        Map<String, String> found = new LinkedHashMap<>();
        for (int i = 0; i + SLICE <= token.length(); i++) {
            String slice = token.substring(i, i + SLICE);
            byte[] bytes = slice.getBytes(UTF_8);
            String hex = HexFormat.of().formatHex(bytes);
            String percents = hex.replaceAll("..", "%$0");
            found.putIfAbsent(slice, "as it is");
            found.putIfAbsent(hex, "in hexadecimal");
            found.putIfAbsent(hex.toUpperCase(Locale.ROOT), "in hexadecimal");
            found.putIfAbsent(URLEncoder.encode(slice, UTF_8), "URL-encoded");
            found.putIfAbsent(lowerEscapes(URLEncoder.encode(slice, UTF_8)), "URL-encoded");
            found.putIfAbsent(percents, "URL-encoded");
            found.putIfAbsent(percents.toUpperCase(Locale.ROOT), "URL-encoded");
            found.putIfAbsent(slice.replace("/", "\\/"), "in JSON");
            for (int before = 0; before < 3; before++) {
                found.putIfAbsent(base64(bytes, before, Base64.getEncoder()), "in base64");
                found.putIfAbsent(base64(bytes, before, Base64.getUrlEncoder()), "in base64");
            }
        }
        return found;
    }

    private static String lowerEscapes(String encoded) {
        return Pattern.compile("%..").matcher(encoded).replaceAll(m -> m.group().toLowerCase(Locale.ROOT));
    }

    /** The characters of base64 that are the same whatever stands around these bytes, this many bytes after a third. */
    private static String base64(byte[] bytes, int before, Base64.Encoder encoder) {
        byte[] shifted = new byte[before + bytes.length];
        System.arraycopy(bytes, 0, shifted, before, bytes.length);
        String encoded = encoder.withoutPadding().encodeToString(shifted);
        int from = (before * 8 + 5) / 6;
        int to = shifted.length * 8 / 6;
        return encoded.substring(from, to);
    }
}
