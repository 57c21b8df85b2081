package io.keyturn;

import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import io.keyturn.policy.Endpoint;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A token as it was configured, by a file or by the program.
 *
 * @param place where its source is configured in a file; null if the program has it
 * @param source where it comes from; once it is opened, with the agent's environment and the token's relaxations
 * @param options everything else
 * @param inFile whether its value stands in the configuration file
 */
record TokenPlan(String name, @Nullable Location place, TokenSource source, TokenOptions options, boolean inFile) {
    static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_.-]*");
    static final String NAME_RULE =
            "a token's name is letters, digits, '_', '.' and '-', and begins with a letter or '_'";

    /** The same token with what its source and its rules need of the agent. */
    TokenPlan opened(SourceContext context) {
        options.tellTimeBy(context.clock());
        return with(source.in(context));
    }

    /** The same token from another source. */
    TokenPlan with(TokenSource other) {
        return new TokenPlan(name, place, other, options, inFile);
    }

    /** Where its source is configured. */
    Location at() {
        return at(place, name);
    }

    /** Where the source of a token is configured: in a file, or by the program. */
    static Location at(@Nullable Location place, String name) {
        return place == null ? Location.of("tokens." + name) : place;
    }

    /** An endpoint that both tokens would be attached to, if there is one: then neither is meant. */
    Optional<Endpoint> tie(TokenPlan other) {
        if (options.isByName() || other.options.isByName()) {
            return Optional.empty();
        }
        return options.endpoints().stream()
                .filter(other.options.endpoints()::contains)
                .findFirst();
    }

    /** What is not set, if the token can come from nothing but variables, and none of them is set. */
    List<Problem> unset() {
        List<Problem> missing = new ArrayList<>();
        for (TokenSource each : source.sources()) {
            SourceException absence = each.absence();
            if (absence.reason() != Reason.UNSET) {
                return List.of();
            }
            try {
                if (each.fetch().isPresent()) {
                    return List.of();
                }
            } catch (SourceException e) {
                return List.of();
            }
            missing.add(new Problem(at(), absence.reason(), String.valueOf(absence.getMessage()), absence.fix()));
        }
        return missing;
    }
}
