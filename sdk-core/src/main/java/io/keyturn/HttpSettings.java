package io.keyturn;

import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.policy.Endpoint;
import io.keyturn.source.Pem;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.Credentials;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.Route;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How the agent makes its own calls: {@code agent.http}. Files are read once, when the configuration is; certificates come
 * on top of those that Java trusts.
 *
 * @param proxies the proxy of each address
 * @param authorities private certificate authorities
 * @param identity what the agent proves itself with to servers that ask for a certificate, as PEM: the certificate, those that
 *     lead from it to an authority, and its key; or null
 */
record HttpSettings(
        Proxies proxies,
        List<X509Certificate> authorities,
        @Nullable Secret identity,
        Duration connectTimeout,
        Duration readTimeout,
        Duration callTimeout) {
    private static final Logger log = LoggerFactory.getLogger(HttpSettings.class);
    private static final Duration CONNECT = Duration.ofSeconds(5);
    private static final Duration READ = Duration.ofSeconds(10);
    private static final Duration CALL = Duration.ofSeconds(10);
    private static final char[] NO_PASSWORD = new char[0];

    /** What holds where nothing is said: the proxy that the environment names, and bounds in time. */
    static HttpSettings defaults(Function<String, @Nullable String> variables) {
        return new HttpSettings(Proxies.ofEnvironment(variables), List.of(), null, CONNECT, READ, CALL);
    }

    /** @param readFiles whether files may be looked into; if not, they count as empty */
    static HttpSettings read(Settings http, SourceContext context, boolean readFiles) {
        if (!http.isMap()) {
            throw http.wrong(
                    "must be a map with the keys proxy, ca_file, client_cert, connect_timeout, read_timeout and"
                            + " call_timeout");
        }
        Proxies proxies = http.read("proxy", value -> Proxies.read(value, context.variables()))
                .orElseGet(() -> Proxies.ofEnvironment(context.variables()));
        List<X509Certificate> authorities =
                http.read("ca_file", List.of(), value -> readFiles ? authorities(value, context) : List.of());
        Optional<Secret> identity =
                http.read("client_cert", Optional.empty(), value -> identity(value, context, readFiles));
        return new HttpSettings(
                proxies,
                authorities,
                identity.orElse(null),
                http.duration("connect_timeout", CONNECT),
                http.duration("read_timeout", READ),
                http.duration("call_timeout", CALL));
    }

    /** A file of certificates is no secret: everybody may read it. */
    private static List<X509Certificate> authorities(Settings value, SourceContext context) {
        Path file;
        try {
            file = context.folder().resolve(value.text());
        } catch (InvalidPathException e) {
            throw value.wrong("must be a path");
        }
        try {
            TokenDocument pem = TokenDocument.pem(Files.readString(file));
            return Pem.certificates(pem.value(), "file " + file);
        } catch (TokenException e) {
            throw value.wrong(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            throw value.wrong(
                    "file " + file + " cannot be read: " + e.getClass().getSimpleName());
        }
    }

    private static Optional<Secret> identity(Settings value, SourceContext context, boolean readFiles) {
        Optional<TokenSource> source = context.pem(value);
        if (source.isEmpty() || !readFiles) {
            return Optional.empty();
        }
        TokenSource pem = source.get();
        try {
            TokenDocument document = pem.fetch().orElseThrow(pem::absence);
            Secret found = document.value();
            var unused = keys(found, pem.describe());
            return Optional.of(found);
        } catch (SourceException e) {
            value.note(new Problem(value.at(), e.reason(), String.valueOf(e.getMessage()), e.fix()));
            return Optional.empty();
        }
    }

    private static KeyStore keys(Secret pem, String origin) throws SourceException {
        PrivateKey key = Pem.privateKey(pem, origin);
        Certificate[] chain = Pem.certificates(pem, origin).toArray(new Certificate[0]);
        try {
            KeyStore store = emptyStore();
            store.setKeyEntry("agent", key, NO_PASSWORD, chain);
            return store;
        } catch (GeneralSecurityException | IOException e) {
            throw new SourceException(
                    Reason.MALFORMED, origin + " holds a key that does not fit its certificate", null);
        }
    }

    /** A client of the agent's own calls. */
    OkHttpClient client() {
        OkHttpClient.Builder client = new OkHttpClient.Builder()
                .proxySelector(proxies)
                .proxyAuthenticator(proxies::authenticate)
                .connectTimeout(connectTimeout)
                .readTimeout(readTimeout)
                .writeTimeout(readTimeout)
                .callTimeout(callTimeout);
        if (!authorities.isEmpty() || identity != null) {
            try {
                secure(client);
            } catch (GeneralSecurityException | IOException e) {
                throw new IllegalStateException(
                        "this Java cannot do TLS: " + e.getClass().getName());
            }
        }
        return client.build();
    }

    private void secure(OkHttpClient.Builder client) throws GeneralSecurityException, IOException {
        X509TrustManager trusted = trusting(null);
        if (!authorities.isEmpty()) {
            KeyStore all = emptyStore();
            int number = 0;
            for (X509Certificate each : trusted.getAcceptedIssuers()) {
                all.setCertificateEntry("java" + number++, each);
            }
            for (X509Certificate each : authorities) {
                all.setCertificateEntry("private" + number++, each);
            }
            trusted = trusting(all);
        }
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(identity == null ? null : proving(identity), new TrustManager[] {trusted}, null);
        client.sslSocketFactory(tls.getSocketFactory(), trusted);
    }

    private static KeyStore emptyStore() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, NO_PASSWORD);
        return store;
    }

    private static X509TrustManager trusting(@Nullable KeyStore store) throws GeneralSecurityException {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return Arrays.stream(factory.getTrustManagers())
                .filter(X509TrustManager.class::isInstance)
                .map(X509TrustManager.class::cast)
                .findFirst()
                .orElseThrow();
    }

    private static KeyManager[] proving(Secret identity) throws GeneralSecurityException, IOException {
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(keys(identity, "client_cert"), NO_PASSWORD);
        return factory.getKeyManagers();
    }

    /**
     * Which proxy an address is reached through, as curl and Go have it: {@code HTTPS_PROXY}, {@code HTTP_PROXY} and {@code
     * NO_PROXY}, in small letters, too. This machine itself is never reached through one.
     */
    static final class Proxies extends ProxySelector {
        /** Of https; null for none. */
        private final @Nullable HttpUrl secure;

        /** Of http; null for none. */
        private final @Nullable HttpUrl plain;

        /** What is reached without: names with everything below them, addresses, or {@code *}. */
        private final List<String> without;

        private Proxies(@Nullable HttpUrl secure, @Nullable HttpUrl plain, List<String> without) {
            this.secure = secure;
            this.plain = plain;
            this.without = without;
        }

        static Proxies none() {
            return new Proxies(null, null, List.of());
        }

        static Proxies ofEnvironment(Function<String, @Nullable String> variables) {
            // A web server hands a request's header "Proxy" to its CGI programs as HTTP_PROXY (httpoxy).
            String upper = variables.apply("REQUEST_METHOD") == null ? "HTTP_PROXY" : "http_proxy";
            return new Proxies(
                    heeded(first(variables, "https_proxy", "HTTPS_PROXY"), "HTTPS_PROXY"),
                    heeded(first(variables, "http_proxy", upper), "HTTP_PROXY"),
                    hosts(first(variables, "no_proxy", "NO_PROXY")));
        }

        static Proxies read(Settings value, Function<String, @Nullable String> variables) {
            return switch (value.text()) {
                case "env" -> ofEnvironment(variables);
                case "none" -> none();
                default -> {
                    HttpUrl url = proxy(value.text());
                    if (url == null) {
                        throw value.wrong("must be env, none, or a URL such as http://proxy.example.com:3128");
                    }
                    yield new Proxies(url, url, hosts(first(variables, "no_proxy", "NO_PROXY")));
                }
            };
        }

        private static @Nullable String first(
                Function<String, @Nullable String> variables, String lower, String upper) {
            String found = variables.apply(lower);
            return found == null || found.isBlank() ? variables.apply(upper) : found;
        }

        /** Whoever set the variable may rely on it; its value may hold a password. */
        private static @Nullable HttpUrl heeded(@Nullable String text, String variable) {
            HttpUrl url = proxy(text);
            if (url == null && text != null && !text.isBlank()) {
                log.warn(
                        "{} is not heeded, and no proxy is used: it must be a URL such as http://proxy.example.com:3128",
                        variable);
            }
            return url;
        }

        private static @Nullable HttpUrl proxy(@Nullable String text) {
            if (text == null || text.isBlank()) {
                return null;
            }
            HttpUrl url = Endpoint.httpUrl(text.contains("://") ? text : "http://" + text);
            return url == null || url.isHttps() ? null : url;
        }

        private static List<String> hosts(@Nullable String text) {
            List<String> hosts = new ArrayList<>();
            for (String each : text == null ? new String[0] : text.split("[,\\s]+")) {
                if (!each.isBlank()) {
                    hosts.add(each.toLowerCase(Locale.ROOT).replaceFirst("^\\*?\\.", ""));
                }
            }
            return hosts;
        }

        @Override
        public List<Proxy> select(URI uri) {
            HttpUrl proxy = "https".equalsIgnoreCase(uri.getScheme()) ? secure : plain;
            return proxy == null || isReachedWithout(String.valueOf(uri.getHost()), uri.getPort())
                    ? List.of(Proxy.NO_PROXY)
                    : List.of(
                            new Proxy(Proxy.Type.HTTP, InetSocketAddress.createUnresolved(proxy.host(), proxy.port())));
        }

        /** What a proxy that asks for it is told: the user whom its URL names. */
        private @Nullable Request authenticate(@Nullable Route route, Response challenge) {
            Request refused = challenge.request();
            HttpUrl proxy = refused.url().isHttps() ? secure : plain;
            if (proxy == null || proxy.username().isEmpty() || refused.header("Proxy-Authorization") != null) {
                return null;
            }
            return refused.newBuilder()
                    .header("Proxy-Authorization", Credentials.basic(proxy.username(), proxy.password()))
                    .build();
        }

        private boolean isReachedWithout(String written, int port) {
            String host = written.toLowerCase(Locale.ROOT).replaceAll("[\\[\\]]", "");
            if (host.equals("localhost")
                    || host.endsWith(".localhost")
                    || host.equals("::1")
                    || host.startsWith("127.")) {
                return true;
            }
            return without.stream()
                    .anyMatch(each -> each.equals("*")
                            || each.equals(host)
                            || each.equals(host + ":" + port)
                            || host.endsWith("." + each));
        }

        @Override
        public void connectFailed(URI uri, SocketAddress address, IOException failure) {
            // The call fails, and says so.
        }

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Proxies that
                    && Objects.equals(secure, that.secure)
                    && Objects.equals(plain, that.plain)
                    && without.equals(that.without);
        }

        @Override
        public int hashCode() {
            return without.hashCode();
        }
    }
}
