package io.keyturn.provider;

import org.jspecify.annotations.Nullable;

/** Who serves a token: one provider for every request, or one for each key. */
public sealed interface Providers permits Providers.One, KeyedProviders {
    /** One provider for every request. */
    static Providers one(LiveProvider provider) {
        return new One(provider);
    }

    /** Whether there is one for each key. */
    boolean isPerKey();

    /**
     * The provider for a key.
     *
     * @param key null where there is one provider for all
     */
    LiveProvider of(@Nullable String key);

    /**
     * The provider for a key, if there is one already.
     *
     * @param key null where there is one provider for all
     */
    @Nullable
    LiveProvider ifOpen(@Nullable String key);

    /** Begins to hear of changes. */
    void open();

    /** See {@link LiveProvider#close()}. */
    void close();

    /** See {@link LiveProvider#remove()}. */
    void remove();

    /** See {@link LiveProvider#retire()}. */
    void retire();

    /** The same for every request. */
    record One(LiveProvider provider) implements Providers {
        @Override
        public boolean isPerKey() {
            return false;
        }

        @Override
        public LiveProvider of(@Nullable String key) {
            return provider;
        }

        @Override
        public LiveProvider ifOpen(@Nullable String key) {
            return provider;
        }

        @Override
        public void open() {
            provider.open();
        }

        @Override
        public void close() {
            provider.close();
        }

        @Override
        public void remove() {
            provider.remove();
        }

        @Override
        public void retire() {
            provider.retire();
        }
    }
}
