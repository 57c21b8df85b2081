package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.found;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.ok;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.keyturn.Canary;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import mockwebserver3.MockResponse;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Secrets with a lease that are of no use: a server refuses them, or there is no token in them. */
class RefusedSecretTest {
    private static final String TOKEN = "hvs." + Canary.WORD;
    private static final String CREDS = "GET database/creds/agent";
    private static final String LOOKUP = "POST sys/leases/lookup";

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    @TempDir
    Path folder;

    private final AtomicInteger made = new AtomicInteger();

    @BeforeEach
    void engine() {
        vault.variables.put("VAULT_TOKEN", TOKEN);
        vault.knows(TOKEN)
                .mount("database/", "database", null, "database/creds/agent")
                .on(CREDS, call -> lease(map("username", "u", "password", made.get() + 1 + Canary.WORD)))
                .on(LOOKUP, ok("data", map("ttl", 100)));
    }

    private MockResponse lease(Object data) {
        return ok(
                "lease_id",
                "database/creds/agent/" + made.incrementAndGet(),
                "renewable",
                true,
                "lease_duration",
                7200,
                "data",
                data);
    }

    private TokenSource source(String key) {
        return FakeVault.source(vault.agent(), "path", "database/creds/agent", "key", key);
    }

    private static Token token(TokenSource source) throws SourceException {
        return Token.of("t", found(source));
    }

    private static Token insteadOf(TokenSource source, Token refused) throws SourceException {
        return Token.of("t", source.fetchInsteadOf(refused).orElseThrow());
    }

    private static String number(Token token) {
        return token.reveal().replace(Canary.WORD, "");
    }

    /** Somebody has taken the user away in the database, and its lease still lives. */
    @Test
    void secret_refusedByTheServer_isReplaced() throws Exception {
        TokenSource source = source("password");
        Token first = token(source);

        Token second = insteadOf(source, first);

        assertThat(number(second)).isEqualTo("2");
        assertThat(number(token(source))).isEqualTo("2");
    }

    /** A server that refuses everybody would otherwise have Vault make a user for each refusal. */
    @Test
    void secret_refusedAgainAndAgain_isReplacedOnceAMinute() throws Exception {
        TokenSource source = source("password");
        Token second = insteadOf(source, token(source));

        vault.clock.advance(Duration.ofSeconds(59));
        assertThat(number(insteadOf(source, second))).isEqualTo("2");
        vault.clock.advance(Duration.ofSeconds(1));
        assertThat(number(insteadOf(source, second))).isEqualTo("3");
        assertThat(made).hasValue(3);
    }

    /** Which of several sources had the refused token is not known to them. */
    @Test
    void secret_anotherWasRefused_stays() throws Exception {
        TokenSource source = source("password");
        Token first = token(source);
        insteadOf(source, first);

        vault.clock.advance(Duration.ofMinutes(5));

        assertThat(number(insteadOf(source, first))).isEqualTo("2");
        assertThat(made).hasValue(2);
    }

    /** Each secret is a user in the database, and the next one would have no such field either. */
    @Test
    void secret_withoutTheField_isNotMadeAgainAndAgain() throws Exception {
        TokenSource source = source("token");
        vault.clock.advance(Duration.ofSeconds(1));

        for (int i = 0; i < 3; i++) {
            vault.clock.advance(Duration.ofMinutes(10));
            assertThat(source.fetch()).isEmpty();
            assertThat(source.absence())
                    .hasMessage("vault database/creds/agent#token at " + vault.address()
                            + " has no such field, but 2 others");
        }

        assertThat(made).hasValue(1);
        vault.clock.advance(Duration.ofMinutes(40));
        assertThat(source.fetch()).isEmpty();
        assertThat(made).hasValue(2);
    }

    @Test
    void secret_thatIsNoText_isNotMadeAgainAndAgain() {
        vault.on(CREDS, call -> lease(map("token", List.of(Canary.WORD))));
        TokenSource source = source("token");

        for (int i = 0; i < 3; i++) {
            SourceException failure = catchThrowableOfType(SourceException.class, source::fetch);
            canary.saw("failure", failure);
            assertThat(failure.reason()).isEqualTo(Reason.MALFORMED);
            assertThat(failure).hasMessageEndingWith(" is no text");
        }

        assertThat(made).hasValue(1);
    }

    /** Fifty tokens of one login would run it fifty times a minute. */
    @Test
    @DisabledOnOs(OS.WINDOWS)
    void tokenOfAProgram_isAskedForOnlyOnceItIsRefused() throws Exception {
        vault.secret(1, "token", "v" + Canary.WORD).knows(TOKEN);
        Path runs = folder.resolve("runs");
        Path program = folder.resolve("print-token");
        Files.writeString(program, "#!/bin/sh\necho run >> " + runs + "\necho " + TOKEN + "\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        vault.variables.put("PATH", "/usr/bin:/bin");
        TokenSource source =
                FakeVault.source(vault.agent(), "auth", map("token", map("command", List.of(program.toString()))));

        for (int i = 0; i < 5; i++) {
            found(source);
        }
        assertThat(runs).hasContent("run");

        vault.never("GET secret/metadata/agent").never("GET secret/data/agent").never("GET auth/token/lookup-self");
        SourceException failure = catchThrowableOfType(SourceException.class, source::fetch);
        assertThat(failure.reason()).isEqualTo(Reason.LOGIN_REFUSED);
        assertThat(Files.readAllLines(runs)).hasSize(2);
    }
}
