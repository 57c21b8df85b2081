package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.TokenOptions;
import io.keyturn.policy.Destination;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code agent.authorize} and {@code agent.headersFor}, for every client that is not OkHttp. */
@Tag("okhttp-floor")
class AuthorizeTest {
    private static final String A = "ktn_authorize_A+7Qm2Xv9/LrT4w==";
    private static final String B = "ktn_authorize_B_5Hd3Kp6NsY0b";
    private static final URI ME = URI.create("https://api.example.com/v1/me?x=%2F1");

    private final PushedSource pushed = TokenSources.pushed();
    private TokenAgent agent;

    @AfterEach
    void close() {
        if (agent != null) {
            agent.close();
        }
    }

    private TokenAgent agent(Consumer<TokenOptions> options) throws IOException {
        Consumer<TokenOptions> endpoint = t -> t.endpoint("https://api.example.com/v1");
        pushed.set(A);
        agent = TokenAgent.builder()
                .token("a", pushed, endpoint.andThen(options))
                .token("b", TokenSources.value(B), endpoint.andThen(TokenOptions::attachByName))
                .start();
        return agent;
    }

    private TokenAgent agent(SentAs sentAs) throws IOException {
        return agent(t -> t.sendAs(sentAs.placement));
    }

    @ParameterizedTest
    @EnumSource(
            value = SentAs.class,
            names = {"BEARER", "API_KEY", "PREFIXED", "BASIC"})
    void authorize_header_isForTheSameUrl(SentAs sentAs) throws Exception {
        Attachment attachment = agent(sentAs).authorize("GET", ME);
        assertThat(attachment.uri()).isEqualTo(ME);
        assertThat(attachment.headers()).containsExactly(Map.entry(sentAs.field, sentAs.expected(A)));
        assertThat(attachment.token()).map(Token::reveal).hasValue(A);
        assertThat(SentAs.forms(A)).noneMatch(attachment.toString()::contains);
    }

    /** Found by fuzzing: Java finds no host in them, OkHttp finds ours, and another client may find another. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://a@evil.com@api.example.com/v1",
                "https://evil.com:443@x@api.example.com/v1",
                "https://api.example.com:+443/v1",
                "https://%61pi.example.com/v1",
                "https:api.example.com/v1",
                "https:/api.example.com/v1",
            })
    void authorize_authorityThatClientsReadInTwoWays_isEmpty(String uri) throws IOException {
        agent(t -> {});

        Attachment attachment = agent.authorize("GET", URI.create(uri));

        assertThat(attachment.token()).isEmpty();
        assertThat(attachment.headers()).isEmpty();
        assertThat(attachment.uri()).hasToString(uri);
    }

    @Test
    void authorize_hostWithAnUnderscore_carriesItsToken() throws IOException {
        agent(t -> t.endpoint("https://build_box.example.com:8443"));

        assertThat(agent.authorize("GET", URI.create("https://build_box.example.com:8443/x"))
                        .token())
                .isPresent();
    }

    @Test
    void authorize_query_isInTheUrl() throws Exception {
        Attachment attachment = agent(SentAs.QUERY).authorize("GET", ME);
        assertThat(attachment.uri())
                .hasToString("https://api.example.com/v1/me?x=%2F1&api_key=ktn_authorize_A%2B7Qm2Xv9%2FLrT4w%3D%3D");
        assertThat(attachment.headers()).isEmpty();
        assertThat(attachment.token()).isPresent();
        assertThat(SentAs.forms(A)).noneMatch(attachment.toString()::contains);
    }

    @Test
    void authorize_webSocket_countsAsItsHandshake() throws Exception {
        URI socket = URI.create("WSS://api.example.com/v1/feed");
        Attachment header = agent(SentAs.BEARER).authorize("GET", socket);
        assertThat(header.uri()).isEqualTo(socket);
        assertThat(header.headers()).containsOnlyKeys("Authorization");
        assertThat(agent.authorize("GET", URI.create("ws://api.example.com/v1/feed"))
                        .headers())
                .isEmpty();
        agent.close();

        Attachment query = agent(SentAs.QUERY).authorize("GET", socket);
        assertThat(query.uri().toString()).startsWith("wss://api.example.com/v1/feed?api_key=");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://api.example.com/",
                "https://api.example.com/v10",
                "https://api.example.com:8443/v1",
                "https://api.example.com./v1",
                "https://evil.example/v1",
                "https://api.example.com@evil.example/v1",
                "https://evil.example/https://api.example.com/v1",
                "http://api.example.com/v1",
                "ftp://api.example.com/v1",
                "mailto:api@example.com",
                "/v1/me",
                "//api.example.com/v1"
            })
    void authorize_undeclaredUri_isEmpty(String uri) throws Exception {
        Attachment attachment = agent(SentAs.BEARER).authorize("GET", URI.create(uri));
        assertThat(attachment.uri()).hasToString(uri);
        assertThat(attachment.headers()).isEmpty();
        assertThat(attachment.token()).isEmpty();
        assertThat(attachment.answered(401)).isFalse();
        assertThat(attachment).hasToString("Attachment[no token]");
    }

    /** Other clients send the path as it is, so that the server resolves what OkHttp would have resolved before. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "/v1/../admin",
                "/v1/x/../../admin",
                "/v1/%2e%2e/admin",
                "/v1/.%2E/admin",
                "/v1/..%2fadmin",
                "/v1/x%2f..%2f..%2fadmin",
                "/v1/..%5cadmin",
                "/v1/..;/admin",
                "/v1/..;jsessionid=1/admin",
                "/v1/..",
                "/admin/../v1/me",
                "/admin/%2e%2e/v1/me",
                "/v1/./me"
            })
    void authorize_dotSegments_getNothing(String path) throws Exception {
        Attachment attachment = agent(SentAs.BEARER).authorize("GET", URI.create("https://api.example.com" + path));
        assertThat(attachment.headers()).isEmpty();
        assertThat(attachment.token()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1", "/v1/", "/v1/a..b", "/v1/...", "/v1/.well-known/x", "/v1/x;y=..", "/%761"})
    void authorize_dotsOfAnotherKind_getTheToken(String path) throws Exception {
        URI uri = URI.create("https://api.example.com" + path);
        assertThat(agent(SentAs.BEARER).authorize("GET", uri).token()).isPresent();
    }

    @Test
    void authorize_uses_areHeard() throws Exception {
        agent(SentAs.BEARER);
        assertThat(agent.authorize("GET", ME, TokenUse.named("b")).headers())
                .containsEntry("Authorization", "Bearer " + B);
        assertThat(agent.authorize("GET", ME, TokenUse.none()).headers()).isEmpty();
        assertThatThrownBy(() -> agent.authorize("GET", URI.create("https://x.example"), TokenUse.named("b")))
                .isInstanceOf(TokenDeniedException.class)
                .hasMessage("token 'b' may not go to https://x.example/");
        assertThatThrownBy(() -> agent.authorize("GET", ME, TokenUse.named("c")))
                .isInstanceOf(TokenDeniedException.class)
                .hasMessageContaining("known are: a, b");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> agent.authorize("GET", ME, TokenUse.named("a"), TokenUse.named("b")));
        assertThat(agent.authorize("GET", ME, TokenUse.named("b"), TokenUse.named("b"))
                        .token())
                .isPresent();
    }

    @Test
    void answered_401AndTokenChanged_isWorthAnotherTry() throws Exception {
        Attachment first = agent(SentAs.BEARER).authorize("GET", ME);
        assertThat(first.answered(200)).isFalse();
        assertThat(first.answered(403)).isFalse();
        assertThat(first.answered(401)).isFalse();

        pushed.set(B);
        assertThat(first.answered(403)).isFalse();
        assertThat(first.answered(401)).isTrue();
        Attachment second = agent.authorize("GET", ME);
        assertThat(second.headers()).containsEntry("Authorization", "Bearer " + B);
        assertThat(second.token()).map(Token::generation).hasValue(2L);
        assertThat(first.headers()).containsEntry("Authorization", "Bearer " + A);
    }

    @Test
    void authorize_policy_isAskedWithTheMethodInUpperCase() throws Exception {
        List<Destination> asked = new CopyOnWriteArrayList<>();
        agent(t -> t.policy((token, destination) -> {
            asked.add(destination);
            if (destination.method().equals("DELETE")) {
                throw new TokenDeniedException(Reason.DESTINATION, "reads only", null);
            }
        }));
        assertThat(agent.authorize("get", ME).token()).isPresent();
        assertThatThrownBy(() -> agent.authorize("delete", ME)).hasMessage("reads only");
        assertThat(asked).extracting(Destination::method).containsExactly("GET", "DELETE");
        assertThat(asked).allSatisfy(destination -> {
            assertThat(destination.uri()).isEqualTo(ME);
            assertThat(destination.address()).isEmpty();
        });
    }

    @Test
    void authorize_noToken_isUnavailable() throws Exception {
        PushedSource empty = TokenSources.pushed();
        agent = TokenAgent.builder()
                .token("a", empty, t -> t.endpoint("https://api.example.com").optional())
                .start();
        assertThatThrownBy(() -> agent.authorize("GET", ME))
                .isInstanceOfSatisfying(
                        TokenUnavailableException.class,
                        e -> assertThat(e.reason()).isEqualTo(Reason.ABSENT));
    }

    @Test
    void authorize_afterClose_isDenied() throws Exception {
        agent(SentAs.BEARER).close();
        assertThatThrownBy(() -> agent.authorize("GET", ME)).hasMessage("agent closed");
        assertThat(agent.authorize("GET", URI.create("https://x.example")).headers())
                .isEmpty();
    }

    @Test
    void headersFor_afterSwap_suppliesTheNewOne() throws Exception {
        Supplier<Map<String, String>> headers = agent(SentAs.API_KEY).headersFor("POST", ME);
        assertThat(headers.get()).containsExactly(Map.entry("X-Api-Key", A));
        pushed.set(B);
        assertThat(headers.get()).containsExactly(Map.entry("X-Api-Key", B));
        agent.close();
        assertThatThrownBy(headers::get)
                .isInstanceOf(UncheckedIOException.class)
                .hasCauseInstanceOf(TokenDeniedException.class);
    }

    @Test
    void authorize_jdkClient_carriesTheTokenAndRecovers() throws Exception {
        try (RecordingServer server = RecordingServer.start()) {
            pushed.set(A);
            agent = TokenAgent.builder()
                    .token("a", pushed, t -> t.endpoint(server.url("/v1")))
                    .start();
            server.on("/v1/me", request -> {
                pushed.set(B);
                return Answer.of(SentAs.BEARER.carries(request, B) ? 200 : 401, "");
            });
            HttpClient client = HttpClient.newHttpClient();
            URI uri = URI.create(server.url("/v1/me"));

            Attachment attachment = agent.authorize("GET", uri);
            assertThat(send(client, attachment)).isEqualTo(401);
            assertThat(attachment.answered(401)).isTrue();
            assertThat(send(client, agent.authorize("GET", uri))).isEqualTo(200);

            assertThat(SentAs.BEARER.carries(server.seen().get(0), A)).isTrue();
        }
    }

    private static int send(HttpClient client, Attachment attachment) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(attachment.uri());
        attachment.headers().forEach(request::header);
        return client.send(request.build(), BodyHandlers.discarding()).statusCode();
    }
}
