package io.keyturn.test;

import io.keyturn.test.TokenSourceContract.Fixture;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import mockwebserver3.Dispatcher;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import mockwebserver3.SocketEffect;

/** A world that is asked over HTTP, and has one answer to everything until it has another. */
abstract class OneAnswer extends Dispatcher implements Fixture {
    private final MockWebServer server = new MockWebServer();
    private volatile MockResponse answer;

    OneAnswer(MockResponse first) throws IOException {
        answer = first;
        server.setDispatcher(this);
        server.start();
    }

    final String url() {
        return "http://127.0.0.1:" + server.getPort() + "/token";
    }

    final MockResponse answer() {
        return answer;
    }

    final void answers(MockResponse next) {
        answer = next;
    }

    @Override
    public final MockResponse dispatch(RecordedRequest request) {
        return answer;
    }

    @Override
    public final void isSlow(Duration delay) {
        answers(answer.newBuilder()
                .headersDelay(delay.toMillis(), TimeUnit.MILLISECONDS)
                .build());
    }

    @Override
    public final void hangs() {
        answers(new MockResponse.Builder()
                .onResponseStart(SocketEffect.Stall.INSTANCE)
                .build());
    }

    @Override
    public final void isOversized(String secret) throws Exception {
        has(secret.repeat(5_000));
    }

    @Override
    public void close() {
        server.close();
    }
}
