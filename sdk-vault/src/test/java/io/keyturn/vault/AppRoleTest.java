package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.error;
import static io.keyturn.vault.FakeVault.found;
import static io.keyturn.vault.FakeVault.login;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.ok;
import static io.keyturn.vault.FakeVault.source;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Logging in with a role_id and a secret_id, which may be wrapped. */
class AppRoleTest {
    private static final String LOGIN = "POST auth/approle/login";
    private static final String LOOKUP = "POST sys/wrapping/lookup";
    private static final String UNWRAP = "POST sys/wrapping/unwrap";
    private static final String VALUE = "one" + Canary.WORD;
    private static final String GRANTED = "hvs." + Canary.WORD;
    private static final String SECRET_ID = "secret-id-" + Canary.WORD;
    private static final String WRAPPING = "hvs.wrap." + Canary.WORD;

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    @BeforeEach
    void approle() {
        vault.secret(7, "token", VALUE)
                .knows(GRANTED)
                .on(LOGIN, login(GRANTED, 60, true, "service"))
                .on(LOOKUP, ok("data", map("creation_path", "auth/approle/role/agent/secret-id")))
                .on(UNWRAP, ok("data", map("secret_id", SECRET_ID)));
        vault.variables.put("ROLE", "role-" + Canary.WORD);
        vault.variables.put("SECRET", SECRET_ID);
        vault.variables.put("WRAPPING", WRAPPING);
    }

    private static Object plain() {
        return map("approle", map("role_id", map("env", "ROLE"), "secret_id", map("env", "SECRET")));
    }

    private static Object wrapped() {
        Map<String, Object> way =
                map("role_id", map("env", "ROLE"), "secret_id", map("env", "WRAPPING"), "wrapped", "true");
        return map("approle", way);
    }

    private SourceException failure(TokenSource source) {
        return canary.caught(SourceException.class, source::fetch);
    }

    // --- a secret_id as it is ---

    @Test
    void login_tokenOfIt_reads() throws Exception {
        found(source(vault.agent(), "auth", plain()));

        assertThat(vault.calls(LOGIN)).singleElement().satisfies(call -> {
            assertThat(call.says("role_id")).isEqualTo("role-" + Canary.WORD);
            assertThat(call.says("secret_id")).isEqualTo(SECRET_ID);
            assertThat(call.token()).as("no token is needed").isNull();
        });
        assertThat(vault.calls("GET secret/data/agent"))
                .singleElement()
                .extracting(FakeVault.Call::token)
                .isEqualTo(GRANTED);
    }

    @Test
    void login_anotherMount_isAskedThere() throws Exception {
        vault.on("POST auth/team/ci/login", login(GRANTED, 60, true, "service"));
        Map<String, Object> way =
                map("role_id", "r", "secret_id", map("env", "SECRET"), "mount", "team/ci", "wrapped", "false");

        found(source(vault.agent(), "auth", map("approle", way)));

        assertThat(vault.calls("POST auth/team/ci/login")).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {400, 403, 404})
    void login_refused_saysSo(int status) {
        vault.on(LOGIN, error(status, "invalid role or secret ID " + SECRET_ID));

        SourceException e = failure(source(vault.agent(), "auth", plain()));

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e)
                .hasMessage(
                        "vault " + vault.address() + ": the AppRole login at auth/approle is refused (" + status + ")");
        assertThat(e.fix()).contains("vault write -f auth/approle/role/ROLE/secret-id");
    }

    @Test
    void login_refused_costsOneCallATry() {
        vault.on(LOGIN, error(400, "no"));
        TokenSource source = source(vault.agent(), "auth", plain());

        failure(source);
        failure(source);

        assertThat(vault.asked()).containsExactly(LOGIN, LOGIN);
    }

    @Test
    void login_anotherSecretId_isReadAnew() throws Exception {
        vault.on(LOGIN, error(400, "no"));
        TokenSource source = source(vault.agent(), "auth", plain());
        failure(source);
        vault.variables.put("SECRET", "other-" + SECRET_ID);
        vault.on(
                LOGIN,
                call -> call.says("secret_id").startsWith("other-")
                        ? login(GRANTED, 60, true, "service")
                        : error(400, "no"));

        assertThat(found(source).version()).hasValue("7");
    }

    @Test
    void login_withoutAToken_isMalformed() {
        vault.on(LOGIN, ok("auth", map("mfa_requirement", map("mfa_request_id", "1"))));

        assertThat(failure(source(vault.agent(), "auth", plain())).reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void login_credentialThatNeedsEscapes_isSentAsItIs() throws Exception {
        String odd = "a\"b\\c" + Canary.WORD;
        vault.variables.put("SECRET", odd);

        found(source(vault.agent(), "auth", plain()));

        assertThat(vault.calls(LOGIN))
                .singleElement()
                .satisfies(call -> assertThat(call.says("secret_id")).isEqualTo(odd));
    }

    // --- a wrapped one ---

    @Test
    void wrapped_isOpenedOnceAndLooksWhereItWasMade() throws Exception {
        TokenSource source = source(vault.agent(), "auth", wrapped());

        found(source);
        found(source);

        assertThat(vault.asked()).startsWith(LOOKUP, UNWRAP, LOGIN);
        assertThat(vault.calls(LOOKUP))
                .singleElement()
                .satisfies(call -> assertThat(call.says("token")).isEqualTo(WRAPPING));
        assertThat(vault.calls(UNWRAP))
                .singleElement()
                .extracting(FakeVault.Call::token)
                .isEqualTo(WRAPPING);
        assertThat(vault.calls(LOGIN))
                .singleElement()
                .satisfies(call -> assertThat(call.says("secret_id")).isEqualTo(SECRET_ID));
    }

    @Test
    void wrapped_wasOpenedBefore_saysThatSomebodyMayUseIt() {
        vault.on(LOOKUP, error(400, "wrapping token is not valid or does not exist"));

        SourceException e = failure(source(vault.agent(), "auth", wrapped()));

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e).hasMessageContaining("somebody has opened it before");
        assertThat(e.fix()).contains("somebody else may use the secret_id", "-wrap-ttl=5m auth/approle/role/ROLE");
        assertThat(vault.asked()).containsExactly(LOOKUP);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "sys/wrapping/wrap",
                "cubbyhole/agent",
                "auth/other/role/agent/secret-id",
                "auth/approle/role/agent/role-id",
                "x/auth/approle/role/agent/secret-id"
            })
    void wrapped_byAnythingElse_isNotOpened(String path) {
        vault.on(LOOKUP, ok("data", map("creation_path", path)));

        SourceException e = failure(source(vault.agent(), "auth", wrapped()));

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e).hasMessageContaining("was not made below auth/approle/role/");
        assertThat(vault.asked()).doesNotContain(UNWRAP);
    }

    @Test
    void wrapped_loginFailsAfterwards_isNotOpenedAgain() throws Exception {
        vault.on(LOGIN, error(500, "no"));
        TokenSource source = source(vault.agent(), "auth", wrapped());
        assertThat(failure(source).reason()).isEqualTo(Reason.STORE_UNREACHABLE);
        vault.on(LOGIN, login(GRANTED, 60, true, "service")).on(LOOKUP, error(400, "no"));

        found(source);

        assertThat(vault.calls(UNWRAP)).hasSize(1);
    }

    @Test
    void wrapped_usedUp_keepsTheLoginUntilItsEndAndThenSaysWhatToDo() throws Exception {
        vault.on("POST auth/token/renew-self", ok("auth", map("lease_duration", 10, "renewable", true)));
        TokenSource source = source(vault.agent(), "auth", wrapped());
        found(source);
        vault.on(LOGIN, error(400, "no"));

        vault.clock.advance(Duration.ofSeconds(45));
        found(source);
        vault.clock.advance(Duration.ofSeconds(9));
        found(source);
        vault.on("POST auth/token/renew-self", error(403, "permission denied"));
        vault.clock.advance(Duration.ofSeconds(2));
        SourceException e = failure(source);

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e).hasMessageContaining("its secret_id was unwrapped before");
        assertThat(e.fix()).contains("wrap another secret_id");
    }

    @Test
    void wrapped_anotherWrappingToken_isOpened() throws Exception {
        TokenSource source = source(vault.agent(), "auth", wrapped());
        found(source);
        vault.variables.put("WRAPPING", "hvs.wrap2." + Canary.WORD);
        vault.on(UNWRAP, ok("data", map("secret_id", "second-" + SECRET_ID)))
                .on("POST auth/token/renew-self", error(403, "permission denied"));
        vault.clock.advance(Duration.ofSeconds(61));
        found(source);

        assertThat(vault.calls(LOGIN))
                .hasSize(2)
                .last()
                .satisfies(call -> assertThat(call.says("secret_id")).isEqualTo("second-" + SECRET_ID));
    }

    @Test
    void wrapped_whoeverOnlyLooks_leavesItClosed() {
        SourceContext look = vault.look();

        SourceException e = failure(source(look, "auth", wrapped()));

        assertThat(e.reason()).isEqualTo(Reason.HELD_BY_AGENT);
        assertThat(vault.asked()).isEmpty();
    }
}
