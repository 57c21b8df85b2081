package io.keyturn.token;

import java.util.Locale;

/**
 * Why a token cannot be had or used: one vocabulary for exceptions, events, the connectivity check and its exit codes.
 * {@link #word()} is what is printed and written to JSON; the words are stable.
 */
public enum Reason {
    /** The configuration is wrong. */
    INVALID,
    /** A variable is not set, or is empty where a token is wanted. */
    UNSET,
    /** A file or a secret is not there (yet). */
    ABSENT,
    /** A file that others may change or read, or that is no regular file. */
    UNSAFE_FILE,
    /** What was found is not a token. */
    MALFORMED,
    /** The source did not answer, or not in time. */
    UNREACHABLE,
    /** What keeps the token, or issues it, did not answer, or not in time; or it is too busy to. */
    STORE_UNREACHABLE,
    /** The store is sealed: it runs, and gives nothing out until somebody opens it. */
    SEALED,
    /** The store, or the token service, does not take what this program proves itself with. */
    LOGIN_REFUSED,
    /** The token was revoked or deleted where it was kept. */
    REVOKED,
    /** To have it would use up what only the running agent may use, such as a refresh token. */
    HELD_BY_AGENT,
    /** The token has expired. */
    EXPIRED,
    /** It is not known when the token ends, where a rule needs to know. */
    UNKNOWN_EXPIRY,
    /** The token lives longer than its rule allows. */
    LIFETIME,
    /** The token lacks a scope that it must have, has one that it must not have, or its scopes are not known. */
    SCOPE,
    /** The token is known to have leaked. */
    LEAKED,
    /** The API does not know the token (401). */
    UNAUTHENTICATED,
    /** The API knows the token and does not permit what was asked (403). */
    NOT_PERMITTED,
    /** There is a token for each key, and the request names none, or one that cannot be. */
    KEY,
    /** The token may not go where it was to be sent. */
    DESTINATION,
    /** The token may not go to the address that the name has, or nobody tells which that is. */
    ADDRESS,
    /** The token may not be used at this hour. */
    HOURS,
    /** A policy says no: the one that is asked about each request, or a rule of the program's own. */
    POLICY,
    /** The policy that is asked about each request gave no decision, or not in time. */
    POLICY_UNREACHABLE,
    /** The token is no longer configured. */
    REMOVED,
    /** The agent was closed. */
    CLOSED;

    private final String word = name().toLowerCase(Locale.ROOT);

    /** The reason as it stands in reports, such as {@code unsafe_file}. */
    public String word() {
        return word;
    }
}
