package io.keyturn.source;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.config.References;
import io.keyturn.config.Settings;
import io.keyturn.token.TokenDocument;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import okhttp3.Request;
import org.jspecify.annotations.Nullable;

/**
 * What an agent gives to the sources of one of its tokens.
 *
 * @param host the agent
 * @param folder what relative paths are relative to
 * @param allow the words of the token's {@code allow}, each of which relaxes a rule
 */
public record SourceContext(SourceHost host, Path folder, Set<String> allow) {
    private static final SourceContext OF_PROCESS =
            new SourceContext(SourceHost.reading(System::getenv, Clock.systemUTC()), Path.of(""), Set.of());

    /**
     * The process's own environment and clock, every rule in force and nothing watched: what a source uses that no agent has
     * opened.
     */
    public static SourceContext ofProcess() {
        return OF_PROCESS;
    }

    /** The environment: a variable's value, or null. */
    public Function<String, @Nullable String> variables() {
        return host.variables();
    }

    /** The agent's clock. */
    public Clock clock() {
        return host.clock();
    }

    /** Tells when files change. */
    public FileWatcher files() {
        return host.files();
    }

    /** Whether the token is only looked at: nothing may be used up, and what was opened is closed again. */
    public boolean onlyLooks() {
        return host.onlyLooks();
    }

    /**
     * What the references in a configuration stand for.
     *
     * @param roots where files may be read, beside the folder
     * @param open whether files are read at all; if not, they count as absent
     */
    public References references(List<Path> roots, boolean open) {
        return new FencedReferences(this, roots, open);
    }

    // --- what a source is made of ---

    /**
     * A source that stands in another one's settings, such as a credential: a text, or a map with one source. Each
     * {@linkplain TokenSource#fetch fetch} reads it as it is then. What is wrong with it is noted there.
     */
    public Optional<TokenSource> source(Settings settings) {
        return new SourceSettings(this, Form.TOKEN).read(settings).map(source -> source.in(this));
    }

    /** The same for a key or for certificates: the documents of this source are PEM, for {@link Pem}. */
    public Optional<TokenSource> pem(Settings settings) {
        return new SourceSettings(this, Form.PEM).read(settings).map(source -> source.in(this));
    }

    /**
     * What several sources of the agent use together, such as a login: made by whoever needs it first, and closed with the
     * agent.
     *
     * @param key equal where it is the same; of a class of the caller's own, so that nobody else has an equal one
     * @param make opens nothing yet, and shares nothing itself
     */
    public <T extends AutoCloseable> T shared(Object key, Supplier<T> make) {
        return host.shared(key, make);
    }

    // --- what a source asks ---

    /**
     * Asks a service over the agent's own connections, within the call timeout of {@code agent.http}. No redirect is
     * followed, and at most 1 MiB of the answer is read. Blocks.
     *
     * @param service who is asked, for messages, such as {@code vault https://vault.example.com}
     * @throws SourceException if there is no answer; what an answer means is the caller's to say
     */
    public ServiceAnswer send(Request request, String service) throws SourceException {
        return host.calls().send(request, service, clock());
    }

    /**
     * {@link #send} of what must not arrive twice, such as a credential that is good for one use. Of other requests OkHttp
     * sends those again by itself whose connection breaks before there is an answer.
     */
    public ServiceAnswer sendOnce(Request request, String service) throws SourceException {
        return host.calls().send(AgentCalls.once(request), service, clock());
    }

    /** Does something later, once, on a thread that may block; not at all if the agent is closed by then. */
    public void later(Duration delay, Runnable task) {
        host.later(delay, task);
    }

    /**
     * Reads a token document as {@link TokenDocument#parse} does.
     *
     * @param receivedAt what {@code expires_in} counts from; null if that is not known
     * @param origin where it was found, for messages
     * @throws SourceException if it is none
     */
    public TokenDocument document(String text, @Nullable Instant receivedAt, String origin) throws SourceException {
        return receivedAt == null
                ? Form.TOKEN.document(text, origin)
                : Form.TOKEN.document(text.getBytes(UTF_8), receivedAt, origin);
    }
}
