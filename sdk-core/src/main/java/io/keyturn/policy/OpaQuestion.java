package io.keyturn.policy;

import com.fasterxml.jackson.core.JsonGenerator;
import io.keyturn.token.Token;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Set;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * What Open Policy Agent is asked. What it answers is remembered for an equal question, so all that it is told of a request
 * is here, and the agent's name, which never changes.
 *
 * @param scopes null where they are not known
 * @param host without the port
 * @param path as it is sent, with its escapes and without the query
 */
record OpaQuestion(
        String token, String fingerprint, @Nullable Set<String> scopes, String method, String host, String path) {
    /** What one takes in memory beside its path, roughly; the other texts are the token's own. */
    private static final int BESIDE_PATH = 128;

    static OpaQuestion of(Token token, Destination destination) {
        HttpUrl url = destination.url();
        return new OpaQuestion(
                token.name(),
                token.fingerprint(),
                token.scopes().orElse(null),
                destination.method(),
                url.host(),
                url.encodedPath());
    }

    int weight() {
        return BESIDE_PATH + path.length();
    }

    /** The body of the request. */
    byte[] json(String agent) {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        try (JsonGenerator out = OpaAnswer.JSON.createGenerator(body)) {
            out.writeStartObject();
            out.writeObjectFieldStart("input");
            out.writeStringField("agent", agent);
            out.writeStringField("token", token);
            out.writeStringField("fingerprint", fingerprint);
            out.writeFieldName("scopes");
            writeScopes(out);
            out.writeStringField("method", method);
            out.writeStringField("host", host);
            out.writeStringField("path", path);
            out.writeEndObject();
            out.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException("a ByteArrayOutputStream cannot fail", e);
        }
        return body.toByteArray();
    }

    private void writeScopes(JsonGenerator out) throws IOException {
        if (scopes == null) {
            out.writeNull();
        } else {
            out.writeArray(scopes.toArray(String[]::new), 0, scopes.size());
        }
    }

    /** The request that it is about, for a message. */
    @Override
    public String toString() {
        return method + " " + host + path + " with token '" + token + "'";
    }
}
