package io.keyturn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.cli.Cli.Ended;
import java.io.FilterInputStream;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * The time for the whole run. Each of these would hang without it for much longer than the test may take, which is less
 * than the default.
 */
@Timeout(9)
class LimitTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Cli cli = new Cli(canary);
    private final CountDownLatch over = new CountDownLatch(1);
    private final RecordingServer api = RecordingServer.start();

    @AfterEach
    void stop() {
        over.countDown();
        api.close();
    }

    private Answer hang() {
        assertThatCode(() -> over.await(5, TimeUnit.MINUTES)).doesNotThrowAnyException();
        return Answer.ok("");
    }

    private String yaml() {
        return "agent:\n  api_token: ${A}\n  endpoint: " + api.url("/") + "\n  check: GET /v1/me\n";
    }

    @Test
    void timeout_apiHangs_isUnknown() {
        api.on("/v1/me", seen -> hang());
        String file = Cli.write(folder, "agent.yaml", yaml()).toString();

        Ended ended = cli.with("A", canary.token()).run("check", file, "--timeout", "300ms", "--json");

        assertThat(ended.exit()).isEqualTo(3);
        assertThat(ended.json().get("status").asText()).isEqualTo("unknown");
        assertThat(api.seen("/v1/me")).hasSize(1);
    }

    @Test
    void timeout_secondRequestHangs_isUnknown() {
        api.on("/v1/me", seen -> seen.header("Authorization").isEmpty() ? hang() : Answer.ok(""));
        String file = Cli.write(folder, "agent.yaml", yaml()).toString();

        Ended ended = cli.with("A", canary.token()).run("check", file, "--timeout", "2s", "--json");

        assertThat(ended.exit()).isEqualTo(3);
        assertThat(ended.step("anonymous")).startsWith("unknown");
    }

    @Test
    void timeout_severalTokensHang_areTriedTogether() {
        api.on("/v1/me", seen -> hang());
        StringBuilder yaml = new StringBuilder("agent:\n  tokens:\n");
        for (int i = 0; i < 20; i++) {
            yaml.append("    t").append(i).append(": {env: A, attach: by_name, check: GET /v1/me, endpoint: ");
            yaml.append(api.url("/")).append("}\n");
        }
        String file = Cli.write(folder, "agent.yaml", yaml.toString()).toString();

        Ended ended = cli.with("A", canary.token()).run("check", file, "--timeout", "500ms", "--json");

        assertThat(ended.exit()).isEqualTo(3);
        assertThat(ended.json().get("tokens")).hasSize(20);
    }

    @Test
    void timeout_standardInputNeverEnds_is2() {
        InputStream endless = new FilterInputStream(InputStream.nullInputStream()) {
            @Override
            public int read(byte[] buffer, int from, int length) {
                hang();
                return -1;
            }
        };

        Ended ended = cli.reading(endless).run("check", "-", "--timeout", "300ms", "--json");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.json().get("errors").get(0).get("message").asText())
                .isEqualTo("did not come to its end within 300 ms");
    }

    @Test
    void timeout_namedPipeWithoutAWriter_is2() throws Exception {
        Path pipe = folder.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();

        Ended ended = cli.run("check", pipe.toString(), "--timeout", "300ms");

        assertThat(ended.exit()).isEqualTo(2);
        assertThat(ended.out()).startsWith(pipe + ": did not come to its end");
    }
}
