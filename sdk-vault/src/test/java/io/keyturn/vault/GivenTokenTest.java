package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.error;
import static io.keyturn.vault.FakeVault.found;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.ok;
import static io.keyturn.vault.FakeVault.source;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A Vault token that somebody gives to the agent: a variable, a file, the sink of Vault Agent. */
class GivenTokenTest {
    private static final String TOKEN = "hvs." + Canary.WORD;
    private static final String RENEW = "POST auth/token/renew-self";
    private static final String SELF = "GET auth/token/lookup-self";

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    @TempDir
    Path folder;

    @BeforeEach
    void token() {
        vault.variables.put("VAULT_TOKEN", TOKEN);
        vault.knows(TOKEN).secret(7, "token", "one" + Canary.WORD);
    }

    private SourceException failure(TokenSource source) {
        return canary.caught(SourceException.class, source::fetch);
    }

    private static void write(Path file, String text) throws Exception {
        Path part = Files.createTempFile(
                file.getParent(),
                "part",
                "",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(part, text);
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    @Test
    void token_notSet_saysWhichVariable() {
        vault.variables.remove("VAULT_TOKEN");

        SourceException e = failure(source(vault.agent()));

        assertThat(e.reason()).isEqualTo(Reason.UNSET);
        assertThat(e)
                .hasMessage("environment variable VAULT_TOKEN is not set: vault " + vault.address()
                        + " needs it as its token");
    }

    @Test
    void token_renewable_isRenewedAtTwoThirds() throws Exception {
        vault.on(SELF, ok("data", map("ttl", 60, "creation_ttl", 60, "renewable", true)))
                .on(RENEW, ok("auth", map("lease_duration", 60, "renewable", true)));
        TokenSource source = source(vault.agent());
        found(source);

        vault.clock.advance(Duration.ofSeconds(35));
        found(source);
        assertThat(vault.calls(RENEW)).isEmpty();

        vault.clock.advance(Duration.ofSeconds(5));
        found(source);
        assertThat(vault.calls(RENEW))
                .singleElement()
                .satisfies(call -> assertThat(call.says("increment")).isEqualTo("60s"));

        vault.clock.advance(Duration.ofSeconds(35));
        found(source);
        assertThat(vault.calls(RENEW)).hasSize(1);
    }

    @Test
    void token_renewalComesBackShort_isLeftAloneUntilItsEnd() throws Exception {
        vault.on(SELF, ok("data", map("ttl", 60, "creation_ttl", 60, "renewable", true)))
                .on(RENEW, ok("auth", map("lease_duration", 20, "renewable", true)));
        TokenSource source = source(vault.agent());
        found(source);

        for (int i = 0; i < 6; i++) {
            vault.clock.advance(Duration.ofSeconds(10));
            found(source);
        }

        assertThat(vault.calls(RENEW)).hasSize(1);
        assertThat(vault.calls(SELF)).as("nothing to be done about it").hasSize(1);
    }

    @Test
    void token_notRenewable_isNotRenewed() throws Exception {
        vault.on(SELF, ok("data", map("ttl", 60, "creation_ttl", 60, "renewable", false)));
        TokenSource source = source(vault.agent());
        found(source);

        vault.clock.advance(Duration.ofSeconds(59));
        found(source);

        assertThat(vault.asked()).doesNotContain(RENEW);
    }

    @Test
    void sink_replaced_isUsedAtTheNextLook() throws Exception {
        Path sink = folder.resolve("vault-token");
        write(sink, TOKEN);
        TokenSource source = source(vault.agent(), "auth", map("token", map("file", sink.toString())));
        found(source);
        String second = "hvs2." + Canary.WORD;
        write(sink, second);
        vault.knows(second);
        vault.forget();

        found(source);

        assertThat(vault.calls("GET secret/metadata/agent"))
                .singleElement()
                .extracting(FakeVault.Call::token)
                .isEqualTo(second);
    }

    @Test
    void sink_gone_keepsTheTokenBefore() throws Exception {
        Path sink = folder.resolve("vault-token");
        write(sink, TOKEN);
        TokenSource source = source(vault.agent(), "auth", map("token", map("file", sink.toString())));
        found(source);
        Files.delete(sink);

        assertThat(found(source).version()).hasValue("7");
    }

    @Test
    void sink_notThereYet_isWaitedFor() {
        SourceException e = failure(source(
                vault.agent(),
                "auth",
                map("token", map("file", folder.resolve("none").toString()))));

        assertThat(e.reason()).isEqualTo(Reason.ABSENT);
    }

    @Test
    void token_agentIsClosed_isNotRevoked() throws Exception {
        var host = vault.host(false);
        found(source(FakeVault.context(host)));

        host.close();

        assertThat(vault.asked()).noneMatch(call -> call.contains("revoke"));
    }

    @Test
    void token_watched_isForgottenAtTheEnd() throws Exception {
        TokenSource source = source(vault.agent());
        try (Watch watch = source.watch(() -> {})) {
            assertThat(watch).isNotNull();
            found(source);
        }
        vault.forget();

        found(source);

        assertThat(vault.asked()).as("the value, anew").contains("GET secret/data/agent");
    }

    @Test
    void lookUp_outage_isNotTakenForABadToken() {
        vault.on(SELF, error(500, "x"));

        assertThat(failure(source(vault.agent())).reason()).isEqualTo(Reason.STORE_UNREACHABLE);
    }
}
