package io.keyturn.test;

import io.keyturn.source.TokenSource;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** A store in memory that meets every state, for sources that are made of code. */
final class World implements TokenSourceContract.Fixture {
    /** All values that were ever in a world. */
    static final Queue<String> VALUES = new ConcurrentLinkedQueue<>();

    private final TokenSource source;
    private volatile Answer answer = () -> null;
    private volatile Duration delay = Duration.ZERO;

    /** What the store answers: the bytes of a document, or null. */
    interface Answer {
        byte @Nullable [] bytes() throws Exception;
    }

    /** A world with a source that asks it. */
    World(Function<World, TokenSource> source) {
        this.source = source.apply(this);
    }

    @Override
    public TokenSource source() {
        return source;
    }

    /** Asks the store. */
    byte @Nullable [] ask() throws Exception {
        TimeUnit.NANOSECONDS.sleep(delay.toNanos());
        return answer.bytes();
    }

    /** How long it takes. */
    Duration delay() {
        return delay;
    }

    /** The document in the store; null if there is none. */
    @Nullable
    TokenDocument document() throws Exception {
        byte[] bytes = ask();
        return bytes == null ? null : TokenDocument.parse(bytes, Instant.now());
    }

    private void answers(Answer next) {
        delay = Duration.ZERO;
        answer = next;
    }

    @Override
    public void has(String value) {
        VALUES.add(value);
        answers(() -> value.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void hasNone() {
        answers(() -> null);
    }

    /** As a careless store does it: the message quotes what was there before. */
    @Override
    public void fails() {
        Answer before = answer;
        answers(() -> {
            byte[] bytes = before.bytes();
            String was = bytes == null ? "nothing" : new String(bytes, StandardCharsets.UTF_8);
            throw new IOException("no connection, was " + was, new IllegalStateException(was));
        });
    }

    @Override
    public void isSlow(Duration time) {
        delay = time;
    }

    @Override
    public void hangs() {
        CountDownLatch never = new CountDownLatch(1);
        answers(() -> {
            never.await();
            return null;
        });
    }

    @Override
    public void isOversized(String secret) {
        has(secret.repeat(5_000));
    }

    @Override
    public void isMalformed(String secret) {
        VALUES.add(secret);
        has("<html>" + secret);
    }
}
