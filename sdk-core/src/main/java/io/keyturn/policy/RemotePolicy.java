package io.keyturn.policy;

import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;

/**
 * A policy that is asked somewhere else and may be out of reach. A request may pass by what it allowed a moment ago, or
 * because it cannot be asked and that was wanted; {@link #prove} looks behind both.
 */
public interface RemotePolicy extends TokenPolicy {
    /**
     * Open Policy Agent: its data API is asked with the agent, the token's name, fingerprint and scopes, and the request's
     * method, host and path, never with a value. {@code {"result": true}} allows, and nothing else does.
     *
     * <p>An allow is remembered and a denial is not; equal questions that are asked at the same time share one answer. While
     * it cannot be reached a question is tried a few times a second, and all others hear of the last failure at once.
     *
     * @param address of a rule, such as {@code http://127.0.0.1:8181/v1/data/agent/allow}
     * @param agent the agent's name
     * @param timeout how long a decision may take, from the question to the end of the answer
     * @param remembered how long an allow is remembered; zero for not at all
     * @param allowsUnasked whether requests pass while there is no decision
     * @param http sends the questions; it must follow no redirect, and attach no token
     * @param threads the questions are sent on; once it is shut down, nothing is allowed any more
     */
    static RemotePolicy opa(
            HttpUrl address,
            String agent,
            Duration timeout,
            Duration remembered,
            boolean allowsUnasked,
            OkHttpClient http,
            ExecutorService threads) {
        return new OpaPolicy(address, agent, timeout, remembered, allowsUnasked, http, threads, System::nanoTime);
    }

    /**
     * Asks now, whatever is remembered. Blocks as {@link #check} does.
     *
     * @throws TokenDeniedException if it says no ({@link Reason#POLICY}), or gave no decision ({@link
     *     Reason#POLICY_UNREACHABLE}), even where requests pass meanwhile
     */
    void prove(Token token, Destination destination) throws TokenDeniedException;

    /** Whether requests pass while there is no decision. */
    boolean allowsUnasked();

    /** What it is and where, for a report. */
    String describe();
}
