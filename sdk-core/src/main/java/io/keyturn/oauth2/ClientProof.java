package io.keyturn.oauth2;

import io.keyturn.source.Pem;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.token.Secret;
import java.security.PrivateKey;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How a client proves to a token service who it is (RFC 6749 2.3). */
sealed interface ClientProof {
    /** Adds the proof to a request. What it needs is read afresh. */
    void addTo(FormRequest form, Instant now) throws SourceException;

    /** The client's name at the service, where the client is told it. */
    @Nullable
    String clientId();

    /** What can be replaced. */
    List<Credential> credentials();

    /** The same for another reader at the same time. */
    ClientProof in(SourceContext context);

    /** A public client: it says who it is, if that, and proves nothing. */
    record Nothing(@Nullable String clientId) implements ClientProof {
        @Override
        public void addTo(FormRequest form, Instant now) {
            addId(form, clientId);
        }

        @Override
        public List<Credential> credentials() {
            return List.of();
        }

        @Override
        public ClientProof in(SourceContext context) {
            return this;
        }
    }

    /**
     * A secret that both know.
     *
     * @param post whether it stands in the form instead of the header, for services that know no better
     */
    record Password(String clientId, Credential secret, boolean post) implements ClientProof {
        @Override
        public void addTo(FormRequest form, Instant now) throws SourceException {
            if (post) {
                form.add("client_id", clientId).add("client_secret", secret.secret());
            } else {
                form.authorize(clientId, secret.secret());
            }
        }

        @Override
        public List<Credential> credentials() {
            return List.of(secret);
        }

        @Override
        public ClientProof in(SourceContext context) {
            return new Password(clientId, secret.in(context), post);
        }
    }

    /**
     * A private key, with which the client signs an assertion about itself (RFC 7523 3).
     *
     * @param keyId which of the client's keys it is, if it has several
     * @param algorithm {@code RS256} or {@code ES256}; null: what the key is for
     * @param audience whom the assertion is for
     */
    record SigningKey(
            String clientId,
            Credential key,
            @Nullable String keyId,
            @Nullable String algorithm,
            String audience) implements ClientProof {
        @Override
        public void addTo(FormRequest form, Instant now) throws SourceException {
            String origin = key.key() + ": " + key.source().describe();
            PrivateKey read = Pem.privateKey(key.secret(), origin);
            Secret signed = SignedAssertion.by(read, key.toString(), algorithm, clientId, audience, keyId, now);
            form.add("client_id", clientId);
            addAssertion(form).add("client_assertion", signed);
        }

        @Override
        public List<Credential> credentials() {
            return List.of(key);
        }

        @Override
        public ClientProof in(SourceContext context) {
            return new SigningKey(clientId, key.in(context), keyId, algorithm, audience);
        }
    }

    /** An assertion that the client's platform has made (RFC 7523 2.2): the client itself holds no secret. */
    record Assertion(@Nullable String clientId, Credential assertion) implements ClientProof {
        @Override
        public void addTo(FormRequest form, Instant now) throws SourceException {
            addId(form, clientId);
            addAssertion(form).add("client_assertion", assertion.living(now));
        }

        @Override
        public List<Credential> credentials() {
            return List.of(assertion);
        }

        @Override
        public ClientProof in(SourceContext context) {
            return new Assertion(clientId, assertion.in(context));
        }
    }

    private static void addId(FormRequest form, @Nullable String clientId) {
        if (clientId != null) {
            form.add("client_id", clientId);
        }
    }

    private static FormRequest addAssertion(FormRequest form) {
        return form.add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    }
}
