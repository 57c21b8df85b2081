package io.keyturn.cli;

import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/**
 * The least that a check can cost: a JVM that makes one request and ends. {@code keyturn check} makes two, and may take
 * twice the time. Compare the whole processes against the same server on loopback, with the machine otherwise idle;
 * hyperfine is in most package systems:
 *
 * <pre>
 * hyperfine --warmup 2 --runs 20 \
 *   'java -cp sdk-cli/target/test-classes:sdk-cli/target/keyturn.jar io.keyturn.cli.OneRequest http://127.0.0.1:8080/' \
 *   'java -jar sdk-cli/target/keyturn.jar check agent.yaml'
 * </pre>
 */
final class OneRequest {
    private OneRequest() {}

    public static void main(String[] args) throws Exception {
        Request request = new Request.Builder().url(args[0]).build();
        try (Response response = new OkHttpClient().newCall(request).execute()) {
            System.out.println(response.code());
        }
    }
}
