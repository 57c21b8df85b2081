package io.keyturn.http;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a request says of the token it wants, as a tag: {@code request.tag(TokenUse.class, TokenUse.named("admin"))}, in
 * Retrofit {@code @Tag TokenUse}. A request that says nothing gets the token of the endpoint it goes to. Immutable.
 */
public final class TokenUse {
    private static final TokenUse NONE = new TokenUse(true, null, null);

    private final boolean none;
    private final @Nullable String name;
    private final @Nullable String key;

    private TokenUse(boolean none, @Nullable String name, @Nullable String key) {
        this.none = none;
        this.name = name;
        this.key = key;
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
        return new TokenUse(false, Objects.requireNonNull(name), null);
    }

    /**
     * The token of this key, such as an account, where there is one for each. The request's URL must be an endpoint of
     * such a token, else the request is denied; a redirect that leads elsewhere goes without it.
     */
    public static TokenUse key(String key) {
        return new TokenUse(false, null, Objects.requireNonNull(key));
    }

    /**
     * Both wishes together.
     *
     * @throws IllegalArgumentException if they contradict each other, as two names do
     */
    public TokenUse and(TokenUse other) {
        if (none != other.none || contradicts(name, other.name) || contradicts(key, other.key)) {
            throw new IllegalArgumentException(this + " contradicts " + other);
        }
        return new TokenUse(none, name == null ? other.name : name, key == null ? other.key : key);
    }

    private static boolean contradicts(@Nullable String mine, @Nullable String other) {
        return mine != null && other != null && !mine.equals(other);
    }

    boolean isNone() {
        return none;
    }

    /** The token that is asked for; null if the endpoint's own is. */
    @Nullable
    String nameOrNull() {
        return name;
    }

    /** The key that the token is for; null if the request names none. */
    static @Nullable String keyOf(@Nullable TokenUse use) {
        return use == null ? null : use.key;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof TokenUse use
                && none == use.none
                && Objects.equals(name, use.name)
                && Objects.equals(key, use.key);
    }

    @Override
    public int hashCode() {
        return Objects.hash(name, key);
    }

    @Override
    public String toString() {
        List<String> wishes = new ArrayList<>();
        if (name != null) {
            wishes.add("named(" + name + ")");
        }
        if (key != null) {
            wishes.add("key(" + key + ")");
        }
        return none ? "none()" : String.join(" and ", wishes);
    }
}
