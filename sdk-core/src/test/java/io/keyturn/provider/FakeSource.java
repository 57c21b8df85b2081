package io.keyturn.provider;

import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.TokenDocument;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A source that answers what the test says, counts how often it is asked, and can be held in the middle of a fetch. */
final class FakeSource implements TokenSource {
    private final AtomicInteger fetches = new AtomicInteger();
    private final AtomicInteger under = new AtomicInteger();
    private volatile Answer answer = Optional::empty;
    private volatile CountDownLatch gate = new CountDownLatch(0);

    @FunctionalInterface
    interface Answer {
        Optional<TokenDocument> give() throws SourceException;
    }

    static FakeSource of(String value) {
        return new FakeSource().has(value);
    }

    FakeSource has(String value) {
        return has(TokenDocument.of(value));
    }

    FakeSource has(TokenDocument document) {
        return answers(() -> Optional.of(document));
    }

    FakeSource answers(Answer what) {
        answer = what;
        return this;
    }

    /** From now on a fetch reads its answer, and keeps it to itself until {@link #release}. Interrupts do not help. */
    FakeSource hold() {
        gate = new CountDownLatch(1);
        return this;
    }

    void release() {
        gate.countDown();
    }

    /** How often it was asked. */
    int fetches() {
        return fetches.get();
    }

    /** How many fetches are under way. */
    int held() {
        return under.get();
    }

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        Answer read = answer;
        CountDownLatch closed = gate;
        fetches.incrementAndGet();
        under.incrementAndGet();
        try {
            pass(closed);
            return read.give();
        } finally {
            under.decrementAndGet();
        }
    }

    private static void pass(CountDownLatch gate) {
        boolean interrupted = false;
        while (true) {
            try {
                if (!gate.await(60, TimeUnit.SECONDS)) {
                    throw new AssertionError("the test never opened the gate");
                }
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public String describe() {
        return "fake store";
    }
}
