package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.map;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.keyturn.ServerProcess;
import io.keyturn.StoreOutageContract;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/**
 * With OpenBao, or Vault, in a process of its own that keeps what it has on disk, and is sealed after a restart: {@code eval
 * "$(it/openbao.sh start)"; mvn -Preal verify}. The agent's login ends during an outage of a minute.
 */
@EnabledIfEnvironmentVariable(named = "BAO_BIN", matches = ".+")
class VaultOutageRealIT extends StoreOutageContract {
    private static final Duration PATIENT = Duration.ofSeconds(60);

    private final ObjectMapper json = new ObjectMapper();
    private final int clusterPort = ServerProcess.freePort();
    private VaultAdmin vault = new VaultAdmin(address(), "");
    private String unsealKey;
    private String roleId;
    private String secretId;

    @Override
    protected List<String> command() throws IOException {
        // The one kind of storage that both still have. A second server never joins it.
        Map<String, Object> config = map(
                "storage",
                        map("raft", map("path", folder.toString(), "node_id", "only", "performance_multiplier", "1")),
                "listener",
                        map(
                                "tcp",
                                map(
                                        "address", "127.0.0.1:" + port,
                                        "cluster_address", "127.0.0.1:" + clusterPort,
                                        "tls_disable", true)),
                "api_addr", address(),
                "cluster_addr", "http://127.0.0.1:" + clusterPort,
                "disable_mlock", true);
        String file = Files.write(folder.resolve("server.json"), json.writeValueAsBytes(config))
                .toString();
        return List.of(System.getenv("BAO_BIN"), "server", "-config=" + file, "-log-level=warn");
    }

    @Override
    protected void setUp() throws Exception {
        await().atMost(PATIENT)
                .ignoreExceptionsInstanceOf(IOException.class)
                .until(() -> vault.call("GET", "sys/seal-status", Map.of()).isGood());
        JsonNode keys = vault.done("PUT", "sys/init", "secret_shares", 1, "secret_threshold", 1);
        vault = new VaultAdmin(address(), keys.at("/root_token").asText());
        unsealKey = keys.at("/keys/0").asText();
        mend();
        vault.done("POST", "sys/mounts/secret", "type", "kv", "options", map("version", "2"));
        vault.done("POST", "sys/policies/acl/agent", "policy", "path \"secret/*\" { capabilities = [\"read\"] }");
        vault.done("POST", "sys/auth/approle", "type", "approle");
        String role = "auth/approle/role/agent";
        vault.done("POST", role, "token_policies", List.of("agent"), "token_ttl", "30s");
        roleId = vault.done("GET", role + "/role-id").at("/data/role_id").asText();
        secretId = vault.done("POST", role + "/secret-id").at("/data/secret_id").asText();
        hide(secretId);
    }

    @Override
    protected String missing() {
        return "is sealed (503)";
    }

    /** It elects itself before it is of use. */
    @Override
    protected void mend() throws Exception {
        vault.done("PUT", "sys/unseal", "key", unsealKey);
        await().atMost(PATIENT)
                .until(() -> vault.call("GET", "sys/health", Map.of()).isGood());
    }

    /** HashiCorp's answers 400 for a moment after the mount. */
    @Override
    protected void put(String value) {
        await().atMost(PATIENT)
                .until(() -> vault.call("POST", "secret/data/agent", map("data", map("token", value)))
                        .isGood());
    }

    @Override
    protected Map<String, ?> source() {
        Map<String, ?> approle = Map.of("role_id", roleId, "secret_id", secretId);
        return Map.of(
                "vault", Map.of("address", address(), "path", "secret/agent", "auth", Map.of("approle", approle)));
    }

    @Override
    protected String service() {
        return "vault " + address();
    }
}
