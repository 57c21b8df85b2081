package io.keyturn.http;

import io.keyturn.policy.Endpoint;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.Providers;
import java.net.InetAddress;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A token, where it goes and how.
 *
 * @param name the token's name
 * @param providers its current version, with what is sent of it
 * @param endpoints where it may go; none: it is attached nowhere
 * @param placement where in a request it stands
 * @param byName whether it goes only with requests that name it
 * @param cacheable whether answers to it may lie in OkHttp's cache
 * @param allowsUnknown whether scopes that nobody knows do where a request demands some
 * @param rotatedFrom the header of an endpoint's answers that carries the next token, or null
 * @param policy what else is asked before each request
 */
public record Binding(
        String name,
        Providers providers,
        List<Endpoint> endpoints,
        Placement placement,
        boolean byName,
        boolean cacheable,
        boolean allowsUnknown,
        @Nullable String rotatedFrom,
        TokenPolicy policy) {
    /** Whom it may be sent to; null if that is not restricted. */
    @Nullable
    Predicate<InetAddress> addresses() {
        return TokenPolicies.addresses(policy);
    }

    /** Whether what a caller has set is only the token's placeholder, with or without the prefix. */
    boolean isPlaceholder(String existing) {
        String placeholder = EndpointBindings.placeholder(name);
        return existing.equals(placeholder)
                || existing.equals(placement.form(placeholder).reveal());
    }
}
