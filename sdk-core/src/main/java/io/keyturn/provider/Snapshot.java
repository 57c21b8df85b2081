package io.keyturn.provider;

import io.keyturn.token.Secret;
import io.keyturn.token.Token;

/**
 * One version of a token with all that belongs to it. It is replaced as a whole, so that nothing outlives a swap.
 *
 * @param token the token
 * @param sent what is sent of it, such as {@code Bearer …}, built once
 * @param source where it came from, for people
 */
public record Snapshot(Token token, Secret sent, String source) {}
