package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.error;
import static io.keyturn.vault.FakeVault.found;
import static io.keyturn.vault.FakeVault.login;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.source;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.ManualClock;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Logging in with a JSON Web Token of a platform: Kubernetes' or an identity provider's. */
class JwtLoginTest {
    private static final String GRANTED = "hvs." + Canary.WORD;

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    @BeforeEach
    void secret() {
        vault.secret(7, "token", "one" + Canary.WORD).knows(GRANTED);
    }

    private static String jwt(Instant end) {
        Base64.Encoder encoder = Base64.getUrlEncoder().withoutPadding();
        String claims = "{\"sub\":\"agent\",\"exp\":" + end.getEpochSecond() + "}";
        return encoder.encodeToString("{\"alg\":\"RS256\"}".getBytes(UTF_8)) + "."
                + encoder.encodeToString(claims.getBytes(UTF_8)) + "." + Canary.WORD;
    }

    private static Object auth(String way) {
        return map(way, map("role", "agent", "jwt", map("env", "JWT")));
    }

    private SourceException failure(TokenSource source) {
        return canary.caught(SourceException.class, source::fetch);
    }

    @Test
    void kubernetes_token_isReadAnewAtEachLogin() throws Exception {
        vault.on("POST auth/kubernetes/login", login(GRANTED, 60, false, "service"));
        String first = jwt(ManualClock.START.plusSeconds(3600));
        vault.variables.put("JWT", first);
        TokenSource source = source(vault.agent(), "auth", auth("kubernetes"));
        found(source);
        String second = jwt(ManualClock.START.plusSeconds(7200));
        vault.variables.put("JWT", second);
        found(source);
        vault.clock.advance(Duration.ofSeconds(45));
        found(source);

        assertThat(vault.calls("POST auth/kubernetes/login"))
                .extracting(call -> call.says("jwt"))
                .containsExactly(first, second);
        assertThat(vault.calls("POST auth/kubernetes/login"))
                .allSatisfy(call -> assertThat(call.says("role")).isEqualTo("agent"));
    }

    @Test
    void kubernetes_withoutAJwt_readsThePodsToken() {
        SourceException e = failure(source(vault.agent(), "auth", map("kubernetes", map("role", "agent"))));

        assertThat(e.reason()).isEqualTo(Reason.ABSENT);
        assertThat(e).hasMessageContaining("/var/run/secrets/kubernetes.io/serviceaccount/token");
    }

    @Test
    void jwt_expired_isSaidAndNotSent() {
        vault.variables.put("JWT", jwt(ManualClock.START.minusSeconds(1)));

        SourceException e = failure(source(vault.agent(), "auth", auth("jwt")));

        assertThat(e.reason()).isEqualTo(Reason.EXPIRED);
        assertThat(e)
                .hasMessage("vault " + vault.address()
                        + " is not asked: the jwt (environment variable JWT) expired at 2026-11-24T11:59:59Z");
        assertThat(vault.asked()).isEmpty();
    }

    @Test
    void jwt_itsOwnEnd_isNotTheSecrets() throws Exception {
        vault.on("POST auth/jwt/login", login(GRANTED, 60, true, "service"));
        vault.variables.put("JWT", jwt(ManualClock.START.plusSeconds(5)));

        assertThat(found(source(vault.agent(), "auth", auth("jwt"))).expiresAt())
                .isEmpty();
    }

    @Test
    void kubernetes_refused_saysWhereToLook() {
        vault.on("POST auth/kubernetes/login", error(403, "service account name not authorized"));
        vault.variables.put("JWT", jwt(ManualClock.START.plusSeconds(60)));

        SourceException e = failure(source(vault.agent(), "auth", auth("kubernetes")));

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(e)
                .hasMessage("vault " + vault.address()
                        + ": the Kubernetes login at auth/kubernetes as role 'agent' is refused (403)");
        assertThat(e.fix()).contains("vault read auth/kubernetes/role/agent", "is kubernetes enabled");
    }

    @Test
    void jwt_refused_doesNotQuoteWhatVaultSays() {
        String token = jwt(ManualClock.START.plusSeconds(60));
        vault.variables.put("JWT", token);
        vault.on("POST auth/jwt/login", error(400, "error validating token: " + token));

        SourceException e = failure(source(vault.agent(), "auth", auth("jwt")));

        assertThat(e.reason()).isEqualTo(Reason.LOGIN_REFUSED);
    }
}
