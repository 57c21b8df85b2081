package io.keyturn.check;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenException;

/** What mends a failure, where it does not say so itself. */
final class Fix {
    private Fix() {}

    static String of(TokenException failure) {
        String own = failure.fix();
        return own == null ? of(failure.reason()) : own;
    }

    private static String of(Reason reason) {
        return switch (reason) {
            case INVALID -> "correct the configuration";
            case UNSET -> "set it in the environment that this program is started with";
            case ABSENT -> "put the token there, or correct where it is looked for";
            case UNSAFE_FILE -> "make it a regular file that only its owner can read and write";
            case MALFORMED -> "store the token alone there, or a JSON document with the token in it";
            case UNREACHABLE -> "look at the source itself: it did not tell whether it has the token";
            case STORE_UNREACHABLE -> "look at the store: is it there, and is it reached from here?";
            case SEALED -> "unseal the store";
            case LOGIN_REFUSED -> "correct the credentials that this program proves itself with";
            case REVOKED -> "store another token there";
            case HELD_BY_AGENT -> "ask the running agent: keyturn status";
            case EXPIRED -> "issue a new token and store it there";
            case UNKNOWN_EXPIRY -> "set expires_at and issued_at";
            case LIFETIME -> "issue a token that ends earlier";
            case SCOPE -> "issue a token with the scopes that are wanted and no others";
            case LEAKED -> "revoke it, issue a new token and store it there";
            case UNAUTHENTICATED -> "store a token there that the API accepts";
            case NOT_PERMITTED -> "give the token's owner the right, or store another token";
            case KEY -> "say for which key: TokenUse.key(…), of letters, digits, '_', '.' and '-'";
            case DESTINATION -> "send the token only to its endpoints";
            case ADDRESS -> "is the address the API's? then add it to allow_ips; without a proxy between";
            case HOURS -> "try again at one of its hours";
            case POLICY -> "let the policy allow it, or do not make the request";
            case POLICY_UNREACHABLE -> "start what decides, or correct agent.policy";
            case REMOVED -> "configure it again, or use another token";
            case CLOSED -> "start another agent: this one was closed";
        };
    }
}
