package io.keyturn.provider;

import io.keyturn.token.Token;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Which version was rejected last, and when. A storm of 401 is told once a second: else it would push the event of the
 * swap that ends it out of the listeners' queue.
 */
final class Rejections {
    private final AtomicReference<@Nullable Told> last = new AtomicReference<>();

    private record Told(long generation, long atNanos) {}

    boolean isNews(Token rejected, long nowNanos) {
        Told told = last.get();
        boolean repeated =
                told != null && told.generation == rejected.generation() && nowNanos - told.atNanos < Known.QUIET_NANOS;
        return !repeated && last.compareAndSet(told, new Told(rejected.generation(), nowNanos));
    }
}
