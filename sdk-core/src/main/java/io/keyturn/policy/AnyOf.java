package io.keyturn.policy;

import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * One rule must agree: with a token, if it admits it; with a request, if it both admits the token and allows the request.
 * So a token that one branch admits cannot be sent where only another branch would let it. The SDK's own are asked first,
 * since they cost nothing; what others say is kept until it is known that all refuse.
 */
final class AnyOf implements Rule {
    private final Rule[] own;
    private final Rule[] others;
    private final boolean asksRequests;
    private final @Nullable Predicate<InetAddress> addresses;

    /** Asks one branch. */
    @FunctionalInterface
    private interface Question {
        @Nullable
        Refusal ask(Rule rule);
    }

    AnyOf(List<TokenPolicy> policies) {
        List<Rule> rules = policies.stream().map(Rule::of).toList();
        own = rules.stream().filter(Rule::isOwn).toArray(Rule[]::new);
        others = rules.stream().filter(rule -> !rule.isOwn()).toArray(Rule[]::new);
        asksRequests = rules.isEmpty() || rules.stream().anyMatch(Rule::isAskedOfRequests);
        boolean everyOne = rules.stream().map(Rule::addresses).allMatch(Objects::nonNull);
        addresses = everyOne
                ? rules.stream()
                        .map(Rule::addresses)
                        .filter(Objects::nonNull)
                        .reduce(Predicate::or)
                        .orElse(null)
                : null;
    }

    @Override
    public @Nullable Refusal refusal(Token token) {
        for (Rule rule : own) {
            if (rule.refusal(token) == null) {
                return null;
            }
        }
        return refusal(rule -> rule.refusal(token));
    }

    @Override
    public @Nullable Refusal refusal(Token token, String method, HttpUrl url, @Nullable InetAddress address) {
        for (Rule rule : own) {
            if (refusal(rule, token, method, url, address) == null) {
                return null;
            }
        }
        return refusal(rule -> refusal(rule, token, method, url, address));
    }

    private static @Nullable Refusal refusal(
            Rule rule, Token token, String method, HttpUrl url, @Nullable InetAddress address) {
        Refusal ofToken = rule.refusal(token);
        return ofToken != null ? ofToken : rule.refusal(token, method, url, address);
    }

    /** Asks the others, and then our own once more for what they have to say: by now it may be another hour. */
    private @Nullable Refusal refusal(Question question) {
        List<Refusal> theirs = new ArrayList<>();
        for (Rule rule : others) {
            Refusal refusal;
            try {
                refusal = question.ask(rule);
            } catch (RuntimeException e) {
                // A branch that cannot tell does not agree; what it says may hold anything.
                String why = "a policy failed with " + e.getClass().getName();
                refusal = (token, url, address) -> new TokenDeniedException(Reason.POLICY, why, "mend the policy");
            }
            if (refusal == null) {
                return null;
            }
            theirs.add(refusal);
        }
        List<Refusal> all = new ArrayList<>();
        for (Rule rule : own) {
            Refusal refusal = question.ask(rule);
            if (refusal == null) {
                return null;
            }
            all.add(refusal);
        }
        all.addAll(theirs);
        return new NoneOf(all);
    }

    /** Everybody refuses. The reason is the first one's. */
    private record NoneOf(List<Refusal> all) implements Refusal {
        @Override
        public TokenDeniedException denial(Token token, @Nullable HttpUrl url, @Nullable InetAddress address) {
            List<TokenDeniedException> each = all.stream()
                    .map(refusal -> refusal.denial(token, url, address))
                    .toList();
            if (each.size() == 1) {
                return each.get(0);
            }
            String why = each.isEmpty()
                    ? "token " + token + " has an anyOf without rules, which allows nothing"
                    : each.stream()
                            .map(TokenDeniedException::getMessage)
                            .collect(Collectors.joining("; and ", "no rule of several allows it: ", ""));
            String fix = each.stream()
                    .map(TokenDeniedException::fix)
                    .filter(Objects::nonNull)
                    .collect(Collectors.joining("; or "));
            return new TokenDeniedException(
                    each.isEmpty() ? Reason.POLICY : each.get(0).reason(), why, fix.isEmpty() ? null : fix);
        }
    }

    @Override
    public boolean isAskedOfRequests() {
        return asksRequests;
    }

    @Override
    public boolean isOwn() {
        return others.length == 0;
    }

    @Override
    public @Nullable Predicate<InetAddress> addresses() {
        return addresses;
    }
}
