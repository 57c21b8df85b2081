package io.keyturn.oauth2;

import static io.keyturn.config.Written.map;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.keyturn.Canary;
import io.keyturn.TokenAgent;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.SourceHost;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import java.io.File;
import java.lang.reflect.Method;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a configuration may say of a token service, and what it hears where it says something else. */
class RequestSettingsTest {
    private static final Path FOLDER = Path.of("/etc/agent");

    @RegisterExtension
    final Canary canary = new Canary(Canary.WORD);

    private Settings settings;

    private Optional<TokenSource> read(Map<String, Object> oauth2, String... allow) {
        Map<String, String> variables = Map.of("SECRET", canary.token(), "IDP", "https://idp.example.com");
        SourceContext context =
                new SourceContext(SourceHost.reading(variables::get, Clock.systemUTC()), FOLDER, Set.of(allow));
        settings = Written.in("agent.yaml", map("t", map("oauth2", oauth2))).open(context.references(List.of(), false));
        return TokenSources.read(settings.get("t").orElseThrow(), context);
    }

    private List<String> problems() {
        List<String> problems =
                settings.problems().stream().map(Problem::toString).toList();
        canary.saw("problems", problems);
        return problems;
    }

    private static Map<String, Object> with(Map<String, Object> keys, Object... more) {
        Map<String, Object> all = new LinkedHashMap<>(keys);
        all.putAll(map(more));
        return all;
    }

    private static Map<String, Object> good(Object... more) {
        return with(
                map("token_url", "https://idp.example.com/token", "client_id", "agent", "client_secret", "${SECRET}"),
                more);
    }

    private static Map<String, Object> refresh(Object refreshToken, Object... more) {
        return with(
                map(
                        "token_url", "https://idp.example.com/token",
                        "grant", "refresh_token",
                        "client_id", "agent",
                        "refresh_token", refreshToken),
                more);
    }

    static Stream<Arguments> right() {
        return Stream.of(
                arguments(good()),
                arguments(good("token_url", "${IDP}/token")),
                arguments(good("token_url", "http://127.0.0.1:8080/token")),
                arguments(good("token_url", "http://localhost/token", "revoke_url", "http://[::1]:1/revoke")),
                arguments(good("introspect_url", "https://a/i", "revoke_url", "https://a/r", "scope", "read")),
                arguments(good("grant", "client_credentials", "auth", "post", "params", map("tenant", "a"))),
                arguments(map("token_url", "https://a/t", "client_assertion", map("file", "/run/idp"))),
                arguments(map(
                        "token_url", "https://a/t",
                        "client_id", "agent",
                        "private_key", map("file", "key.pem"),
                        "key_id", "k1",
                        "algorithm", "ES256")),
                arguments(map("token_url", "https://a/t", "grant", "token_exchange", "subject_token", "${SECRET}")),
                arguments(map("token_url", "https://a/t", "grant", "jwt_bearer", "assertion", map("env", "SECRET"))),
                arguments(refresh(map("file", "refresh", "save", "true"))),
                arguments(good("client_secret", map("first_of", List.of(map("env", "A"), map("file", "b"))))));
    }

    @ParameterizedTest
    @MethodSource("right")
    void read_whatIsDocumented_isRight(Map<String, Object> oauth2) {
        Optional<TokenSource> source = read(oauth2);

        assertThat(problems()).isEmpty();
        canary.saw("source", source.orElseThrow()).saw("needs", settings.needs());
    }

    @Test
    void read_credentials_areNeedsAtTheirPlace() {
        read(with(refresh(map("file", "refresh", "save", "true")), "client_secret", map("env", "IDP_SECRET")));

        assertThat(settings.needs())
                .extracting(Need::toString)
                .extracting(text -> text.replaceAll("^Need\\[|\\]$", ""))
                .hasSize(2);
        assertThat(settings.needs())
                .extracting(Need::name)
                .containsExactlyInAnyOrder("/etc/agent/refresh", "IDP_SECRET");
    }

    static Stream<Arguments> wrong() {
        String urls = "its URLs must be https://, since credentials in plain http can be read on their way"
                + " (or allow: [insecure_http])";
        String lost = "a service may replace the refresh token, and the next one would be lost with this process:"
                + " write refresh_token: {file: …, save: true} (or allow: [ephemeral])";
        return Stream.of(
                arguments(
                        map(),
                        List.of(
                                "3:5 t.oauth2: 'token_url' is missing: where the service issues tokens",
                                "3:5 t.oauth2: has no proof of the client: one of client_secret, private_key and"
                                        + " client_assertion is needed")),
                arguments(
                        map("token_url", "https://a/t", "client_secret", "${SECRET}"),
                        List.of("3:5 t.oauth2: 'client_id' is missing")),
                arguments(
                        map("token_url", "https://a/t", "private_key", map("file", "k")),
                        List.of("3:5 t.oauth2: 'client_id' is missing")),
                arguments(
                        map("token_url", "https://a/t", "client_id", "agent"),
                        List.of("3:5 t.oauth2: has no proof of the client: one of client_secret, private_key and"
                                + " client_assertion is needed")),
                arguments(
                        good("client_assertion", "x"),
                        List.of("3:5 t.oauth2: has several proofs of the client, client_secret and client_assertion:"
                                + " one is needed")),
                arguments(
                        good("grant", "password"),
                        List.of(
                                "6:12 t.oauth2.grant: must be client_credentials, refresh_token, token_exchange or jwt_bearer")),
                arguments(good("auth", "digest"), List.of("6:11 t.oauth2.auth: must be basic or post")),
                arguments(
                        good("algorithm", "RS256", "key_id", "k"),
                        List.of(
                                "6:5 t.oauth2: 'algorithm' is for private_key",
                                "7:5 t.oauth2: 'key_id' is for private_key")),
                arguments(
                        map("token_url", "https://a/t", "client_assertion", "x", "auth", "post"),
                        List.of("5:5 t.oauth2: 'auth' is for client_secret")),
                arguments(
                        map(
                                "token_url", "https://a/t",
                                "client_id", "a",
                                "private_key", map("file", "k"),
                                "algorithm", "HS256"),
                        List.of("7:16 t.oauth2.algorithm: must be RS256 or ES256")),
                arguments(
                        good("refresh_token", "x", "assertion", "y", "subject_token_type", "z"),
                        List.of(
                                "6:5 t.oauth2: 'refresh_token' is for grant: refresh_token",
                                "7:5 t.oauth2: 'assertion' is for grant: jwt_bearer",
                                "8:5 t.oauth2: 'subject_token_type' is for grant: token_exchange")),
                arguments(
                        map("token_url", "https://a/t", "grant", "token_exchange"),
                        List.of("3:5 t.oauth2: 'subject_token' is missing, which grant: token_exchange needs")),
                arguments(
                        map(
                                "token_url",
                                "https://a/t",
                                "grant",
                                "token_exchange",
                                "subject_token",
                                "x",
                                "subject_token_type",
                                "jwt"),
                        List.of("6:25 t.oauth2.subject_token_type: must be a URI such as"
                                + " urn:ietf:params:oauth:token-type:access_token")),
                arguments(
                        good("params", map("tenant", "a", "scope", "x", "client_secret", "y")),
                        List.of(
                                "8:7 t.oauth2.params: 'scope' cannot be set here: it has a key of its own, or is set by"
                                        + " itself",
                                "9:7 t.oauth2.params: 'client_secret' cannot be set here: it has a key of its own, or is"
                                        + " set by itself")),
                arguments(good("params", "x"), List.of("6:13 t.oauth2.params: must be a map of parameters")),
                arguments(good("scop", "x"), List.of("6:5 t.oauth2: unknown key 'scop', did you mean 'scope'?")),
                arguments(
                        good("client_secret", map("fiel", "x")),
                        List.of(
                                "6:7 t.oauth2.client_secret: has no source: one of value, env, file, command, oauth2, vault,"
                                        + " aws_secrets_manager and first_of is needed",
                                "6:7 t.oauth2.client_secret: unknown key 'fiel', did you mean 'file'?")),
                arguments(good("token_url", "http://idp.example.com/token"), List.of("3:5 t.oauth2: " + urls)),
                arguments(good("introspect_url", "http://idp.example.com/"), List.of("3:5 t.oauth2: " + urls)),
                arguments(good("revoke_url", "http://10.0.0.1/"), List.of("3:5 t.oauth2: " + urls)),
                arguments(refresh("${SECRET}"), List.of("3:5 t.oauth2: " + lost)),
                arguments(refresh(map("file", "refresh")), List.of("3:5 t.oauth2: " + lost)),
                arguments(
                        refresh(map("env", "SECRET", "save", "true")),
                        List.of(
                                "3:5 t.oauth2: " + lost,
                                "7:7 t.oauth2.refresh_token: 'save' needs a source that can be written, such as a"
                                        + " file")),
                arguments(
                        map(
                                "token_url",
                                "https://a/t",
                                "grant",
                                "refresh_token",
                                "refresh_token",
                                map("file", "r", "save", "true")),
                        List.of("3:5 t.oauth2: 'client_id' is missing")));
    }

    @ParameterizedTest
    @MethodSource("wrong")
    void read_mistake_isSaidAtItsPlace(Map<String, Object> oauth2, List<String> problems) {
        read(oauth2);

        assertThat(problems())
                .isEqualTo(problems.stream().map(each -> "agent.yaml:" + each).toList());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "idp.example.com",
                "ftp://idp.example.com/",
                "https://user:pw@idp.example.com/",
                "https://idp.example.com/#x",
                "https://[1:2:3:4:5:6:7::1.2.3.4]/",
                ""
            })
    void read_urlThatIsNone_isSaid(String url) {
        read(good("token_url", url));

        assertThat(problems())
                .containsExactly("agent.yaml:3:16 t.oauth2.token_url: must be a URL, https:// and what follows, without"
                        + " user and fragment");
    }

    @Test
    void read_allowed_isRight() {
        read(good("token_url", "http://idp.example.com/token"), "insecure_http");
        assertThat(problems()).isEmpty();

        read(refresh("${SECRET}"), "ephemeral");
        assertThat(problems()).isEmpty();
    }

    @Test
    void read_text_isSaid() {
        SourceContext context = SourceContext.ofProcess();
        settings = Written.in("agent.yaml", map("t", map("oauth2", "${SECRET}")))
                .open(context.references(List.of(), false));
        TokenSources.read(settings.get("t").orElseThrow(), context);

        assertThat(problems())
                .containsExactly("agent.yaml:2:11 t.oauth2: must be a map with token_url, client_id and what the client"
                        + " proves itself with");
    }

    // --- in a program, which says what it allows later ---

    private Map<String, Object> inProgram() {
        return map("oauth2", with(refresh(canary.token()), "token_url", "http://127.0.0.1:1/token"));
    }

    @Test
    void start_programThatDoesNotAllowIt_fails() {
        TokenSource source = TokenSources.configured(inProgram());

        ConfigException e = canary.caught(
                ConfigException.class,
                () -> TokenAgent.builder().token("t", source).start());

        assertThat(e).hasMessageContaining("write refresh_token: {file: …, save: true}");
    }

    @Test
    void fetch_withoutAnAgentToAllowIt_fails() {
        TokenSource source = TokenSources.configured(inProgram());

        SourceException e = canary.caught(SourceException.class, source::fetch);

        assertThat(e).hasMessageContaining("write refresh_token: {file: …, save: true}");
        assertThat(e.reason()).isEqualTo(Reason.INVALID);
    }

    @Test
    void start_programThatAllowsIt_asks() throws Exception {
        try (TokenServiceRig rig = new TokenServiceRig()) {
            rig.answers(200, TokenServiceRig.issued("access-1"));
            Map<String, Object> keys =
                    rig.oauth2("grant", "refresh_token", "client_id", "agent", "refresh_token", canary.token());
            try (TokenAgent agent = TokenAgent.builder()
                    .token("t", TokenSources.configured(map("oauth2", keys)), t -> t.allow("ephemeral"))
                    .start()) {
                assertThat(agent.provider("t").get().reveal()).isEqualTo("access-1");
            }
        }
    }

    // --- without the library that signs ---

    /** Everything on the class path but one library, loaded anew. */
    private static URLClassLoader without(String library) {
        URL[] path = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !entry.contains(library))
                .map(RequestSettingsTest::url)
                .toArray(URL[]::new);
        return new URLClassLoader(path, ClassLoader.getPlatformClassLoader());
    }

    private static URL url(String entry) {
        try {
            return new File(entry).toURI().toURL();
        } catch (MalformedURLException e) {
            throw new AssertionError(e);
        }
    }

    /** Run in the class loader without the library: what is wrong. */
    static String problemsOfPrivateKey() {
        RequestSettingsTest test = new RequestSettingsTest();
        test.read(map("token_url", "https://a/t", "client_id", "agent", "private_key", map("file", "key.pem")));
        return test.problems() + " " + test.settings.needs();
    }

    /** And that everything else does without it. */
    static String problemsOfSecret() {
        RequestSettingsTest test = new RequestSettingsTest();
        test.read(good());
        return String.valueOf(test.problems());
    }

    private static String answer(Class<?> test, String method) throws ReflectiveOperationException {
        Method found = test.getDeclaredMethod(method);
        found.setAccessible(true);
        return (String) found.invoke(null);
    }

    @Test
    void read_privateKeyWithoutNimbus_tellsWhatIsMissing() throws Exception {
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        try (URLClassLoader loader = without("nimbus-jose-jwt")) {
            Thread.currentThread().setContextClassLoader(loader);
            Class<?> test = loader.loadClass(RequestSettingsTest.class.getName());

            assertThat(answer(test, "problemsOfPrivateKey"))
                    .startsWith(
                            "[agent.yaml:5:5 t.oauth2: 'private_key' needs com.nimbusds:nimbus-jose-jwt on the class"
                                    + " path] ")
                    .contains("kind=module, name=com.nimbusds:nimbus-jose-jwt");
            assertThat(answer(test, "problemsOfSecret")).isEqualTo("[]");
        } finally {
            Thread.currentThread().setContextClassLoader(before);
        }
    }
}
