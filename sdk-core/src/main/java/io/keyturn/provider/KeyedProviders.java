package io.keyturn.provider;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.RemovalCause;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The providers of a token of which there is one for each key, such as an account. As many are kept as fit into a bounded
 * cache; one that was dropped is made anew when its key is asked for again. Safe for any number of threads.
 */
public final class KeyedProviders implements Providers {
    /** It may stand in a file's path. */
    private static final Pattern KEY = Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}");

    private static final int MOST = 10_000;

    private final Function<String, LiveProvider> made;
    private final Cache<String, Keyed> cache;
    private volatile Consumer<LiveProvider> end = provider -> {};
    private volatile boolean over;

    /** A provider that the cache holds; what may block is not done while it is put there. */
    private record Keyed(LiveProvider provider, AtomicBoolean isOpen) {
        LiveProvider open() {
            if (!isOpen.get() && isOpen.compareAndSet(false, true)) {
                provider.open();
            }
            return provider;
        }
    }

    /**
     * No providers yet.
     *
     * @param made makes the provider of a key, without asking anything
     */
    public KeyedProviders(Function<String, LiveProvider> made) {
        this(made, MOST);
    }

    KeyedProviders(Function<String, LiveProvider> made, int most) {
        this.made = made;
        // On the caller's thread, since ending a provider blocks nobody and a thread of somebody else's is not ours.
        this.cache = Caffeine.newBuilder()
                .maximumSize(most)
                .executor(Runnable::run)
                .removalListener(this::removed)
                .build();
    }

    /** Whether it is letters, digits, {@code _}, {@code .} and {@code -}, begins with no dot and has at most 128 of them. */
    public static boolean isKey(String key) {
        return KEY.matcher(key).matches();
    }

    private void removed(@Nullable String key, @Nullable Keyed keyed, RemovalCause cause) {
        if (keyed != null && !over) {
            keyed.provider.retire();
        }
    }

    @Override
    public boolean isPerKey() {
        return true;
    }

    @Override
    public LiveProvider of(@Nullable String key) {
        Keyed keyed =
                cache.get(Objects.requireNonNull(key), missing -> new Keyed(made.apply(missing), new AtomicBoolean()));
        LiveProvider provider = keyed.open();
        if (over) {
            // It was made while all were ended.
            end.accept(provider);
        }
        return provider;
    }

    @Override
    @Nullable
    public LiveProvider ifOpen(@Nullable String key) {
        Keyed keyed = cache.getIfPresent(Objects.requireNonNull(key));
        return keyed == null ? null : keyed.provider;
    }

    @Override
    public void open() {
        // Each is opened when it is asked for.
    }

    @Override
    public void close() {
        end(LiveProvider::close);
    }

    @Override
    public void remove() {
        end(LiveProvider::remove);
    }

    @Override
    public void retire() {
        end(LiveProvider::retire);
    }

    private void end(Consumer<LiveProvider> how) {
        end = how;
        over = true;
        cache.asMap().values().forEach(keyed -> how.accept(keyed.provider));
    }
}
