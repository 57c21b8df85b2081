package io.keyturn.provider;

import io.keyturn.event.TokenListener;
import java.time.Clock;
import java.util.concurrent.Executor;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;

/**
 * What providers of an agent share.
 *
 * @param clock tells when a token has ended
 * @param nanos a monotonic clock, for spans of time
 * @param random uniform in [0, 1): spreads what many agents would do at once
 * @param schedule tells when something is due
 * @param fetches runs what may block
 * @param events is told what happens
 */
public record ProviderContext(
        Clock clock,
        LongSupplier nanos,
        DoubleSupplier random,
        Schedule schedule,
        Executor fetches,
        TokenListener events) {}
