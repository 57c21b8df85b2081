package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.error;
import static io.keyturn.vault.FakeVault.found;
import static io.keyturn.vault.FakeVault.login;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.ok;
import static io.keyturn.vault.FakeVault.source;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.Optional;
import okhttp3.HttpUrl;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** How a login is kept alive, and replaced where that is no longer possible. */
class RenewalTest {
    private static final String LOGIN = "POST auth/approle/login";
    private static final String RENEW = "POST auth/token/renew-self";
    private static final String METADATA = "GET secret/metadata/agent";
    private static final String GRANTED = "hvs." + Canary.WORD;
    private static final Object AUTH = map("approle", map("role_id", "r", "secret_id", "s" + Canary.WORD));

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    @BeforeEach
    void approle() {
        vault.secret(7, "token", "one" + Canary.WORD)
                .knows(GRANTED)
                .on(LOGIN, login(GRANTED, 60, true, "service"))
                .on(RENEW, ok("auth", map("lease_duration", 60, "renewable", true)));
    }

    private TokenSource source() {
        return FakeVault.source(vault.agent(), "auth", AUTH);
    }

    private void advance(int seconds) {
        vault.clock.advance(Duration.ofSeconds(seconds));
    }

    @Test
    void watched_isRenewedAtTwoThirdsThoughNobodyAsks() throws Exception {
        TokenSource source = source();
        try (Watch watch = source.watch(() -> {})) {
            assertThat(watch).isNotNull();
            found(source);
            for (int i = 0; i < 5; i++) {
                assertThat(vault.later).hasSize(1);
                assertThat(vault.later.get(0).delay()).isBetween(Duration.ofSeconds(36), Duration.ofSeconds(40));
                advance(40);
                vault.runLater();
            }
        }

        assertThat(vault.calls(RENEW)).hasSize(5);
        assertThat(vault.calls(LOGIN)).hasSize(1);
        vault.runLater();
        assertThat(vault.calls(RENEW)).as("not when nobody watches").hasSize(5);
        assertThat(vault.later).isEmpty();
    }

    @Test
    void notWatched_plansNothing() throws Exception {
        found(source());

        assertThat(vault.later).isEmpty();
    }

    @Test
    void renewal_ofAClockThatWasSetBack_stillHappens() throws Exception {
        TokenSource source = source();
        try (Watch watch = source.watch(() -> {})) {
            assertThat(watch).isNotNull();
            found(source);
            vault.clock.step(Duration.ofDays(-30));
            vault.runLater();
        }

        assertThat(vault.calls(RENEW)).hasSize(1);
    }

    @Test
    void renewal_comesBackShort_logsInAgain() throws Exception {
        vault.on(RENEW, ok("auth", map("lease_duration", 20, "renewable", true)));
        TokenSource source = source();
        found(source);
        advance(45);

        found(source);
        found(source);

        assertThat(vault.calls(LOGIN)).hasSize(2);
        assertThat(vault.calls(RENEW)).hasSize(1);
    }

    @Test
    void renewal_ofNothingMore_logsInAgain() throws Exception {
        vault.on(RENEW, ok("auth", map("lease_duration", 0, "renewable", true)));
        TokenSource source = source();
        found(source);
        advance(45);

        found(source);

        assertThat(vault.calls(LOGIN)).hasSize(2);
    }

    @Test
    void renewal_refused_logsInAgain() throws Exception {
        vault.on(RENEW, error(403, "permission denied"));
        TokenSource source = source();
        found(source);
        advance(45);

        found(source);

        assertThat(vault.calls(LOGIN)).hasSize(2);
    }

    @Test
    void batchToken_isReplacedBeforeItsEndAndNeverRenewed() throws Exception {
        vault.on(LOGIN, login(GRANTED, 60, false, "batch"));
        TokenSource source = source();
        found(source);
        advance(41);
        found(source);

        assertThat(vault.calls(LOGIN)).hasSize(2);
        assertThat(vault.asked()).doesNotContain(RENEW);
    }

    @Test
    void renewal_outage_theLoginServesAndIsTriedTwiceMore() throws Exception {
        TokenSource source = source();
        try (Watch watch = source.watch(() -> {})) {
            assertThat(watch).isNotNull();
            found(source);
            vault.on(RENEW, error(500, "no"));
            advance(40);
            vault.runLater();
            while (!vault.later.isEmpty()) {
                vault.clock.advance(vault.later.get(0).delay());
                vault.runLater();
            }
            found(source);
        }

        assertThat(vault.calls(RENEW)).hasSize(3);
        assertThat(vault.calls(LOGIN)).hasSize(1);
    }

    @Test
    void renewal_outageIsOver_isMadeUpFor() throws Exception {
        TokenSource source = source();
        found(source);
        vault.on(RENEW, error(500, "no"));
        advance(41);
        found(source);
        vault.on(RENEW, ok("auth", map("lease_duration", 60)));
        advance(10);
        found(source);
        advance(20);
        found(source);

        assertThat(vault.calls(LOGIN)).hasSize(1);
    }

    @Test
    void login_overAndVaultAway_failsAndComesBack() throws Exception {
        TokenSource source = source();
        found(source);
        advance(61);
        vault.on(RENEW, error(500, "no")).on(LOGIN, error(500, "no"));

        assertThat(canary.caught(SourceException.class, source::fetch).reason()).isEqualTo(Reason.STORE_UNREACHABLE);

        vault.on(RENEW, error(403, "no")).on(LOGIN, login(GRANTED, 60, true, "service"));
        found(source);
    }

    @Test
    void successor_refused_theLoginBeforeServesUntilItsEnd() throws Exception {
        vault.on(RENEW, ok("auth", map("lease_duration", 20, "renewable", true)));
        TokenSource source = source();
        found(source);
        vault.on(LOGIN, error(400, "no"));
        advance(45);

        for (int i = 0; i < 19; i++) {
            found(source);
            advance(1);
        }
        assertThat(vault.calls(LOGIN))
                .as("tried twice more, and in no tight loop")
                .hasSize(4);

        advance(2);
        vault.on(RENEW, error(403, "no"));
        assertThat(canary.caught(SourceException.class, source::fetch).reason()).isEqualTo(Reason.LOGIN_REFUSED);
    }

    @Test
    void endlessLogin_isLeftAlone() throws Exception {
        vault.on(LOGIN, login(GRANTED, 0, false, "service"));
        TokenSource source = source();
        found(source);
        vault.clock.advance(Duration.ofDays(400));
        found(source);

        assertThat(vault.calls(LOGIN)).hasSize(1);
    }

    @Test
    void credentialReplaced_afterARefusal_asksAtOnce() throws Exception {
        Triggered credential = new Triggered();
        Auth auth = new Auth.AppRole(credential, credential, "approle", false);
        Vault where = new Vault(HttpUrl.get(vault.address()), null, vault.agent());
        TokenSource source = new VaultSource(where, "secret/agent", "token", 0, auth);
        int[] asked = {0};
        try (Watch watch = source.watch(() -> asked[0]++)) {
            assertThat(watch).isNotNull();
            found(source);
            credential.changed.run();
            assertThat(vault.later).as("while it is good there is no hurry").hasSize(1);
            vault.later.clear();

            vault.on(LOGIN, error(400, "no")).on(RENEW, error(403, "no"));
            advance(61);
            canary.caught(SourceException.class, source::fetch);
            credential.changed.run();
            assertThat(vault.runLater()).isEqualTo(Duration.ZERO);
        }
        assertThat(asked[0]).isOne();
        assertThat(vault.calls(METADATA)).hasSize(1);
    }

    /** A credential that says that it has changed when the test does. */
    private static final class Triggered implements TokenSource {
        private Runnable changed = () -> {};

        @Override
        public Optional<TokenDocument> fetch() {
            return Optional.of(TokenDocument.of("c" + Canary.WORD));
        }

        @Override
        public Watch watch(Runnable told) {
            changed = told;
            return Watch.none();
        }
    }
}
