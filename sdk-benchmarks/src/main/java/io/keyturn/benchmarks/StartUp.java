package io.keyturn.benchmarks;

import java.io.IOException;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/**
 * The least that a process on OkHttp can do: one request, nothing else. {@code keyturn check} may take twice its time for a
 * file of four lines, from start to end of the process, against the same server.
 *
 * <p>With any server of yours, which accepts the token, in {@code agent.yaml}; hyperfine is in most package systems, and
 * takes turns if it is told to with {@code --runs 1} in a loop:
 *
 * <pre>
 * export AGENT_API_TOKEN=…
 * hyperfine --warmup 2 --runs 20 \
 *   'java -cp sdk-benchmarks/target/benchmarks.jar io.keyturn.benchmarks.StartUp https://api.example.com/v1/me' \
 *   'java -jar sdk-cli/target/keyturn.jar check agent.yaml'
 * </pre>
 *
 * <p>Compare medians ({@code --export-json}), with the machine otherwise idle. The request here carries no token, so a
 * guarded server answers 401, which costs the same; any status is a success.
 */
public final class StartUp {
    private StartUp() {}

    public static void main(String[] args) throws IOException {
        OkHttpClient client = new OkHttpClient();
        Request request = new Request.Builder().url(args[0]).build();
        try (Response response = client.newCall(request).execute()) {
            System.out.println(response.code());
        }
        System.exit(0); // OkHttp's idle threads would keep the process for a while
    }
}
