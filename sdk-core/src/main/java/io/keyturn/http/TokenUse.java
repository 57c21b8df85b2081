package io.keyturn.http;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a request says of the token it wants, as a tag: {@code request.tag(TokenUse.class, TokenUse.named("admin"))}, in
 * Retrofit {@code @Tag TokenUse}. A request that says nothing gets the token of the endpoint it goes to. Immutable.
 */
public final class TokenUse {
    private static final TokenUse NONE = new TokenUse(true, null);

    private final boolean none;
    private final @Nullable String name;

    private TokenUse(boolean none, @Nullable String name) {
        this.none = none;
        this.name = name;
    }

    /** No token at all. */
    public static TokenUse none() {
        return NONE;
    }

    /**
     * This token and no other. The request's URL must be one of the token's endpoints, else the request is denied; a
     * redirect that leads elsewhere goes without it.
     */
    public static TokenUse named(String name) {
        return new TokenUse(false, Objects.requireNonNull(name));
    }

    /**
     * Both wishes together.
     *
     * @throws IllegalArgumentException if they contradict each other, as two names do
     */
    public TokenUse and(TokenUse other) {
        if (none != other.none || (name != null && other.name != null && !name.equals(other.name))) {
            throw new IllegalArgumentException(this + " contradicts " + other);
        }
        return name == null ? other : this;
    }

    boolean isNone() {
        return none;
    }

    /** The token that is asked for; null if the endpoint's own is. */
    @Nullable
    String nameOrNull() {
        return name;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof TokenUse use && none == use.none && Objects.equals(name, use.name);
    }

    @Override
    public int hashCode() {
        return name == null ? 0 : name.hashCode();
    }

    @Override
    public String toString() {
        return none ? "none()" : "named(" + name + ")";
    }
}
