package io.keyturn.provider;

import org.jspecify.annotations.Nullable;

/** Who serves a token: one provider for every request, or one for each key. */
public sealed interface Providers permits LiveProvider, KeyedProviders {
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
}
