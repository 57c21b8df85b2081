package io.keyturn.policy;

import io.keyturn.token.Token;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/** Every rule must agree; they are asked in order, until one refuses. */
final class AllOf implements Rule {
    /** One for all, since most of many tokens have no rule. */
    private static final AllOf NONE = new AllOf(List.of());

    private final Rule[] rules;
    private final Rule[] ofRequests;
    private final @Nullable Predicate<InetAddress> addresses;

    private AllOf(List<Rule> rules) {
        this.rules = rules.toArray(Rule[]::new);
        this.ofRequests = rules.stream().filter(Rule::isAskedOfRequests).toArray(Rule[]::new);
        this.addresses = rules.stream()
                .map(Rule::addresses)
                .filter(Objects::nonNull)
                .reduce(Predicate::and)
                .orElse(null);
    }

    /** Neighbours that are the program's become one, so that they share a destination. */
    static Rule of(List<TokenPolicy> policies) {
        List<Rule> flat = new ArrayList<>();
        List<TokenPolicy> programs = new ArrayList<>();
        for (TokenPolicy policy : policies) {
            if (!(policy instanceof Rule rule)) {
                programs.add(policy);
                continue;
            }
            addPrograms(flat, programs);
            flat.addAll(policy instanceof AllOf all ? List.of(all.rules) : List.of(rule));
        }
        addPrograms(flat, programs);
        return switch (flat.size()) {
            case 0 -> NONE;
            case 1 -> flat.get(0);
            default -> new AllOf(flat);
        };
    }

    private static void addPrograms(List<Rule> flat, List<TokenPolicy> programs) {
        if (!programs.isEmpty()) {
            flat.add(new Programs(List.copyOf(programs)));
            programs.clear();
        }
    }

    @Override
    public @Nullable Refusal refusal(Token token) {
        for (Rule rule : rules) {
            Refusal refusal = rule.refusal(token);
            if (refusal != null) {
                return refusal;
            }
        }
        return null;
    }

    @Override
    public @Nullable Refusal refusal(Token token, String method, HttpUrl url, @Nullable InetAddress address) {
        for (Rule rule : ofRequests) {
            Refusal refusal = rule.refusal(token, method, url, address);
            if (refusal != null) {
                return refusal;
            }
        }
        return null;
    }

    @Override
    public boolean isAskedOfRequests() {
        return ofRequests.length > 0;
    }

    @Override
    public boolean isOwn() {
        return List.of(rules).stream().allMatch(Rule::isOwn);
    }

    @Override
    public @Nullable Predicate<InetAddress> addresses() {
        return addresses;
    }
}
