package io.keyturn.vault;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** How the agent proves to Vault who it is. Equal where that is the same: then one login serves. */
sealed interface Auth {
    /** A secret_id that was wrapped, and what it was wrapped in: that opens once. */
    record Unwrapped(Secret wrapping, Secret secretId) {}

    /**
     * Logs in. By one caller at a time.
     *
     * @param number the login's
     * @param kept what an earlier login has unwrapped
     */
    Session logIn(Vault vault, long number, AtomicReference<@Nullable Unwrapped> kept) throws SourceException;

    /** Whether the login is the agent's own, so that it can make another one. */
    default boolean isOwn() {
        return true;
    }

    /** Whether {@link #isChanged} is told by this machine alone, so that it may be asked at each look. */
    default boolean isLocal() {
        return true;
    }

    /** Whether there is another credential now, in the place of the one that a login was made with. */
    default boolean isChanged(Session session, Vault vault) {
        return false;
    }

    /** What it proves itself with. */
    List<TokenSource> credentials();

    /** A token that was given to the agent. It is renewed if it can be, and never revoked. */
    record GivenToken(TokenSource token) implements Auth {
        @Override
        public Session logIn(Vault vault, long number, AtomicReference<@Nullable Unwrapped> kept)
                throws SourceException {
            Secret value = vault.credential(token, "token");
            Instant asked = vault.now();
            ServiceAnswer self = vault.get("auth/token/lookup-self", value);
            if (self.status() != Vault.OK) {
                // A bad token; or a good one without the policy "default", that may not look at itself.
                return Session.given(number, value, false, null, asked);
            }
            Duration left = Lease.seconds(self, "data", "ttl");
            if (left.isZero()) {
                return Session.given(number, value, true, null, asked);
            }
            // Whoever only looks does not make it live longer.
            if (!self.isTrue("data", "renewable") || vault.context().onlyLooks()) {
                return Session.given(number, value, true, asked.plus(left), asked);
            }
            Duration first = Lease.seconds(self, "data", "creation_ttl");
            Duration whole = first.compareTo(left) > 0 ? first : left;
            return Session.granted(number, value, true, false, whole, asked).renewed(left, asked);
        }

        @Override
        public boolean isOwn() {
            return false;
        }

        @Override
        public boolean isLocal() {
            return token.isLocal();
        }

        /** As long as there is none, or it cannot be read, the one before it serves. */
        @Override
        public boolean isChanged(Session session, Vault vault) {
            try {
                return token.fetch()
                        .map(document -> !document.value().equals(session.token()))
                        .orElse(false);
            } catch (SourceException e) {
                return false;
            }
        }

        @Override
        public List<TokenSource> credentials() {
            return List.of(token);
        }
    }

    /**
     * A role and a secret_id of it.
     *
     * @param wrapped whether {@code secretId} is a wrapping token, which is opened once
     */
    record AppRole(TokenSource roleId, TokenSource secretId, String mount, boolean wrapped) implements Auth {
        @Override
        public Session logIn(Vault vault, long number, AtomicReference<@Nullable Unwrapped> kept)
                throws SourceException {
            if (wrapped && vault.context().onlyLooks()) {
                throw new SourceException(
                        Reason.HELD_BY_AGENT,
                        vault.name() + " is not asked: its wrapped secret_id opens once, for the running agent",
                        "ask the running agent: keyturn status");
            }
            String role = vault.credential(roleId, "role_id").reveal();
            Secret secret = wrapped ? unwrapped(vault, kept) : vault.credential(secretId, "secret_id");
            Instant asked = vault.now();
            ServiceAnswer answer = vault.postOnce(
                    "auth/" + mount + "/login", null, Map.of("role_id", role, "secret_id", secret.reveal()));
            if (answer.status() == Vault.OK) {
                return granted(vault, answer, number, asked);
            }
            Vault.requireItsOwn(answer);
            throw wrapped
                    ? vault.loginRefused(
                            "the AppRole login at auth/" + mount + " is refused (" + answer.status()
                                    + "), and its secret_id was unwrapped before",
                            "wrap another secret_id and put its wrapping token where secret_id is read: vault write -f"
                                    + " -wrap-ttl=5m auth/" + mount + "/role/ROLE/secret-id")
                    : vault.loginRefused(
                            "the AppRole login at auth/" + mount + " is refused (" + answer.status() + ")",
                            "are role_id and secret_id of the same role, is the secret_id neither used up nor over, and"
                                    + " is approle enabled at auth/" + mount + "? Another one: vault write -f auth/"
                                    + mount + "/role/ROLE/secret-id");
        }

        /** The secret_id that was unwrapped already, unless there is another wrapping token by now. */
        private Secret unwrapped(Vault vault, AtomicReference<@Nullable Unwrapped> kept) throws SourceException {
            Unwrapped before = kept.get();
            if (before != null && isStill(before.wrapping)) {
                return before.secretId;
            }
            Secret wrapping = vault.credential(secretId, "wrapping token");
            requireOfThisRole(vault, wrapping);
            ServiceAnswer answer = vault.postOnce("sys/wrapping/unwrap", wrapping, Map.of());
            String secret = answer.status() == Vault.OK
                    ? answer.text("data", "secret_id").orElseThrow(() -> opened(vault))
                    : null;
            if (secret == null) {
                throw opened(vault);
            }
            Unwrapped now = new Unwrapped(wrapping, Secret.of(secret));
            // At once: it cannot be had a second time.
            kept.set(now);
            return now.secretId;
        }

        /** A wrapping token that cannot be read was not replaced. */
        private boolean isStill(Secret wrapping) {
            try {
                return secretId.fetch()
                        .map(document -> document.value().equals(wrapping))
                        .orElse(true);
            } catch (SourceException e) {
                return true;
            }
        }

        /**
         * Looks where the wrapping token was made. Somebody on its way may have opened it, and have put another one of
         * their own in its place.
         */
        private void requireOfThisRole(Vault vault, Secret wrapping) throws SourceException {
            ServiceAnswer answer = vault.post("sys/wrapping/lookup", null, Map.of("token", wrapping.reveal()));
            if (answer.status() != Vault.OK) {
                Vault.requireItsOwn(answer);
                throw opened(vault);
            }
            String path = answer.text("data", "creation_path").orElse("");
            String begin = "auth/" + mount + "/role/";
            if (!path.startsWith(begin) || !path.endsWith("secret-id")) {
                throw vault.loginRefused(
                        "the wrapping token of the secret_id was not made below " + begin
                                + ": somebody may have put it in the place of the right one",
                        "find out who writes it; it was not opened");
            }
        }

        private SourceException opened(Vault vault) {
            return vault.loginRefused(
                    "the wrapping token of the secret_id is not valid: it is over, or somebody has opened it before",
                    "if it was not this agent, before a restart, somebody else may use the secret_id: destroy it, find"
                            + " out who has opened it, and wrap another one: vault write -f -wrap-ttl=5m auth/" + mount
                            + "/role/ROLE/secret-id");
        }

        @Override
        public List<TokenSource> credentials() {
            return List.of(roleId, secretId);
        }
    }

    /**
     * A JSON Web Token that a platform gives to the agent; it is read anew at each login.
     *
     * @param platform whose it is, for messages
     */
    record Jwt(String platform, String role, TokenSource jwt, String mount) implements Auth {
        @Override
        public Session logIn(Vault vault, long number, AtomicReference<@Nullable Unwrapped> kept)
                throws SourceException {
            Secret value = vault.credential(jwt, "jwt");
            Instant asked = vault.now();
            ServiceAnswer answer =
                    vault.post("auth/" + mount + "/login", null, Map.of("role", role, "jwt", value.reveal()));
            if (answer.status() == Vault.OK) {
                return granted(vault, answer, number, asked);
            }
            Vault.requireItsOwn(answer);
            throw vault.loginRefused(
                    "the " + platform + " login at auth/" + mount + " as role '" + role + "' is refused ("
                            + answer.status() + ")",
                    "does the role take this token, its subject and its audience: vault read auth/" + mount + "/role/"
                            + role + "; and is " + platform.toLowerCase(Locale.ROOT) + " enabled at auth/"
                            + mount + "?");
        }

        @Override
        public List<TokenSource> credentials() {
            return List.of(jwt);
        }
    }

    private static Session granted(Vault vault, ServiceAnswer answer, long number, Instant asked)
            throws SourceException {
        String token = answer.text("auth", "client_token")
                .filter(text -> !text.isEmpty() && text.chars().allMatch(c -> c > ' ' && c <= '~'))
                .orElseThrow(() -> new SourceException(
                        Reason.MALFORMED,
                        vault.name() + " answered a login without a token",
                        "is the address right, and does the login need a second factor?"));
        boolean batch = answer.text("auth", "token_type").orElse("").equals("batch");
        return Session.granted(
                number,
                Secret.of(token),
                answer.isTrue("auth", "renewable"),
                !batch,
                Lease.seconds(answer, "auth", "lease_duration"),
                asked);
    }
}
