package io.keyturn;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.config.ConfigException;
import io.keyturn.token.TokenException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What every fuzz target wants: an answer or one of our own errors, soon, and nothing of the secret in the error. */
public final class FuzzCase {
    /** What stands within an input where a token could stand. */
    public static final String SECRET = Canary.WORD;

    private static final int SLICE = 8;

    /** Of the processor's time: only what never ends, or grows with each character, takes that long for a few KiB. */
    private static final long MOST_NANOS = TimeUnit.SECONDS.toNanos(20);

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private FuzzCase() {}

    /** What is to be tried with one input. */
    @FunctionalInterface
    public interface Attempt<T> {
        T run() throws TokenException;
    }

    /** The answer, or null after an error that is one of ours and tells nothing of the secret. */
    public static <T> @Nullable T answer(Attempt<T> attempt) {
        long start = THREADS.getCurrentThreadCpuTime();
        T answer;
        try {
            answer = attempt.run();
        } catch (TokenException e) {
            assertTellsNothing(e);
            assertThat(e.fix() == null || !holdsSecret(e.fix())).as("the fix").isTrue();
            answer = null;
        } catch (ConfigException e) {
            assertTellsNothing(e);
            assertThat(e.problems()).isNotEmpty().noneMatch(problem -> holdsSecret(problem.toString()));
            answer = null;
        }
        assertThat(THREADS.getCurrentThreadCpuTime() - start).as("nanoseconds").isLessThan(MOST_NANOS);
        return answer;
    }

    /** Of an exception that is one of ours by its type: no cause, and nothing of the secret. */
    public static void assertTellsNothing(Throwable ours) {
        assertThat(ours).hasNoCause();
        assertThat(holdsSecret(String.valueOf(ours.getMessage())))
                .as(ours.getClass().getName())
                .isFalse();
    }

    /**
     * Whether a text holds eight characters of the secret in a row. The fuzzer learns them, so that an input may: what is
     * told of that one proves nothing.
     */
    public static boolean holdsSecret(String text) {
        for (int i = 0; i + SLICE <= SECRET.length(); i++) {
            if (text.contains(SECRET.substring(i, i + SLICE))) {
                return true;
            }
        }
        return false;
    }

    /** The text with the secret in it, somewhere. */
    public static String withSecret(String text, int where) {
        int at = Math.floorMod(where, text.length() + 1);
        return text.substring(0, at) + SECRET + text.substring(at);
    }
}
