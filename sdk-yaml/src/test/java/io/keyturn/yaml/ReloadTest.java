package io.keyturn.yaml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenEvent.ReloadFailed;
import io.keyturn.event.TokenEvent.Reloaded;
import io.keyturn.event.TokenEvent.Swapped;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A running agent whose agent.yaml is edited. */
class ReloadTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private TokenAgent agent;

    @AfterEach
    void close() {
        if (agent != null) {
            agent.close();
        }
        canary.saw("events", events);
    }

    private TokenAgent start(String... lines) throws IOException {
        write(lines);
        agent = YamlConfig.load(folder.resolve("agent.yaml"))
                .environment(Map.of("A", "token-of-a")::get)
                .listener(events::add)
                .start();
        return agent;
    }

    /** As editors do: another file takes the place of the one before. */
    private void write(String... lines) throws IOException {
        Path other = Files.writeString(folder.resolve("agent.yaml~"), String.join("\n", lines) + "\n");
        Files.move(other, folder.resolve("agent.yaml"), StandardCopyOption.ATOMIC_MOVE);
    }

    private Path secret(String name, String value) throws IOException {
        Path other = Files.writeString(folder.resolve(name + "~"), value);
        Files.setPosixFilePermissions(other, PosixFilePermissions.fromString("rw-------"));
        return Files.move(other, folder.resolve(name), StandardCopyOption.ATOMIC_MOVE);
    }

    private <T extends TokenEvent> T awaitEvent(Class<T> kind) {
        await().atMost(Duration.ofSeconds(20)).until(() -> events.stream().anyMatch(kind::isInstance));
        return heard(kind).findFirst().orElseThrow();
    }

    private <T extends TokenEvent> Stream<T> heard(Class<T> kind) {
        return events.stream().filter(kind::isInstance).map(kind::cast);
    }

    private String sent(String url) throws IOException {
        return agent.authorize("GET", URI.create(url)).headers().getOrDefault("Authorization", "nothing");
    }

    @Test
    void edited_literalValue_isSwapped() throws Exception {
        TokenProvider tokens = start("agent:", "  api_token: token-one").provider("api_token");
        assertThat(tokens.get().reveal()).isEqualTo("token-one");

        write("agent:", "  api_token: token-two");

        awaitEvent(Reloaded.class);
        assertThat(tokens.get().reveal()).isEqualTo("token-two");
        assertThat(tokens.get().generation()).isEqualTo(2);
        assertThat(awaitEvent(Swapped.class).generation()).isEqualTo(2);
        assertThat(heard(Reloaded.class)).singleElement().satisfies(event -> {
            assertThat(event.tokens()).containsExactly("api_token");
            assertThat(event.restart()).isEmpty();
        });
    }

    @Test
    void edited_inPlace_isSwapped() throws Exception {
        TokenProvider tokens = start("agent:", "  api_token: token-one").provider("api_token");

        Files.writeString(folder.resolve("agent.yaml"), "agent:\n  api_token: token-two\n");

        awaitEvent(Reloaded.class);
        assertThat(tokens.get().reveal()).isEqualTo("token-two");
    }

    @Test
    void edited_onlyMovedAndCommented_keepsTheProviders() throws Exception {
        TokenProvider tokens = start("agent:", "  tokens:", "    a: {env: A}", "    b: {value: b1}")
                .provider("a");
        var before = tokens.get();

        write("agent:", "  # as before", "  tokens:", "    b: {value: b2}", "", "    a:", "      env: A");

        assertThat(awaitEvent(Reloaded.class).tokens()).containsExactly("b");
        assertThat(tokens.get()).isSameAs(before);
        assertThat(agent.provider("b").get().reveal()).isEqualTo("b2");
    }

    @Test
    void edited_endpoints_followAtOnceWithTheirTokens() throws Exception {
        start("agent:", "  tokens:", "    a: {value: a1, endpoint: 'https://a.example.com'}");

        write(
                "agent:",
                "  tokens:",
                "    a: {value: a1, endpoint: 'https://b.example.com'}",
                "    c: {value: c1, endpoint: 'https://c.example.com'}");

        awaitEvent(Reloaded.class);
        assertThat(sent("https://a.example.com/")).isEqualTo("nothing");
        assertThat(sent("https://b.example.com/")).isEqualTo("Bearer a1");
        assertThat(sent("https://c.example.com/")).isEqualTo("Bearer c1");
        assertThat(agent.provider("a").get().generation())
                .as("the same value is the same version")
                .isEqualTo(1);
        assertThat(heard(Swapped.class)).isEmpty();
    }

    @Test
    void edited_policy_isInForceWithoutARestart() throws Exception {
        String[] token = {"agent:", "  tokens:", "    a: {value: a1, endpoint: 'https://a.example.com'}"};
        var before = start(token).provider("a").get();
        assertThat(sent("https://a.example.com/")).isEqualTo("Bearer a1");

        try (RecordingServer opa = RecordingServer.start()) {
            opa.on("/v1/data/agent/allow", Answer.ok("{\"result\": false}"));
            write(
                    token[0],
                    token[1],
                    token[2],
                    "  policy: {opa: '" + opa.url("/v1/data/agent/allow") + "', timeout: 10s}");

            Reloaded reloaded = awaitEvent(Reloaded.class);
            assertThat(reloaded.tokens()).isEmpty();
            assertThat(reloaded.restart()).isEmpty();
            assertThatThrownBy(() -> sent("https://a.example.com/"))
                    .isInstanceOfSatisfying(
                            TokenDeniedException.class,
                            e -> assertThat(e.reason()).isEqualTo(Reason.POLICY));
            assertThat(agent.provider("a").get()).isSameAs(before);

            events.clear();
            write(token);
            awaitEvent(Reloaded.class);
            assertThat(sent("https://a.example.com/")).isEqualTo("Bearer a1");
        }
    }

    @Test
    void edited_tokenRemoved_itsProviderSaysSoAndComesBackWithIt() throws Exception {
        TokenProvider gone = start("agent:", "  tokens:", "    a: {value: a1}", "    b: {value: b1}")
                .provider("b");

        write("agent:", "  tokens:", "    a: {value: a1}");

        awaitEvent(Reloaded.class);
        assertThatThrownBy(gone::get).isInstanceOfSatisfying(TokenUnavailableException.class, e -> {
            assertThat(e).hasMessage("no token 'b': it was removed from the configuration");
            assertThat(e.reason()).isEqualTo(Reason.REMOVED);
        });

        write("agent:", "  tokens:", "    a: {value: a1}", "    b: {value: b2}");

        await().until(() -> heard(Reloaded.class).count() == 2);
        assertThat(gone.get().reveal()).isEqualTo("b2");
        assertThat(gone.get().generation()).as("its versions are counted on").isEqualTo(2);
    }

    @Test
    void edited_withAnError_changesNothingAndIsSaid() throws Exception {
        TokenProvider tokens = start("agent:", "  api_token: token-one", "  endpoint: https://a.example.com")
                .provider("api_token");

        write("agent:", "  api_token: " + canary.token(), "  endpiont: https://b.example.com");

        ReloadFailed failed = awaitEvent(ReloadFailed.class);
        assertThat(failed.message()).contains("agent.yaml:3:3 agent: unknown key 'endpiont', did you mean 'endpoint'?");
        assertThat(tokens.get().reveal()).isEqualTo("token-one");
        assertThat(sent("https://a.example.com/")).isEqualTo("Bearer token-one");
        CheckReport report = agent.check();
        assertThat(report.tokens().get(0).step("config")).hasValueSatisfying(step -> {
            assertThat(step.reason()).isEqualTo("degraded");
            assertThat(step.detail()).contains("unknown key 'endpiont'");
        });
        canary.saw("report", report.toString());

        write("agent:", "  api_token: token-one", "  endpoint: https://a.example.com");

        assertThat(awaitEvent(Reloaded.class).tokens()).isEmpty();
        assertThat(agent.check().tokens().get(0).step("config").orElseThrow().reason())
                .isNull();
    }

    @Test
    void edited_cutShort_changesNothing() throws Exception {
        TokenProvider tokens = start("agent:", "  api_token: token-one").provider("api_token");

        write("agent: {api_token: \"" + canary.token());

        awaitEvent(ReloadFailed.class);
        assertThat(tokens.get().reveal()).isEqualTo("token-one");
    }

    @Test
    void deleted_changesNothing() throws Exception {
        TokenProvider tokens = start("agent:", "  api_token: token-one").provider("api_token");

        Files.delete(folder.resolve("agent.yaml"));

        assertThat(awaitEvent(ReloadFailed.class).message()).contains("does not exist");
        assertThat(tokens.get().reveal()).isEqualTo("token-one");

        write("agent:", "  api_token: token-two");

        awaitEvent(Reloaded.class);
        assertThat(tokens.get().reveal()).isEqualTo("token-two");
    }

    @Test
    void edited_newRequiredTokenIsNotThere_nothingChangesUntilItIs() throws Exception {
        start("agent:", "  start_timeout: 200ms", "  tokens:", "    a: {value: a1, endpoint: 'https://a.example.com'}");

        write(
                "agent:",
                "  start_timeout: 200ms",
                "  tokens:",
                "    a: {value: a2, endpoint: 'https://a.example.com'}",
                "    b: {file: b, endpoint: 'https://b.example.com'}");

        assertThat(awaitEvent(ReloadFailed.class).message())
                .contains("no token 'b'")
                .contains("does not exist");
        assertThat(sent("https://a.example.com/")).isEqualTo("Bearer a1");
        assertThat(sent("https://b.example.com/")).isEqualTo("nothing");

        secret("b", "b1");

        assertThat(awaitEvent(Reloaded.class).tokens()).containsExactlyInAnyOrder("a", "b");
        assertThat(sent("https://a.example.com/")).isEqualTo("Bearer a2");
        assertThat(sent("https://b.example.com/")).isEqualTo("Bearer b1");
    }

    @Test
    void namedFile_ofAnotherSetting_isFollowed() throws Exception {
        secret("host", "a.example.com");
        start("agent:", "  api_token: token-one", "  endpoint: https://${file:host}");
        assertThat(sent("https://a.example.com/")).isEqualTo("Bearer token-one");

        secret("host", "b.example.com");

        awaitEvent(Reloaded.class);
        assertThat(sent("https://a.example.com/")).isEqualTo("nothing");
        assertThat(sent("https://b.example.com/")).isEqualTo("Bearer token-one");
    }

    @Test
    void namedFile_ofAToken_isSwappedWithoutReload() throws Exception {
        secret("token", "token-one");
        TokenProvider tokens = start("agent:", "  api_token: x-${file:token}").provider("api_token");

        secret("token", "token-two");

        awaitEvent(Swapped.class);
        assertThat(tokens.get().reveal()).isEqualTo("x-token-two");
        assertThat(heard(Reloaded.class)).isEmpty();
    }

    @Test
    void edited_whatNeedsARestart_isSaid() throws Exception {
        start("agent:", "  api_token: token-one");

        write("agent:", "  api_token: token-one", "  name: other", "  poll: 2s");

        Reloaded event = awaitEvent(Reloaded.class);
        assertThat(event.tokens()).isEmpty();
        assertThat(event.restart()).containsExactly("name", "poll");
    }

    @Test
    void swappedFolder_asAConfigMap_isFollowed() throws Exception {
        Path one = Files.createDirectory(folder.resolve("..1"));
        Path two = Files.createDirectory(folder.resolve("..2"));
        Files.writeString(one.resolve("agent.yaml"), "agent: {api_token: token-one}\n");
        Files.writeString(two.resolve("agent.yaml"), "agent: {api_token: token-two}\n");
        Files.createSymbolicLink(folder.resolve("..data"), one.getFileName());
        Files.createSymbolicLink(folder.resolve("agent.yaml"), Path.of("..data/agent.yaml"));
        agent = YamlConfig.load(folder.resolve("agent.yaml"))
                .listener(events::add)
                .start();

        Files.createSymbolicLink(folder.resolve("..data_tmp"), two.getFileName());
        Files.move(folder.resolve("..data_tmp"), folder.resolve("..data"), StandardCopyOption.ATOMIC_MOVE);

        awaitEvent(Reloaded.class);
        assertThat(agent.provider("api_token").get().reveal()).isEqualTo("token-two");
    }

    @Test
    void rejected_literalValue_isReadFromTheFileAgain() throws Exception {
        TokenProvider tokens = start("agent:", "  api_token: token-one").provider("api_token");
        var old = tokens.get();

        write("agent:", "  api_token: token-two");

        assertThat(tokens.invalidate(old)).isTrue();
        assertThat(tokens.get().reveal()).isEqualTo("token-two");
        assertThat(tokens.get().generation()).isEqualTo(2);

        write("agent:", "  api_token: token-one");

        await().until(() -> tokens.get().reveal().equals("token-one"));
        assertThat(tokens.get().generation()).isEqualTo(3);
    }

    @Test
    void rejected_literalValueEditedWithItsEndpoint_neverGoesToTheOldOne() throws Exception {
        start("agent:", "  api_token: token-one", "  endpoint: https://a.example.com");
        TokenProvider tokens = agent.provider("api_token");
        var old = tokens.get();

        write("agent:", "  api_token: token-two", "  endpoint: https://b.example.com");
        tokens.invalidate(old);

        assertThat(sent("https://a.example.com/")).isIn("Bearer token-one", "nothing");
        awaitEvent(Reloaded.class);
        assertThat(sent("https://b.example.com/")).isEqualTo("Bearer token-two");
    }

    @Test
    void edited_afterClose_isHeardByNobody() throws Exception {
        start("agent:", "  api_token: token-one").close();

        write("agent:", "  api_token: token-two");

        assertThatThrownBy(agent.provider("api_token")::get).hasMessage("no token 'api_token': agent closed");
        assertThat(heard(Reloaded.class)).isEmpty();
    }
}
