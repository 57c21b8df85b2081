package io.keyturn;

import io.keyturn.config.ConfigException;
import io.keyturn.source.SettledFile;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.TokenDocument;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A token that stands in the configuration file itself. To ask for it is to read that file again, since whoever is told
 * 401 cannot wait until somebody has noticed that it was edited.
 */
final class WrittenValue implements TokenSource {
    private final TokenPlan token;
    private final AgentPlan plan;
    private final Reloading.Origin origin;
    private final SourceContext context;
    private final SettledFile file;
    private final AtomicBoolean asked = new AtomicBoolean();

    /** Whether the file has had another value since: then this is not what it says, whatever it says again. */
    private volatile boolean left;

    /**
     * A token as the file had it.
     *
     * @param token opened in this context
     */
    WrittenValue(TokenPlan token, AgentPlan plan, Reloading.Origin origin, SourceContext context) {
        this.token = token;
        this.plan = plan;
        this.origin = origin;
        this.context = context;
        this.file = origin.settled();
    }

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        // The first time the file has just been read.
        return (asked.compareAndSet(false, true) ? token.source() : present()).fetch();
    }

    /**
     * What the file says now, if that is about the value alone: another endpoint or rule comes with a reload, and the
     * value that belongs to it not before. Where the file cannot be used, what it said stays.
     */
    private TokenSource present() {
        try {
            AgentConfiguration now = plan.read(origin.settings(file));
            TokenSource present = now.tokens().stream()
                    .filter(written -> now.problems().isEmpty()
                            && written.name().equals(token.name())
                            && written.options().equals(token.options()))
                    .map(written -> written.source().in(context))
                    .findFirst()
                    .orElse(token.source());
            left |= !present.equals(token.source());
            return present;
        } catch (ConfigException | SourceException e) {
            return token.source();
        }
    }

    @Override
    public Watch watch(Runnable changed) {
        return token.source().watch(changed);
    }

    @Override
    public Optional<Duration> every() {
        return token.source().every();
    }

    @Override
    public boolean isLocal() {
        return true;
    }

    @Override
    public String describe() {
        return token.source().describe();
    }

    @Override
    public SourceException absence() {
        return token.source().absence();
    }

    @Override
    public List<TokenSource> sources() {
        return token.source().sources();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof WrittenValue value
                && !left
                && !value.left
                && token.source().equals(value.token.source());
    }

    @Override
    public int hashCode() {
        return token.source().hashCode();
    }
}
