package io.keyturn.policy;

import io.keyturn.config.ConfigException;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.net.InetAddress;
import java.util.Collection;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/** The networks that a token may be sent to. A request of which nobody knows whom it reaches is refused. */
final class AllowedAddresses implements Rule, Rule.Refusal, Predicate<InetAddress> {
    private static final int SLOTS = 64;

    private final List<Network> networks;

    /**
     * What was said of the addresses that were asked for last. The bytes of an address cannot be had without a copy of
     * them, so each is looked at once. Entries are immutable: whoever sees none, or another's, looks for himself.
     */
    private final @Nullable Known[] known = new @Nullable Known[SLOTS];

    private record Known(InetAddress address, boolean allowed) {}

    AllowedAddresses(Collection<Network> networks) {
        if (networks.isEmpty()) {
            throw new ConfigException("must name a network: without one nothing would be allowed");
        }
        this.networks = List.copyOf(networks);
    }

    @Override
    public boolean test(InetAddress address) {
        int slot = address.hashCode() & SLOTS - 1;
        Known last = known[slot];
        if (last == null || !last.address.equals(address)) {
            last = new Known(address, networks.stream().anyMatch(network -> network.contains(address)));
            known[slot] = last;
        }
        return last.allowed;
    }

    @Override
    public @Nullable Refusal refusal(Token token, String method, HttpUrl url, @Nullable InetAddress address) {
        return address != null && test(address) ? null : this;
    }

    @Override
    public TokenDeniedException denial(Token token, @Nullable HttpUrl url, @Nullable InetAddress address) {
        String allowed = networks.stream().map(Network::toString).collect(Collectors.joining(", "));
        if (address == null) {
            return new TokenDeniedException(
                    Reason.ADDRESS,
                    "token " + token + " may go to " + allowed + " only, and nobody tells whom this request reaches: it"
                            + " goes through a proxy, it is a WebSocket's, or its client is not one made by"
                            + " agent.install(OkHttpClient)",
                    "send it without a proxy and through such a client, or take allow_ips away");
        }
        return new TokenDeniedException(
                Reason.ADDRESS,
                "token " + token + " may not go to the address " + address.getHostAddress() + ", only to " + allowed,
                "is it the API's, as its operator publishes them? then add it to allow_ips");
    }

    @Override
    public Predicate<InetAddress> addresses() {
        return this;
    }
}
