package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.data;
import static io.keyturn.vault.FakeVault.error;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.metadata;

import io.keyturn.Canary;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.test.TokenSourceContract;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import mockwebserver3.MockResponse;
import mockwebserver3.SocketEffect;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A field of KV v2 that is read with a token which was given to the agent. */
class VaultContractTest implements TokenSourceContract {
    private static final String TOKEN = "hvs." + Canary.WORD;

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    @Override
    public Fixture fixture() {
        return new Kv(vault);
    }

    /** Less than a call takes at most, so that it is the interrupt which ends one that hangs. */
    @Override
    public Duration patience() {
        return Duration.ofSeconds(5);
    }

    private static final class Kv implements Fixture {
        private static final String SELF = "GET auth/token/lookup-self";
        private static final String MOUNT = "GET sys/internal/ui/mounts/secret/agent";
        private static final String METADATA = "GET secret/metadata/agent";
        private static final String DATA = "GET secret/data/agent";

        private final FakeVault vault;
        private String value = "";
        private int version;

        Kv(FakeVault vault) {
            this.vault = vault;
        }

        @Override
        public TokenSource source() {
            return TokenSources.configured(Map.of(
                    "vault",
                    Map.of(
                            "address",
                            vault.address(),
                            "path",
                            "secret/agent",
                            "key",
                            "api_token",
                            "auth",
                            Map.of("token", Map.of("env", "STORE_TOKEN")))));
        }

        @Override
        public String variable(String name) {
            return name.equals("STORE_TOKEN") ? TOKEN : null;
        }

        @Override
        public void has(String text) {
            value = text;
            version++;
            vault.knows(TOKEN).secret(version, "api_token", value);
        }

        @Override
        public void hasNone() {
            vault.knows(TOKEN)
                    .mount("secret/", "kv", "2")
                    .on(METADATA, error(404))
                    .on(DATA, error(404));
        }

        /** As a careless store does it: what was there before is quoted. */
        @Override
        public void fails() {
            everythingIs(error(500, "internal error at " + value));
        }

        @Override
        public void isSlow(Duration delay) {
            vault.on(METADATA, slow(metadata(version, "", false), delay))
                    .on(DATA, slow(data(version, map("api_token", value), "", false), delay));
        }

        private static MockResponse slow(MockResponse answer, Duration delay) {
            return answer.newBuilder()
                    .headersDelay(delay.toMillis(), TimeUnit.MILLISECONDS)
                    .build();
        }

        @Override
        public void hangs() {
            everythingIs(new MockResponse.Builder()
                    .onResponseStart(SocketEffect.Stall.INSTANCE)
                    .build());
        }

        private void everythingIs(MockResponse answer) {
            List.of(SELF, MOUNT, METADATA, DATA).forEach(what -> vault.on(what, answer));
        }

        @Override
        public void isOversized(String secret) {
            has(secret.repeat(5_000));
        }

        @Override
        public void isMalformed(String secret) {
            has("{\"token\": \"" + secret);
        }
    }
}
