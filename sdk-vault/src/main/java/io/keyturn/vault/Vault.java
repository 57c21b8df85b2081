package io.keyturn.vault;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import okhttp3.HttpUrl;
import okhttp3.MediaType;
import okhttp3.Request;
import okhttp3.RequestBody;
import org.jspecify.annotations.Nullable;

/**
 * A Vault as an agent asks it, and what its answers mean wherever they mean the same. What Vault says in words is not
 * passed on, since it may quote what it was sent.
 *
 * @param address without the {@code v1} that each call begins with
 * @param namespace the one that all paths are in, or null
 */
record Vault(HttpUrl address, @Nullable String namespace, SourceContext context) {
    static final int OK = 200;
    static final int BAD_REQUEST = 400;
    static final int FORBIDDEN = 403;
    static final int NOT_FOUND = 404;

    private static final int PRECONDITION_FAILED = 412;
    private static final int TOO_MANY_REQUESTS = 429;
    private static final int UNAVAILABLE = 503;

    private static final MediaType JSON = MediaType.get("application/json");

    /** Who is asked, for messages. */
    String name() {
        return "vault " + place();
    }

    /** Where it is, for messages. */
    String place() {
        String url = address.toString();
        String shorter = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
        return namespace == null ? shorter : shorter + " in namespace " + namespace;
    }

    Instant now() {
        return context.clock().instant();
    }

    /** What a credential is now. It is not looked at further, but one that says that it is over is not sent. */
    Secret credential(TokenSource source, String what) throws SourceException {
        TokenDocument document = source.fetch().orElseThrow(() -> absence(source, what));
        Optional<Instant> end = document.expiresAt().filter(each -> !each.isAfter(now()));
        if (end.isPresent()) {
            throw new SourceException(
                    Reason.EXPIRED,
                    name() + " is not asked: the " + what + " (" + source.describe() + ") expired at " + end.get(),
                    "let whatever writes it write another one there");
        }
        return document.value();
    }

    private SourceException absence(TokenSource source, String what) {
        SourceException absence = source.absence();
        return new SourceException(
                absence.reason(), absence.getMessage() + ": " + name() + " needs it as its " + what, absence.fix());
    }

    // --- how it is asked ---

    /** Reads a path. */
    ServiceAnswer get(String path, Secret token) throws SourceException {
        return told(context.send(request(url(path).build(), token).get().build(), name()));
    }

    /** Reads a version of a secret in KV v2. */
    ServiceAnswer get(String path, int version, Secret token) throws SourceException {
        HttpUrl url =
                url(path).addQueryParameter("version", String.valueOf(version)).build();
        return told(context.send(request(url, token).get().build(), name()));
    }

    /** Writes to a path. */
    ServiceAnswer post(String path, @Nullable Secret token, Map<String, String> body) throws SourceException {
        return told(context.send(posted(path, token, body), name()));
    }

    /** Writes what must not be written twice. */
    ServiceAnswer postOnce(String path, @Nullable Secret token, Map<String, String> body) throws SourceException {
        return told(context.sendOnce(posted(path, token, body), name()));
    }

    private Request posted(String path, @Nullable Secret token, Map<String, String> body) {
        return request(url(path).build(), token)
                .post(RequestBody.create(json(body), JSON))
                .build();
    }

    private HttpUrl.Builder url(String path) {
        HttpUrl.Builder url = address.newBuilder().addPathSegment("v1");
        for (String segment : path.split("/", -1)) {
            url.addPathSegment(segment);
        }
        return url;
    }

    private Request.Builder request(HttpUrl url, @Nullable Secret token) {
        Request.Builder request = new Request.Builder().url(url).header("X-Vault-Request", "true");
        if (namespace != null) {
            request.header("X-Vault-Namespace", namespace);
        }
        if (token != null) {
            request.header("X-Vault-Token", token.reveal());
        }
        return request;
    }

    private static byte[] json(Map<String, String> body) {
        StringBuilder text = new StringBuilder("{");
        body.forEach((key, value) -> {
            text.append(text.length() == 1 ? "" : ",");
            quote(key, text);
            text.append(':');
            quote(value, text);
        });
        return text.append('}').toString().getBytes(UTF_8);
    }

    private static void quote(String value, StringBuilder text) {
        text.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c < ' ') {
                text.append(String.format("\\u%04x", (int) c));
            } else {
                text.append(c == '"' || c == '\\' ? "\\" : "").append(c);
            }
        }
        text.append('"');
    }

    // --- what it answers ---

    /** An answer that says something of what was asked, and not of Vault itself. */
    private ServiceAnswer told(ServiceAnswer answer) throws SourceException {
        int status = answer.status();
        if (status == UNAVAILABLE && isItsOwn(answer)) {
            throw new SourceException(
                    Reason.SEALED,
                    name() + " is sealed (503): it runs and gives nothing out",
                    "unseal it: vault operator unseal");
        }
        if (status == TOO_MANY_REQUESTS) {
            throw busy(
                    answer,
                    "is asked too often (429)",
                    "raise the quota (vault list sys/quotas/rate-limit), or ask" + " less often: refresh: {every: 5m}");
        }
        if (status == PRECONDITION_FAILED) {
            throw busy(answer, "has not caught up with itself yet (412)", "nothing: it is asked again");
        }
        if (status >= 500) {
            throw busy(answer, "answered " + status, "look at its log; it is asked again");
        }
        if (status >= 300 && status < BAD_REQUEST) {
            throw busy(
                    answer,
                    "answered " + status + ", which sends to another address, and that is not followed",
                    "let address be the one that answers itself: https://, and the active node or what balances them");
        }
        return answer;
    }

    private SourceException busy(ServiceAnswer answer, String what, String fix) {
        Duration after = answer.retryAfter().orElse(null);
        return new SourceException(Reason.STORE_UNREACHABLE, name() + " " + what, fix, after);
    }

    /** Whether Vault says it, and not something before it that has no Vault to ask. */
    private static boolean isItsOwn(ServiceAnswer answer) {
        return answer.body().length == 0 || has(answer, "errors");
    }

    /**
     * What was refused or is not there, unless it is something else than Vault that says so.
     *
     * @throws SourceException if it is
     */
    static void requireItsOwn(ServiceAnswer answer) throws SourceException {
        if (answer.body().length > 0) {
            // Whatever is no JSON object fails here, with what to look at.
            var unused = answer.has("errors");
        }
    }

    /** Whether something stands there in an answer, which may be no JSON at all. */
    static boolean has(ServiceAnswer answer, String... keys) {
        try {
            return answer.has(keys);
        } catch (SourceException e) {
            return false;
        }
    }

    /** An answer that nobody expects here. */
    SourceException unexpected(ServiceAnswer answer, String what) {
        return new SourceException(
                Reason.INVALID,
                name() + ": " + what + " was answered " + answer.status(),
                "see what Vault says to it: vault read, with the same path and token");
    }

    /** It does not take what the agent proves itself with. */
    SourceException loginRefused(String what, String fix) {
        return new SourceException(Reason.LOGIN_REFUSED, name() + ": " + what, fix);
    }
}
