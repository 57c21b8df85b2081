package io.keyturn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.SuiteCanary.Ears;
import io.keyturn.SuiteCanary.Search;
import java.lang.management.ManagementFactory;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** What lets a token out on purpose: the run that this test belongs to does not listen to it. */
class SuiteCanaryTest {
    private static final String PROPERTY = "keyturn.suite-canary";

    /** All that is heard while something is done, by ears of its own; what they find is in the exception's message. */
    private static void heard(Runnable something) {
        Ears ears = new Ears(Set.of());
        try {
            something.run();
        } finally {
            ears.close();
        }
    }

    static Stream<Runnable> leaks() {
        return Stream.of(
                () -> System.out.print("a token: " + Canary.TOKEN),
                () -> System.err.println(Canary.TOKEN.substring(4, 12)),
                () -> System.out.println("x".repeat(70_000) + "ktn_" + "x".repeat(70_000)),
                () -> LoggerFactory.getLogger("a").trace("{}", Canary.TOKEN),
                () -> LoggerFactory.getLogger("a").debug("b", new IllegalStateException(Canary.WORD)),
                () -> LoggerFactory.getLogger("a")
                        .atInfo()
                        .addKeyValue("k", Canary.WORD)
                        .log("b"));
    }

    @ParameterizedTest
    @MethodSource("leaks")
    void close_tokenCameOut_fails(Runnable leak) {
        assertThatThrownBy(() -> heard(leak))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("has a token as it is, about")
                .hasMessageContaining("SuiteCanaryTest.close_tokenCameOut_fails");
    }

    @Test
    void close_threadNamedByAToken_fails() {
        CountDownLatch over = new CountDownLatch(1);
        Thread thread = new Thread(() -> {
            try {
                over.await();
            } catch (InterruptedException e) {
                // Nobody interrupts it.
            }
        });
        thread.setName("fetches " + Canary.WORD);
        assertThatThrownBy(() -> heard(thread::start)).hasMessageContaining("a thread's name has a token");
        over.countDown();
    }

    @Test
    void close_systemPropertyHoldsAToken_fails() {
        try {
            assertThatThrownBy(() -> heard(() -> System.setProperty(PROPERTY, "ktn_x")))
                    .hasMessageContaining("system property " + PROPERTY + " has a token");
        } finally {
            System.clearProperty(PROPERTY);
        }
    }

    /** A bean with a token. */
    public interface LeakMBean {
        String getValue();
    }

    /** Its implementation, which must be named so. */
    public static final class Leak implements LeakMBean {
        @Override
        public String getValue() {
            return Canary.WORD;
        }
    }

    @Test
    void close_mBeanShowsAToken_fails() throws Exception {
        MBeanServer server = ManagementFactory.getPlatformMBeanServer();
        ObjectName name = new ObjectName("io.keyturn:type=Leak");
        server.registerMBean(new Leak(), name);
        try {
            assertThatThrownBy(() -> heard(() -> {})).hasMessageContaining("MBean " + name + " has a token");
        } finally {
            server.unregisterMBean(name);
        }
    }

    @Test
    void close_noTokenCameOut_isQuiet() {
        assertThatCode(() -> heard(() -> System.out.println("api#3f9a1c2b44d0 expires tomorrow")))
                .doesNotThrowAnyException();
    }

    static Stream<String> forms() {
        byte[] bytes = Canary.TOKEN.getBytes(StandardCharsets.UTF_8);
        return Stream.of(
                Canary.TOKEN,
                URLEncoder.encode(Canary.TOKEN, StandardCharsets.UTF_8),
                HexFormat.of().formatHex(bytes),
                Base64.getEncoder().encodeToString(("ci:" + Canary.TOKEN).getBytes(StandardCharsets.UTF_8)),
                Base64.getUrlEncoder().encodeToString(("Bearer " + Canary.TOKEN).getBytes(StandardCharsets.UTF_8)),
                Canary.TOKEN.replace("/", "\\/"));
    }

    @ParameterizedTest
    @MethodSource("forms")
    void in_eachForm_isFound(String form) {
        assertThat(new Search().in("before " + form + " after")).isNotEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "kT9xQ2v", "kT9xQ2v B7m+Z4/", "token#3f9a1c2b44d0", "7Qm2Xv9 LrT4wZ8"})
    void in_nothingOfAToken_isNotFound(String text) {
        assertThat(new Search().in(text)).isEmpty();
    }
}
