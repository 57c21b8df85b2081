package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.login;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.metadata;
import static io.keyturn.vault.FakeVault.ok;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.keyturn.Canary;
import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.check.Status;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.yaml.YamlConfig;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The source as an agent has it: found by its key, polled, checked, and closed. */
class VaultAgentTest {
    private static final String TOKEN = "hvs." + Canary.WORD;
    private static final String FIRST = "one" + Canary.WORD;
    private static final String SECOND = "two" + Canary.WORD;
    private static final String LOGIN = "POST auth/approle/login";
    private static final String REVOKE = "POST auth/token/revoke-self";

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    private final List<TokenAgent> agents = new ArrayList<>();

    @BeforeEach
    void secret() {
        vault.variables.put("VAULT_TOKEN", TOKEN);
        vault.variables.put("SECRET_ID", "s" + Canary.WORD);
        vault.knows(TOKEN)
                .secret(7, "token", FIRST)
                .on(LOGIN, login(TOKEN, 60, true, "service"))
                .on(REVOKE, FakeVault.raw(204, ""));
    }

    @AfterEach
    void close() {
        agents.forEach(TokenAgent::close);
    }

    private TokenAgent.Builder configured(String tokens) throws IOException {
        return YamlConfig.parse("agent:\n  tokens:\n" + tokens, "agent.yaml")
                .environment(vault.variables::get)
                .listener(canary.listener());
    }

    private TokenAgent agent(String tokens) throws IOException {
        TokenAgent agent = configured(tokens).start();
        agents.add(agent);
        return agent;
    }

    private static String token(String name, String source) {
        return "    " + name + ": {vault: " + source + ", refresh: {every: 1s}}\n";
    }

    private static String approle(String name) {
        return token(name, "{path: secret/agent, auth: {approle: {role_id: r, secret_id: {env: SECRET_ID}}}}");
    }

    private TokenCheck only(CheckReport report) {
        canary.saw("report", report).saw("json", report.toJson());
        return report.tokens().get(0);
    }

    private static Step resolve(TokenCheck check) {
        return check.step("resolve").orElseThrow();
    }

    @Test
    void newVersion_isUsedWithinThePoll() throws Exception {
        TokenAgent agent = agent(token("t", "{path: secret/agent}"));
        assertThat(agent.provider("t").get().reveal()).isEqualTo(FIRST);

        vault.secret(8, "token", SECOND);

        await().atMost(Duration.ofSeconds(3))
                .until(() -> agent.provider("t").get().reveal().equals(SECOND));
    }

    @Test
    void rejectedByTheApi_asksAtOnce() throws Exception {
        TokenAgent agent = agent("    t: {vault: {path: secret/agent}}\n");
        Token first = agent.provider("t").get();

        assertThat(agent.provider("t").invalidate(first))
                .as("it is still the one")
                .isFalse();
        vault.secret(8, "token", SECOND);
        await().atMost(Duration.ofSeconds(5)).until(() -> agent.provider("t").invalidate(first));

        assertThat(agent.provider("t").get().reveal()).isEqualTo(SECOND);
    }

    @Test
    void fiftyTokens_shareOneLogin() throws Exception {
        StringBuilder tokens = new StringBuilder();
        for (int i = 0; i < 50; i++) {
            tokens.append(approle("t" + i));
        }

        TokenAgent agent = agent(tokens.toString());

        assertThat(agent.provider("t49").get().reveal()).isEqualTo(FIRST);
        assertThat(vault.calls(LOGIN)).hasSize(1);
    }

    @Test
    void check_storeSealed_isDegradedAndSaysSinceWhen() throws Exception {
        TokenAgent agent = agent(token("t", "{path: secret/agent}"));
        vault.on("GET secret/metadata/agent", FakeVault.error(503, "Vault is sealed"));

        await().atMost(Duration.ofSeconds(5))
                .until(() -> resolve(only(agent.check())).status() == Status.WARN);

        Step step = resolve(only(agent.check()));
        assertThat(step.reason()).isEqualTo("degraded");
        assertThat(step.detail()).contains("vault " + vault.address() + " is sealed (503)", " since ");
        assertThat(step.fix()).contains("unseal");
        assertThat(agent.provider("t").get().reveal()).isEqualTo(FIRST);
    }

    @Test
    void look_showsWhereItIsAndRevokesItsLogin() throws Exception {
        TokenCheck check = only(configured(approle("t")).check(Duration.ofSeconds(10), Set.of()));

        assertThat(resolve(check).detail()).isEqualTo("vault secret/agent#token at " + vault.address() + ", version 7");
        assertThat(check.version()).isEqualTo("7");
        assertThat(vault.calls(REVOKE)).hasSize(1);
    }

    @Test
    void explain_showsTheSourceAndWhy() throws Exception {
        TokenCheck check = only(configured("""
                    t:
                      first_of:
                        - vault: {path: secret/agent, key: none}
                        - vault: {path: secret/agent}
                """).explain(Set.of()));

        assertThat(check.sources()).hasSize(2);
        assertThat(check.sources().get(0).why()).contains("has no such field");
        assertThat(check.sources().get(1).chosen()).isTrue();
        assertThat(check.source()).contains("version 7");
    }

    @Test
    void check_ofALease_showsItAndTheNextRefresh() throws Exception {
        vault.mount("rabbitmq/", "rabbitmq", null, "rabbitmq/creds/agent")
                .on(
                        "GET rabbitmq/creds/agent",
                        ok("lease_id", "l1", "renewable", true, "lease_duration", 600, "data", map("password", FIRST)))
                .on("POST sys/leases/lookup", ok("data", map()));
        TokenAgent agent = agent(token("t", "{path: rabbitmq/creds/agent, key: password}"));

        TokenCheck check = only(agent.check());

        assertThat(resolve(check).detail()).endsWith(", lease of 600 s, renewable");
        assertThat(check.expiresAt()).isNotNull();
        assertThat(check.refreshAt()).isNotNull().isBefore(check.expiresAt());
    }

    @Test
    void start_denied_tellsTheCheckWhatToDo() throws Exception {
        vault.never("GET secret/metadata/agent").never("GET secret/data/agent");

        TokenUnavailableException e =
                canary.caught(TokenUnavailableException.class, configured(token("t", "{path: secret/agent}"))::start);
        Step step =
                resolve(only(configured(token("t", "{path: secret/agent}")).check(Duration.ofSeconds(10), Set.of())));

        assertThat(e.reason()).isEqualTo(Reason.NOT_PERMITTED);
        assertThat(step.status()).isEqualTo(Status.FAIL);
        assertThat(step.reason()).isEqualTo("not_permitted");
        assertThat(step.fix()).contains("path \"secret/data/agent\"");
    }

    @Test
    void close_whileVaultHangs_endsInTime() throws Exception {
        TokenAgent agent = agent(approle("t"));
        vault.on(
                "GET secret/metadata/agent",
                new mockwebserver3.MockResponse.Builder()
                        .headersDelay(30, java.util.concurrent.TimeUnit.SECONDS)
                        .build());
        await().until(() -> {
            vault.on("GET none", ok());
            return vault.calls("GET secret/metadata/agent").size() > 1;
        });

        long begun = System.nanoTime();
        agent.close();

        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(2));
    }

    @Test
    void program_writesTheSame() throws Exception {
        vault.on("GET secret/metadata/agent", metadata(7, "", false));
        try (TokenAgent agent = TokenAgent.builder()
                .environment(vault.variables::get)
                .token("t", TokenSources.configured(Map.of("vault", Map.of("path", "secret/agent"))))
                .listener(canary.listener())
                .start()) {
            assertThat(agent.provider("t").get().reveal()).isEqualTo(FIRST);
        }
    }
}
