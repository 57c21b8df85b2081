package io.keyturn.oauth2;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a token service answered (RFC 6749 5). Of what it says in words nothing is repeated, since that may repeat what it
 * was asked; of its error codes only those that are known.
 *
 * @param request what it was asked for
 * @param service who answered, for messages
 * @param asked when it was asked: what {@code expires_in} counts from, so that no token ends too late
 */
record TokenAnswer(TokenRequest request, ServiceAnswer answer, String service, Instant asked) {
    /** As of a token document: a hundred years. */
    private static final long MOST_SECONDS = 100L * 365 * 24 * 3600;

    /** The types of tokens that are proofs only together with something else, which we do not have. */
    private static final Set<String> BOUND = Set.of("dpop", "mac", "pop");

    /**
     * Whether it is what was asked for.
     *
     * @throws SourceException if it is a refusal, or no answer of such a service
     */
    TokenAnswer accepted() throws SourceException {
        // Some services (GitHub) refuse with 200.
        boolean refused = !isSuccess() || (answer.has("error") && !answer.has("access_token"));
        if (refused) {
            throw refusal();
        }
        return this;
    }

    private boolean isSuccess() {
        return answer.status() / 100 == 2;
    }

    // --- a token ---

    /** The refresh token that takes the place of the one that was sent, if there is one (RFC 6749 6). */
    Optional<TokenDocument> refreshToken() throws SourceException {
        Optional<String> value = answer.text("refresh_token").filter(text -> !text.isEmpty());
        return value.isEmpty() ? Optional.empty() : Optional.of(document("refresh_token", value.get()));
    }

    /** The access token, with all that the answer says of it. */
    TokenDocument accessToken() throws SourceException {
        String value = answer.text("access_token").orElseThrow(() -> malformed("without an access_token"));
        requireBearer();
        TokenDocument document = document("access_token", value);
        long seconds = lifetime();
        if (seconds > 0) {
            document = document.withIssuedAt(asked).withExpiresAt(asked.plusSeconds(seconds));
        }
        if (answer.has("scope")) {
            return document.withScopes(scopes());
        }
        // It need not repeat what it was asked for (RFC 6749 5.1).
        return request.scope().isEmpty() ? document : document.withScopes(new LinkedHashSet<>(request.scope()));
    }

    private TokenDocument document(String field, String value) throws SourceException {
        try {
            return TokenDocument.of(value);
        } catch (IllegalArgumentException e) {
            throw malformed("with a " + field + " that cannot be used: " + e.getMessage());
        }
    }

    /** A token of another type would be refused by the API, or be worth less than its sender thinks. */
    private void requireBearer() throws SourceException {
        String type = answer.text("token_type").orElse("Bearer");
        boolean exchanged = request.grant().type() == Grant.Type.TOKEN_EXCHANGE && type.equalsIgnoreCase("N_A");
        if (!type.equalsIgnoreCase("Bearer") && !exchanged) {
            Optional<String> bound =
                    BOUND.stream().filter(type::equalsIgnoreCase).findFirst();
            throw malformed(
                    "with a token of " + bound.map(name -> "the type " + name).orElse("an unknown type")
                            + ", and only Bearer is supported");
        }
    }

    /** In seconds; 0 if it does not say. Some services (Azure AD v1) write it as text. */
    private long lifetime() throws SourceException {
        if (!answer.has("expires_in")) {
            return 0;
        }
        Optional<Long> text = answer.text("expires_in")
                .filter(digits -> digits.matches("[0-9]{1,18}"))
                .map(Long::valueOf);
        long seconds = answer.number("expires_in").or(() -> text).orElse(0L);
        if (seconds <= 0 || seconds > MOST_SECONDS) {
            throw malformed("with an expires_in that is no whole number of seconds from 1 to " + MOST_SECONDS);
        }
        return seconds;
    }

    private Set<String> scopes() throws SourceException {
        Set<String> scopes = new LinkedHashSet<>(answer.texts("scope"));
        answer.text("scope")
                .ifPresent(text -> Stream.of(text.trim().split(" +")).forEach(scopes::add));
        scopes.remove("");
        return scopes;
    }

    private SourceException malformed(String how) {
        return new SourceException(Reason.MALFORMED, service + " answered " + answer.status() + " " + how, null);
    }

    // --- introspection ---

    /** Whether a token is active (RFC 7662 2.2). */
    boolean isActive() throws SourceException {
        if (!isSuccess()) {
            throw refusal();
        }
        if (answer.isTrue("active")) {
            return true;
        }
        if (!answer.has("active") || answer.text("active").isPresent()) {
            throw malformed("without saying whether the token is active");
        }
        return false;
    }

    // --- a refusal ---

    private SourceException refusal() {
        int status = answer.status();
        if (status / 100 == 3) {
            return refusal(
                    Reason.INVALID, "redirects instead of answering", null, "write the address that it redirects to");
        }
        if (status == 429 || status == 503) {
            return new SourceException(
                    Reason.STORE_UNREACHABLE,
                    service + (status == 429 ? " is asked too often (429)" : " is not available (503)"),
                    status == 429
                            ? "ask less often: fewer agents for this client, or longer lifetimes there"
                            : "look at the token service's own health",
                    answer.retryAfter().orElse(null));
        }
        if (status >= 500) {
            return failing(null);
        }
        if (status == 404 || status == 405 || status == 410) {
            return refusal(Reason.INVALID, "is no token service", null, "correct the address, its path included");
        }
        return refusal(code());
    }

    /** The codes of RFC 6749 5.2, RFC 8707 2, RFC 9449 5 and OpenID Connect Core 3.1.2.6 that are told apart. */
    private SourceException refusal(String code) {
        return switch (code) {
            case "invalid_client" -> clientRefused(code);
            case "unauthorized_client" -> answer.status() == 401 ? clientRefused(code) : grantDenied(code);
            case "invalid_grant" -> grantRefused(code);
            case "interaction_required", "login_required", "consent_required" -> personWanted(code);
            case "invalid_scope" ->
                denied(" of the scope " + listed(request.scope()), code, "correct scope, or allow it there");
            case "invalid_target" ->
                denied(" for " + listed(targets()), code, "correct audience or resource, or allow it there");
            case "access_denied" -> denied("", code, "allow it there");
            case "unsupported_grant_type" ->
                refusal(Reason.INVALID, "does not know " + grant(), code, "take another grant, or switch it on there");
            case "invalid_request" ->
                refusal(
                        Reason.INVALID,
                        "does not understand the request",
                        code,
                        "compare grant, auth, subject_token_type and params with what the service documents");
            case "use_dpop_nonce", "invalid_dpop_proof" ->
                refusal(Reason.INVALID, "wants DPoP, which is not supported", code, "allow Bearer tokens there");
            case "server_error", "temporarily_unavailable", "slow_down" -> failing(code);
            default -> unknown();
        };
    }

    private String grant() {
        return request.grant().type().word();
    }

    private String client() {
        String id = request.client().clientId();
        return id == null ? "this client" : "client " + id;
    }

    private List<String> targets() {
        return Stream.concat(request.audience().stream(), request.resource().stream())
                .toList();
    }

    /** The client is known, and is to have no such token. */
    private SourceException denied(String which, String code, String fix) {
        return refusal(Reason.NOT_PERMITTED, "gives " + client() + " no token" + which, code, fix);
    }

    private SourceException grantDenied(String code) {
        return refusal(
                Reason.LOGIN_REFUSED,
                "does not let " + client() + " use " + grant(),
                code,
                "allow it there, or take another grant");
    }

    private SourceException personWanted(String code) {
        return refusal(
                request.grant().type() == Grant.Type.REFRESH_TOKEN ? Reason.REVOKED : Reason.LOGIN_REFUSED,
                "wants a person to log in",
                code,
                "log in again, or take a grant that needs nobody");
    }

    private SourceException failing(@Nullable String code) {
        return refusal(Reason.STORE_UNREACHABLE, "fails", code, "look at the token service's own health");
    }

    private SourceException clientRefused(@Nullable String code) {
        List<Credential> proofs = request.client().credentials();
        String of = "of " + client();
        String fix = proofs.isEmpty()
                ? "it may want a proof " + of + ": client_secret, private_key or client_assertion"
                : "is " + proofs.get(0) + " the one " + of + " there, and auth what the service wants?";
        if (request.client() instanceof ClientProof.Assertion || request.client() instanceof ClientProof.SigningKey) {
            fix = "does the service know whose " + proofs.get(0) + " is, and is the clock of this machine right?";
        }
        return refusal(Reason.LOGIN_REFUSED, "refuses the client", code, fix);
    }

    private SourceException grantRefused(String code) {
        Credential credential = request.grant().credential();
        if (credential == null) {
            return clientRefused(code);
        }
        return request.grant().type() == Grant.Type.REFRESH_TOKEN
                ? refusal(
                        Reason.REVOKED,
                        "no longer takes the refresh token",
                        code,
                        "log in again, and put the new one in "
                                + credential.source().describe())
                : refusal(
                        Reason.LOGIN_REFUSED,
                        "refuses the " + credential.key(),
                        code,
                        "does the service trust who issued " + credential + ", and for this audience?");
    }

    private SourceException unknown() {
        return switch (answer.status()) {
            case 401 -> clientRefused(null);
            case 403 ->
                refusal(
                        Reason.NOT_PERMITTED,
                        "forbids the request",
                        null,
                        "allow it there; a proxy between may have answered, too");
            default ->
                refusal(
                        Reason.INVALID,
                        "refuses the request, and does not say why in a way that is known",
                        null,
                        "is the address that of a token service? its log tells more");
        };
    }

    private SourceException refusal(Reason reason, String what, @Nullable String code, String fix) {
        String how = " (" + answer.status() + (code == null ? "" : " " + code) + ")";
        return new SourceException(reason, service + " " + what + how, fix);
    }

    private static String listed(List<String> words) {
        return words.isEmpty() ? "that it would take by itself" : String.join(" ", words);
    }

    /** The error code; it may be anything, and is repeated only where it is one that is known. */
    private String code() {
        try {
            return answer.text("error").orElse("");
        } catch (SourceException e) {
            // A page for people: then the status is all that there is.
            return "";
        }
    }

    @Override
    public String toString() {
        return answer.toString();
    }
}
