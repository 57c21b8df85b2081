package io.keyturn;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import io.keyturn.PolicyOptions.OnError;
import io.keyturn.RecordingServer.Answer;
import io.keyturn.RecordingServer.Seen;
import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.Status;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenEvent.Denied;
import io.keyturn.event.TokenEvent.Swapped;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A policy that is asked about every token of an agent. */
@Tag("okhttp-floor")
@Timeout(120)
class AgentPolicyTest {
    private static final Answer YES = Answer.ok("{\"result\":true}");
    private static final Answer NO = Answer.ok("{\"result\":false}");
    private static final String RULE = "/v1/data/agent/allow";
    private static final Duration PATIENT = Duration.ofSeconds(10);

    @RegisterExtension
    final Canary canary = new Canary();

    private final RecordingServer api = RecordingServer.start();
    private final RecordingServer opa = RecordingServer.start().on(RULE, YES);
    private final List<TokenEvent> events = new CopyOnWriteArrayList<>();
    private final CountDownLatch over = new CountDownLatch(1);
    private final List<TokenAgent> agents = new ArrayList<>();

    @BeforeEach
    void guard() {
        api.on(
                "/v1/me",
                seen -> seen.header("Authorization").isEmpty() ? Answer.of(401, "who are you?") : Answer.ok("me"));
    }

    @AfterEach
    void close() {
        over.countDown();
        agents.forEach(TokenAgent::close);
        api.close();
        opa.close();
        canary.saw("events", events);
        opa.seen().forEach(seen -> canary.saw("a question", seen));
    }

    private TokenAgent.Builder builder(Consumer<PolicyOptions> policy) {
        return TokenAgent.builder()
                .name("ci-agent")
                .policy(p -> policy.accept(p.opa(opa.url(RULE)).timeout(PATIENT)))
                .listener(events::add);
    }

    private TokenAgent start(Consumer<PolicyOptions> policy) throws IOException {
        return open(builder(policy)
                .token(
                        "api_token",
                        TokenSources.value(canary.token()),
                        t -> t.endpoint(api.url("/")).check("GET /v1/me")));
    }

    private TokenAgent open(TokenAgent.Builder builder) throws IOException {
        TokenAgent agent = builder.start();
        agents.add(agent);
        return agent;
    }

    private static Response send(TokenAgent agent, String url) throws IOException {
        return agent.install(new OkHttpClient())
                .newCall(new Request.Builder().url(url).build())
                .execute();
    }

    private TokenDeniedException denial(TokenAgent agent, String url) {
        return canary.caught(TokenDeniedException.class, () -> send(agent, url).close());
    }

    // --- a request ---

    @Test
    void request_allowed_isSentWithItsToken() throws Exception {
        try (Response response = send(start(p -> {}), api.url("/v1/me?q=1"))) {
            assertThat(response.code()).isEqualTo(200);
        }

        assertThat(opa.only().method()).isEqualTo("POST");
        assertThat(opa.only().body())
                .contains("\"agent\":\"ci-agent\"", "\"token\":\"api_token\"", "\"host\":\"127.0.0.1\"")
                .endsWith("\"path\":\"/v1/me\"}}");
    }

    @Test
    void request_denied_isNotSentAndAnEventTellsWhy() throws Exception {
        opa.on(RULE, NO);

        TokenDeniedException denied = denial(start(p -> {}), api.url("/v1/me?q=1"));

        assertThat(denied.reason()).isEqualTo(Reason.POLICY);
        assertThat(api.seen()).isEmpty();
        await().until(() -> events.stream().anyMatch(Denied.class::isInstance));
        assertThat(events.stream().filter(Denied.class::isInstance).map(Denied.class::cast))
                .singleElement()
                .satisfies(event -> {
                    assertThat(event.token()).isEqualTo("api_token");
                    assertThat(event.reason()).isEqualTo(Reason.POLICY);
                    assertThat(event.url()).isEqualTo(api.url("/v1/me"));
                    assertThat(event.message()).isEqualTo(denied.getMessage()).contains(opa.url(RULE));
                });
    }

    @Test
    void request_noDecision_isNotSentUnlessErrorsAllow() throws Exception {
        opa.on(RULE, Answer.of(500, "oh"));

        assertThat(denial(start(p -> {}), api.url("/v1/me")).reason()).isEqualTo(Reason.POLICY_UNREACHABLE);
        assertThat(api.seen()).isEmpty();

        try (Response response = send(start(p -> p.onError(OnError.ALLOW)), api.url("/v1/me"))) {
            assertThat(response.code()).isEqualTo(200);
        }
    }

    @Test
    void request_ofAnotherClient_isAskedToo() throws Exception {
        opa.on(RULE, NO);
        TokenAgent agent = start(p -> {});

        TokenDeniedException denied =
                canary.caught(TokenDeniedException.class, () -> agent.authorize("post", URI.create(api.url("/v1/me"))));

        assertThat(denied.reason()).isEqualTo(Reason.POLICY);
        assertThat(opa.only().body()).contains("\"method\":\"POST\"");
    }

    @Test
    void request_withoutToken_isNotAsked() throws Exception {
        try (RecordingServer stranger = RecordingServer.start()) {
            opa.on(RULE, NO);
            send(start(p -> {}), stranger.url("/")).close();

            assertThat(opa.seen()).isEmpty();
        }
    }

    @Test
    void request_tokensOwnRuleDenies_isNotAsked() throws Exception {
        TokenAgent agent = open(builder(p -> {})
                .token(
                        "t",
                        TokenSources.value(canary.token()),
                        t -> t.endpoint(api.url("/")).policy((token, destination) -> {
                            throw new TokenDeniedException(Reason.HOURS, "not now", null);
                        })));

        assertThat(denial(agent, api.url("/v1/me")).reason()).isEqualTo(Reason.HOURS);
        assertThat(opa.seen()).isEmpty();
    }

    @Test
    void redirect_toWhatThePolicyDenies_isAskedAgainAndNotSent() throws Exception {
        api.on("/from", Answer.redirect(302, api.url("/to")));
        opa.on(RULE, seen -> seen.body().contains("\"/from\"") ? YES : NO);

        assertThat(denial(start(p -> {}), api.url("/from")).reason()).isEqualTo(Reason.POLICY);

        assertThat(opa.seen()).hasSize(2);
        assertThat(api.seen()).extracting(Seen::path).containsExactly("/from");
    }

    @Test
    void program_ownClient_isUsedWithoutFollowingRedirects() throws Exception {
        RecordingServer generous = RecordingServer.start().on(RULE, YES);
        try (generous) {
            opa.on(RULE, Answer.redirect(307, generous.url(RULE)));
            OkHttpClient mine = new OkHttpClient.Builder()
                    .addInterceptor(chain -> chain.proceed(
                            chain.request().newBuilder().header("X-Mine", "yes").build()))
                    .build();
            TokenAgent agent = open(builder(p -> {})
                    .httpClient(mine)
                    .token("t", TokenSources.value(canary.token()), t -> t.endpoint(api.url("/"))));

            assertThat(denial(agent, api.url("/v1/me"))).hasMessageEndingWith("answered 307");

            assertThat(opa.only().header("X-Mine")).containsExactly("yes");
            assertThat(generous.seen()).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"2147483648", "-1", "0", "Wed, 21 Oct 2065 07:28:00 GMT"})
    void policy_asksToComeBackLater_isAskedOnceAndDenies(String later) throws Exception {
        opa.on(RULE, Answer.of(503, "busy").with("Retry-After", later));

        assertThat(denial(start(p -> {}), api.url("/v1/me"))).hasMessageEndingWith("answered 503");

        assertThat(opa.seen()).hasSize(1);
    }

    // --- a new token ---

    private PushedSource verified(TokenAgent.Builder builder) throws IOException {
        PushedSource source = TokenSources.pushed();
        source.set("the-first-token");
        open(builder.token(
                "api_token",
                source,
                t -> t.endpoint(api.url("/")).check("GET /v1/me").verify()));
        return source;
    }

    private String current() throws IOException {
        return agents.get(0).provider("api_token").get().reveal();
    }

    @Test
    void verify_policyDeniesTheNewToken_keepsTheOld() throws Exception {
        opa.on(RULE, NO);
        PushedSource source = verified(builder(p -> {}));

        source.set(canary.token());

        await().atMost(PATIENT).until(() -> events.stream().anyMatch(TokenEvent.SwapRefused.class::isInstance));
        assertThat(current()).isEqualTo("the-first-token");
        assertThat(api.seen()).isEmpty();
    }

    @Test
    void verify_policyGivesNoDecision_takesTheNewTokenAsOneThatCannotBeTried() throws Exception {
        opa.on(RULE, Answer.of(500, "oh"));
        PushedSource source = verified(builder(p -> {}));

        source.set(canary.token());

        await().atMost(PATIENT).until(() -> events.stream().anyMatch(Swapped.class::isInstance));
        assertThat(current()).isEqualTo(canary.token());
        assertThat(api.seen()).isEmpty();
    }

    // --- a reload ---

    private static Settings settings(Map<String, Object> agent) {
        return Written.in("agent.yaml", map("agent", agent));
    }

    private Map<String, Object> agentWith(Object policy) {
        Map<String, Object> agent = map("tokens", map("a", map("value", "the-token-of-a", "endpoint", api.url("/"))));
        if (policy != null) {
            agent.put("policy", policy);
        }
        return agent;
    }

    private AgentConfiguration read(AgentPlan plan, Object policy) {
        return plan.read(settings(agentWith(policy)));
    }

    private static Reason outcome(OpenTokens tokens, String url) throws IOException {
        try {
            tokens.bindings().authorize("GET", URI.create(url), Optional.empty());
            return null;
        } catch (TokenDeniedException e) {
            return e.reason();
        }
    }

    @Test
    void become_anotherPolicy_isInForceForTokensThatStay() throws Exception {
        try (RecordingServer other = RecordingServer.start().on("/other", NO)) {
            AgentPlan plan = new AgentPlan();
            plan.listeners.add(events::add);
            plan.settings = settings(agentWith(null));
            try (OpenTokens tokens = plan.start()) {
                var token = tokens.provider("a").get();
                assertThat(outcome(tokens, api.url("/"))).isNull();
                assertThat(opa.seen()).isEmpty();

                Object first = map("opa", opa.url(RULE), "timeout", "10s");
                tokens.become(read(plan, first));
                assertThat(outcome(tokens, api.url("/"))).isNull();
                assertThat(opa.seen()).hasSize(1);

                // What means the same keeps what it remembers.
                tokens.become(read(plan, map("timeout", "10s", "opa", opa.url(RULE), "on_error", "deny")));
                assertThat(outcome(tokens, api.url("/"))).isNull();
                assertThat(opa.seen()).hasSize(1);

                // And what does not knows nothing of it.
                tokens.become(read(plan, map("opa", other.url("/other"), "timeout", "10s")));
                assertThat(outcome(tokens, api.url("/"))).isEqualTo(Reason.POLICY);
                assertThat(other.seen()).hasSize(1);

                tokens.become(read(plan, null));
                assertThat(outcome(tokens, api.url("/"))).isNull();
                assertThat(tokens.provider("a").get()).isSameAs(token);
            }
            assertThat(events.stream().filter(TokenEvent.Reloaded.class::isInstance))
                    .as("each change is told, and no other")
                    .hasSize(3);
        }
    }

    @Test
    void become_wrongPolicy_leavesTheOneInForce() throws Exception {
        opa.on(RULE, NO);
        AgentPlan plan = new AgentPlan();
        plan.settings = settings(agentWith(map("opa", opa.url(RULE), "timeout", "10s")));
        try (OpenTokens tokens = plan.start()) {
            assertThat(read(plan, map("opa", "nonsense")).problems()).isNotEmpty();
            assertThat(outcome(tokens, api.url("/"))).isEqualTo(Reason.POLICY);
        }
    }

    // --- the end ---

    private static boolean isThreadOfPolicy(Thread thread) {
        return thread.getName().equals("keyturn-policy");
    }

    @Test
    void close_policyHangs_deniesWhoWaitsAndEndsItsThreads() throws Exception {
        opa.on(RULE, seen -> {
            try {
                over.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return YES;
        });
        TokenAgent agent = start(p -> p.onError(OnError.ALLOW));
        FutureTask<TokenDeniedException> waiting = new FutureTask<>(() -> denial(agent, api.url("/v1/me")));
        Thread thread = new Thread(waiting, "asking");
        thread.setDaemon(true);
        thread.start();
        await().atMost(PATIENT).until(() -> opa.seen().size() == 1);
        assertThat(Thread.getAllStackTraces().keySet()).anyMatch(AgentPolicyTest::isThreadOfPolicy);

        long started = System.nanoTime();
        agent.close();

        assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(Duration.ofSeconds(2));
        // Sooner than the policy's timeout would let it go.
        assertThat(waiting.get(5, TimeUnit.SECONDS).reason()).isEqualTo(Reason.CLOSED);
        assertThat(api.seen()).isEmpty();
        await().atMost(PATIENT)
                .until(() -> Thread.getAllStackTraces().keySet().stream().noneMatch(AgentPolicyTest::isThreadOfPolicy));
    }

    // --- the check ---

    private static Step policyStep(CheckReport report) {
        return report.token("api_token").orElseThrow().step("policy").orElseThrow();
    }

    private CheckReport check(Consumer<PolicyOptions> policy) {
        CheckReport report = builder(policy)
                .token(
                        "api_token",
                        TokenSources.value(canary.token()),
                        t -> t.endpoint(api.url("/")).check("GET /v1/me"))
                .check(Duration.ofSeconds(30), Set.of());
        canary.saw("report", report).saw("JSON", report.toJson());
        assertThat(report.toJson()).contains("\"step\":\"policy\"");
        assertThat(report.toString()).contains("policy");
        return report;
    }

    @Test
    void check_allowed_passes() {
        CheckReport report = check(p -> {});

        assertThat(policyStep(report).status()).isEqualTo(Status.PASS);
        assertThat(policyStep(report).detail())
                .isEqualTo("Open Policy Agent at " + opa.url(RULE) + " allows GET /v1/me");
        assertThat(report.exitCode()).isZero();
        assertThat(report.asStrict().exitCode()).isZero();
        assertThat(report.token("api_token").orElseThrow().steps())
                .extracting(Step::step)
                .containsExactly(
                        "config", "resolve", "expiry", "scopes", "policy", "reach", "authenticate", "anonymous");
    }

    @Test
    void check_denied_fails() {
        opa.on(RULE, NO);

        CheckReport report = check(p -> p.onError(OnError.ALLOW));

        assertThat(policyStep(report)).returns(Status.FAIL, Step::status).returns("policy", Step::reason);
        assertThat(policyStep(report).fix()).contains("let the policy allow it");
        assertThat(report.exitCode()).isEqualTo(1);
        assertThat(api.seen()).isEmpty();
    }

    @Test
    void check_noDecision_isUnknown() {
        opa.on(RULE, Answer.of(404, "nothing here"));

        CheckReport report = check(p -> {});

        assertThat(policyStep(report))
                .returns(Status.UNKNOWN, Step::status)
                .returns("policy_unreachable", Step::reason);
        assertThat(policyStep(report).detail()).endsWith("answered 404");
        assertThat(report.exitCode()).isEqualTo(3);
        assertThat(api.seen()).isEmpty();
    }

    @Test
    void check_noDecisionWhereErrorsAllow_warnsAndGoesOn() {
        opa.on(RULE, Answer.of(500, "oh"));

        CheckReport report = check(p -> p.onError(OnError.ALLOW));

        assertThat(policyStep(report)).returns(Status.WARN, Step::status).returns("policy_unreachable", Step::reason);
        assertThat(policyStep(report).detail()).endsWith("; requests are sent meanwhile (on_error: allow)");
        assertThat(report.token("api_token")
                        .orElseThrow()
                        .step("authenticate")
                        .orElseThrow()
                        .status())
                .isEqualTo(Status.PASS);
        assertThat(report.exitCode()).isZero();
        assertThat(report.asStrict().exitCode()).isEqualTo(1);
    }

    @Test
    void check_ofRunningAgent_asksAgainWhateverIsRemembered() throws Exception {
        TokenAgent agent = start(p -> {});
        send(agent, api.url("/v1/me")).close();
        opa.on(RULE, Answer.of(500, "oh"));

        CheckReport report = agent.check();

        assertThat(policyStep(report).status()).isEqualTo(Status.UNKNOWN);
    }

    @Test
    void check_tokenWithoutCheck_tellsWhetherThePolicyAnswers() {
        opa.on(RULE, NO);
        CheckReport report = builder(p -> {})
                .token("api_token", TokenSources.value(canary.token()), t -> t.endpoint(api.url("/v1/")))
                .check(Duration.ofSeconds(30), Set.of());

        // Nobody wanted that request, so that it is denied is no failure.
        assertThat(policyStep(report).status()).isEqualTo(Status.PASS);
        assertThat(policyStep(report).detail()).isEqualTo("Open Policy Agent at " + opa.url(RULE) + " answers");

        opa.on(RULE, Answer.of(500, "oh"));
        CheckReport dead = builder(p -> {})
                .token("api_token", TokenSources.value(canary.token()), t -> t.endpoint(api.url("/v1/")))
                .check(Duration.ofSeconds(30), Set.of());
        assertThat(policyStep(dead).status()).isEqualTo(Status.UNKNOWN);
        assertThat(dead.exitCode()).isEqualTo(3);
    }

    @Test
    void check_noToken_skipsThePolicy() {
        CheckReport report = builder(p -> {})
                .environment(name -> null)
                .token("api_token", TokenSources.env("NOT_SET"), t -> t.endpoint(api.url("/")))
                .check(Duration.ofSeconds(30), Set.of());

        assertThat(policyStep(report)).returns(Status.SKIP, Step::status).returns("not_reached", Step::reason);
        assertThat(opa.seen()).isEmpty();
    }

    @Test
    void explainAndValidate_askNobody() {
        TokenAgent.Builder builder =
                builder(p -> {}).token("api_token", TokenSources.value(canary.token()), t -> t.endpoint(api.url("/")));

        CheckReport explained = builder.explain(Set.of());
        assertThat(policyStep(explained)).returns(Status.SKIP, Step::status).returns("not_asked", Step::reason);
        assertThat(policyStep(explained).detail()).contains(opa.url(RULE));
        assertThat(explained.exitCode()).isZero();
        assertThat(builder.validate().ok()).isTrue();
        assertThat(opa.seen()).isEmpty();
    }

    @Test
    void check_noPolicy_hasNoSuchStep() {
        CheckReport report = TokenAgent.builder()
                .token("api_token", TokenSources.value(canary.token()), t -> t.endpoint(api.url("/")))
                .check(Duration.ofSeconds(30), Set.of());

        assertThat(report.token("api_token").orElseThrow().step("policy")).isEmpty();
    }

    // --- what is set ---

    private static PolicyOptions written(Object policy) {
        return read(policy).policy();
    }

    private static AgentSettings read(Object policy) {
        Settings settings = settings(map("api_token", "abc", "policy", policy));
        return AgentSettings.read(settings, Path.of("/etc/agent"), name -> null, Clock.systemUTC(), false);
    }

    @Test
    void options_defaultsAndKeys_areTheSameInBothForms() {
        PolicyOptions defaults = written(map("opa", "http://127.0.0.1:8181/v1/data/agent/allow"));
        assertThat(defaults.timeout()).isEqualTo(Duration.ofMillis(250));
        assertThat(defaults.cache()).isEqualTo(Duration.ofSeconds(30));
        assertThat(defaults.allowsUnasked()).isFalse();
        assertThat(defaults).isEqualTo(new PolicyOptions().opa("http://127.0.0.1:8181/v1/data/agent/allow"));

        PolicyOptions all = written(
                map("opa", "https://opa.example.com/v1/data/a/b", "timeout", "1s", "cache", "5s", "on_error", "allow"));
        PolicyOptions same = new PolicyOptions()
                .opa("https://opa.example.com/v1/data/a/b")
                .timeout(Duration.ofSeconds(1))
                .cache(Duration.ofSeconds(5))
                .onError(OnError.ALLOW);
        assertThat(all).isEqualTo(same).hasSameHashCodeAs(same).isNotEqualTo(defaults);
        for (String off : List.of("off", "0", "0s")) {
            assertThat(written(map("opa", "http://127.0.0.1/", "cache", off)).cache())
                    .isEqualTo(Duration.ZERO);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "opa      | 127.0.0.1:8181               | must be a URL without user",
                "opa      | http:/127.0.0.1/v1/data/a     | must be a URL without user",
                "opa      | http://me@127.0.0.1/v1/data/a | must be a URL without user",
                "opa      | http://127.0.0.1/v1/data/a?b  | must be a URL without user",
                "opa      | http://127.0.0.1/v1/data/a#b  | must be a URL without user",
                "opa      | http://127.0.0.1:65536/a      | must be a URL without user",
                "opa      | unix:///run/opa.sock          | must be a URL without user",
                "timeout  | 250                           | must be a duration such as",
                "timeout  | 0s                            | must be a duration such as",
                "timeout  | 11s                           | must be a duration of at most 10s",
                "cache    | 31s                           | must be off, or a duration of at most 30s",
                "cache    | no                            | must be a duration such as",
                "on_error | maybe                         | must be deny or allow",
                "timeuot  | 1s                            | unknown key 'timeuot', did you mean 'timeout'?"
            })
    void options_wrongValue_isToldAtItsPlace(String key, String value, String message) {
        Map<String, Object> policy = map("opa", "http://127.0.0.1:8181/v1/data/agent/allow");
        policy.put(key, value);

        List<Problem> problems = read(policy).problems();

        assertThat(problems).singleElement().satisfies(problem -> {
            assertThat(problem.message()).startsWith(message).doesNotContain("me@");
            assertThat(problem.at().line()).isEqualTo(key.equals("opa") ? 4 : 5);
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://127.0.0.1:8181/v1/data/agent/allow", "off"})
    void options_noMap_isAnError(String policy) {
        assertThat(read(policy).problems())
                .extracting(Problem::message)
                .containsExactly("must be a map with the keys opa, timeout, cache and on_error");
    }

    @Test
    void options_noAddress_isAnErrorInBothForms() {
        assertThat(read(map("cache", "5s")).problems())
                .singleElement()
                .satisfies(problem -> assertThat(problem.message()).startsWith("needs opa: the address of a rule"));
        ConfigException e = catchThrowableOfType(
                ConfigException.class, () -> TokenAgent.builder().policy(p -> p.cache(Duration.ZERO)));
        assertThat(e).hasMessageStartingWith("policy: a policy needs opa: the address of a rule");
    }

    @Test
    void options_wrongInAProgram_areToldAtOnce() {
        for (Consumer<PolicyOptions> wrong : List.<Consumer<PolicyOptions>>of(
                p -> p.opa("nonsense"),
                p -> p.timeout(Duration.ZERO),
                p -> p.timeout(Duration.ofSeconds(-1)),
                p -> p.cache(Duration.ofSeconds(31)),
                p -> p.cache(Duration.ofSeconds(-1)))) {
            ConfigException e = catchThrowableOfType(
                    ConfigException.class, () -> TokenAgent.builder().policy(wrong));
            assertThat(e).isNotNull();
            assertThat(e.getMessage()).startsWith("policy: must be ");
        }
    }

    @Test
    void options_ofTheProgram_comeBeforeThoseOfTheSettings() throws Exception {
        opa.on("/written", NO);
        TokenAgent agent =
                open(builder(p -> {}).settings(settings(agentWith(map("opa", opa.url("/written")))), Path.of("")));

        agent.authorize("GET", URI.create(api.url("/")));

        assertThat(opa.seen("/written")).isEmpty();
        assertThat(opa.seen(RULE)).hasSize(1);
    }
}
