package io.keyturn.http;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a request says of the token it wants, as a tag: {@code request.tag(TokenUse.class, TokenUse.named("admin"))}, in
 * Retrofit {@code @Tag TokenUse}. A request that says nothing gets the token of the endpoint it goes to. Immutable.
 */
public final class TokenUse {
    /** RFC 6749 3.3: what holds a space would never be found. */
    private static final Pattern SCOPE = Pattern.compile("[\\x21\\x23-\\x5B\\x5D-\\x7E]+");

    private static final TokenUse NONE = new TokenUse(true, null, null, Set.of());

    private final boolean none;
    private final @Nullable String name;
    private final @Nullable String key;
    private final Set<String> scopes;

    private TokenUse(boolean none, @Nullable String name, @Nullable String key, Set<String> scopes) {
        this.none = none;
        this.name = name;
        this.key = key;
        this.scopes = scopes;
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
        return new TokenUse(false, Objects.requireNonNull(name), null, Set.of());
    }

    /**
     * The token of this key, such as an account, where there is one for each. The request's URL must be an endpoint of
     * such a token, else the request is denied; a redirect that leads elsewhere goes without it.
     */
    public static TokenUse key(String key) {
        return new TokenUse(false, null, Objects.requireNonNull(key), Set.of());
    }

    /**
     * A token with these scopes: the request is denied where the token of its URL lacks one, or nobody knows which it has
     * (unless {@code allow: [unknown]}). The URL must be an endpoint of a token, else the request is denied; a redirect
     * that leads elsewhere goes without a token. Two demands unite.
     *
     * @throws IllegalArgumentException if there is none, or one is no scope: that is one word
     */
    public static TokenUse requiring(String... scopes) {
        Set<String> all = new LinkedHashSet<>(List.of(scopes));
        if (all.isEmpty()
                || !all.stream().allMatch(scope -> SCOPE.matcher(scope).matches())) {
            throw new IllegalArgumentException(
                    "a scope is one word, and at least one is needed: requiring(\"read\", …)");
        }
        return new TokenUse(false, null, null, Collections.unmodifiableSet(all));
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
        Set<String> all = new LinkedHashSet<>(scopes);
        all.addAll(other.scopes);
        return new TokenUse(
                none,
                name == null ? other.name : name,
                key == null ? other.key : key,
                Collections.unmodifiableSet(all));
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

    /** Whether the request must not go without a token: its caller has said what that has to be. */
    static boolean isDemand(@Nullable TokenUse use) {
        return use != null && (use.name != null || use.key != null || !use.scopes.isEmpty());
    }

    /** The scopes that the request demands of the token. */
    static Set<String> scopesOf(@Nullable TokenUse use) {
        return use == null ? Set.of() : use.scopes;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof TokenUse use
                && none == use.none
                && Objects.equals(name, use.name)
                && Objects.equals(key, use.key)
                && scopes.equals(use.scopes);
    }

    @Override
    public int hashCode() {
        return Objects.hash(name, key, scopes);
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
        if (!scopes.isEmpty()) {
            wishes.add("requiring(" + String.join(", ", scopes) + ")");
        }
        return none ? "none()" : String.join(" and ", wishes);
    }
}
