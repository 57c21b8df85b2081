package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.error;
import static io.keyturn.vault.FakeVault.found;
import static io.keyturn.vault.FakeVault.login;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.raw;
import static io.keyturn.vault.FakeVault.source;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import java.time.Duration;
import mockwebserver3.MockResponse;
import mockwebserver3.SocketEffect;
import okio.Buffer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What Vault's refusals and failures mean, each with its own message and fix. */
class RefusedTest {
    private static final String TOKEN = "hvs." + Canary.WORD;
    private static final String VALUE = "one" + Canary.WORD;
    private static final String SELF = "GET auth/token/lookup-self";
    private static final String METADATA = "GET secret/metadata/agent";
    private static final String DATA = "GET secret/data/agent";
    private static final String LOGIN = "POST auth/approle/login";
    private static final Object APPROLE = map("approle", map("role_id", "r1", "secret_id", "s" + Canary.WORD));

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    @BeforeEach
    void token() {
        vault.variables.put("VAULT_TOKEN", TOKEN);
        vault.knows(TOKEN).secret(7, "token", VALUE);
    }

    private SourceException failure(TokenSource source) {
        return canary.caught(SourceException.class, source::fetch);
    }

    // --- it is not well ---

    @ParameterizedTest
    @CsvSource({
        "503, SEALED, is sealed (503), unseal",
        "500, STORE_UNREACHABLE, answered 500, log",
        "502, STORE_UNREACHABLE, answered 502, log",
        "429, STORE_UNREACHABLE, is asked too often (429), quota",
        "412, STORE_UNREACHABLE, has not caught up with itself yet (412), asked again",
        "307, STORE_UNREACHABLE, answered 307, address"
    })
    void vault_notWell_saysHow(int status, Reason reason, String message, String fix) throws Exception {
        TokenSource source = source(vault.agent());
        found(source);
        vault.on(METADATA, error(status, VALUE));

        SourceException e = failure(source);

        assertThat(e.reason()).isEqualTo(reason);
        assertThat(e).hasMessageStartingWith("vault " + vault.address() + " ").hasMessageContaining(message);
        assertThat(e.fix()).contains(fix);
    }

    @Test
    void vault_notWellAtLogin_isNoRefusal() {
        vault.on(LOGIN, error(503, "Vault is sealed"));

        assertThat(failure(source(vault.agent(), "auth", APPROLE)).reason()).isEqualTo(Reason.SEALED);
    }

    @Test
    void vault_busy_saysWhenToAskAgain() {
        vault.on(
                METADATA,
                new MockResponse.Builder()
                        .code(429)
                        .addHeader("Retry-After", "17")
                        .build());

        assertThat(failure(source(vault.agent())).retryAfter()).hasValue(Duration.ofSeconds(17));
    }

    @Test
    void balancer_withoutAVault_isNotSealed() {
        vault.on(METADATA, raw(503, "<html>no server is available"));

        assertThat(failure(source(vault.agent())).reason()).isEqualTo(Reason.STORE_UNREACHABLE);
    }

    @Test
    void nobodyThere_isUnreachable() {
        TokenSource source = source(vault.agent());
        vault.server.close();

        SourceException e = failure(source);

        assertThat(e.reason()).isEqualTo(Reason.STORE_UNREACHABLE);
        assertThat(e).hasMessage("vault " + vault.address() + " is unreachable (nobody accepts connections there)");
    }

    @Test
    void answerThatBreaksOff_isUnreachable() {
        vault.on(
                METADATA,
                new MockResponse.Builder()
                        .body("{\"data\":")
                        .onResponseBody(new SocketEffect.CloseSocket())
                        .build());

        assertThat(failure(source(vault.agent())).reason()).isEqualTo(Reason.STORE_UNREACHABLE);
    }

    @ParameterizedTest
    @CsvSource({"200, '{\"data\":{'", "200, <html>log in", "404, <html>not found", "403, Forbidden by the proxy"})
    void somethingElse_answers_isNotTakenForVault(int status, String body) {
        vault.never(METADATA).on(DATA, raw(status, body));

        SourceException e = failure(source(vault.agent()));

        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
        assertThat(e.fix()).contains("is the address right?");
    }

    @Test
    void answerOfTooMuch_isMalformed() {
        vault.on(
                METADATA,
                new MockResponse.Builder()
                        .body(new Buffer().write(new byte[1024 * 1024 + 1]))
                        .build());

        assertThat(failure(source(vault.agent())).reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void anythingElse_isWrong() {
        vault.on(METADATA, error(405, "1 error occurred"));

        SourceException e = failure(source(vault.agent()));

        assertThat(e.reason()).isEqualTo(Reason.INVALID);
        assertThat(e).hasMessageContaining("secret/metadata/agent was answered 405");
    }

    // --- 403 ---

    @Test
    void forbidden_goodToken_isThePathAndTellsThePolicy() {
        vault.never(METADATA).never(DATA);

        SourceException e = failure(source(vault.agent()));

        assertThat(e.reason()).isEqualTo(Reason.NOT_PERMITTED);
        assertThat(e)
                .hasMessage("vault secret/agent#token at " + vault.address()
                        + ": the login is good, and its policy does not let it read secret/data/agent (403)");
        assertThat(e.fix())
                .contains(
                        "path \"secret/data/agent\" { capabilities = [\"read\"] }",
                        "path \"secret/metadata/agent\" { capabilities = [\"read\"] }");
    }

    @Test
    void forbidden_againAndAgain_doubtsTheTokenOnceAMinute() throws Exception {
        vault.never(METADATA).never(DATA);
        TokenSource source = source(vault.agent());
        failure(source);
        vault.forget();

        failure(source);
        assertThat(vault.asked()).as("no look at the token").containsExactly(DATA);

        vault.clock.advance(Duration.ofMinutes(1));
        failure(source);
        assertThat(vault.calls(SELF)).hasSize(1);

        vault.secret(7, "token", VALUE);
        assertThat(found(source).value().reveal()).isEqualTo(VALUE);
    }

    @Test
    void forbidden_badLogin_logsInAgainOnce() throws Exception {
        vault.on(LOGIN, login("first" + Canary.WORD, 3600, true, "service"));
        TokenSource source = source(vault.agent(), "auth", APPROLE);
        found(source);
        String second = "second" + Canary.WORD;
        vault.on(LOGIN, login(second, 3600, true, "service"))
                .knows(second)
                .on(METADATA, call -> second.equals(call.token()) ? FakeVault.metadata(7, "", false) : error(403, "no"))
                .on(
                        DATA,
                        call -> second.equals(call.token())
                                ? FakeVault.data(7, map("token", VALUE), "", false)
                                : error(403, "no"));
        vault.forget();

        assertThat(found(source).value().reveal()).isEqualTo(VALUE);

        assertThat(vault.calls(LOGIN)).hasSize(1);
        assertThat(vault.calls(SELF)).hasSize(1);
    }

    @Test
    void forbidden_afterTheLoginAnew_isThePath() {
        vault.on(LOGIN, login("first" + Canary.WORD, 3600, true, "service"))
                .never(METADATA)
                .never(DATA)
                .never(SELF);

        SourceException e = failure(source(vault.agent(), "auth", APPROLE));

        assertThat(e.reason()).isEqualTo(Reason.NOT_PERMITTED);
        assertThat(vault.calls(LOGIN)).as("at most one more").hasSizeLessThanOrEqualTo(2);
    }

    @Test
    void forbidden_givenTokenThatIsBad_isLoginRefused() {
        vault.never(SELF).never(METADATA).never(DATA).never("GET sys/internal/ui/mounts/secret/agent");

        SourceException e = failure(source(vault.agent()));

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e)
                .hasMessageStartingWith("vault " + vault.address()
                        + ": the token of environment variable VAULT_TOKEN is refused (403)");
        assertThat(vault.asked()).containsExactly(SELF, "GET sys/internal/ui/mounts/secret/agent");
    }

    @Test
    void forbidden_givenTokenThatWasGood_isLoginRefused() throws Exception {
        TokenSource source = source(vault.agent());
        found(source);
        vault.never(SELF).never(METADATA).never(DATA);

        SourceException e = failure(source);

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e).hasMessageContaining("it is over or was revoked");
    }

    @Test
    void forbidden_tokenWithoutTheDefaultPolicy_stillReads() throws Exception {
        vault.never(SELF);

        assertThat(found(source(vault.agent())).value().reveal()).isEqualTo(VALUE);
    }

    @Test
    void forbidden_tokenReplacedMeanwhile_isUsed() throws Exception {
        TokenSource source = source(vault.agent());
        found(source);
        String second = "hvs2." + Canary.WORD;
        vault.variables.put("VAULT_TOKEN", second);
        vault.knows(second);
        vault.forget();

        found(source);

        assertThat(vault.calls(METADATA))
                .singleElement()
                .extracting(FakeVault.Call::token)
                .isEqualTo(second);
    }
}
