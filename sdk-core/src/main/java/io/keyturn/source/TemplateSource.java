package io.keyturn.source;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A {@code value} of the configuration: its references are filled in anew at each fetch, so that a file in it is live.
 *
 * @param value apart from the reading, since it is read on other threads than the rest of the configuration
 * @param describe what its references refer to
 * @param live whether it may be there later: it names a file
 * @param files what its references are, where they may be files; null if it names none
 * @param form what is expected in it
 */
record TemplateSource(
        Settings value,
        String describe,
        boolean live,
        @Nullable FencedReferences files,
        Form form) implements TokenSource {
    /** The source that a value is, and what is written wrongly in it. */
    static TemplateSource of(Settings text, Form form, Consumer<Problem> wrong) {
        try {
            text.text();
        } catch (ConfigException e) {
            e.problems().stream()
                    .filter(problem -> problem.reason() == Reason.INVALID)
                    .forEach(wrong);
        }
        List<Need> needs = text.needs().stream()
                .filter(need -> need.at().equals(text.at()))
                .toList();
        String references = needs.stream()
                .map(need -> (need.kind().equals("env") ? "environment variable " : "file ") + need.name())
                .collect(Collectors.joining(" and "));
        boolean live = needs.stream().anyMatch(need -> need.kind().equals("file"));
        String describe = references.isEmpty() ? "the value itself" : references;
        FencedReferences files = live && text.references() instanceof FencedReferences fenced ? fenced : null;
        return new TemplateSource(text.apart(), describe, live, files, form);
    }

    @Override
    public Watch watch(Runnable changed) {
        return files == null ? Watch.none() : files.watch(changed);
    }

    /** With references of its own, which know what was read before. */
    @Override
    public TokenSource in(SourceContext context) {
        if (files == null) {
            return this;
        }
        FencedReferences own = files.in(context);
        return new TemplateSource(value.with(own), describe, live, own, form);
    }

    @Override
    public Optional<Duration> every() {
        return live ? FileSource.EVERY : Optional.empty();
    }

    @Override
    public boolean isLocal() {
        return true;
    }

    /** Where it was written makes no difference, nor what was read before. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof TemplateSource that && value.isSameText(that.value);
    }

    @Override
    public int hashCode() {
        return describe.hashCode();
    }

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        String text;
        try {
            text = value.text();
        } catch (ConfigException e) {
            Optional<Problem> failure =
                    e.problems().stream().filter(problem -> !isMissing(problem)).findFirst();
            if (failure.isEmpty()) {
                return Optional.empty();
            }
            throw new SourceException(
                    failure.get().reason(),
                    failure.get().message(),
                    failure.get().fix());
        }
        if (text.isEmpty()) {
            return Optional.empty();
        }
        TokenDocument document = form.document(text, describe);
        return Optional.of(live ? document : document.withOrigin(describe + EnvSource.ONLY_AT_RESTART));
    }

    @Override
    public SourceException absence() {
        try {
            value.text();
        } catch (ConfigException e) {
            List<Problem> missing =
                    e.problems().stream().filter(TemplateSource::isMissing).toList();
            if (!missing.isEmpty()) {
                return new SourceException(
                        missing.get(0).reason(),
                        missing.stream().map(Problem::message).collect(Collectors.joining("; ")),
                        missing.get(0).fix());
            }
        }
        return new SourceException(
                live ? Reason.ABSENT : Reason.UNSET, describe + " is empty, and a token is wanted here", null);
    }

    private static boolean isMissing(Problem problem) {
        return problem.reason() == Reason.UNSET || problem.reason() == Reason.ABSENT;
    }
}
