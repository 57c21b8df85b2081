package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.error;
import static io.keyturn.vault.FakeVault.found;
import static io.keyturn.vault.FakeVault.login;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.ok;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.source.SourceContext;
import io.keyturn.source.TokenSource;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import mockwebserver3.MockResponse;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Secrets that Vault makes for the one who asks, and takes back. */
class LeaseTest {
    private static final String TOKEN = "hvs." + Canary.WORD;
    private static final String CREDS = "GET rabbitmq/creds/agent";
    private static final String RENEW = "POST sys/leases/renew";
    private static final String LOOKUP = "POST sys/leases/lookup";
    private static final String LOGIN = "POST auth/approle/login";

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    private final AtomicInteger made = new AtomicInteger();

    @BeforeEach
    void engine() {
        vault.variables.put("VAULT_TOKEN", TOKEN);
        vault.knows(TOKEN)
                .mount("rabbitmq/", "rabbitmq", null, "rabbitmq/creds/agent")
                .on(CREDS, call -> lease(600, true))
                .on(LOOKUP, ok("data", map("ttl", 100)))
                .on(RENEW, ok("lease_id", "x", "renewable", true, "lease_duration", 600));
    }

    private MockResponse lease(int seconds, boolean renewable) {
        int number = made.incrementAndGet();
        return ok(
                "lease_id",
                "rabbitmq/creds/agent/" + number,
                "renewable",
                renewable,
                "lease_duration",
                seconds,
                "data",
                map("username", "u", "password", number + Canary.WORD));
    }

    private static TokenSource source(SourceContext context, Object... settings) {
        Object[] all = new Object[settings.length + 4];
        all[0] = "path";
        all[1] = "rabbitmq/creds/agent";
        all[2] = "key";
        all[3] = "password";
        System.arraycopy(settings, 0, all, 4, settings.length);
        return FakeVault.source(context, all);
    }

    private void advance(int seconds) {
        vault.clock.advance(Duration.ofSeconds(seconds));
    }

    private static String number(TokenDocument document) {
        return document.value().reveal().replace(Canary.WORD, "");
    }

    @Test
    void lease_isTheSecretsLife() throws Exception {
        TokenDocument document = found(source(vault.agent()));

        assertThat(document.issuedAt()).hasValue(ManualClock.START);
        assertThat(document.expiresAt()).hasValue(ManualClock.START.plusSeconds(600));
        assertThat(document.origin())
                .hasValue("vault rabbitmq/creds/agent#password at " + vault.address() + ", lease of 600 s, renewable");
        canary.saw("origin", document.origin());
    }

    @Test
    void poll_secretThatIsStillThere_isNotMadeAnew() throws Exception {
        TokenSource source = source(vault.agent());
        found(source);
        vault.forget();

        for (int i = 0; i < 3; i++) {
            advance(60);
            TokenDocument document = found(source);
            assertThat(number(document)).isEqualTo("1");
            assertThat(document.expiresAt()).hasValue(ManualClock.START.plusSeconds(600));
        }

        assertThat(vault.asked()).containsExactly(LOOKUP, LOOKUP, LOOKUP);
        assertThat(vault.calls(LOOKUP).get(0).says("lease_id")).isEqualTo("rabbitmq/creds/agent/1");
    }

    @Test
    void poll_leaseRevoked_makesAnother() throws Exception {
        TokenSource source = source(vault.agent());
        found(source);
        vault.on(LOOKUP, error(400, "invalid lease"));

        assertThat(number(found(source))).isEqualTo("2");
    }

    @Test
    void poll_lookUpNotPermitted_goesByTime() throws Exception {
        TokenSource source = source(vault.agent());
        found(source);
        vault.never(LOOKUP);

        assertThat(number(found(source))).isEqualTo("1");
    }

    @Test
    void poll_loginRevoked_logsInAgainAndMakesAnother() throws Exception {
        vault.on(LOGIN, login(TOKEN, 3600, true, "service"));
        TokenSource source =
                source(vault.agent(), "auth", map("approle", map("role_id", "r", "secret_id", "s" + Canary.WORD)));
        found(source);
        assertThat(number(found(source))).isEqualTo("1");
        String second = "second." + Canary.WORD;
        vault.never(LOOKUP)
                .on(LOGIN, login(second, 3600, true, "service"))
                .on(CREDS, call -> second.equals(call.token()) ? lease(600, true) : error(403, "permission denied"))
                .never("GET auth/token/lookup-self");

        assertThat(number(found(source))).isEqualTo("2");
        assertThat(vault.calls(LOGIN)).hasSize(2);
    }

    @Test
    void due_isRenewed() throws Exception {
        TokenSource source = source(vault.agent());
        found(source);
        advance(460);
        vault.forget();

        TokenDocument document = found(source);

        assertThat(number(document)).isEqualTo("1");
        assertThat(document.expiresAt()).hasValue(ManualClock.START.plusSeconds(460 + 600));
        assertThat(document.issuedAt()).hasValue(ManualClock.START.plusSeconds(460));
        assertThat(vault.asked()).containsExactly(RENEW);
        assertThat(vault.calls(RENEW).get(0).says("increment")).isEqualTo("600");
    }

    @Test
    void due_renewalComesBackShort_makesAnother() throws Exception {
        vault.on(RENEW, ok("renewable", true, "lease_duration", 299));
        TokenSource source = source(vault.agent());
        found(source);
        advance(460);

        assertThat(number(found(source))).isEqualTo("2");
    }

    @Test
    void due_notRenewable_makesAnother() throws Exception {
        vault.on(CREDS, call -> lease(600, false));
        TokenSource source = source(vault.agent());
        found(source);
        advance(460);

        assertThat(number(found(source))).isEqualTo("2");
        assertThat(vault.asked()).doesNotContain(RENEW);
    }

    @Test
    void due_renewalRefused_makesAnother() throws Exception {
        vault.on(RENEW, error(400, "lease not found"));
        TokenSource source = source(vault.agent());
        found(source);
        advance(460);

        assertThat(number(found(source))).isEqualTo("2");
    }

    @Test
    void secret_livesNoLongerThanTheLogin() throws Exception {
        vault.on(LOGIN, login(TOKEN, 90, true, "service"))
                .on("POST auth/token/renew-self", ok("auth", map("lease_duration", 90)));
        Object auth = map("approle", map("role_id", "r", "secret_id", "s" + Canary.WORD));
        TokenSource source = source(vault.agent(), "auth", auth);

        assertThat(found(source).expiresAt()).hasValue(ManualClock.START.plusSeconds(90));

        advance(70);
        TokenDocument later = found(source);
        assertThat(number(later)).isEqualTo("1");
        assertThat(later.expiresAt()).hasValue(ManualClock.START.plusSeconds(70 + 90));
    }

    @Test
    void anotherLogin_makesAnotherSecret() throws Exception {
        vault.on(LOGIN, login(TOKEN, 90, false, "batch"));
        Object auth = map("approle", map("role_id", "r", "secret_id", "s" + Canary.WORD));
        TokenSource source = source(vault.agent(), "auth", auth);
        found(source);
        advance(70);

        assertThat(number(found(source))).isEqualTo("2");
    }

    @Test
    void answerWithoutALease_isReadEachTime() throws Exception {
        vault.on(CREDS, call -> ok("data", map("password", made.incrementAndGet() + Canary.WORD)));
        TokenSource source = source(vault.agent());

        assertThat(number(found(source))).isEqualTo("1");
        assertThat(number(found(source))).isEqualTo("2");
    }
}
