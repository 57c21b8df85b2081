package io.keyturn.source;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.config.Problem;
import io.keyturn.config.References;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A {@code value} of the configuration, and the fence around the files that it may name. */
@DisabledOnOs(OS.WINDOWS)
class TemplateSourceTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path machine;

    private final Map<String, String> variables = new ConcurrentHashMap<>();
    private final List<Path> roots = new ArrayList<>();
    private final List<Problem> wrong = new ArrayList<>();
    private Path folder;

    @BeforeEach
    void makeFolder() throws IOException {
        folder = Files.createDirectory(machine.resolve("config"));
    }

    private TokenSource source(String text, String... allow) {
        return source(text, true, allow);
    }

    private TokenSource source(String text, boolean open, String... allow) {
        SourceContext context =
                new SourceContext(SourceHost.reading(variables::get, Clock.systemUTC()), folder, Set.of(allow));
        References references = context.references(roots, open);
        Settings settings = Written.in("agent.yaml", map("api_token", text)).open(references);
        TokenSource source = TemplateSource.of(settings.get("api_token").orElseThrow(), Form.TOKEN, wrong::add);
        return source.in(context);
    }

    private Path file(Path path, String content) throws IOException {
        Files.createDirectories(path.getParent());
        return Files.setPosixFilePermissions(
                Files.writeString(path, content), PosixFilePermissions.fromString("rw-------"));
    }

    private static String revealed(TokenSource source) throws SourceException {
        return source.fetch().orElseThrow().value().reveal();
    }

    // --- variables ---

    @Test
    void fetch_variable_filledInAnew() throws SourceException {
        TokenSource source = source("${AGENT_API_TOKEN}");
        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence()).hasMessage("environment variable AGENT_API_TOKEN is not set");
        assertThat(source.absence().reason()).isEqualTo(Reason.UNSET);

        variables.put("AGENT_API_TOKEN", canary.token());
        TokenDocument document = source.fetch().orElseThrow();

        assertThat(document.value().reveal()).isEqualTo(canary.token());
        assertThat(document.origin()).contains("environment variable AGENT_API_TOKEN (changes only at restart)");
        assertThat(wrong).isEmpty();
        canary.saw("source", source).saw("document", document);
    }

    @Test
    void fetch_severalReferences_oneTokenAndAllAreNamed() throws IOException {
        variables.put("A", "a");
        file(folder.resolve("b"), "b\n");
        TokenSource source = source("x-${A}-${file:b}-${C:-c}");

        assertThat(revealed(source)).isEqualTo("x-a-b-c");
        assertThat(source.describe()).isEqualTo("environment variable A and file b and environment variable C");
    }

    @Test
    void absence_severalUnset_allAreTold() throws SourceException {
        TokenSource source = source("${A}${B}${file:c}");

        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence())
                .hasMessage(
                        "environment variable A is not set; environment variable B is not set; file c does not exist");
    }

    @Test
    void fetch_emptyVariable_emptyAndNamesIt() throws SourceException {
        variables.put("A", "");
        TokenSource source = source("${A}");

        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence()).hasMessage("environment variable A is empty, and a token is wanted here");
        assertThat(source.absence().reason()).isEqualTo(Reason.UNSET);
    }

    @Test
    void fetch_emptyDefault_empty() throws SourceException {
        TokenSource variable = source("${A:-}");
        TokenSource file = source("${file:a:-}");

        assertThat(variable.fetch()).isEmpty();
        assertThat(variable.absence().reason()).isEqualTo(Reason.UNSET);
        assertThat(file.fetch()).isEmpty();
        assertThat(file.absence().reason()).as("it may come").isEqualTo(Reason.ABSENT);
    }

    @Test
    void fetch_nothingWritten_empty() throws SourceException {
        TokenSource source = source("");

        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence()).hasMessage("the value itself is empty, and a token is wanted here");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0123", "1e10", "NO", "12:30:45", "._", "2024-02-30"})
    void fetch_literal_theTextAsWritten(String text) throws SourceException {
        assertThat(revealed(source(text))).isEqualTo(text);
    }

    @Test
    void fetch_valueThatLooksLikeAReference_inertText() throws SourceException {
        variables.put("A", "${B}");
        variables.put("B", canary.token());

        assertThat(revealed(source("${A}"))).isEqualTo("${B}");
    }

    @Test
    void fetch_valueWithALineBreak_refusedWithTheVariablesName() {
        variables.put("A", canary.token() + "\nadmin: true");

        SourceException e = canary.caught(SourceException.class, source("${A}")::fetch);

        assertThat(e)
                .hasMessageStartingWith(
                        "environment variable A: not a token: a header cannot carry the character at index "
                                + canary.token().length());
    }

    @Test
    void of_malformedText_saidAtOnceAtItsPlace() {
        TokenSource source = source("${A");

        assertThat(wrong).extracting(Problem::toString).containsExactly("agent.yaml:1:12 api_token: a '}' is missing");
        canary.caught(SourceException.class, source::fetch);
    }

    @Test
    void of_unsetVariable_isNotWrongYet() {
        source("${A}${file:b}");

        assertThat(wrong).isEmpty();
    }

    // --- files ---

    @Test
    void fetch_file_live() throws IOException {
        Path token = file(folder.resolve("token"), "first\n");
        TokenSource source = source("${file:token}");
        assertThat(revealed(source)).isEqualTo("first");

        file(token, "second\n");
        assertThat(revealed(source)).isEqualTo("second");
        Files.delete(token);

        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence()).hasMessage("file token does not exist");
        assertThat(source.absence().reason()).isEqualTo(Reason.ABSENT);
    }

    @Test
    void fetch_fileOfOthers_refusedAsAnyTokenFile() throws IOException {
        Path token = file(folder.resolve("token"), canary.token());
        Files.setPosixFilePermissions(token, PosixFilePermissions.fromString("rw-r--r--"));

        SourceException e = canary.caught(SourceException.class, source("${file:token}")::fetch);

        assertThat(e).hasMessage("file " + token + " can be read by every user, which needs allow: [world_read]");
        assertThat(e.reason()).isEqualTo(Reason.UNSAFE_FILE);
        assertThat(wrong).isEmpty();
        assertThat(revealed(source("${file:token}", "world_read"))).isEqualTo(canary.token());
    }

    @Test
    void fetch_unsafeFileWithDefault_refusedAllTheSame() throws IOException {
        Path token = file(folder.resolve("token"), canary.token());
        Files.setPosixFilePermissions(token, PosixFilePermissions.fromString("rw-rw-rw-"));

        canary.caught(SourceException.class, source("${file:token:-default}")::fetch);
    }

    @Test
    void fetch_fileThatIsNotUtf8_refused() throws IOException {
        Files.write(file(folder.resolve("token"), ""), new byte[] {'a', (byte) 0xff});

        assertThat(canary.caught(SourceException.class, source("${file:token}")::fetch))
                .hasMessageEndingWith("not a token: it is not valid UTF-8");
    }

    // --- the fence ---

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../outside/token",
                "sub/../../outside/token",
                "/etc/hostname",
                "/run/secrets/../../etc/hostname",
                "/run/secretsfoo/token"
            })
    void of_fileOutsideTheFence_refusedAtItsPlaceWithoutALook(String path) throws IOException {
        file(machine.resolve("outside/token"), canary.token());

        TokenSource source = source("${file:" + path + "}");

        assertThat(wrong)
                .extracting(Problem::toString)
                .containsExactly("agent.yaml:1:12 api_token: file " + path
                        + " lies outside the folders that ${file:…} may read (name its folder in agent.file_roots)");
        SourceException e = canary.caught(SourceException.class, source::fetch);
        assertThat(e.reason()).isEqualTo(Reason.INVALID);
        assertThat(e.fix()).isEqualTo("name its folder in agent.file_roots");
    }

    @Test
    void of_neighbourWithTheSameBeginning_refused() throws IOException {
        file(machine.resolve("config2/token"), canary.token());

        canary.caught(SourceException.class, source("${file:../config2/token}")::fetch);

        assertThat(wrong).hasSize(1);
    }

    @Test
    void of_defaultOutsideTheFence_refusedAllTheSame() {
        source("${file:/etc/absent:-default}");

        assertThat(wrong).hasSize(1);
    }

    @Test
    void fetch_insideTheFence_read() throws IOException {
        file(folder.resolve("sub/token"), "sub");
        file(machine.resolve("root/deep/token"), "root");
        roots.add(machine.resolve("root/../root"));

        assertThat(revealed(source("${file:sub/token}"))).isEqualTo("sub");
        assertThat(revealed(source("${file:./sub/../sub/token}"))).isEqualTo("sub");
        assertThat(revealed(source("${file:" + folder + "/sub/token}"))).isEqualTo("sub");
        assertThat(revealed(source("${file:../root/deep/token}"))).isEqualTo("root");
        assertThat(source("${file:/run/secrets/keyturn-absent}").fetch()).isEmpty();
        assertThat(source("${file:/var/run/secrets/keyturn/absent}").fetch()).isEmpty();
        assertThat(wrong).isEmpty();
    }

    @Test
    void fetch_rootAddedLater_counts() throws IOException {
        file(machine.resolve("root/token"), "root");
        TokenSource source = source("${file:../root/token}");
        canary.caught(SourceException.class, source::fetch);

        roots.add(machine.resolve("root"));

        assertThat(revealed(source)).isEqualTo("root");
    }

    @Test
    void of_noPath_refused() {
        source("${file:a\u0000b}");

        assertThat(wrong).extracting(Problem::message).containsExactly("${file:…} holds what is no path");
    }

    @Test
    void of_closedReferences_noFileIsOpenedAndTheFenceHolds() throws IOException {
        file(folder.resolve("token"), "there");

        assertThat(source("${file:token}", false).fetch()).isEmpty();
        assertThat(wrong).isEmpty();
        source("${file:/etc/hostname}", false);

        assertThat(wrong).hasSize(1);
    }
}
