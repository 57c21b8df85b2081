package io.keyturn.source;

import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** The first of several sources that has a token. An empty one falls through, a failed one does not. */
record FirstOf(List<TokenSource> members) implements TokenSource {
    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        return first(TokenSource::fetch);
    }

    /** Of the first that has one: whose token was refused is not known here, and the others know that it was not theirs. */
    @Override
    public Optional<TokenDocument> fetchInsteadOf(Token refused) throws SourceException {
        return first(member -> member.fetchInsteadOf(refused));
    }

    @FunctionalInterface
    private interface Asked {
        Optional<TokenDocument> answer(TokenSource member) throws SourceException;
    }

    private Optional<TokenDocument> first(Asked asked) throws SourceException {
        for (TokenSource member : members) {
            Optional<TokenDocument> found = asked.answer(member);
            if (found.isPresent()) {
                return found.map(
                        document -> document.origin().isPresent() ? document : document.withOrigin(member.describe()));
            }
        }
        return Optional.empty();
    }

    @Override
    public Watch watch(Runnable changed) {
        List<Watch> watches =
                members.stream().map(member -> member.watch(changed)).toList();
        return () -> watches.forEach(Watch::close);
    }

    /** As often as the one that wants it most often. */
    @Override
    public Optional<Duration> every() {
        return members.stream().flatMap(member -> member.every().stream()).min(Comparator.naturalOrder());
    }

    @Override
    public boolean isLocal() {
        return members.stream().allMatch(TokenSource::isLocal);
    }

    @Override
    public String describe() {
        return members.stream().map(TokenSource::describe).collect(Collectors.joining(", else "));
    }

    @Override
    public List<TokenSource> sources() {
        return members.stream().flatMap(member -> member.sources().stream()).toList();
    }

    @Override
    public TokenSource forKey(String key) {
        return new FirstOf(members.stream().map(member -> member.forKey(key)).toList());
    }

    @Override
    public TokenSource in(SourceContext context) {
        return new FirstOf(members.stream().map(member -> member.in(context)).toList());
    }
}
