package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.map;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.yaml.YamlConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The keys below {@code vault}, and what is said where they are wrong. */
class VaultSettingsTest {
    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    private List<String> problems(String vaultsYaml) {
        String yaml = "agent:\n  api_token:\n    vault: " + vaultsYaml + "\n";
        ConfigException e = canary.caught(
                ConfigException.class,
                () -> YamlConfig.parse(yaml, "agent.yaml")
                        .environment(vault.variables::get)
                        .start()
                        .close());
        return e.problems().stream().map(Problem::toString).toList();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "x | agent.yaml:3:12 agent.api_token.vault: must be a map, such as {path: secret/agent, key: api_token}",
                "{pth: a/b} | agent.yaml:3:12 agent.api_token.vault: 'path' is missing: the secret's, mount first, such as secret/agent",
                "{path: secret} | agent.yaml:3:19 agent.api_token.vault.path: must be the mount and what is below it, such as secret/agent",
                "{path: a//b} | agent.yaml:3:19 agent.api_token.vault.path: must be a path such as secret/agent, without empty parts, '.' and '..'",
                "{path: a/../b} | agent.yaml:3:19 agent.api_token.vault.path: must be a path such as secret/agent, without empty parts, '.' and '..'",
                "{path: a/b, version: 0} | agent.yaml:3:33 agent.api_token.vault.version: must be a version's number, from 1",
                "{path: a/b, namespace: 'a b'} | agent.yaml:3:35 agent.api_token.vault.namespace: must be ASCII and without blanks, since a header carries it",
                "{path: a/b, auth: {}} | agent.yaml:3:30 agent.api_token.vault.auth: must be a map with exactly one of token, approle, kubernetes and jwt",
                "{path: a/b, auth: {token: a, jwt: {}}} | agent.yaml:3:30 agent.api_token.vault.auth: must be a map with exactly one of token, approle, kubernetes and jwt",
                "{path: a/b, auth: {approle: {secret_id: x}}} | agent.yaml:3:40 agent.api_token.vault.auth.approle: 'role_id' is missing",
                "{path: a/b, auth: {kubernetes: {}}} | agent.yaml:3:43 agent.api_token.vault.auth.kubernetes: 'role' is missing",
                "{path: a/b, auth: {jwt: {role: x}}} | agent.yaml:3:36 agent.api_token.vault.auth.jwt: 'jwt' is missing: where the token is, such as {file: /var/run/secrets/tokens/vault}",
                "{path: a/b, auth: {approle: {role_id: r, secret_id: s, wraped: true}}} | agent.yaml:3:67 agent.api_token.vault.auth.approle: unknown key 'wraped', did you mean 'wrapped'?",
            })
    void wrong_isToldAtItsPlace(String yaml, String problem) {
        assertThat(problems(yaml)).contains(problem);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://vault.example.com:8200",
                "https://user@vault.example.com",
                "vault.example.com",
                "ftp://x",
                "https://v.example.com/?x=1"
            })
    void address_thatIsNone_isToldAtItsPlaceAndInTheVariable(String address) {
        assertThat(problems("{path: a/b, address: \"" + address + "\"}"))
                .singleElement()
                .asString()
                .startsWith("agent.yaml:3:33 agent.api_token.vault.address: must ");
        vault.variables.put("VAULT_ADDR", address);
        assertThat(problems("{path: a/b}"))
                .singleElement()
                .asString()
                .startsWith("agent.yaml:3:12 agent.api_token.vault: environment variable VAULT_ADDR must ");
    }

    @Test
    void address_plainHttpThatIsAllowed_isTaken() {
        SourceContext context =
                new SourceContext(vault.host(false), Path.of("").toAbsolutePath(), Set.of("insecure_http"));

        assertThat(FakeVault.source(context, "address", "http://vault.vault.svc:8200/")
                        .describe())
                .isEqualTo("vault secret/agent#token at http://vault.vault.svc:8200");
    }

    @Test
    void address_nobodySays_isUnset() throws Exception {
        vault.variables.remove("VAULT_ADDR");
        TokenSource source = FakeVault.source(vault.agent());

        assertThat(source.fetch()).isEmpty();
        SourceException absence = canary.saw(source.absence());
        assertThat(absence.reason()).isEqualTo(Reason.UNSET);
        assertThat(absence).hasMessageStartingWith("environment variable VAULT_ADDR is not set");
        assertThat(problems("{path: a/b}")).singleElement().asString().contains("VAULT_ADDR is not set");
    }

    @Test
    void address_withAPathBefore_isKept() throws Exception {
        vault.variables.put("VAULT_TOKEN", "hvs." + Canary.WORD);
        String address = vault.address() + "/behind/proxy";

        TokenSource source = FakeVault.source(vault.agent(), "address", address);

        canary.caught(SourceException.class, source::fetch);
        assertThat(vault.asked()).isNotEmpty().allMatch(call -> call.startsWith("GET /behind/proxy/v1/"));
    }

    @Test
    void needs_ofTheDefaults_areListed() {
        Settings settings = Settings.of(Map.of("path", "secret/agent"));
        Settings read = settings.open(vault.agent().references(List.of(), false));
        var unused = new VaultSourceFactory().create(read, vault.agent());

        assertThat(read.needs()).extracting("name").containsExactlyInAnyOrder("VAULT_ADDR", "VAULT_TOKEN");
    }

    @Test
    void path_slashesAround_doNotMatter() {
        assertThat(FakeVault.source(vault.agent(), "path", "/secret/agent/").describe())
                .startsWith("vault secret/agent#token at ");
    }

    @Test
    void secretInTheConfiguration_isNotShown() {
        Object auth = map("approle", map("role_id", "r", "secret_id", Canary.WORD, "mount", "a//b"));
        Map<String, Object> all = Map.of("vault", map("path", "secret/agent", "auth", auth));

        ConfigException e = canary.caught(ConfigException.class, () -> TokenSources.configured(all));

        assertThat(e).hasMessageContaining("vault.auth.approle.mount");
        Object good = map("approle", map("role_id", "r", "secret_id", Canary.WORD));
        TokenSource source = TokenSources.configured(
                Map.of("vault", map("path", "secret/agent", "auth", good, "address", "https://v.example.com")));
        canary.saw("source", source).saw("describe", source.describe());
        assertThat(source.describe()).isEqualTo("vault secret/agent#token at https://v.example.com");
    }
}
