package io.keyturn.oauth2;

import io.keyturn.source.SourceException;
import java.time.Instant;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a token is issued for.
 *
 * @param credential what stands for it; null where the client itself is enough
 * @param tokenType of what kind the token is that is exchanged (RFC 8693 3)
 * @param saves whether a refresh token that replaces this one is saved in its place
 */
record Grant(Type type, @Nullable Credential credential, String tokenType, boolean saves) {
    /** Which there are, and by which name the service knows each. */
    enum Type {
        /** The client acts for itself (RFC 6749 4.4). */
        CLIENT_CREDENTIALS("client_credentials", ""),
        /** A user has let it act for them (RFC 6749 6). */
        REFRESH_TOKEN("refresh_token", "refresh_token"),
        /** It has a token of somebody else (RFC 8693). */
        TOKEN_EXCHANGE("urn:ietf:params:oauth:grant-type:token-exchange", "subject_token"),
        /** It has an assertion about somebody (RFC 7523 2.1). */
        JWT_BEARER("urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion");

        private final String parameter;
        private final String key;

        Type(String parameter, String key) {
            this.parameter = parameter;
            this.key = key;
        }

        /** As it is written in a configuration. */
        String word() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The key of what stands for it, in the configuration as in the request; empty where there is none. */
        String key() {
            return key;
        }
    }

    /** Adds it, without a refresh token: which one is sent is not for the configuration to say. */
    void addTo(FormRequest form, Instant now) throws SourceException {
        form.add("grant_type", type.parameter);
        if (credential != null && type != Type.REFRESH_TOKEN) {
            form.add(type.key, credential.living(now));
        }
        if (type == Type.TOKEN_EXCHANGE) {
            form.add("subject_token_type", tokenType);
        }
    }
}
