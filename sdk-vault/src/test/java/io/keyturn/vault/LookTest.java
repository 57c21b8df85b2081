package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.error;
import static io.keyturn.vault.FakeVault.found;
import static io.keyturn.vault.FakeVault.login;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.ok;
import static io.keyturn.vault.FakeVault.source;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.source.SourceHost;
import java.time.Duration;
import okhttp3.OkHttpClient;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Whoever only looks leaves nothing behind in Vault. */
class LookTest {
    private static final String TOKEN = "hvs." + Canary.WORD;
    private static final String LOGIN = "POST auth/approle/login";
    private static final String REVOKE = "POST auth/token/revoke-self";
    private static final String REVOKE_LEASE = "POST sys/leases/revoke";
    private static final Object APPROLE = map("approle", map("role_id", "r", "secret_id", "s" + Canary.WORD));

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    @BeforeEach
    void secret() {
        vault.variables.put("VAULT_TOKEN", TOKEN);
        vault.knows(TOKEN)
                .secret(7, "token", "one" + Canary.WORD)
                .on(LOGIN, login(TOKEN, 60, true, "service"))
                .on(REVOKE, FakeVault.raw(204, ""))
                .on(REVOKE_LEASE, FakeVault.raw(204, ""))
                .mount("rabbitmq/", "rabbitmq", null, "rabbitmq/creds/agent")
                .on(
                        "GET rabbitmq/creds/agent",
                        ok("lease_id", "l1", "lease_duration", 60, "data", map("token", "two" + Canary.WORD)));
    }

    @Test
    void ownLogin_isRevoked() throws Exception {
        SourceHost host = vault.host(true);
        found(source(FakeVault.context(host), "auth", APPROLE));

        host.close();

        assertThat(vault.calls(REVOKE))
                .singleElement()
                .extracting(FakeVault.Call::token)
                .isEqualTo(TOKEN);
    }

    @Test
    void ownLogin_ofARunningAgent_isNotRevoked() throws Exception {
        SourceHost host = vault.host(false);
        found(source(FakeVault.context(host), "auth", APPROLE));

        host.close();

        assertThat(vault.asked()).doesNotContain(REVOKE);
    }

    @Test
    void batchToken_cannotBeRevoked() throws Exception {
        vault.on(LOGIN, login(TOKEN, 60, false, "batch"));
        SourceHost host = vault.host(true);
        found(source(FakeVault.context(host), "auth", APPROLE));

        host.close();

        assertThat(vault.asked()).doesNotContain(REVOKE);
    }

    @Test
    void givenToken_isNotRevokedNorRenewedAndItsLeasesAre() throws Exception {
        vault.on("GET auth/token/lookup-self", ok("data", map("ttl", 60, "creation_ttl", 60, "renewable", true)));
        SourceHost host = vault.host(true);
        var source = source(FakeVault.context(host), "path", "rabbitmq/creds/agent");
        found(source);
        vault.clock.advance(Duration.ofSeconds(50));
        found(source);

        host.close();

        assertThat(vault.asked()).doesNotContain(REVOKE, "POST auth/token/renew-self");
        assertThat(vault.calls(REVOKE_LEASE))
                .isNotEmpty()
                .allSatisfy(call -> assertThat(call.says("lease_id")).isEqualTo("l1"));
    }

    @Test
    void revocation_refusedOrNotPossible_isSaidAndNoMore() throws Exception {
        vault.on(REVOKE, error(403, TOKEN));
        SourceHost refused = vault.host(true);
        found(source(FakeVault.context(refused), "auth", APPROLE));
        assertThat(Logged.by(Login.class, refused::close))
                .singleElement()
                .asString()
                .contains("auth/token/revoke-self was answered 403; it ends by itself");

        SourceHost away = vault.host(true);
        found(source(FakeVault.context(away), "auth", APPROLE));
        vault.server.close();
        assertThat(Logged.by(Login.class, away::close))
                .singleElement()
                .asString()
                .contains("what was only made for a look ends by itself");
    }

    @Test
    void nothingMade_nothingRevoked() {
        SourceHost host = new SourceHost(
                vault.variables::get,
                vault.clock,
                io.keyturn.source.FileWatcher.none(),
                new OkHttpClient(),
                (delay, task) -> {},
                true);
        var unused = source(FakeVault.context(host), "auth", APPROLE);

        host.close();

        assertThat(vault.asked()).isEmpty();
    }
}
