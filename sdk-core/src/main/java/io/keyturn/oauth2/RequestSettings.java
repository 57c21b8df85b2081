package io.keyturn.oauth2;

import io.keyturn.config.Settings;
import io.keyturn.source.SourceContext;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.source.TokenStore;
import io.keyturn.token.Secret;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/** Reads what a token service is asked for. */
record RequestSettings(Settings settings, SourceContext context) {
    private static final List<String> PROOFS = List.of("client_secret", "private_key", "client_assertion");
    private static final List<String> ALGORITHMS = List.of("RS256", "ES256");

    /** Parameters of the protocol that have keys of their own, or are for us to write. */
    private static final Set<String> OURS = Set.of(
            "grant_type",
            "client_id",
            "client_secret",
            "client_assertion",
            "client_assertion_type",
            "refresh_token",
            "subject_token",
            "subject_token_type",
            "assertion",
            "scope",
            "audience",
            "resource",
            "token",
            "token_type_hint");

    /** Everything; what is wrong is noted where it stands. */
    TokenRequest read() {
        if (!settings.has("token_url")) {
            settings.note("'token_url' is missing: where the service issues tokens");
        }
        HttpUrl tokenUrl = url("token_url").orElseGet(() -> HttpUrl.get("https://localhost/"));
        Grant grant = grant();
        return new TokenRequest(
                tokenUrl,
                url("introspect_url").orElse(null),
                url("revoke_url").orElse(null),
                grant,
                client(grant.type(), tokenUrl),
                words("scope"),
                settings.texts("audience"),
                settings.texts("resource"),
                params());
    }

    private Optional<HttpUrl> url(String key) {
        return settings.read(key, RequestSettings::url);
    }

    private static HttpUrl url(Settings value) {
        String text = value.text();
        HttpUrl url;
        try {
            url = HttpUrl.parse(text);
        } catch (IndexOutOfBoundsException e) {
            // OkHttp of an IPv6 address with more parts than there are (seen: 5.5.1).
            url = null;
        }
        // A user or a fragment is shown by the sign that begins it; in a query it is written with an escape.
        if (url == null || text.indexOf('@') >= 0 || text.indexOf('#') >= 0) {
            throw value.wrong("must be a URL, https:// and what follows, without user and fragment");
        }
        return url;
    }

    /** A list, or one text with blanks between (RFC 6749 3.3). */
    private List<String> words(String key) {
        return settings.texts(key).stream()
                .flatMap(text -> Stream.of(text.trim().split(" +")))
                .filter(word -> !word.isEmpty())
                .toList();
    }

    private Map<String, Secret> params() {
        Map<String, Secret> params = new LinkedHashMap<>();
        Settings map = settings.get("params").orElse(null);
        if (map == null) {
            return params;
        }
        if (!map.isMap()) {
            map.note("must be a map of parameters");
        }
        for (String name : map.keys()) {
            if (OURS.contains(name)) {
                map.refuse(Map.of(
                        name, "'" + name + "' cannot be set here: it has a key of its own, or is set by itself"));
            } else {
                // Nobody knows what it means to the service, so it may be a secret.
                map.read(name, Settings::text).ifPresent(text -> params.put(name, Secret.of(text)));
            }
        }
        return params;
    }

    // --- the grant ---

    private Grant grant() {
        Grant.Type type = settings.read("grant", Grant.Type.CLIENT_CREDENTIALS, RequestSettings::type);
        Map<String, String> others = new LinkedHashMap<>();
        for (Grant.Type other : Grant.Type.values()) {
            if (other != type && !other.key().isEmpty()) {
                others.put(other.key(), "'" + other.key() + "' is for grant: " + other.word());
            }
        }
        if (type != Grant.Type.TOKEN_EXCHANGE) {
            others.put("subject_token_type", "'subject_token_type' is for grant: token_exchange");
        }
        settings.refuse(others);
        if (type.key().isEmpty()) {
            return new Grant(type, null, "", false);
        }
        if (!settings.has(type.key())) {
            settings.note("'" + type.key() + "' is missing, which grant: " + type.word() + " needs");
        }
        Credential credential = new Credential(type.key(), source(type.key(), false));
        String tokenType = settings.read("subject_token_type", "urn:ietf:params:oauth:token-type:jwt", value -> {
            if (value.text().indexOf(':') < 0) {
                throw value.wrong("must be a URI such as urn:ietf:params:oauth:token-type:access_token");
            }
            return value.text();
        });
        return new Grant(type, credential, tokenType, type == Grant.Type.REFRESH_TOKEN && saves(credential));
    }

    private static Grant.Type type(Settings value) {
        return Arrays.stream(Grant.Type.values())
                .filter(type -> type.word().equals(value.text()))
                .findFirst()
                .orElseThrow(
                        () -> value.wrong("must be client_credentials, refresh_token, token_exchange or jwt_bearer"));
    }

    /** Whether the refresh token is saved where it comes from. */
    private boolean saves(Credential refreshToken) {
        Settings value = settings.get(refreshToken.key()).orElse(settings);
        boolean save = value.isMap() && value.flag("save", false);
        if (save && !(refreshToken.source() instanceof TokenStore)) {
            value.note("'save' needs a source that can be written, such as a file");
        }
        return save;
    }

    // --- the client ---

    private ClientProof client(Grant.Type grant, HttpUrl tokenUrl) {
        String clientId = settings.read("client_id", Settings::text).orElse(null);
        List<String> present = PROOFS.stream().filter(settings::has).toList();
        if (present.size() > 1) {
            settings.note("has several proofs of the client, " + String.join(" and ", present) + ": one is needed");
        }
        String proof = present.isEmpty() ? "" : present.get(0);
        refuseUnless(proof, "client_secret", "auth");
        refuseUnless(proof, "private_key", "key_id", "algorithm");
        boolean needsId = proof.isEmpty() ? grant == Grant.Type.REFRESH_TOKEN : !proof.equals("client_assertion");
        if (proof.isEmpty() && grant == Grant.Type.CLIENT_CREDENTIALS) {
            settings.note(
                    "has no proof of the client: one of client_secret, private_key and client_assertion is needed");
        } else if (needsId && clientId == null) {
            settings.note("'client_id' is missing");
        }
        return switch (proof) {
            case "client_secret" ->
                new ClientProof.Password(orEmpty(clientId), new Credential(proof, source(proof, false)), isPost());
            case "private_key" -> signingKey(orEmpty(clientId), tokenUrl);
            case "client_assertion" -> new ClientProof.Assertion(clientId, new Credential(proof, source(proof, false)));
            default -> new ClientProof.Nothing(clientId);
        };
    }

    private ClientProof signingKey(String clientId, HttpUrl tokenUrl) {
        if (!canSign()) {
            settings.refuse(
                    Map.of("private_key", "'private_key' needs com.nimbusds:nimbus-jose-jwt on the class path"));
            settings.get("private_key").ifPresent(key -> key.need("module", "com.nimbusds:nimbus-jose-jwt"));
        }
        String algorithm = settings.read("algorithm", value -> {
                    if (!ALGORITHMS.contains(value.text())) {
                        throw value.wrong("must be RS256 or ES256");
                    }
                    return value.text();
                })
                .orElse(null);
        return new ClientProof.SigningKey(
                clientId,
                new Credential("private_key", source("private_key", true)),
                settings.read("key_id", Settings::text).orElse(null),
                algorithm,
                tokenUrl.toString());
    }

    /** Whether the library that signs is there. */
    private static boolean canSign() {
        try {
            Class.forName("com.nimbusds.jwt.SignedJWT", false, RequestSettings.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException | LinkageError e) {
            return false;
        }
    }

    private boolean isPost() {
        return settings.read("auth", false, value -> switch (value.text()) {
            case "basic" -> false;
            case "post" -> true;
            default -> throw value.wrong("must be basic or post");
        });
    }

    /** Keys that only make sense beside another. */
    private void refuseUnless(String present, String needed, String... keys) {
        if (!present.equals(needed)) {
            Map<String, String> why = new LinkedHashMap<>();
            List.of(keys).forEach(key -> why.put(key, "'" + key + "' is for " + needed));
            settings.refuse(why);
        }
    }

    private TokenSource source(String key, boolean pem) {
        return settings.get(key)
                .flatMap(value -> pem ? context.pem(value) : context.source(value))
                // Something is wrong then, and this is never asked.
                .orElseGet(TokenSources::pushed);
    }

    private static String orEmpty(@Nullable String text) {
        return text == null ? "" : text;
    }
}
