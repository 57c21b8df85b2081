package io.keyturn.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.langchain4j.exception.HttpException;
import dev.langchain4j.exception.LangChain4jException;
import dev.langchain4j.exception.TimeoutException;
import dev.langchain4j.http.client.HttpClient;
import dev.langchain4j.http.client.HttpClientBuilder;
import dev.langchain4j.http.client.HttpRequest;
import dev.langchain4j.http.client.SuccessfulHttpResponse;
import dev.langchain4j.http.client.sse.ServerSentEventListener;
import dev.langchain4j.http.client.sse.ServerSentEventParser;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/**
 * LangChain4j on OkHttp. Your project takes {@code dev.langchain4j.http.client.okhttp.OkHttpClientBuilder} of
 * {@code langchain4j-http-client-okhttp}, which has the same name and method; this one is here because that artifact could
 * not be had where the examples are built. It sends no form data.
 */
final class OkHttpClientBuilder implements HttpClientBuilder {
    private OkHttpClient.Builder builder = new OkHttpClient.Builder();
    private @Nullable Duration connectTimeout;
    private @Nullable Duration readTimeout;

    OkHttpClientBuilder okHttpClientBuilder(OkHttpClient.Builder client) {
        builder = client;
        return this;
    }

    @Override
    public @Nullable Duration connectTimeout() {
        return connectTimeout;
    }

    @Override
    public HttpClientBuilder connectTimeout(Duration timeout) {
        connectTimeout = timeout;
        builder.connectTimeout(timeout);
        return this;
    }

    @Override
    public @Nullable Duration readTimeout() {
        return readTimeout;
    }

    @Override
    public HttpClientBuilder readTimeout(Duration timeout) {
        readTimeout = timeout;
        builder.readTimeout(timeout);
        return this;
    }

    @Override
    public HttpClient build() {
        return new Client(builder.build());
    }

    private record Client(OkHttpClient http) implements HttpClient {
        @Override
        public SuccessfulHttpResponse execute(HttpRequest request) {
            try (Response response = http.newCall(translated(request)).execute()) {
                String body = response.body().string();
                if (!response.isSuccessful()) {
                    throw new HttpException(response.code(), body);
                }
                return translated(response).body(body).build();
            } catch (InterruptedIOException e) {
                throw new TimeoutException(e);
            } catch (IOException e) {
                throw new LangChain4jException(e);
            }
        }

        @Override
        public void execute(HttpRequest request, ServerSentEventParser parser, ServerSentEventListener listener) {
            http.dispatcher().executorService().execute(() -> {
                try (Response response = http.newCall(translated(request)).execute()) {
                    if (!response.isSuccessful()) {
                        throw new HttpException(response.code(), response.body().string());
                    }
                    listener.onOpen(translated(response).build());
                    parser.parse(response.body().byteStream(), listener);
                    listener.onClose();
                } catch (IOException | RuntimeException e) {
                    listener.onError(e);
                }
            });
        }

        private static Request translated(HttpRequest request) {
            Request.Builder builder = new Request.Builder().url(request.url());
            request.headers().forEach((name, values) -> values.forEach(value -> builder.addHeader(name, value)));
            String method = request.method().name();
            RequestBody body = request.body() == null
                    ? null
                    : RequestBody.create(request.body().getBytes(UTF_8), null);
            return builder.method(method, body).build();
        }

        private static SuccessfulHttpResponse.Builder translated(Response response) {
            return SuccessfulHttpResponse.builder()
                    .statusCode(response.code())
                    .headers(response.headers().toMultimap());
        }
    }
}
