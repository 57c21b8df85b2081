package io.keyturn;

import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import io.keyturn.token.Secret;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * All that an agent was told, by the program and by its settings.
 *
 * @param tokens not opened yet
 * @param http how the agent makes its own calls
 * @param policy who is asked about every request with a token, or null
 * @param statusFile where the agent's status is written, or null
 * @param readyFile what is there only while the agent is usable, or null
 * @param files the files from which a setting that is no token was filled in
 * @param problems what is wrong; where there is any, the rest is not to be used
 */
record AgentConfiguration(
        String name,
        List<TokenPlan> tokens,
        @Nullable Secret fingerprintKey,
        Duration startTimeout,
        Duration poll,
        HttpSettings http,
        @Nullable PolicyOptions policy,
        @Nullable Path statusFile,
        @Nullable Path readyFile,
        Set<Path> files,
        List<Problem> problems,
        List<Need> needs) {
    /** The same with more that is wrong. */
    AgentConfiguration with(List<Problem> more) {
        List<Problem> all = new ArrayList<>(problems);
        all.addAll(more);
        return new AgentConfiguration(
                name,
                tokens,
                fingerprintKey,
                startTimeout,
                poll,
                http,
                policy,
                statusFile,
                readyFile,
                files,
                all,
                needs);
    }

    /** What is kept once its tokens are open, each of which then has all that is needed of its plan. */
    AgentConfiguration withoutTokens() {
        return new AgentConfiguration(
                name,
                List.of(),
                fingerprintKey,
                startTimeout,
                poll,
                http,
                policy,
                statusFile,
                readyFile,
                files,
                problems,
                needs);
    }

    /** The keys that another configuration sets otherwise and that a running agent does not change. */
    List<String> needRestart(AgentConfiguration other) {
        List<String> keys = new ArrayList<>();
        note(keys, "name", name, other.name);
        note(keys, "fingerprint_key", fingerprintKey, other.fingerprintKey);
        note(keys, "poll", poll, other.poll);
        note(keys, "http", http, other.http);
        note(keys, "status_file", statusFile, other.statusFile);
        note(keys, "ready_file", readyFile, other.readyFile);
        return keys;
    }

    private static void note(List<String> keys, String key, @Nullable Object now, @Nullable Object then) {
        if (!Objects.equals(now, then)) {
            keys.add(key);
        }
    }
}
