package io.keyturn.vault;

import static io.keyturn.vault.FakeVault.data;
import static io.keyturn.vault.FakeVault.error;
import static io.keyturn.vault.FakeVault.found;
import static io.keyturn.vault.FakeVault.json;
import static io.keyturn.vault.FakeVault.map;
import static io.keyturn.vault.FakeVault.metadata;
import static io.keyturn.vault.FakeVault.ok;
import static io.keyturn.vault.FakeVault.source;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is read of the key-value engine, and what it costs. */
class KvTest {
    private static final String TOKEN = "hvs." + Canary.WORD;
    private static final String FIRST = "one" + Canary.WORD;
    private static final String SECOND = "two" + Canary.WORD;
    private static final String METADATA = "GET secret/metadata/agent";
    private static final String DATA = "GET secret/data/agent";

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    @RegisterExtension
    final FakeVault vault = new FakeVault();

    @BeforeEach
    void token() {
        vault.variables.put("VAULT_TOKEN", TOKEN);
        vault.knows(TOKEN);
    }

    private SourceException failure(TokenSource source) {
        return canary.caught(SourceException.class, source::fetch);
    }

    private SourceException absence(TokenSource source) throws SourceException {
        assertThat(source.fetch()).isEmpty();
        return canary.saw(source.absence());
    }

    // --- version 2 ---

    @Test
    void v2_value_isReadWithItsVersion() throws Exception {
        vault.secret(7, "token", FIRST);

        TokenDocument document = found(source(vault.agent()));

        assertThat(document.value().reveal()).isEqualTo(FIRST);
        assertThat(document.version()).hasValue("7");
        assertThat(document.expiresAt()).isEmpty();
        assertThat(document.issuedAt()).hasValue(Instant.parse("2026-11-24T11:00:00.5Z"));
        assertThat(document.origin()).hasValue("vault secret/agent#token at " + vault.address() + ", version 7");
    }

    @Test
    void v2_unchanged_costsOneLookAtTheMetadata() throws Exception {
        vault.secret(7, "token", FIRST);
        TokenSource source = source(vault.agent());
        found(source);
        vault.forget();

        for (int i = 0; i < 3; i++) {
            assertThat(found(source).value().reveal()).isEqualTo(FIRST);
        }

        assertThat(vault.asked()).containsExactly(METADATA, METADATA, METADATA);
    }

    @Test
    void v2_newVersion_isReadOnce() throws Exception {
        vault.secret(7, "token", FIRST);
        TokenSource source = source(vault.agent());
        found(source);
        vault.secret(8, "token", SECOND);
        vault.forget();

        assertThat(found(source).value().reveal()).isEqualTo(SECOND);
        assertThat(found(source).version()).hasValue("8");

        assertThat(vault.asked()).containsExactly(METADATA, DATA, METADATA);
    }

    /** Deleted with all that was known of it, a secret counts from 1 again. */
    @Test
    void v2_storedAnewUnderTheSameNumber_isReadAgain() throws Exception {
        stored("2026-11-24T11:00:00.5Z", FIRST);
        TokenSource source = source(vault.agent());
        found(source);

        stored("2026-11-24T11:00:30.5Z", SECOND);

        assertThat(found(source).value().reveal()).isEqualTo(SECOND);
        vault.forget();
        assertThat(found(source).value().reveal()).isEqualTo(SECOND);
        assertThat(vault.asked()).containsExactly(METADATA);
    }

    @Test
    void v2_goneAndStoredAnewUnderTheSameNumber_isReadAgain() throws Exception {
        vault.secret(1, "token", FIRST);
        TokenSource source = source(vault.agent());
        found(source);
        vault.on(METADATA, error(404));
        assertThat(absence(source).reason()).isEqualTo(Reason.ABSENT);

        vault.secret(1, "token", SECOND);

        assertThat(found(source).value().reveal()).isEqualTo(SECOND);
    }

    private void stored(String created, String value) {
        vault.mount("secret/", "kv", "2")
                .on(
                        METADATA,
                        ok(
                                "data",
                                map(
                                        "current_version",
                                        1,
                                        "versions",
                                        map(
                                                "1",
                                                map(
                                                        "created_time",
                                                        created,
                                                        "deletion_time",
                                                        "",
                                                        "destroyed",
                                                        false)))))
                .on(
                        DATA,
                        ok(
                                "data",
                                map(
                                        "data",
                                        map("token", value),
                                        "metadata",
                                        map("created_time", created, "deletion_time", "", "version", 1))));
    }

    @Test
    void v2_request_carriesTheTokenAndNothingTwice() throws Exception {
        vault.secret(7, "token", FIRST);
        found(source(vault.agent(), "namespace", "team1"));

        assertThat(vault.calls(DATA)).singleElement().satisfies(call -> {
            assertThat(call.token()).isEqualTo(TOKEN);
            assertThat(call.namespace()).isEqualTo("team1");
        });
        assertThat(vault.asked())
                .containsExactly(
                        "GET auth/token/lookup-self", "GET sys/internal/ui/mounts/secret/agent", METADATA, DATA);
    }

    @Test
    void v2_mountWithSlashes_isTakenAsVaultSays() throws Exception {
        vault.mount("deep/er/kv/", "kv", "2", "deep/er/kv/team/agent")
                .on("GET deep/er/kv/metadata/team/agent", metadata(1, "", false))
                .on("GET deep/er/kv/data/team/agent", data(1, map("token", FIRST), "", false));

        assertThat(found(source(vault.agent(), "path", "deep/er/kv/team/agent"))
                        .value()
                        .reveal())
                .isEqualTo(FIRST);
    }

    @Test
    void v2_deletedVersion_isRevoked() throws Exception {
        vault.secret(7, "token", FIRST);
        TokenSource source = source(vault.agent());
        found(source);
        vault.on(METADATA, metadata(7, "2026-11-24T11:59:59.456529353Z", false));

        SourceException e = failure(source);

        assertThat(e.reason()).isEqualTo(Reason.REVOKED);
        assertThat(e)
                .hasMessage("vault secret/agent#token at " + vault.address()
                        + ": version 7 was deleted at 2026-11-24T11:59:59.456529353Z");
        assertThat(e.fix()).contains("vault kv put secret/agent", "vault kv undelete -versions=7 secret/agent");
    }

    @Test
    void v2_destroyedVersion_isRevoked() {
        vault.secret(7, "token", FIRST).on(METADATA, metadata(7, "", true));

        SourceException e = failure(source(vault.agent()));

        assertThat(e.reason()).isEqualTo(Reason.REVOKED);
        assertThat(e).hasMessageContaining("version 7 was destroyed");
    }

    @Test
    void v2_undeletedVersion_isReadAgain() throws Exception {
        vault.secret(7, "token", FIRST);
        TokenSource source = source(vault.agent());
        found(source);
        vault.on(METADATA, metadata(7, "2026-11-24T11:59:59Z", false));
        failure(source);
        vault.on(METADATA, metadata(7, "", false));

        assertThat(found(source).value().reveal()).isEqualTo(FIRST);
    }

    @Test
    void v2_deletionAhead_isAnEndAndNotRevoked() throws Exception {
        String deletion = "2026-11-24T13:00:00Z";
        vault.secret(7, "token", FIRST)
                .on(METADATA, metadata(7, deletion, false))
                .on(DATA, data(7, map("token", FIRST), deletion, false));
        TokenSource source = source(vault.agent());

        assertThat(found(source).expiresAt()).hasValue(Instant.parse(deletion));
        assertThat(found(source).expiresAt()).hasValue(Instant.parse(deletion));

        vault.clock.advance(Duration.ofHours(1));
        assertThat(failure(source).reason()).isEqualTo(Reason.REVOKED);
    }

    @ParameterizedTest
    @CsvSource({"2026-11-24T11:59:59Z, false", "'', true", "'', false"})
    void v2_dataIsNull_isRevokedAndNoOutage(String deletion, boolean destroyed) {
        vault.secret(7, "token", FIRST).never(METADATA).on(DATA, data(7, null, deletion, destroyed));

        assertThat(failure(source(vault.agent())).reason()).isEqualTo(Reason.REVOKED);
    }

    @Test
    void v2_nothingThere_isAbsentAndSaysWhatToDo() throws Exception {
        vault.secret(7, "token", FIRST).on(METADATA, error(404));

        SourceException absence = absence(source(vault.agent()));

        assertThat(absence.reason()).isEqualTo(Reason.ABSENT);
        assertThat(absence).hasMessage("vault secret/agent#token at " + vault.address() + " is not there (404)");
        assertThat(absence.fix()).isEqualTo("store it: vault kv put secret/agent token=-");
    }

    @Test
    void v2_pathWithData_isToldToLeaveItOut() throws Exception {
        vault.mount("secret/", "kv", "2", "secret/data/agent").on("GET secret/metadata/data/agent", error(404));

        assertThat(absence(source(vault.agent(), "path", "secret/data/agent")).fix())
                .contains("leave out data/");
    }

    @Test
    void v2_noVersionYet_isAbsent() throws Exception {
        vault.secret(7, "token", FIRST).on(METADATA, metadata(0, "", false));

        assertThat(absence(source(vault.agent()))).hasMessageEndingWith("has no version yet");
    }

    @Test
    void v2_pinnedVersion_staysOnIt() throws Exception {
        vault.secret(7, "token", FIRST);
        vault.on(DATA, call -> data(3, map("token", call.query().equals("version=3") ? SECOND : FIRST), "", false));
        TokenSource source = source(vault.agent(), "version", 3);

        TokenDocument document = found(source);
        vault.on(METADATA, metadata(8, "", false));
        vault.forget();

        assertThat(document.value().reveal()).isEqualTo(SECOND);
        assertThat(document.version()).hasValue("3");
        assertThat(found(source).value().reveal()).isEqualTo(SECOND);
        assertThat(vault.asked()).containsExactly(METADATA);
        assertThat(source.describe()).isEqualTo("vault secret/agent#token version 3 at " + vault.address());
    }

    @Test
    void v2_pinnedVersionThatIsNotThere_isAbsent() throws Exception {
        vault.secret(7, "token", FIRST);

        assertThat(absence(source(vault.agent(), "version", 9)))
                .hasMessage("vault secret/agent#token version 9 at " + vault.address() + " is not there, or no longer");
    }

    @Test
    void v2_metadataNotPermitted_readsTheValueEachTimeAndSaysSoOnce() throws Exception {
        vault.secret(7, "token", FIRST).never(METADATA);
        TokenSource source = source(vault.agent());
        List<String> said = Logged.by(VaultSource.class, () -> {
            found(source);
            vault.forget();
            vault.on(DATA, data(8, map("token", SECOND), "", false));
            assertThat(found(source).value().reveal()).isEqualTo(SECOND);
            found(source);
        });

        assertThat(vault.asked()).containsExactly(DATA, DATA);
        assertThat(said)
                .singleElement()
                .asString()
                .contains(
                        "does not permit its metadata", "path \"secret/metadata/agent\" { capabilities = [\"read\"] }");
    }

    // --- version 1 ---

    @Test
    void v1_value_isReadEachTime() throws Exception {
        vault.mount("secret/", "kv", "1")
                .on("GET secret/agent", ok("lease_id", "", "lease_duration", 2764800, "data", map("token", FIRST)));
        TokenSource source = source(vault.agent());

        TokenDocument document = found(source);
        vault.forget();
        vault.on("GET secret/agent", ok("lease_id", "", "data", map("token", SECOND)));

        assertThat(document.value().reveal()).isEqualTo(FIRST);
        assertThat(document.version()).isEmpty();
        assertThat(document.expiresAt())
                .as("a hint how often to look is no end")
                .isEmpty();
        assertThat(found(source).value().reveal()).isEqualTo(SECOND);
        assertThat(vault.asked()).containsExactly("GET secret/agent");
    }

    @Test
    void v1_nullData_isRevoked() {
        vault.mount("secret/", "kv", "1").on("GET secret/agent", json(200, map("data", null)));

        assertThat(failure(source(vault.agent())).reason()).isEqualTo(Reason.REVOKED);
    }

    @Test
    void v1_missing_isAbsent() throws Exception {
        vault.mount("secret/", "kv", "1").on("GET secret/agent", error(404));

        assertThat(absence(source(vault.agent())).reason()).isEqualTo(Reason.ABSENT);
    }

    @Test
    void v1_version_isRefusedWithWhatToDo() {
        vault.mount("secret/", "kv", null);

        SourceException e = failure(source(vault.agent(), "version", 3));

        assertThat(e.reason()).isEqualTo(Reason.INVALID);
        assertThat(e.fix()).isEqualTo("leave out version");
    }

    @Test
    void v1_thatBecomesV2_isSeen() throws Exception {
        vault.mount("secret/", "kv", "1").on("GET secret/agent", ok("data", map("token", FIRST)));
        TokenSource source = source(vault.agent());
        found(source);
        vault.secret(1, "token", SECOND).on("GET secret/agent", json(404, map("data", null, "warnings", List.of("x"))));

        assertThat(source.fetch()).isEmpty();
        assertThat(found(source).value().reveal()).isEqualTo(SECOND);
    }

    // --- nobody tells which it is ---

    @ParameterizedTest
    @CsvSource({"403", "404"})
    void hiddenMount_ofV2_isFoundOut(int status) throws Exception {
        vault.secret(7, "token", FIRST)
                .on("GET sys/internal/ui/mounts/secret/agent", FakeVault.raw(status, "<html>no"));
        TokenSource source = source(vault.agent());

        assertThat(found(source).value().reveal()).isEqualTo(FIRST);
        vault.forget();
        assertThat(found(source).version()).hasValue("7");
        assertThat(vault.asked()).as("and then known").containsExactly(METADATA);
    }

    @ParameterizedTest
    @CsvSource({"403", "404"})
    void hiddenMount_ofV1_isFoundOut(int status) throws Exception {
        vault.on("GET sys/internal/ui/mounts/secret/agent", error(status))
                .on(DATA, error(status))
                .on("GET secret/agent", ok("data", map("token", FIRST)));

        assertThat(found(source(vault.agent())).value().reveal()).isEqualTo(FIRST);
    }

    @Test
    void hiddenMount_nothingThere_isAbsent() throws Exception {
        vault.on("GET sys/internal/ui/mounts/secret/agent", error(403)).on(DATA, error(404));

        assertThat(absence(source(vault.agent())).reason()).isEqualTo(Reason.ABSENT);
    }

    @Test
    void hiddenMount_nothingPermitted_namesBothPaths() {
        SourceException e = failure(source(vault.agent()));

        assertThat(e.reason()).isEqualTo(Reason.NOT_PERMITTED);
        assertThat(e).hasMessageContaining("either secret/data/agent or secret/agent");
    }

    // --- the field ---

    @Test
    void field_thatIsNotThere_isAbsentAndTellsNoOtherName() throws Exception {
        vault.secret(7, "x" + Canary.WORD, "1");

        assertThat(absence(source(vault.agent(), "key", "api_token")))
                .hasMessage("vault secret/agent#api_token at " + vault.address() + " has no such field, but 1 other");
    }

    @Test
    void field_thatIsEmpty_isAbsent() throws Exception {
        vault.secret(7, "token", "");

        assertThat(absence(source(vault.agent()))).hasMessageEndingWith("is empty");
    }

    @Test
    void field_thatIsNoText_isMalformed() {
        vault.secret(7, "token", List.of(FIRST));

        assertThat(failure(source(vault.agent())).reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void field_thatNoHeaderCarries_isMalformedAndNotQuoted() {
        vault.secret(7, "token", FIRST + "\u00e4");

        assertThat(failure(source(vault.agent())).reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void field_withATokenDocument_isReadAsOne() throws Exception {
        vault.secret(7, "token", "{\"access_token\":\"" + FIRST + "\",\"scope\":\"read write\",\"expires_in\":7200}");

        TokenDocument document = found(source(vault.agent()));

        assertThat(document.value().reveal()).isEqualTo(FIRST);
        assertThat(document.scopes().orElseThrow()).containsExactly("read", "write");
        assertThat(document.expiresAt())
                .as("from when the version was written")
                .hasValue(Instant.parse("2026-11-24T13:00:00.5Z"));
    }
}
