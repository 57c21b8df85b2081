package io.keyturn.policy;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import java.io.IOException;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/**
 * What Open Policy Agent answered, or why there is no answer.
 *
 * @param detail what it did, to be read behind its name
 * @param fix what mends it, or null
 */
record OpaAnswer(Verdict verdict, String detail, @Nullable String fix) {
    static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
            .recyclerPool(JsonRecyclerPools.nonRecyclingPool())
            .build();

    private static final int MOST_BYTES = 64 * 1024;
    private static final int OK = 200;

    enum Verdict {
        ALLOWED,
        DENIED,
        /** Somebody answered, and it is no decision. */
        UNDECIDED,
        /** Nobody answered, or not in time. */
        UNREACHED
    }

    static final OpaAnswer ALLOWED = new OpaAnswer(Verdict.ALLOWED, "allows", null);

    private static final OpaAnswer NO = new OpaAnswer(
            Verdict.DENIED,
            "does not allow",
            "let the policy allow it, or do not make the request; see docs/policy.md");

    /** What the data API answers where there is no such document: the path is wrong, or the rule has no default. */
    private static final OpaAnswer UNDEFINED = new OpaAnswer(
            Verdict.DENIED,
            "has no result for",
            "is the path of agent.policy.opa /v1/data/PACKAGE/RULE? Give the rule a default");

    private static final OpaAnswer NOT_TRUE = new OpaAnswer(
            Verdict.DENIED,
            "answers neither true nor false for",
            "let agent.policy.opa name the rule itself, whose value is true or false");

    private static final OpaAnswer AMBIGUOUS = new OpaAnswer(
            Verdict.DENIED,
            "says more than one thing for",
            "something between the agent and the policy changes its answers");

    static OpaAnswer undecided(String detail) {
        return new OpaAnswer(Verdict.UNDECIDED, detail, "let agent.policy.opa be the address of a rule's data");
    }

    static OpaAnswer unreached(String detail) {
        return new OpaAnswer(Verdict.UNREACHED, detail, "start it, or correct agent.policy.opa");
    }

    /**
     * Reads an answer.
     *
     * @throws IOException if it breaks off
     */
    static OpaAnswer of(Response response) throws IOException {
        if (response.code() != OK) {
            return undecided("answered " + response.code());
        }
        byte[] body = response.body().byteStream().readNBytes(MOST_BYTES + 1);
        return body.length > MOST_BYTES ? undecided("answered more than 64 KiB") : of(body);
    }

    private static OpaAnswer of(byte[] body) throws IOException {
        OpaAnswer answer = null;
        try (JsonParser in = JSON.createParser(body)) {
            JsonToken first = in.nextToken();
            if (first != JsonToken.START_OBJECT) {
                return first == null ? undecided("answered nothing") : undecided("answered no JSON object");
            }
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                boolean result = in.currentName().equals("result");
                JsonToken value = in.nextToken();
                if (result) {
                    answer = of(value);
                }
                in.skipChildren();
            }
            if (in.nextToken() == null) {
                return answer == null ? UNDEFINED : answer;
            }
        } catch (JsonProcessingException e) {
            // Replaced, since its message may quote anything.
            if (answer == null) {
                return undecided("answered what is not JSON");
            }
        }
        // A decision that something contradicts, follows or cuts short. It is a no even where errors allow.
        return answer == null ? undecided("answered more than a JSON object") : AMBIGUOUS;
    }

    private static OpaAnswer of(JsonToken result) {
        return switch (result) {
            case VALUE_TRUE -> ALLOWED;
            case VALUE_FALSE -> NO;
            default -> NOT_TRUE;
        };
    }
}
