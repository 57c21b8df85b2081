package io.keyturn.test;

import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import mockwebserver3.MockResponse;
import okhttp3.Call;
import okhttp3.Callback;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okio.BufferedSource;

/** A store that is asked over HTTP, as somebody would write it. */
class HttpContractTest implements TokenSourceContract {
    @Override
    public Fixture fixture() throws IOException {
        return new Store();
    }

    private static final class Store extends OneAnswer {
        private final OkHttpClient client = new OkHttpClient();

        Store() throws IOException {
            super(new MockResponse.Builder().code(404).build());
        }

        @Override
        public TokenSource source() {
            return TokenSources.of(
                    "store " + url(),
                    () -> ask(client.newCall(new Request.Builder().url(url()).build())));
        }

        /** A read from a socket heeds no interrupt: it is this call that is waited for, and cancelled. */
        private static TokenDocument ask(Call call) throws Exception {
            CompletableFuture<byte[]> body = new CompletableFuture<>();
            call.enqueue(new Callback() {
                @Override
                public void onFailure(Call failed, IOException e) {
                    body.completeExceptionally(e);
                }

                @Override
                public void onResponse(Call answered, Response response) {
                    try (response) {
                        body.complete(read(response));
                    } catch (IOException e) {
                        body.completeExceptionally(e);
                    }
                }
            });
            try {
                byte[] bytes = body.get(30, TimeUnit.SECONDS);
                return bytes.length == 0 ? null : TokenDocument.parse(bytes, Instant.now());
            } catch (ExecutionException e) {
                throw e.getCause() instanceof IOException told ? told : e;
            } finally {
                call.cancel();
            }
        }

        private static byte[] read(Response response) throws IOException {
            if (response.code() == 404) {
                return new byte[0];
            }
            if (!response.isSuccessful()) {
                throw new SourceException(Reason.UNREACHABLE, "the store answered " + response.code(), null);
            }
            BufferedSource body = response.body().source();
            if (body.request(64 * 1024)) {
                throw new SourceException(Reason.MALFORMED, "the store answered more than a token", null);
            }
            return body.readByteArray();
        }

        @Override
        public void has(String value) {
            answers(new MockResponse.Builder().body(value).build());
        }

        @Override
        public void hasNone() {
            answers(new MockResponse.Builder().code(404).build());
        }

        @Override
        public void fails() {
            answers(answer().newBuilder().code(503).build());
        }

        @Override
        public void isMalformed(String secret) {
            has("<html>" + secret);
        }

        @Override
        public void close() {
            super.close();
            client.dispatcher().executorService().shutdownNow();
        }
    }
}
