package io.keyturn.oauth2;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import java.net.URLEncoder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import okhttp3.HttpUrl;
import okhttp3.MediaType;
import okhttp3.Request;
import okhttp3.RequestBody;
import org.jspecify.annotations.Nullable;

/** A form that is posted to a token service. It holds secrets, and prints none. For one thread. */
final class FormRequest {
    private static final MediaType FORM = MediaType.get("application/x-www-form-urlencoded");

    private final List<Field> fields = new ArrayList<>();
    private @Nullable Field client;

    /** A name, and what belongs to it. */
    private record Field(String name, Secret value) {
        String joined(char by) {
            return encoded(name) + by + encoded(value.reveal());
        }
    }

    FormRequest add(String name, String value) {
        return add(name, Secret.of(value));
    }

    FormRequest add(String name, Secret value) {
        fields.add(new Field(name, value));
        return this;
    }

    FormRequest add(String name, Token value) {
        return add(name, Secret.of(value.reveal()));
    }

    /** HTTP Basic as RFC 6749 2.3.1 wants it: both are form-encoded first, so that neither can hold the colon. */
    FormRequest authorize(String clientId, Secret secret) {
        client = new Field(clientId, secret);
        return this;
    }

    Request to(HttpUrl url) {
        StringBuilder body = new StringBuilder();
        for (Field field : fields) {
            body.append(body.isEmpty() ? "" : "&").append(field.joined('='));
        }
        Request.Builder request = new Request.Builder()
                .url(url)
                .header("Accept", "application/json")
                .post(RequestBody.create(body.toString().getBytes(UTF_8), FORM));
        if (client != null) {
            byte[] pair = client.joined(':').getBytes(UTF_8);
            request.header("Authorization", "Basic " + Base64.getEncoder().encodeToString(pair));
        }
        return request.build();
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, UTF_8);
    }
}
