package io.keyturn.source;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.Canary;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import okhttp3.OkHttpClient;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Sources of others, which {@link java.util.ServiceLoader} finds. */
class SourceFactoriesTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final ClassLoader before = Thread.currentThread().getContextClassLoader();
    private Settings settings;

    @AfterEach
    void putBack() {
        Thread.currentThread().setContextClassLoader(before);
    }

    @BeforeEach
    void install() throws IOException {
        install(
                Safe.class.getName(),
                "io.example.NotThere",
                Broken.class.getName(),
                Telling.class.getName(),
                Nameless.class.getName(),
                Impostor.class.getName(),
                Failing.class.getName());
    }

    /** A source of somebody's own: a password safe. */
    record SafeSource(String entry, TokenSource password) implements TokenSource {
        @Override
        public Optional<TokenDocument> fetch() throws SourceException {
            return password.fetch();
        }

        @Override
        public String describe() {
            return "safe " + entry;
        }
    }

    /** What makes it. */
    public static final class Safe implements TokenSourceFactory {
        @Override
        public String key() {
            return "safe";
        }

        @Override
        public TokenSource create(Settings settings, SourceContext context) {
            Optional<TokenSource> password = settings.read("password", Optional.empty(), context::source);
            return new SafeSource(settings.text("entry"), password.orElseGet(TokenSources::pushed));
        }
    }

    /** One that cannot be made. */
    public static final class Broken implements TokenSourceFactory {
        public Broken() {
            throw new NoClassDefFoundError("com/example/Library");
        }

        @Override
        public String key() {
            return "broken";
        }

        @Override
        public TokenSource create(Settings settings, SourceContext context) {
            throw new AssertionError();
        }
    }

    /** One that cannot be made either, and tells too much. */
    public static final class Telling implements TokenSourceFactory {
        public Telling() {
            throw new IllegalStateException("no licence in " + Canary.TOKEN);
        }

        @Override
        public String key() {
            return "telling";
        }

        @Override
        public TokenSource create(Settings settings, SourceContext context) {
            throw new AssertionError();
        }
    }

    /** One that does not even say what it is, and tells too much. */
    public static final class Nameless implements TokenSourceFactory {
        @Override
        public String key() {
            throw new IllegalStateException("no licence in " + Canary.TOKEN);
        }

        @Override
        public TokenSource create(Settings settings, SourceContext context) {
            throw new AssertionError();
        }
    }

    /** One that calls itself as one of ours. */
    public static final class Impostor implements TokenSourceFactory {
        @Override
        public String key() {
            return "oauth2";
        }

        @Override
        public TokenSource create(Settings settings, SourceContext context) {
            throw new AssertionError();
        }
    }

    /** One that fails, and tells too much. */
    public static final class Failing implements TokenSourceFactory {
        @Override
        public String key() {
            return "failing";
        }

        @Override
        public TokenSource create(Settings settings, SourceContext context) {
            if (settings.read("when", "", Settings::text).equals("opened") && context.onlyLooks()) {
                return TokenSources.pushed();
            }
            throw new IllegalStateException("cannot do with " + settings.text("password"));
        }
    }

    private void install(String... factories) throws IOException {
        Path services = Files.createDirectories(folder.resolve("META-INF/services"));
        Files.write(services.resolve(TokenSourceFactory.class.getName()), List.of(factories));
        Thread.currentThread().setContextClassLoader(new URLClassLoader(new URL[] {url(folder)}, before));
    }

    private static URL url(Path folder) throws MalformedURLException {
        return folder.toUri().toURL();
    }

    private SourceContext context() {
        return new SourceContext(
                SourceHost.reading(Map.of("PASSWORD", canary.token())::get, Clock.systemUTC()), folder, Set.of());
    }

    private Optional<TokenSource> read(Object token) {
        SourceContext context = context();
        settings = Written.in("agent.yaml", map("t", token)).open(context.references(List.of(), true));
        return TokenSources.read(settings.get("t").orElseThrow(), context);
    }

    private List<String> problems() {
        List<String> problems =
                settings.problems().stream().map(Problem::toString).toList();
        canary.saw("problems", problems);
        return problems;
    }

    @Test
    void read_keyOfAFactory_isItsSource() throws SourceException {
        TokenSource source = read(map("safe", map("entry", "api", "password", "${PASSWORD}")))
                .orElseThrow()
                .in(context());

        assertThat(source).isInstanceOf(SafeSource.class);
        assertThat(source.describe()).isEqualTo("safe api");
        assertThat(source.fetch().orElseThrow().value().reveal()).isEqualTo(canary.token());
        assertThat(problems()).isEmpty();
    }

    @Test
    void read_sameSettingsAgain_equal() {
        Map<String, Object> written = map("safe", map("entry", "api", "password", map("env", "PASSWORD")));
        SourceContext context = context();

        TokenSource one = read(written).orElseThrow();
        TokenSource two = read(written).orElseThrow();
        TokenSource other = read(map("safe", map("entry", "b", "password", map("env", "PASSWORD"))))
                .orElseThrow();

        assertThat(one.in(context)).isEqualTo(two.in(context)).isNotEqualTo(other.in(context));
    }

    @Test
    void read_mistakesBelowTheKey_areToldWithTheirPlace() {
        read(map("safe", map("entryy", "api")));

        assertThat(problems())
                .containsExactly(
                        "agent.yaml:3:5 t.safe: 'entry' is missing",
                        "agent.yaml:3:5 t.safe: unknown key 'entryy', did you mean 'entry'?");
    }

    @Test
    void read_factoryThatFails_isToldWithoutItsMessage() {
        assertThat(read(map("failing", map("password", "${PASSWORD}")))).isEmpty();

        assertThat(problems())
                .containsExactly("agent.yaml:3:5 t.failing: 'failing' failed with java.lang.IllegalStateException");
    }

    /** It is called once more when an agent opens the source. */
    @Test
    void open_factoryThatFails_isToldWithoutItsMessage() {
        TokenSource source = read(map("failing", map("when", "opened", "password", canary.token())))
                .orElseThrow();
        SourceHost running = new SourceHost(
                name -> null, Clock.systemUTC(), FileWatcher.none(), new OkHttpClient(), (delay, task) -> {}, false);

        ConfigException e =
                canary.caught(ConfigException.class, () -> source.in(new SourceContext(running, folder, Set.of())));

        assertThat(e).hasMessageContaining("'failing' failed with java.lang.IllegalStateException");
        running.close();
    }

    @Test
    void read_factoryThatCannotBeLoaded_isAsIfItWereNotThere() {
        assertThat(read(map("broken", map()))).isEmpty();
        assertThat(problems()).anyMatch(problem -> problem.contains("unknown key 'broken'"));

        // Nor are those that come after it.
        assertThat(read(map("telling", map()))).isEmpty();
        assertThat(problems()).anyMatch(problem -> problem.contains("unknown key 'telling'"));
    }

    @Test
    void read_keyThatTwoFactoriesHave_isOurs() {
        assertThat(read(map("oauth2", map("token_url", "https://idp.example.com/token"))))
                .isPresent();

        assertThat(problems()).anyMatch(problem -> problem.contains("has no proof of the client"));
    }

    /** As threads of some containers, and of native code. */
    @Test
    void read_threadWithoutAClassLoader_findsOurs() {
        Thread.currentThread().setContextClassLoader(null);

        read(map("oauth2", map("token_url", "https://idp.example.com/token")));

        assertThat(problems()).anyMatch(problem -> problem.contains("has no proof of the client"));
    }

    @Test
    void pem_keyOfAFactory_hasNone() {
        SourceContext context = context();
        settings = Written.in("agent.yaml", map("t", map("safe", map("entry", "api"))))
                .open(context.references(List.of(), true));

        assertThat(context.pem(settings.get("t").orElseThrow())).isEmpty();

        assertThat(problems())
                .containsExactly(
                        "agent.yaml:3:5 t.safe: 'safe' has no PEM: give a file, a variable or the text itself");
    }

    /** What a program writes is relative to where it runs, and not to the configuration of its agent. */
    @Test
    void configured_pathInIt_isTheProgramsOwn() {
        TokenSource source = TokenSources.configured(
                Map.of("safe", Map.of("entry", "api", "password", Map.of("file", "password.txt"))));

        assertThat(source.in(context()))
                .isInstanceOfSatisfying(
                        SafeSource.class,
                        safe -> assertThat(safe.password().describe()).isEqualTo("file password.txt"));
    }

    @Test
    void read_moduleThatIsMissing_isNamed() {
        assertThat(read(map("vault", map("path", "secret/agent")))).isEmpty();

        assertThat(problems()).containsExactly("agent.yaml:2:3 t: 'vault' needs keyturn-vault on the class path");
        assertThat(settings.needs())
                .anyMatch(need -> need.kind().equals("module") && need.name().equals("keyturn-vault"));
    }

    @Test
    void configured_asAProgramWritesIt_sameSource() throws SourceException {
        TokenSource source = TokenSources.configured(
                Map.of("safe", Map.of("entry", "api", "password", Map.of("value", canary.token()))));

        canary.saw("source", source.describe());
        assertThat(source.in(context()).fetch().orElseThrow().value().reveal()).isEqualTo(canary.token());
    }

    @Test
    void configured_mistakes_areThrownTogether() {
        assertThatThrownBy(() -> TokenSources.configured(Map.of("safe", Map.of("entryy", 5, "pasword", "x"))))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("safe: 'entry' is missing")
                .hasMessageContaining("unknown key 'pasword', did you mean 'password'?");
    }
}
