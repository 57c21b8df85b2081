package io.keyturn.provider;

import io.keyturn.event.TokenListener;
import java.time.Clock;
import java.util.concurrent.Executor;
import java.util.function.LongSupplier;

/**
 * What all providers of an agent share.
 *
 * @param clock tells when a token has expired
 * @param nanos a monotonic clock, for spans of time
 * @param fetches runs what may block
 * @param events is told what happens
 */
public record ProviderContext(Clock clock, LongSupplier nanos, Executor fetches, TokenListener events) {}
