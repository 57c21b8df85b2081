package io.keyturn.aws;

import io.keyturn.config.ConfigException;
import io.keyturn.policy.Endpoint;
import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import okhttp3.Request;
import okhttp3.RequestBody;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.SdkHttpResponse;

/**
 * Sends the requests of the AWS SDK over the agent's own connections, so that {@code agent.http} holds for them. The SDK
 * sees answers alone: what is none would come back in its logs, word by word. It is thrown here, as a {@link Refusal} or a
 * {@link SourceException}, which the SDK passes on as the cause of its own exception.
 *
 * @param insecure whether plain http may leave this machine
 */
record AgentHttp(SourceContext context, boolean insecure) implements SdkHttpClient {
    private static final int OK = 200;

    @Override
    public ExecutableHttpRequest prepareRequest(HttpExecuteRequest request) {
        return new ExecutableHttpRequest() {
            @Override
            public HttpExecuteResponse call() throws IOException {
                return sent(request);
            }

            @Override
            public void abort() {
                // Whoever gives up interrupts the thread, which OkHttp heeds.
            }
        };
    }

    private HttpExecuteResponse sent(HttpExecuteRequest request) throws IOException {
        SdkHttpRequest signed = request.httpRequest();
        String service = "aws_secrets_manager " + origin(signed.getUri());
        requireHidden(signed.getUri(), service);
        ServiceAnswer answer =
                context.send(request(signed, request.contentStreamProvider().orElse(null), service), service);
        if (answer.status() != OK) {
            throw Refusal.of(answer);
        }
        // It fails where this is no JSON.
        var unused = answer.has("Name");
        return HttpExecuteResponse.builder()
                .response(SdkHttpResponse.builder().statusCode(OK).build())
                .responseBody(AbortableInputStream.create(new ByteArrayInputStream(answer.body())))
                .build();
    }

    /** The SDK takes addresses from elsewhere, too, such as {@code AWS_ENDPOINT_URL}. */
    private void requireHidden(URI uri, String service) throws SourceException {
        try {
            var unused = Endpoint.parse(origin(uri), insecure);
        } catch (ConfigException e) {
            throw new SourceException(
                    Reason.INVALID,
                    service + " is not asked: in plain http the secret could be read on its way",
                    "give an https:// address in endpoint or AWS_ENDPOINT_URL (or allow: [insecure_http])");
        }
    }

    private static String origin(URI uri) {
        return uri.getScheme() + "://" + uri.getRawAuthority();
    }

    private static Request request(SdkHttpRequest signed, @Nullable ContentStreamProvider content, String service)
            throws IOException {
        try {
            // Without a media type OkHttp leaves the header, which is signed, as it is.
            RequestBody body = content == null ? null : RequestBody.create(bytes(content), null);
            Request.Builder request = new Request.Builder()
                    .url(signed.getUri().toString())
                    .method(signed.method().name(), body);
            signed.forEachHeader((name, values) -> values.forEach(value -> request.addHeader(name, value)));
            return request.build();
        } catch (IllegalArgumentException e) {
            // Replaced, not wrapped: OkHttp quotes what it does not take, such as a session token.
            throw new SourceException(
                    Reason.LOGIN_REFUSED,
                    service + " is not asked: the AWS credentials hold what no header can carry",
                    "look at AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN, or the profile: nothing but letters, digits and +/=");
        }
    }

    static byte[] bytes(ContentStreamProvider content) throws IOException {
        try (InputStream in = content.newStream()) {
            return in.readAllBytes();
        }
    }

    @Override
    public String clientName() {
        return "Keyturn";
    }

    @Override
    public void close() {
        // The connections are the agent's.
    }
}
