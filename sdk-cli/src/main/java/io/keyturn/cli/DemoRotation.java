package io.keyturn.cli;

import io.keyturn.TokenAgent;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Replaces the token of an agent in each way that there is, one after the other, and waits until the API has had a request
 * with the new one.
 */
final class DemoRotation {
    /** Longer than anything may take here, with a machine that is busy. */
    private static final long LONGEST_MILLIS = 10_000;

    private final DemoFolder folder;
    private final DemoServers servers;
    private final TokenAgent agent;
    private final Supplier<String> tokens;
    private String file = "api-token";
    private String current;

    /** How the token may be replaced. */
    enum Way {
        FILE("a new token is renamed over its file"),
        YAML("agent.yaml names another file"),
        REVOCATION("the old token is revoked when the new one is there");

        final String text;

        Way(String text) {
            this.text = text;
        }
    }

    /**
     * How it went.
     *
     * @param arrived whether the API had a request with the new token
     * @param millis how long that took
     * @param refused how many requests the API refused meanwhile; each was sent again with the new token
     */
    record Ended(boolean arrived, long millis, int refused, String before, String after) {}

    /**
     * Nothing is replaced yet.
     *
     * @param current the token that the agent has
     * @param tokens makes up new ones
     */
    DemoRotation(DemoFolder folder, DemoServers servers, TokenAgent agent, String current, Supplier<String> tokens) {
        this.folder = folder;
        this.servers = servers;
        this.agent = agent;
        this.current = current;
        this.tokens = tokens;
    }

    /** Replaces the token and waits. */
    Ended run(Way way) throws IOException, InterruptedException {
        String next = tokens.get();
        String before = agent.provider("api_token").get().fingerprint();
        int refused = servers.refused();
        servers.accept(next);
        long started = System.nanoTime();
        switch (way) {
            case FILE -> folder.replace(file, next);
            case YAML -> {
                file = file.equals("api-token") ? "other-token" : "api-token";
                folder.replace(file, next);
                folder.replace("agent.yaml", yaml(servers, file));
            }
            case REVOCATION -> {
                folder.replace(file, next);
                servers.refuse(current);
            }
        }
        boolean arrived = servers.awaits(next, LONGEST_MILLIS);
        long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
        // Where it was not revoked it is now: nobody needs it any more.
        servers.refuse(current);
        current = next;
        String after = agent.provider("api_token").get().fingerprint();
        return new Ended(arrived, millis, servers.refused() - refused, before, after);
    }

    static String yaml(DemoServers servers, String file) {
        return """
                agent:
                  name: demo-agent
                  api_token: {file: %s}
                  endpoint: %s
                  check: {request: GET /v1/me, identity: /login}
                """.formatted(file, servers.apiUrl());
    }
}
