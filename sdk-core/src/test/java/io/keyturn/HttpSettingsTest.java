package io.keyturn;

import static io.keyturn.config.Written.map;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.keyturn.check.CheckReport;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceHost;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.Credentials;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.tls.HandshakeCertificates;
import okhttp3.tls.HeldCertificate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How the agent makes its own calls: {@code agent.http}. */
class HttpSettingsTest {
    private static final HeldCertificate CA = new HeldCertificate.Builder()
            .certificateAuthority(0)
            .commonName("corp CA")
            .build();
    private static final HeldCertificate SERVER = new HeldCertificate.Builder()
            .signedBy(CA)
            .addSubjectAlternativeName("localhost")
            .build();
    private static final HeldCertificate AGENT =
            new HeldCertificate.Builder().signedBy(CA).commonName("ci-agent").build();

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final MockWebServer server = new MockWebServer();
    private Settings settings;

    @AfterEach
    void close() {
        server.close();
    }

    private HttpSettings read(Map<String, Object> http, Map<String, String> variables) {
        return read(http, variables, true);
    }

    private HttpSettings read(Map<String, Object> http, Map<String, String> variables, boolean readFiles) {
        SourceContext context =
                new SourceContext(SourceHost.reading(variables::get, Clock.systemUTC()), folder, Set.of());
        settings = Written.in("agent.yaml", map("http", http)).open(context.references(List.of(), true));
        return settings.get("http")
                .map(each -> HttpSettings.read(each, context, readFiles))
                .orElseThrow();
    }

    private List<String> problems() {
        List<String> problems =
                settings.problems().stream().map(Problem::message).toList();
        canary.saw("problems", problems);
        return problems;
    }

    private String file(String name, String content) throws IOException {
        Files.setPosixFilePermissions(
                Files.writeString(folder.resolve(name), content), PosixFilePermissions.fromString("rw-------"));
        return name;
    }

    private static String get(OkHttpClient client, String url) throws IOException {
        try (Response response =
                client.newCall(new Request.Builder().url(url).build()).execute()) {
            return response.body().string();
        }
    }

    // --- proxies ---

    private static final Map<String, String> ENVIRONMENT = Map.of(
            "HTTPS_PROXY", "http://secure.proxy:3128",
            "http_proxy", "plain.proxy:8080",
            "NO_PROXY", "example.org, .corp.example.com,10.0.0.1, other.example.net:8443");

    @ParameterizedTest
    @CsvSource({
        "https://api.example.com, secure.proxy:3128",
        "http://api.example.com, plain.proxy:8080",
        "https://example.org, direct",
        "https://vault.example.org, direct",
        "https://notexample.org, secure.proxy:3128",
        "https://a.corp.example.com, direct",
        "https://10.0.0.1, direct",
        "https://other.example.net:8443, direct",
        "https://other.example.net, secure.proxy:3128",
        "https://localhost:8200, direct",
        "https://vault.localhost, direct",
        "http://127.0.0.1:8200, direct",
        "http://[::1]:8200, direct",
    })
    void proxy_env_asTheVariablesSay(String uri, String expected) {
        assertThat(proxyOf(uri, read(map("proxy", "env"), ENVIRONMENT))).isEqualTo(expected);
    }

    @Test
    void proxy_ofACgiProgram_isNotTakenFromARequest() {
        Map<String, String> variables = Map.of("REQUEST_METHOD", "GET", "HTTP_PROXY", "http://attacker:1");

        assertThat(read(map(), variables).proxies().select(URI.create("http://api.example.com")))
                .containsExactly(Proxy.NO_PROXY);
    }

    @Test
    void proxy_bothSpellings_theSmallOneGoesFirst() {
        Map<String, String> variables =
                Map.of("HTTPS_PROXY", "http://upper.proxy:1", "https_proxy", "http://lower.proxy:1", "http_proxy", " ");

        assertThat(proxyOf("https://api.example.com", read(map(), variables))).isEqualTo("lower.proxy:1");
        assertThat(proxyOf("http://api.example.com", read(map(), variables))).isEqualTo("direct");
    }

    /** Of what cannot be used nothing is told, since it may hold a password. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://ci:SECRET@proxy:3128",
                "socks5://ci:SECRET@proxy:1080",
                "http://[1:2:3:4:5:6:7::1.2.3.4]:1"
            })
    void proxy_variableThatCannotBeUsed_isSaidAndNotHeeded(String value) {
        String secret = value.replace("SECRET", Canary.WORD);
        HttpSettings http = read(map(), Map.of("HTTPS_PROXY", secret));

        assertThat(proxyOf("https://api.example.com", http)).isEqualTo("direct");
        assertThat(problems()).isEmpty();
    }

    @Test
    void proxy_url_noProxyCountsAsWell() {
        HttpSettings http = read(map("proxy", "http://proxy.example.com:3128"), Map.of("NO_PROXY", "example.org"));

        assertThat(proxyOf("https://api.example.com", http)).isEqualTo("proxy.example.com:3128");
        assertThat(proxyOf("https://vault.example.org", http)).isEqualTo("direct");
    }

    @Test
    void proxy_noProxyOfEverything_direct() {
        HttpSettings http = read(map("proxy", "http://proxy.example.com:3128"), Map.of("no_proxy", "*"));

        assertThat(proxyOf("https://api.example.com", http)).isEqualTo("direct");
    }

    private static String proxyOf(String uri, HttpSettings http) {
        List<Proxy> proxies = http.proxies().select(URI.create(uri));
        assertThat(proxies).hasSize(1);
        return proxies.get(0).address() instanceof InetSocketAddress address
                ? address.getHostString() + ":" + address.getPort()
                : "direct";
    }

    @Test
    void proxy_none_direct() {
        assertThat(read(map("proxy", "none"), ENVIRONMENT).proxies().select(URI.create("https://api.example.com")))
                .containsExactly(Proxy.NO_PROXY);
    }

    @Test
    void proxy_url_isUsed() throws Exception {
        server.start(InetAddress.getLoopbackAddress(), 0);
        server.enqueue(new MockResponse.Builder().body("from the proxy").build());
        HttpSettings http = read(map("proxy", "http://127.0.0.1:" + server.getPort()), Map.of());

        assertThat(get(http.client(), "http://vault.example.com/v1/x")).isEqualTo("from the proxy");

        RecordedRequest request = server.takeRequest(5, TimeUnit.SECONDS);
        assertThat(request.getTarget()).isEqualTo("http://vault.example.com/v1/x");
    }

    @Test
    void proxy_wantsAUser_isToldTheOneOfItsUrl() throws Exception {
        server.start(InetAddress.getLoopbackAddress(), 0);
        server.enqueue(new MockResponse.Builder()
                .code(407)
                .addHeader("Proxy-Authenticate", "Basic realm=\"corp\"")
                .build());
        server.enqueue(new MockResponse.Builder().body("from the proxy").build());
        String password = URLEncoder.encode(canary.token(), UTF_8);
        Map<String, String> variables =
                Map.of("http_proxy", "http://ci:" + password + "@127.0.0.1:" + server.getPort());
        HttpSettings http = read(map(), variables);

        assertThat(get(http.client(), "http://vault.example.com/v1/x")).isEqualTo("from the proxy");

        canary.saw("settings", http);
        assertThat(server.takeRequest(5, TimeUnit.SECONDS).getHeaders().get("Proxy-Authorization"))
                .isNull();
        assertThat(server.takeRequest(5, TimeUnit.SECONDS).getHeaders().get("Proxy-Authorization"))
                .isEqualTo(Credentials.basic("ci", canary.token()));
    }

    /** Whoever asks again and again with a wrong password may lock the user out. */
    @Test
    void proxy_refusesTheUser_isToldOnce() throws Exception {
        server.start(InetAddress.getLoopbackAddress(), 0);
        for (int i = 0; i < 30; i++) {
            server.enqueue(new MockResponse.Builder()
                    .code(407)
                    .addHeader("Proxy-Authenticate", "Basic realm=\"corp\"")
                    .build());
        }
        HttpSettings http = read(map(), Map.of("http_proxy", "http://ci:wrong@127.0.0.1:" + server.getPort()));

        get(http.client(), "http://vault.example.com/v1/x");

        assertThat(server.getRequestCount()).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"socks5://proxy:1080", "://", "proxy example"})
    void proxy_noProxy_isAnError(String value) {
        read(map("proxy", value), Map.of());

        assertThat(problems()).containsExactly("must be env, none, or a URL such as http://proxy.example.com:3128");
    }

    // --- certificates ---

    private void startWithTls(boolean wantsCertificate) throws IOException {
        HandshakeCertificates certificates = new HandshakeCertificates.Builder()
                .heldCertificate(SERVER)
                .addTrustedCertificate(CA.certificate())
                .build();
        server.useHttps(certificates.sslSocketFactory());
        if (wantsCertificate) {
            server.requireClientAuth();
        }
        server.start(InetAddress.getByName("localhost"), 0);
        server.enqueue(new MockResponse.Builder().body("hello").build());
    }

    @Test
    void caFile_privateAuthority_isTrustedBesideTheOthers() throws IOException {
        startWithTls(false);
        HttpSettings http = read(map("ca_file", file("corp.pem", CA.certificatePem())), Map.of());

        assertThat(get(http.client(), server.url("/").toString())).isEqualTo("hello");
        assertThat(http.client().x509TrustManager().getAcceptedIssuers())
                .contains(CA.certificate())
                .hasSizeGreaterThan(10);
    }

    @Test
    void caFile_none_privateAuthorityIsNotTrusted() throws IOException {
        startWithTls(false);
        OkHttpClient client = read(map(), Map.of()).client();

        assertThatThrownBy(() -> get(client, server.url("/").toString())).hasMessageContaining("PKIX");
    }

    @Test
    void clientCert_isShown() throws Exception {
        startWithTls(true);
        String pem = AGENT.certificatePem() + CA.certificatePem() + AGENT.privateKeyPkcs8Pem();
        HttpSettings http = read(
                map(
                        "ca_file",
                        file("corp.pem", CA.certificatePem()),
                        "client_cert",
                        map("file", file("agent.pem", pem))),
                Map.of());

        assertThat(get(http.client(), server.url("/").toString())).isEqualTo("hello");
        assertThat(server.takeRequest(5, TimeUnit.SECONDS)
                        .getHandshake()
                        .peerPrincipal()
                        .getName())
                .contains("ci-agent");
    }

    @Test
    void clientCert_outOfAVariable_isShown() throws Exception {
        startWithTls(true);
        String pem = AGENT.certificatePem() + AGENT.privateKeyPkcs8Pem();
        HttpSettings http = read(
                map("ca_file", file("corp.pem", CA.certificatePem()), "client_cert", "${PEM}"), Map.of("PEM", pem));

        assertThat(get(http.client(), server.url("/").toString())).isEqualTo("hello");
    }

    @Test
    void certificates_mistakes_areToldWithoutThem() throws IOException {
        read(
                map(
                        "ca_file", file("corp.pem", canary.token()),
                        "client_cert", map("file", file("agent.pem", AGENT.privateKeyPkcs8Pem()))),
                Map.of());

        assertThat(problems())
                .containsExactly(
                        "not PEM: it does not begin with -----BEGIN",
                        "file " + folder.resolve("agent.pem") + " holds no certificate (-----BEGIN CERTIFICATE-----)");
    }

    @Test
    void clientCert_keyOfAnOldForm_toldHowToTurnItIntoANewOne() throws IOException {
        String pem = AGENT.certificatePem() + AGENT.privateKeyPkcs8Pem().replace("PRIVATE KEY", "RSA PRIVATE KEY");
        read(map("client_cert", map("file", file("agent.pem", pem))), Map.of());

        assertThat(settings.problems()).singleElement().satisfies(problem -> {
            assertThat(problem.message()).contains("one private key of PKCS #8");
            assertThat(problem.fix()).startsWith("openssl pkcs8 -topk8");
        });
    }

    @Test
    void files_notThere_areToldAtTheirPlace() {
        read(map("ca_file", "nowhere.pem", "client_cert", map("file", "none.pem")), Map.of());

        assertThat(problems())
                .containsExactly(
                        "file " + folder.resolve("nowhere.pem") + " cannot be read: NoSuchFileException",
                        "file " + folder.resolve("none.pem") + " does not exist");
    }

    /** As {@code keyturn validate} does, which tells what will be needed. */
    @Test
    void files_notToBeRead_areNotLookedInto() {
        HttpSettings http =
                read(map("ca_file", "nowhere.pem", "client_cert", map("file", "none.pem")), Map.of(), false);

        assertThat(problems()).isEmpty();
        assertThat(http.authorities()).isEmpty();
        assertThat(http.identity()).isNull();
    }

    /** What is not equal needs a restart, and an event says so. */
    @Test
    void settings_sayTheSame_areEqual() {
        Map<String, String> variables =
                Map.of("https_proxy", "http://a:1", "http_proxy", "http://b:1", "no_proxy", "c");
        HttpSettings http = read(map(), variables);

        assertThat(read(map(), Map.copyOf(variables))).isEqualTo(http).hasSameHashCodeAs(http);
        for (String variable : variables.keySet()) {
            Map<String, String> others = new HashMap<>(variables);
            others.put(variable, "http://other:1");
            assertThat(read(map(), others)).isNotEqualTo(http);
        }
    }

    @Test
    void caFile_thatIsNoPath_isToldAtItsPlace() {
        read(map("ca_file", "ca\0.pem"), Map.of());

        assertThat(problems()).containsExactly("must be a path");
    }

    // --- the agent's own calls ---

    @Test
    void timeouts_areTheClients() {
        OkHttpClient client = read(map("connect_timeout", "1s", "read_timeout", "2s", "call_timeout", "3s"), Map.of())
                .client();

        assertThat(client.connectTimeoutMillis()).isEqualTo(1_000);
        assertThat(client.readTimeoutMillis()).isEqualTo(2_000);
        assertThat(client.writeTimeoutMillis()).isEqualTo(2_000);
        assertThat(client.callTimeoutMillis()).isEqualTo(3_000);
        assertThat(Duration.ofMillis(
                        HttpSettings.defaults(name -> null).client().callTimeoutMillis()))
                .isEqualTo(Duration.ofSeconds(10));
    }

    private TokenAgent.Builder agent(Map<String, Object> http) {
        Map<String, Object> agent =
                map("api_token", canary.token(), "endpoint", server.url("/").toString(), "check", "GET /");
        agent.put("http", http);
        return TokenAgent.builder().settings(Written.in("agent.yaml", map("agent", agent)), folder);
    }

    @Test
    void check_goesAsHttpSays() throws IOException {
        startWithTls(true);
        String pem = AGENT.certificatePem() + AGENT.privateKeyPkcs8Pem();
        CheckReport report = agent(map(
                        "ca_file", file("corp.pem", CA.certificatePem()),
                        "client_cert", map("file", file("agent.pem", pem))))
                .check(Duration.ofSeconds(20), Set.of());

        canary.saw("report", report);
        assertThat(report.tokens()
                        .get(0)
                        .step("authenticate")
                        .orElseThrow()
                        .status()
                        .word())
                .isEqualTo("pass");
    }

    @Test
    void start_wrongHttp_refused() throws IOException {
        server.start();
        assertThatThrownBy(() -> agent(map("ca_fil", "x", "call_timeout", "0s")).start())
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("unknown key 'ca_fil', did you mean 'ca_file'?")
                .hasMessageContaining("call_timeout");
    }
}
