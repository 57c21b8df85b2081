package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.RecordingServer;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.TokenAgent;
import io.keyturn.TokenOptions;
import io.keyturn.check.CheckReport;
import io.keyturn.event.TokenEvent;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What is asked before each request: the scopes that it demands, the hour, and what else the token's policy is made of. */
@Tag("okhttp-floor")
class RequestRulesTest {
    @RegisterExtension
    final Canary canary = new Canary();

    private final List<AutoCloseable> open = new ArrayList<>();
    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private final ManualClock clock = new ManualClock();
    private final PushedSource pushed = TokenSources.pushed();
    private RecordingServer server;

    @BeforeEach
    void start() {
        server = RecordingServer.start();
        open.add(server);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    private TokenAgent agent(Consumer<TokenOptions> options) throws IOException {
        TokenAgent agent = TokenAgent.builder()
                .token("api", pushed, options.andThen(t -> t.endpoint(server.url("/v1"))))
                .clock(clock)
                .listener(events::add)
                .listener(canary.listener())
                .start();
        open.add(agent);
        return agent;
    }

    private OkHttpClient client(Consumer<TokenOptions> options) throws IOException {
        return agent(options).install(new OkHttpClient.Builder()).build();
    }

    private void token(String... scopes) {
        TokenDocument document = TokenDocument.of(canary.token());
        pushed.set(scopes.length == 0 ? document : document.withScopes(Set.of(scopes)));
    }

    private Request to(String path, TokenUse use) {
        return new Request.Builder()
                .url(server.url(path))
                .tag(TokenUse.class, use)
                .build();
    }

    private static int status(OkHttpClient client, Request request) throws IOException {
        try (Response response = client.newCall(request).execute()) {
            return response.code();
        }
    }

    private TokenDeniedException denied(OkHttpClient client, Request request) {
        TokenDeniedException denied = canary.caught(
                TokenDeniedException.class,
                () -> client.newCall(request).execute().close());
        await().untilAsserted(() -> assertThat(events)
                .anySatisfy(event -> assertThat(event).isInstanceOfSatisfying(TokenEvent.Denied.class, told -> {
                    assertThat(told.reason()).isEqualTo(denied.reason());
                    assertThat(told.message()).isEqualTo(denied.getMessage());
                    assertThat(told.url()).startsWith(server.url("/"));
                })));
        return denied;
    }

    private boolean carries(RecordingServer.Seen seen) {
        return seen.header("Authorization").equals(List.of("Bearer " + canary.token()));
    }

    // --- scopes that a request demands ---

    @Test
    void requiring_tokenHasThem_isSent() throws Exception {
        token("read", "write");
        OkHttpClient client = client(t -> {});

        assertThat(status(client, to("/v1/x", TokenUse.requiring("write", "read"))))
                .isEqualTo(200);

        assertThat(server.only()).matches(this::carries);
    }

    @Test
    void requiring_tokenLacksOne_isDeniedBeforeItIsSent() throws Exception {
        token("read");
        OkHttpClient client = client(t -> {});

        TokenDeniedException denied = denied(client, to("/v1/x", TokenUse.requiring("read", "write")));

        assertThat(denied.reason()).isEqualTo(Reason.SCOPE);
        assertThat(denied).hasMessageContaining("lacks the scope 'write', which the request demands");
        assertThat(server.seen()).isEmpty();
    }

    @Test
    void requiring_scopesNotKnown_isDeniedUnlessAllowed() throws Exception {
        token();
        TokenDeniedException denied = denied(client(t -> {}), to("/v1/x", TokenUse.requiring("write")));
        assertThat(denied.reason()).isEqualTo(Reason.SCOPE);
        assertThat(denied).hasMessageContaining("scopes are not known").hasMessageContaining("requiring(write)");
        assertThat(denied.fix()).contains("scopes.granted", "allow: [unknown]");
        assertThat(server.seen()).isEmpty();

        OkHttpClient lenient = client(t -> t.allow("unknown"));
        assertThat(status(lenient, to("/v1/x", TokenUse.requiring("write")))).isEqualTo(200);
    }

    @Test
    void requiring_grantedByTheConfiguration_isSent() throws Exception {
        token();
        OkHttpClient client = client(t -> t.grantedScopes("write"));
        assertThat(status(client, to("/v1/x", TokenUse.requiring("write")))).isEqualTo(200);
    }

    @Test
    void requiring_twice_bothAreDemanded() throws Exception {
        token("write");
        OkHttpClient client = client(t -> {});
        TokenUse both = TokenUse.requiring("write").and(TokenUse.requiring("admin"));
        assertThat(denied(client, to("/v1/x", both))).hasMessageContaining("'admin'");
        TokenUse named = TokenUse.named("api").and(TokenUse.requiring("write"));
        assertThat(status(client, to("/v1/x", named))).isEqualTo(200);
    }

    @Test
    void requiring_urlWithoutAToken_isDenied() throws Exception {
        token("write");
        TokenDeniedException denied = denied(client(t -> {}), to("/v2", TokenUse.requiring("write")));
        assertThat(denied.reason()).isEqualTo(Reason.DESTINATION);
        assertThat(denied)
                .hasMessage("no token goes to " + server.url("/v2") + ", and the request demands requiring(write)");
        assertThat(server.seen()).isEmpty();
    }

    @Test
    void requiring_redirectToAUrlWithoutAToken_goesBare() throws Exception {
        token("write");
        OkHttpClient client = client(t -> {});
        server.on("/v1/x", Answer.redirect(302, server.url("/v2")));

        assertThat(status(client, to("/v1/x", TokenUse.requiring("write")))).isEqualTo(200);

        assertThat(server.seen("/v1/x")).singleElement().matches(this::carries);
        assertThat(server.seen("/v2"))
                .singleElement()
                .satisfies(seen -> assertThat(seen.header("Authorization")).isEmpty());
    }

    /** The demand goes with the call: so it is asked of whatever token a hop gets. */
    @Test
    void requiring_redirectToATokenThatLacksThem_theHopIsDenied() throws Exception {
        token("write");
        TokenAgent agent = TokenAgent.builder()
                .token("api", pushed, t -> t.endpoint(server.url("/v1")))
                .token(
                        "other",
                        TokenSources.value("another-token"),
                        t -> t.endpoint(server.url("/v2")).grantedScopes("read"))
                .listener(events::add)
                .start();
        open.add(agent);
        server.on("/v1/x", Answer.redirect(302, server.url("/v2")));

        TokenDeniedException denied =
                denied(agent.install(new OkHttpClient.Builder()).build(), to("/v1/x", TokenUse.requiring("write")));

        assertThat(denied).hasMessageContaining("token other#");
        assertThat(server.seen()).hasSize(1);
    }

    @Test
    void requiring_placeholderOfATokenByName_isDemandedOfThatOne() throws Exception {
        token("write");
        TokenAgent agent = agent(TokenOptions::attachByName);
        OkHttpClient client = agent.install(new OkHttpClient.Builder()).build();
        Request request = to("/v1/x", TokenUse.requiring("write"))
                .newBuilder()
                .header("Authorization", "Bearer " + agent.placeholder("api"))
                .build();

        assertThat(status(client, request)).isEqualTo(200);
        assertThat(server.only()).matches(this::carries);
        assertThat(denied(client, to("/v1/x", TokenUse.requiring("write"))).reason())
                .isEqualTo(Reason.DESTINATION);
    }

    @Test
    void requiring_tokenWasSwapped_isAskedOfTheNewOne() throws Exception {
        token("write");
        OkHttpClient client = client(t -> {});
        assertThat(status(client, to("/v1/x", TokenUse.requiring("write")))).isEqualTo(200);
        pushed.set(TokenDocument.of("next-token").withScopes(Set.of("read")));
        assertThat(denied(client, to("/v1/x", TokenUse.requiring("write"))).reason())
                .isEqualTo(Reason.SCOPE);
    }

    @Test
    void requiring_anotherClient_isTheSame() throws Exception {
        token("read");
        TokenAgent agent = agent(t -> {});
        URI there = URI.create(server.url("/v1/x"));

        assertThat(agent.authorize("GET", there, TokenUse.requiring("read")).token())
                .isPresent();
        for (TokenUse[] uses : List.of(
                new TokenUse[] {TokenUse.requiring("write")},
                new TokenUse[] {TokenUse.named("api"), TokenUse.requiring("read"), TokenUse.requiring("write")})) {
            assertThat(canary.caught(TokenDeniedException.class, () -> agent.authorize("GET", there, uses))
                            .reason())
                    .isEqualTo(Reason.SCOPE);
        }
        for (String bare : List.of("/v2", "/v1/%2e%2e/admin", "/v1/..%2fadmin")) {
            URI elsewhere = URI.create(server.url(bare));
            assertThat(canary.caught(
                                    TokenDeniedException.class,
                                    () -> agent.authorize("GET", elsewhere, TokenUse.requiring("read")))
                            .reason())
                    .as(bare)
                    .isEqualTo(Reason.DESTINATION);
            assertThat(agent.authorize("GET", elsewhere).token()).isEmpty();
        }
        assertThat(canary.caught(
                                TokenDeniedException.class,
                                () -> agent.authorize("GET", URI.create("ftp://a/b"), TokenUse.requiring("read")))
                        .reason())
                .isEqualTo(Reason.DESTINATION);
    }

    // --- hours ---

    @Test
    void hours_outside_isDeniedBeforeItIsSent() throws Exception {
        token();
        OkHttpClient client = client(t -> t.hours("tue 12:00-13:00 UTC"));
        Request request = to("/v1/x", null);
        assertThat(status(client, request)).isEqualTo(200);

        clock.advance(Duration.ofHours(1));

        TokenDeniedException denied = denied(client, request);
        assertThat(denied.reason()).isEqualTo(Reason.HOURS);
        assertThat(denied).hasMessageContaining("tue 12:00-13:00 UTC");
        assertThat(denied.fix()).isEqualTo("try again at 2026-12-01T12:00:00Z");
        assertThat(server.seen()).hasSize(1);
        assertThat(status(client, to("/v1/x", TokenUse.none()))).isEqualTo(200);
    }

    @Test
    void hours_endWhileRedirected_theHopIsDenied() throws Exception {
        token();
        OkHttpClient client = client(t -> t.hours("tue 12:00-13:00 UTC"));
        server.on("/v1/x", request -> {
            clock.advance(Duration.ofHours(1));
            return Answer.redirect(302, "/v1/y");
        });

        assertThat(denied(client, to("/v1/x", null)).reason()).isEqualTo(Reason.HOURS);

        assertThat(server.only()).matches(this::carries);
    }

    @Test
    void hours_anotherClient_isTheSame() throws Exception {
        token();
        TokenAgent agent = agent(t -> t.hours("wed 12:00-13:00 UTC"));
        URI there = URI.create(server.url("/v1/x"));
        assertThat(canary.caught(TokenDeniedException.class, () -> agent.authorize("GET", there))
                        .reason())
                .isEqualTo(Reason.HOURS);
        clock.advance(Duration.ofDays(1));
        assertThat(agent.authorize("GET", there).token()).isPresent();
    }

    @Test
    void hours_check_isAskedAsARequest() throws Exception {
        token();
        TokenAgent agent = agent(t -> t.hours("wed 12:00-13:00 UTC").check("GET /v1/me"));

        CheckReport report = agent.check();

        assertThat(report.ok()).isFalse();
        assertThat(report.tokens().get(0).steps())
                .filteredOn(step -> step.step().equals("authenticate"))
                .singleElement()
                .satisfies(step -> {
                    assertThat(step.reason()).isEqualTo("hours");
                    assertThat(step.fix()).isEqualTo("try again at 2026-11-25T12:00:00Z");
                });
        assertThat(server.seen()).isEmpty();
        canary.saw("report", report);
    }

    // --- rules of the program's, made of ours ---

    @Test
    void policy_anyOf_oneBranchMustAgree() throws Exception {
        token("read");
        OkHttpClient client = client(t -> t.policy(TokenPolicies.anyOf(
                TokenPolicies.allOf(
                        TokenPolicies.scopes(Set.of("read"), Set.of(), false),
                        TokenPolicies.endpoints(server.url("/v1/reports"))),
                TokenPolicies.scopes(Set.of("write"), Set.of(), false))));

        assertThat(status(client, to("/v1/reports/1", null))).isEqualTo(200);
        assertThat(denied(client, to("/v1/x", null)))
                .hasMessageContaining("may go to " + server.url("/v1/reports") + " only")
                .hasMessageContaining("lacks the scope 'write'");
        assertThat(server.seen()).hasSize(1);
    }

    @Test
    void policy_endNotKnown_isRefusedWhenItIsResolved() throws Exception {
        token();
        TokenAgent.Builder builder = TokenAgent.builder()
                .token("api", pushed, t -> t.endpoint(server.url("/v1")).policy(TokenPolicies.expires()))
                .startTimeout(Duration.ofMillis(100));
        assertThatThrownBy(builder::start).hasMessageContaining("not known when it ends");
    }
}
