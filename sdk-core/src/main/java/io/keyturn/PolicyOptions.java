package io.keyturn;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import io.keyturn.policy.Endpoint;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * Who is asked before any token goes with a request, beside the token's own rules. A program sets it in {@code
 * builder.policy(p -> …)}, a configuration file by the key {@code policy}: a key, its type and its default stand here and
 * nowhere else.
 *
 * <p>What is wrong is a {@link ConfigException} at once.
 */
public final class PolicyOptions {
    /** Whoever waits for a decision is a request. */
    private static final Duration LONGEST_TIMEOUT = Duration.ofSeconds(10);

    private static final Duration LONGEST_CACHE = Duration.ofSeconds(30);

    /** OkHttp is more lenient than a reader would think. */
    private static final Pattern ADDRESS = Pattern.compile("(?i)https?://[^\\s\\\\@?#]+");

    /** How a configuration file writes that nothing is remembered: no duration is that short. */
    private static final Set<String> NO_CACHE = Set.of("off", "0", "0s");

    private static final String NO_ADDRESS =
            "needs opa: the address of a rule, such as http://127.0.0.1:8181/v1/data/agent/allow";

    private @Nullable HttpUrl opa;
    private Duration timeout = Duration.ofMillis(250);
    private Duration cache = LONGEST_CACHE;
    private OnError onError = OnError.DENY;

    /** What becomes of a request while there is no decision: nobody answers, or not in time, or it is no decision. */
    public enum OnError {
        /** It is denied. */
        DENY,
        /** It is sent with its token. */
        ALLOW
    }

    PolicyOptions() {}

    // --- as a program sets it ---

    /** The address of a rule of Open Policy Agent's data API, such as {@code http://127.0.0.1:8181/v1/data/agent/allow}. */
    public PolicyOptions opa(String url) {
        HttpUrl parsed = ADDRESS.matcher(url).matches() ? Endpoint.httpUrl(url) : null;
        if (parsed == null) {
            throw new ConfigException("must be a URL without user, query and fragment, such as"
                    + " http://127.0.0.1:8181/v1/data/agent/allow");
        }
        opa = parsed;
        return this;
    }

    /** How long a decision may take, and the request waits for it; 250 ms unless it is said, and at most 10 s. */
    public PolicyOptions timeout(Duration most) {
        if (most.isZero() || most.isNegative() || most.compareTo(LONGEST_TIMEOUT) > 0) {
            throw new ConfigException("must be a duration of at most 10s, such as 250ms: a request waits for it");
        }
        timeout = most;
        return this;
    }

    /** How long what was allowed is not asked again; 30 s unless it is said, which is the most. Zero: ask each time. */
    public PolicyOptions cache(Duration most) {
        if (most.isNegative() || most.compareTo(LONGEST_CACHE) > 0) {
            throw new ConfigException("must be off, or a duration of at most 30s: so long is a token allowed that the"
                    + " policy would deny by now");
        }
        cache = most;
        return this;
    }

    /** What becomes of a request while there is no decision; it is denied unless it is said. */
    public PolicyOptions onError(OnError what) {
        onError = what;
        return this;
    }

    // --- as a configuration sets it ---

    static PolicyOptions read(Settings policy) {
        PolicyOptions options = new PolicyOptions();
        if (!policy.isMap()) {
            throw policy.wrong("must be a map with the keys opa, timeout, cache and on_error");
        }
        if (!policy.has("opa")) {
            policy.note(NO_ADDRESS);
        }
        policy.read("opa", value -> options.opa(value.text()));
        policy.read("timeout", value -> options.timeout(value.duration()));
        policy.read("cache", value -> options.cache(remembered(value)));
        policy.read("on_error", value -> options.onError(onError(value)));
        return options;
    }

    private static Duration remembered(Settings value) {
        return NO_CACHE.contains(value.text()) ? Duration.ZERO : value.duration();
    }

    private static OnError onError(Settings value) {
        return switch (value.text()) {
            case "deny" -> OnError.DENY;
            case "allow" -> OnError.ALLOW;
            default -> throw value.wrong("must be deny or allow");
        };
    }

    // --- as the agent uses it ---

    /** Judges what a program has set, now that everything is known. */
    PolicyOptions complete() {
        if (opa == null) {
            throw new ConfigException("a policy " + NO_ADDRESS);
        }
        return this;
    }

    HttpUrl opa() {
        return Objects.requireNonNull(opa, "opa");
    }

    Duration timeout() {
        return timeout;
    }

    Duration cache() {
        return cache;
    }

    boolean allowsUnasked() {
        return onError == OnError.ALLOW;
    }

    private List<Object> all() {
        return Arrays.asList(opa, timeout, cache, onError);
    }

    /** Whether these options mean the same, so that a reload may leave the policy with what it remembers. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof PolicyOptions options && all().equals(options.all());
    }

    @Override
    public int hashCode() {
        return all().hashCode();
    }
}
