package io.keyturn.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.Canary;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The sources of the SDK, one by one. */
class TokenSourcesTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private static SourceContext with(Map<String, String> variables, String... allow) {
        return new SourceContext(SourceHost.reading(variables::get, Clock.systemUTC()), Path.of(""), Set.of(allow));
    }

    private TokenSource env(String variable, Map<String, String> variables) {
        return TokenSources.env(variable).in(with(variables));
    }

    private static String revealed(TokenSource source) throws SourceException {
        return source.fetch().orElseThrow().value().reveal();
    }

    private Path file(String name, String content) throws IOException {
        Path file = Files.writeString(folder.resolve(name), content);
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    }

    // --- env ---

    @Test
    void env_set_tokenOfTheAgentsEnvironment() throws SourceException {
        TokenSource source = env("AGENT_API_TOKEN", Map.of("AGENT_API_TOKEN", canary.token() + "\n"));

        TokenDocument document = source.fetch().orElseThrow();

        assertThat(document.value().reveal()).isEqualTo(canary.token());
        assertThat(document.origin()).contains("environment variable AGENT_API_TOKEN (changes only at restart)");
        assertThat(source.describe()).isEqualTo("environment variable AGENT_API_TOKEN");
        assertThat(source.sources()).containsExactly(source);
        canary.saw("source", source).saw("document", document);
    }

    @Test
    void env_ofTheProcess_readThere() throws SourceException {
        assertThat(TokenSources.env("PATH").fetch()).isPresent();
        assertThat(TokenSources.env("KEYTURN_IS_NOT_SET").fetch()).isEmpty();
    }

    @Test
    void env_notSet_emptyAndSaysSo() throws SourceException {
        TokenSource source = env("A", Map.of());

        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence()).hasMessage("environment variable A is not set");
        assertThat(source.absence().reason()).isEqualTo(Reason.UNSET);
    }

    @Test
    void env_empty_emptyAndSaysSo() throws SourceException {
        TokenSource source = env("A", Map.of("A", ""));

        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence()).hasMessage("environment variable A is empty");
        assertThat(source.absence().reason()).isEqualTo(Reason.UNSET);
    }

    @Test
    void env_noToken_refusedWithItsName() {
        TokenSource source = env("A", Map.of("A", canary.token() + "\nadmin: true"));

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e)
                .hasMessage("environment variable A: not a token: a header cannot carry the character at index "
                        + canary.token().length() + " (a line break)");
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void env_jsonWithoutTimeOfIssue_endNotKnown() throws SourceException {
        TokenSource source = env("A", Map.of("A", "{\"token\": \"abc\", \"expires_in\": 60, \"scope\": \"read\"}"));

        TokenDocument document = source.fetch().orElseThrow();

        assertThat(document.expiresAt()).isEmpty();
        assertThat(document.scopes()).contains(Set.of("read"));
    }

    // --- file ---

    @Test
    @DisabledOnOs(OS.WINDOWS)
    void file_json_endCountsFromItsModification() throws IOException {
        Path path = file("token", "{\"token\": \"" + canary.token() + "\", \"expires_in\": 60}");
        Files.setLastModifiedTime(path, FileTime.from(Instant.parse("2026-01-01T00:00:00Z")));
        TokenSource source = TokenSources.file(path);

        TokenDocument document = source.fetch().orElseThrow();

        assertThat(document.value().reveal()).isEqualTo(canary.token());
        assertThat(document.expiresAt()).contains(Instant.parse("2026-01-01T00:01:00Z"));
        assertThat(document.origin()).as("the same as its description").isEmpty();
        assertThat(source.describe()).isEqualTo("file " + path);
        canary.saw("source", source);
    }

    @Test
    void file_notThere_emptyAndSaysSo() throws SourceException {
        TokenSource source = TokenSources.file(folder.resolve("absent").toString());

        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence()).hasMessage("file " + folder.resolve("absent") + " does not exist");
        assertThat(source.absence().reason()).isEqualTo(Reason.ABSENT);
    }

    @Test
    @DisabledOnOs(OS.WINDOWS)
    void file_noToken_refusedWithItsPath() throws IOException {
        for (String content : List.of("", "\n", "{\"token\": \"" + canary.token(), canary.token() + "\n\n")) {
            Path path = file("token", content);

            SourceException e = canary.caught(SourceException.class, TokenSources.file(path)::fetch);

            assertThat(e).hasMessageStartingWith("file " + path + ": not a token: ");
            assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
        }
    }

    @Test
    @DisabledOnOs(OS.WINDOWS)
    void file_readableByOthers_asTheTokenAllows() throws IOException {
        Path path = file("token", canary.token());
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-r--r--"));
        TokenSource source = TokenSources.file(path);

        canary.caught(SourceException.class, source::fetch);
        assertThat(revealed(source.in(with(Map.of(), "world_read")))).isEqualTo(canary.token());
    }

    // --- value ---

    @Test
    void value_always_theSame() throws SourceException {
        TokenSource source = TokenSources.value(canary.token());

        assertThat(revealed(source)).isEqualTo(canary.token());
        assertThat(source.fetch().orElseThrow().origin()).contains("a fixed value");
        canary.saw("source", source).saw("describe", source.describe());
    }

    @Test
    void value_noToken_refusedAtOnce() {
        canary.caught(IllegalArgumentException.class, () -> TokenSources.value(canary.token() + "\n\n"));
    }

    // --- firstOf ---

    @Test
    void firstOf_emptyOne_fallsThrough() throws SourceException {
        Map<String, String> variables = Map.of("B", "", "C", "third", "D", "fourth");
        TokenSource source = TokenSources.firstOf(
                        TokenSources.env("A"), TokenSources.env("B"), TokenSources.env("C"), TokenSources.env("D"))
                .in(with(variables));

        TokenDocument document = source.fetch().orElseThrow();

        assertThat(document.value().reveal()).isEqualTo("third");
        assertThat(document.origin()).contains("environment variable C (changes only at restart)");
    }

    @Test
    void firstOf_failedOne_doesNot() {
        List<String> asked = new ArrayList<>();
        TokenSource source =
                TokenSources.firstOf(env("A", Map.of("A", canary.token() + "\n\n")), TokenSources.of("second", () -> {
                    asked.add("second");
                    return TokenDocument.of("abc");
                }));

        assertThat(canary.caught(SourceException.class, source::fetch))
                .hasMessageStartingWith("environment variable A");
        assertThat(asked).isEmpty();
    }

    @Test
    void firstOf_allEmpty_emptyAndNamesThem() throws SourceException {
        TokenSource source = TokenSources.firstOf(
                env("A", Map.of()), TokenSources.firstOf(TokenSources.file("/absent"), TokenSources.pushed()));

        assertThat(source.fetch()).isEmpty();
        assertThat(source.describe()).isEqualTo("environment variable A, else file /absent, else the program (pushed)");
        assertThat(source.absence())
                .hasMessage("environment variable A, else file /absent, else the program (pushed) has no token");
        assertThat(source.sources())
                .extracting(TokenSource::describe)
                .containsExactly("environment variable A", "file /absent", "the program (pushed)");
    }

    @Test
    void firstOf_memberThatSaysNothingOfItself_isNamedAllTheSame() throws SourceException {
        TokenSource source = TokenSources.firstOf(() -> Optional.of(TokenDocument.of("abc")));

        assertThat(source.fetch().orElseThrow().origin()).contains("a source of the program's own");
    }

    @Test
    void firstOf_watch_hearsEachMemberUntilClosed() {
        PushedSource one = TokenSources.pushed();
        PushedSource two = TokenSources.pushed();
        AtomicInteger changes = new AtomicInteger();

        Watch watch = TokenSources.firstOf(one, TokenSources.env("A"), two).watch(changes::incrementAndGet);
        one.set("a");
        two.set("b");
        assertThat(changes).hasValue(2);
        watch.close();
        one.set("c");
        two.set("d");

        assertThat(changes).hasValue(2);
    }

    @Test
    void firstOf_none_refusedAtOnce() {
        assertThatThrownBy(TokenSources::firstOf)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("firstOf needs at least one source");
    }

    // --- code of the program's own ---

    @Test
    void of_code_itsDocument() throws SourceException {
        TokenSource source = TokenSources.of(
                "accounts db", () -> TokenDocument.of(canary.token()).withVersion("7"));

        TokenDocument document = source.fetch().orElseThrow();

        assertThat(document.value().reveal()).isEqualTo(canary.token());
        assertThat(document.version()).contains("7");
        assertThat(document.origin()).contains("accounts db");
        assertThat(source.describe()).isEqualTo("accounts db");
        assertThat(source.in(with(Map.of()))).isSameAs(source);
        canary.saw("source", source);
    }

    @Test
    void of_codeThatAnswersNull_emptyAndSaysSo() throws SourceException {
        TokenSource source = TokenSources.of("accounts db", () -> null);

        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence()).hasMessage("accounts db has no token");
        assertThat(source.absence().reason()).isEqualTo(Reason.ABSENT);
    }

    static Stream<Throwable> anything() {
        String secret = Canary.TOKEN;
        Exception suppressing = new IOException("read " + secret);
        suppressing.addSuppressed(new RuntimeException(secret));
        return Stream.of(
                new RuntimeException(secret),
                new IOException(secret, new RuntimeException(secret)),
                suppressing,
                new Exception(secret),
                new AssertionError(secret),
                new NoClassDefFoundError(secret),
                new StackOverflowError(secret),
                new OutOfMemoryError(secret),
                new Throwable(secret));
    }

    @ParameterizedTest
    @MethodSource("anything")
    void of_codeThatThrowsAnything_onlyItsClassIsTold(Throwable thrown) {
        TokenSource source = TokenSources.of("accounts db", () -> {
            throw TokenSourcesTest.<RuntimeException>sneaky(thrown);
        });

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e)
                .hasMessage("accounts db failed with " + thrown.getClass().getName())
                .hasNoCause()
                .hasNoSuppressedExceptions();
        assertThat(e.reason()).isEqualTo(Reason.UNREACHABLE);
    }

    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    private static <T extends Throwable> T sneaky(Throwable thrown) throws T {
        throw (T) thrown;
    }

    @Test
    void of_codeThatIsInterrupted_staysInterrupted() {
        TokenSource source = TokenSources.of("accounts db", () -> {
            throw new InterruptedException(canary.token());
        });

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(Thread.interrupted()).isTrue();
        assertThat(e).hasMessage("accounts db was interrupted").hasNoCause();
        assertThat(e.reason()).isEqualTo(Reason.UNREACHABLE);
    }

    @Test
    void of_codeThatKnowsWhy_itsReasonIsKept() {
        SourceException own = new SourceException(Reason.ABSENT, "no such account", "create it");
        TokenSource source = TokenSources.of("accounts db", () -> {
            throw own;
        });
        TokenSource parsing = TokenSources.of("accounts db", () -> TokenDocument.parse(canary.token() + "\n\n"));
        TokenSource general = TokenSources.of("accounts db", () -> {
            throw new TokenException(Reason.LEAKED, "was found elsewhere", "replace it");
        });

        assertThatThrownBy(source::fetch).isSameAs(own);
        SourceException e = canary.caught(SourceException.class, parsing::fetch);
        assertThat(e)
                .hasMessageStartingWith("accounts db: not a token: a header cannot carry")
                .hasNoCause();
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
        SourceException leaked = canary.caught(SourceException.class, general::fetch);
        assertThat(leaked).hasMessage("accounts db: was found elsewhere");
        assertThat(leaked.reason()).isEqualTo(Reason.LEAKED);
        assertThat(leaked.fix()).isEqualTo("replace it");
    }

    // --- pushed ---

    @Test
    void pushed_notYet_emptyAndSaysSo() {
        PushedSource source = TokenSources.pushed();

        assertThat(source.fetch()).isEmpty();
        assertThat(source.absence()).hasMessage("the program has not set the token yet");
        assertThat(source.absence().reason()).isEqualTo(Reason.ABSENT);
    }

    @Test
    void pushed_set_theLastOne() {
        PushedSource source = TokenSources.pushed();

        source.set("first");
        source.set(TokenDocument.of(canary.token()).withVersion("2"));

        TokenDocument document = source.fetch().orElseThrow();
        assertThat(document.value().reveal()).isEqualTo(canary.token());
        assertThat(document.version()).contains("2");
        assertThat(document.origin()).contains("the program (pushed)");
        canary.saw("source", source);
    }

    @Test
    void pushed_noToken_refusedAndTheFormerStays() {
        PushedSource source = TokenSources.pushed();
        source.set("good");

        canary.caught(IllegalArgumentException.class, () -> source.set(canary.token() + "\n\n"));

        assertThat(source.fetch().orElseThrow().value().reveal()).isEqualTo("good");
    }

    @Test
    void pushed_watch_seesTheNewTokenUntilClosed() {
        PushedSource source = TokenSources.pushed();
        List<String> seen = new ArrayList<>();
        Runnable look = () -> seen.add(source.fetch().orElseThrow().value().reveal());

        Watch one = source.watch(look);
        Watch two = source.watch(look);
        source.set("a");
        assertThat(seen).containsExactly("a", "a");
        one.close();
        one.close();
        source.set("b");
        assertThat(seen).containsExactly("a", "a", "b");
        two.close();
        source.set("c");

        assertThat(seen).containsExactly("a", "a", "b");
    }

    // --- what a source of somebody else has by default ---

    @Test
    void tokenSource_lambda_hasDefaults() throws SourceException {
        TokenSource source = Optional::empty;

        assertThat(source.fetch()).isEmpty();
        assertThat(source.describe()).isEqualTo("a source of the program's own");
        assertThat(source.absence()).hasMessage("a source of the program's own has no token");
        assertThat(source.sources()).containsExactly(source);
        assertThat(source.in(SourceContext.ofProcess())).isSameAs(source);
        Watch watch = source.watch(() -> {
            throw new AssertionError("nothing changes");
        });
        watch.close();
        watch.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"env", "file", "value", "pushed", "lambda", "first_of"})
    void toString_anySource_withoutTheValue(String kind) throws IOException {
        PushedSource pushed = TokenSources.pushed();
        pushed.set(canary.token());
        TokenSource source = switch (kind) {
            case "env" -> env("A", Map.of("A", canary.token()));
            case "file" -> TokenSources.file(folder.resolve("token"));
            case "value" -> TokenSources.value(canary.token());
            case "pushed" -> pushed;
            case "lambda" -> TokenSources.of("db", () -> TokenDocument.of(canary.token()));
            default -> TokenSources.firstOf(pushed, TokenSources.value(canary.token()));
        };

        canary.saw("source", source).saw("describe", source.describe()).saw("absence", source.absence());
    }
}
