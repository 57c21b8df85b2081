package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import okhttp3.Request;
import okhttp3.Response;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(120)
class DemoTest {
    private static final String WRONG = "another-Q7rT9uW2xZ4";

    @RegisterExtension
    final Canary canary = new Canary();

    @RegisterExtension
    final Canary wrong = new Canary(WRONG);

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private int demo(String token, String wrongToken) {
        PrintStream stream = new PrintStream(out, true, UTF_8);
        int exit = new Demo(
                        new Shell(
                                "java -jar k.jar",
                                name -> null,
                                InputStream.nullInputStream(),
                                stream,
                                stream,
                                false,
                                false),
                        Duration.ofMillis(1),
                        token,
                        wrongToken)
                .run();
        canary.saw("demo", out.toString(UTF_8));
        wrong.saw("demo", out.toString(UTF_8));
        return exit;
    }

    private String shown() {
        return out.toString(UTF_8);
    }

    private static List<Path> folders() throws IOException {
        try (Stream<Path> all = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            return all.filter(file -> file.getFileName().toString().startsWith("keyturn-demo-"))
                    .toList();
        }
    }

    @Test
    void demo_everything_isAsPromisedAndGone() throws IOException {
        List<Path> before = folders();

        assertThat(demo(canary.token(), WRONG)).isZero();

        assertThat(shown())
                .contains("agent.yaml\n     agent:\n       name: demo-agent\n       api_token: {file: api-token}\n")
                .contains("api-token  (only its owner may read it)\n")
                .contains("GET /v1/me: 200, as demo-agent")
                .contains("without the token: 401")
                .contains("unauthenticated (401)")
                .contains("fix: ")
                .contains("agent.yaml:2:14 agent.api_token: environment variable AGENT_API_TOKEN is not set\n")
                .containsPattern("the API +got the token api_token#[0-9a-f]{12}, and answered 302 to http://127.0.0.1:")
                .containsPattern("the stranger +got only .*Host, .*")
                .contains("All of it as promised")
                .contains("export AGENT_API_TOKEN=")
                .contains("\n     java -jar k.jar check agent.yaml\n")
                .containsPattern("a new token is renamed over its file +#[0-9a-f]{12} → #[0-9a-f]{12} +\\d+ ms")
                .containsPattern("agent.yaml names another file +#[0-9a-f]{12} → #[0-9a-f]{12} +\\d+ ms")
                .containsPattern("the old token is revoked when .* +#[0-9a-f]{12} → #[0-9a-f]{12} +\\d+ ms")
                .containsPattern("\n3 rotations, [1-9]\\d* requests, 0 failed\n$")
                .doesNotContain("not as promised");
        assertThat(folders()).containsExactlyElementsOf(before);
    }

    @Test
    void demo_wrongTokenIsAccepted_isNotAsPromised() throws IOException {
        List<Path> before = folders();

        assertThat(demo(canary.token(), canary.token())).isEqualTo(1);

        assertThat(shown())
                .contains("not as promised: the API refuses the token")
                .containsPattern("\n3 rotations, [1-9]\\d* requests, 0 failed\n$")
                .doesNotContain("All of it");
        assertThat(folders()).containsExactlyElementsOf(before);
    }

    @Test
    void demo_tokensOfItsOwn_areMadeUpEachTime() {
        Cli cli = new Cli(canary);

        Cli.Ended one = cli.run("demo", "--time", "1ms");
        Cli.Ended other = cli.run("demo", "--time", "1ms");

        assertThat(one.exit()).isZero();
        assertThat(one.err()).isEmpty();
        assertThat(fingerprint(one)).isNotEqualTo(fingerprint(other));
        assertThat(one.out()).doesNotContainPattern("(?<!keyturn-)demo-[0-9a-f]{4}");
    }

    private static String fingerprint(Cli.Ended ended) {
        return ended.out().replaceFirst("(?s).*?(api_token#[0-9a-f]{12}).*", "$1");
    }

    /** The demo must fail where the SDK does: here the token is not replaced, or requests fail. */
    @Test
    void traffic_requestsFail_areCounted() throws Exception {
        try (DemoServers servers = new DemoServers("right-token")) {
            DemoTraffic traffic = new DemoTraffic(servers.client(), servers.apiUrl() + "/v1/me");
            try (traffic) {
                Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> traffic.requests() >= 20);
            }
            assertThat(traffic.failed()).isEqualTo(traffic.requests());
            assertThat(traffic.firstFailure()).isEqualTo("status 401");
            assertThat(servers.refused()).isEqualTo(traffic.requests());
        }
    }

    @Test
    void servers_tokenThatNobodySends_doesNotArrive() throws Exception {
        try (DemoServers servers = new DemoServers("right-token")) {
            assertThat(servers.awaits("right-token", 1)).isFalse();
            assertThat(status(servers)).isEqualTo(200);
            assertThat(servers.awaits("right-token", 10_000)).isTrue();

            servers.refuse("right-token");
            assertThat(status(servers)).isEqualTo(401);
            assertThat(servers.refused()).isEqualTo(1);
            assertThat(servers.awaits("other-token", 1)).isFalse();
        }
    }

    private static int status(DemoServers servers) throws IOException {
        Request request = new Request.Builder()
                .url(servers.apiUrl())
                .header("Authorization", "Bearer right-token")
                .build();
        try (Response response = servers.client().newCall(request).execute()) {
            return response.code();
        }
    }

    @Test
    void folder_closed_isGoneWithItsFiles() throws IOException {
        Path path;
        try (DemoFolder folder = DemoFolder.create()) {
            path = folder.write("agent.yaml", "a").getParent();
            Path token = folder.write("api-token", "b");
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(token)))
                    .isEqualTo("rw-------");
            assertThat(Files.readString(folder.write("api-token", "c"))).isEqualTo("c");
        }
        assertThat(path).doesNotExist();
    }
}
