package io.keyturn;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.AppenderBase;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import javax.management.JMException;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.slf4j.LoggerFactory;

/**
 * Listens to a whole run of tests, and fails it if a test's token came out: on standard output or error, in a log (all of
 * SLF4J where Logback is bound, of java.util.logging what it prints) or, at the end, in the name of a thread, an MBean with
 * its attributes or a system property. {@link Canary} looks closer, at one test and at what it is handed; this one sees
 * what nobody thought of handing to it.
 *
 * <p>It knows tokens by their look: those that begin with {@code ktn_}, and of those listed below any eight characters in
 * a row, as they are and encoded. JUnit finds it by its service file; it does not listen while Jazzer fuzzes, which prints
 * what it tries.
 */
public final class SuiteCanary implements BeforeAllCallback, BeforeEachCallback {
    /** What the tests' tokens are made of. */
    private static final List<String> SECRETS = List.of(
            Canary.TOKEN,
            FuzzCase.SECRET,
            "7Qm2Xv9LrT4wZ8c1",
            "7Qm2Xv9/LrT4wZ8c1==",
            "5Hd3Kp6NsY0bJ2f9",
            "5Hd3Kp6/NsY0bJ2f9==",
            "newer_2Bd8Wq1ZuX");

    /** What is a token wherever it stands, or begins one. */
    private static final List<String> BEGINNINGS = List.of("ktn_", "token-1", "token-2", "token-three");

    /** They let a token out, and see whether that is noticed. */
    private static final Set<String> ON_PURPOSE = Set.of(CanaryTest.class.getName(), SuiteCanaryTest.class.getName());

    @Override
    public void beforeAll(ExtensionContext context) {
        if (System.getenv("JAZZER_FUZZ") == null) {
            context.getRoot().getStore(Namespace.create(SuiteCanary.class)).getOrComputeIfAbsent(Ears.class);
        }
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        Ears.running = new Running(
                context.getRequiredTestClass().getName(),
                context.getRequiredTestMethod().getName());
    }

    /** A test. */
    private record Running(String type, String method) {
        @Override
        public String toString() {
            return method.isEmpty() ? type : type + "." + method;
        }
    }

    /** Closed by JUnit when all tests are over; what it throws then is a failure of the run. */
    static final class Ears implements AutoCloseable {
        /** The test that began last: who is to be asked about what was heard. */
        private static volatile Running running = new Running("the beginning", "");

        private final Set<String> onPurpose;

        private final Search search = new Search();
        private final Set<String> found = new ConcurrentSkipListSet<>();
        private final PrintStream out = System.out;
        private final PrintStream err = System.err;
        private final Runnable noLogs;

        Ears() {
            this(ON_PURPOSE);
        }

        Ears(Set<String> onPurpose) {
            this.onPurpose = onPurpose;
            System.setOut(heard("standard output", out));
            System.setErr(heard("standard error", err));
            noLogs = Canary.isLogbackThere() ? new Logs()::close : () -> {};
        }

        private PrintStream heard(String where, PrintStream stream) {
            return new PrintStream(new Lines(where, stream), true, Charset.defaultCharset());
        }

        private boolean isOnPurpose() {
            return onPurpose.contains(running.type);
        }

        void hear(String where, String text) {
            if (isOnPurpose()) {
                return;
            }
            search.in(text).forEach(form -> found.add(where + " has a token " + form + ", about " + running));
        }

        @Override
        public void close() {
            System.setOut(out);
            System.setErr(err);
            noLogs.run();
            running = new Running("the end", "");
            Thread.getAllStackTraces().keySet().forEach(thread -> hear("a thread's name", thread.getName()));
            System.getProperties().forEach((key, value) -> hear("system property " + key, key + "=" + value));
            beans(ManagementFactory.getPlatformMBeanServer());
            if (!found.isEmpty()) {
                throw new AssertionError("tokens came out:\n" + String.join("\n", found));
            }
        }

        private void beans(MBeanServer server) {
            for (ObjectName name : server.queryNames(null, null)) {
                hear("the name of an MBean", name.toString());
                try {
                    for (MBeanAttributeInfo attribute :
                            server.getMBeanInfo(name).getAttributes()) {
                        hear("MBean " + name, attribute + " " + value(server, name, attribute.getName()));
                    }
                } catch (JMException e) {
                    hear("MBean " + name, e.toString());
                }
            }
        }

        private static String value(MBeanServer server, ObjectName name, String attribute) {
            try {
                return Arrays.deepToString(new Object[] {server.getAttribute(name, attribute)});
            } catch (JMException | RuntimeException e) {
                // Many can be written only, or are not supported here.
                return e.toString();
            }
        }

        /** Passes on what is printed, and hears it line by line. */
        private final class Lines extends FilterOutputStream {
            private static final int LONGEST = 64 * 1024;
            /** No form of a piece is longer. */
            private static final int OVERLAP = 64;

            private final String where;
            private final StringBuilder line = new StringBuilder();

            Lines(String where, OutputStream out) {
                super(out);
                this.where = where;
            }

            @Override
            public synchronized void write(int b) throws IOException {
                out.write(b);
                add(b);
            }

            @Override
            public synchronized void write(byte[] bytes, int from, int length) throws IOException {
                out.write(bytes, from, length);
                for (int i = from; i < from + length; i++) {
                    add(bytes[i]);
                }
            }

            private void add(int b) {
                line.append((char) (b & 0xFF));
                if (b == '\n' || line.length() >= LONGEST) {
                    hear(where, line.toString());
                    line.delete(0, b == '\n' ? line.length() : line.length() - OVERLAP);
                }
            }

            @Override
            public synchronized void flush() throws IOException {
                out.flush();
                hear(where, line.toString());
                if (isOnPurpose()) {
                    line.setLength(0);
                }
            }
        }

        /** Logback's classes are mentioned here alone: the CLI's tests do without. */
        private final class Logs extends AppenderBase<ILoggingEvent> {
            private final Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
            private final Level before = root.getLevel();

            Logs() {
                setContext(root.getLoggerContext());
                start();
                root.setLevel(Level.TRACE);
                root.addAppender(this);
            }

            @Override
            protected void append(ILoggingEvent event) {
                String where = "log " + event.getLoggerName();
                hear(where, event.getFormattedMessage());
                hear(where, event.getMDCPropertyMap() + " " + event.getKeyValuePairs());
                hear(where, String.valueOf(ThrowableProxyUtil.asString(event.getThrowableProxy())));
            }

            void close() {
                root.detachAppender(this);
                root.setLevel(before);
                stop();
            }
        }
    }

    /** Looks for all forms of all secrets at once: by eight characters, which is what the shortest form has. */
    static final class Search {
        private static final int KEY = Long.BYTES;

        private final Map<Long, Map<String, String>> forms = new HashMap<>();
        /** Which keys there may be, by a part of their bits: most of what is printed ends here. */
        private final BitSet maybe = new BitSet(1 << 16);

        Search() {
            for (String secret : SECRETS) {
                Canary.needles(secret).forEach((needle, form) -> {
                    long key = key(needle);
                    maybe.set(bit(key));
                    forms.computeIfAbsent(key, k -> new LinkedHashMap<>()).put(needle, form);
                });
            }
        }

        private static long key(String text) {
            long key = 0;
            for (byte b : text.substring(0, KEY).getBytes(ISO_8859_1)) {
                key = key << 8 | (b & 0xFF);
            }
            return key;
        }

        private static int bit(long key) {
            return (int) ((key * 0x9E3779B97F4A7C15L) >>> 48);
        }

        /** In which forms a token is in a text. */
        List<String> in(String text) {
            List<String> found = new ArrayList<>(0);
            for (String beginning : BEGINNINGS) {
                if (text.contains(beginning)) {
                    found.add("as it is");
                }
            }
            long key = 0;
            for (int i = 0; i < text.length(); i++) {
                key = key << 8 | (text.charAt(i) & 0xFF);
                if (i >= KEY - 1 && maybe.get(bit(key))) {
                    Map<String, String> candidates = forms.getOrDefault(key, Map.of());
                    for (Map.Entry<String, String> each : candidates.entrySet()) {
                        if (text.startsWith(each.getKey(), i - KEY + 1)) {
                            found.add(each.getValue());
                        }
                    }
                }
            }
            return found;
        }
    }
}
