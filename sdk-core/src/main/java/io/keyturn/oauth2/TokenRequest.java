package io.keyturn.oauth2;

import io.keyturn.source.SourceException;
import io.keyturn.source.TokenStore;
import io.keyturn.token.Secret;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * What a token service is asked for, and by whom: all that the configuration says.
 *
 * @param tokenUrl where tokens are issued (RFC 6749 3.2)
 * @param introspectUrl where it is told whether one is active (RFC 7662), or null
 * @param revokeUrl where one is given back (RFC 7009), or null
 * @param scope what the token is to be for; none: what the service thinks right
 * @param audience for whom it is to be, by name
 * @param resource for whom it is to be, by URI (RFC 8707)
 * @param params what this service wants to be told besides
 */
record TokenRequest(
        HttpUrl tokenUrl,
        @Nullable HttpUrl introspectUrl,
        @Nullable HttpUrl revokeUrl,
        Grant grant,
        ClientProof client,
        List<String> scope,
        List<String> audience,
        List<String> resource,
        Map<String, Secret> params) {
    private static final Set<String> LOOPBACK = Set.of("localhost", "127.0.0.1", "::1");

    /** The form, without the proof of the client and without a refresh token. */
    FormRequest form(Instant now) throws SourceException {
        FormRequest form = new FormRequest();
        grant.addTo(form, now);
        if (!scope.isEmpty()) {
            form.add("scope", String.join(" ", scope));
        }
        audience.forEach(each -> form.add("audience", each));
        resource.forEach(each -> form.add("resource", each));
        params.forEach(form::add);
        return form;
    }

    /** Where a rotated refresh token is kept, if that is anywhere but in memory. */
    Optional<TokenStore> store() {
        return grant.saves() && grant.credential() != null && grant.credential().source() instanceof TokenStore store
                ? Optional.of(store)
                : Optional.empty();
    }

    /** What can be replaced while the agent runs. */
    List<Credential> credentials() {
        List<Credential> all = new ArrayList<>(client.credentials());
        if (grant.credential() != null) {
            all.add(grant.credential());
        }
        return all;
    }

    /** What is not allowed about it, where nobody has allowed it with these words. */
    Optional<String> forbidden(Set<String> allow) {
        boolean plain = Stream.of(
                        Optional.of(tokenUrl), Optional.ofNullable(introspectUrl), Optional.ofNullable(revokeUrl))
                .flatMap(Optional::stream)
                .anyMatch(url -> !url.isHttps() && !LOOPBACK.contains(url.host()));
        if (plain && !allow.contains("insecure_http")) {
            return Optional.of("its URLs must be https://, since credentials in plain http can be read on their way"
                    + " (or allow: [insecure_http])");
        }
        if (grant.type() == Grant.Type.REFRESH_TOKEN && store().isEmpty() && !allow.contains("ephemeral")) {
            return Optional.of(
                    "a service may replace the refresh token, and the next one would be lost with this process:"
                            + " write refresh_token: {file: …, save: true} (or allow: [ephemeral])");
        }
        return Optional.empty();
    }

    /** A URL for messages: a query may hold anything. */
    static String shown(HttpUrl url) {
        return url.newBuilder().query(null).build().toString();
    }

    /** Who is asked for what by whom, for people. */
    @Override
    public String toString() {
        String id = client.clientId();
        return "oauth2 " + grant.type().word() + " at " + shown(tokenUrl) + (id == null ? "" : " (client " + id + ")");
    }
}
