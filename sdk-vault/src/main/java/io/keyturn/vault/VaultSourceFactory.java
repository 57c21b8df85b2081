package io.keyturn.vault;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import io.keyturn.policy.Endpoint;
import io.keyturn.source.SourceContext;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSourceFactory;
import io.keyturn.source.TokenSources;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * The source {@code vault}: a field of a secret in HashiCorp Vault, or in OpenBao. See {@code docs/sources/vault.md} for
 * every key.
 */
public final class VaultSourceFactory implements TokenSourceFactory {
    static final String ADDRESS = "VAULT_ADDR";
    private static final String TOKEN = "VAULT_TOKEN";
    private static final String POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

    /** In the place of an address that is wrong, which was noted. */
    private static final HttpUrl NOWHERE = HttpUrl.get("https://localhost/");

    private static final List<String> WAYS = List.of("token", "approle", "kubernetes", "jwt");

    /** Made by {@link java.util.ServiceLoader}. */
    public VaultSourceFactory() {}

    @Override
    public String key() {
        return "vault";
    }

    @Override
    public TokenSource create(Settings settings, SourceContext context) {
        if (!settings.isMap()) {
            throw settings.wrong("must be a map, such as {path: secret/agent, key: api_token}");
        }
        Optional<HttpUrl> address = address(settings, context);
        String path = path(settings);
        String key = settings.text("key", "token");
        @Nullable
        String namespace =
                settings.read("namespace", VaultSourceFactory::namespace).orElse(null);
        int version = settings.read("version", 0, VaultSourceFactory::version);
        Auth auth = settings.read("auth", value -> auth(value, context)).orElseGet(() -> {
            if (!settings.has("auth")) {
                settings.need("env", TOKEN);
            }
            return new Auth.GivenToken(TokenSources.env(TOKEN).in(context));
        });
        return address.isPresent()
                ? new VaultSource(new Vault(address.get(), namespace, context), path, key, version, auth)
                : new Unaddressed(path, key, version, auth);
    }

    /** Empty where it is the variable's, and that is not set. */
    private static Optional<HttpUrl> address(Settings settings, SourceContext context) {
        boolean insecure = context.allow().contains("insecure_http");
        if (settings.has("address")) {
            return Optional.of(settings.read(
                    "address",
                    NOWHERE,
                    value -> Endpoint.parse(value.text(), insecure).url()));
        }
        settings.need("env", ADDRESS);
        String text = context.variables().apply(ADDRESS);
        if (text == null || text.isBlank()) {
            return Optional.empty();
        }
        try {
            return Optional.of(Endpoint.parse(text, insecure).url());
        } catch (ConfigException e) {
            e.problems().forEach(problem -> settings.note("environment variable " + ADDRESS + " " + problem.message()));
            return Optional.of(NOWHERE);
        }
    }

    private static String path(Settings settings) {
        if (!settings.has("path")) {
            settings.note("'path' is missing: the secret's, mount first, such as secret/agent");
        }
        return settings.read("path", "", value -> {
            String path = pathOf(value);
            if (path.indexOf('/') < 0) {
                throw value.wrong("must be the mount and what is below it, such as secret/agent");
            }
            return path;
        });
    }

    private static String pathOf(Settings value) {
        String path = value.text().replaceAll("^/|/$", "");
        boolean wrong = path.isBlank()
                || path.startsWith("/")
                || path.endsWith("/")
                || path.contains("//")
                || Endpoint.hasDotSegment(path)
                || path.chars().anyMatch(c -> c < ' ' || c == 127);
        if (wrong) {
            throw value.wrong("must be a path such as secret/agent, without empty parts, '.' and '..'");
        }
        return path;
    }

    private static String namespace(Settings value) {
        String namespace = pathOf(value);
        if (namespace.chars().anyMatch(c -> c <= ' ' || c > '~')) {
            throw value.wrong("must be ASCII and without blanks, since a header carries it");
        }
        return namespace;
    }

    private static int version(Settings value) {
        String text = value.text();
        if (!text.matches("[1-9][0-9]{0,8}")) {
            throw value.wrong("must be a version's number, from 1");
        }
        return Integer.parseInt(text);
    }

    private static Auth auth(Settings auth, SourceContext context) {
        List<String> present = WAYS.stream().filter(auth::has).toList();
        if (!auth.isMap() || present.size() != 1) {
            throw auth.wrong("must be a map with exactly one of token, approle, kubernetes and jwt");
        }
        String way = present.get(0);
        return auth.read(way, settings -> {
                    if (way.equals("token")) {
                        return new Auth.GivenToken(context.source(settings).orElse(NOTHING));
                    }
                    if (!settings.isMap()) {
                        throw settings.wrong("must be a map");
                    }
                    return way.equals("approle") ? appRole(settings, context) : jwt(way, settings, context);
                })
                .orElseGet(() -> new Auth.GivenToken(NOTHING));
    }

    /** In the place of a credential that is wrong, which was noted. */
    private static final TokenSource NOTHING = TokenSources.of("nothing", () -> null);

    private static Auth appRole(Settings settings, SourceContext context) {
        Function<String, TokenSource> credential = key -> {
            if (!settings.has(key)) {
                settings.note("'" + key + "' is missing");
            }
            return settings.read(key, NOTHING, value -> context.source(value).orElse(NOTHING));
        };
        return new Auth.AppRole(
                credential.apply("role_id"),
                credential.apply("secret_id"),
                settings.read("mount", "approle", VaultSourceFactory::pathOf),
                settings.flag("wrapped", false));
    }

    private static Auth jwt(String way, Settings settings, SourceContext context) {
        boolean pod = way.equals("kubernetes");
        TokenSource fallback = NOTHING;
        if (!settings.has("jwt") && pod) {
            settings.need("file", POD_TOKEN);
            fallback = TokenSources.file(POD_TOKEN).in(context);
        } else if (!settings.has("jwt")) {
            settings.note("'jwt' is missing: where the token is, such as {file: /var/run/secrets/tokens/vault}");
        }
        TokenSource absent = fallback;
        return new Auth.Jwt(
                pod ? "Kubernetes" : "JWT",
                settings.text("role"),
                settings.read("jwt", absent, value -> context.source(value).orElse(absent)),
                settings.read("mount", way, VaultSourceFactory::pathOf));
    }
}
