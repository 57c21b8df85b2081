package io.keyturn.test;

import io.keyturn.event.TokenEvent;
import io.keyturn.event.TokenListener;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A token in the hands of a test, which swaps it, takes it away and lets it fail. An agent gets its {@link #source()}: when
 * {@link #swap} returns, the agent hands out the new token. Code that takes a provider gets its {@link #provider()}, without
 * any agent.
 *
 * <pre>{@code
 * TestTokens tokens = TestTokens.of("t1");
 * Client client = new Client(tokens.provider());
 * tokens.swap("t2");
 * }</pre>
 *
 * <p>Safe for any number of threads; nothing here ever waits for time to go by.
 */
public final class TestTokens {
    private static final String NAME = "test_token";

    private final AtomicReference<State> state;
    private final List<Watcher> watchers = new CopyOnWriteArrayList<>();
    private final List<String> rejected = new CopyOnWriteArrayList<>();
    /** The values that there were, by their fingerprints: an event tells nothing else. */
    private final Map<String, String> values = new ConcurrentHashMap<>();

    private final TokenSource source = new Source();
    private final TokenProvider provider = new Provider();

    /**
     * How things stand.
     *
     * @param document what the test has set last
     * @param token the same with its number
     * @param failure why it cannot be had; null if it can
     */
    private record State(
            TokenDocument document, Token token, @Nullable SourceException failure) {
        static State first(TokenDocument document) {
            return new State(document, Token.of(NAME, document), null);
        }

        /** Another value has the next number, as an agent counts them. */
        State next(TokenDocument other) {
            long generation = token.isOf(other) ? token.generation() : token.generation() + 1;
            return new State(other, Token.of(NAME, other, generation, null), null);
        }

        State failing(SourceException why) {
            return new State(document, token, why);
        }
    }

    /** One watch: an object of its own, so that closing it never ends another of the same runnable. */
    private static final class Watcher {
        private final Runnable changed;

        Watcher(Runnable changed) {
            this.changed = changed;
        }
    }

    private TestTokens(TokenDocument document) {
        this.state = new AtomicReference<>(State.first(document));
        remember();
    }

    /**
     * A token of which nothing but its value is known.
     *
     * @throws IllegalArgumentException if a header cannot carry it
     */
    public static TestTokens of(String value) {
        return of(TokenDocument.of(value));
    }

    /** A token with an end, scopes or whatever else is known of it. */
    public static TestTokens of(TokenDocument document) {
        return new TestTokens(document);
    }

    // --- what the test does ---

    /**
     * Puts another token in the place of the one before, or ends a failure. When this returns, agents and
     * {@link #provider()} hand it out.
     *
     * @throws IllegalArgumentException if a header cannot carry it
     */
    public void swap(String value) {
        swap(TokenDocument.of(value));
    }

    /** {@link #swap(String)} of a token with an end, scopes or whatever else is known of it. */
    public void swap(TokenDocument document) {
        state.updateAndGet(before -> before.next(document));
        remember();
        tell();
    }

    /**
     * Lets the source fail from now on, until {@link #swap}. An agent that has the token goes on handing it out, as it
     * does whenever a source fails; {@link #provider()} has none any more.
     *
     * @param reason such as {@link Reason#UNREACHABLE}
     * @param message what the source says, such as {@code "the store is down"}
     */
    public void fail(Reason reason, String message) {
        fail(new SourceException(reason, message, null));
    }

    /** {@link #fail(Reason, String)} with an exception of the test's own, which may have a fix and a time to wait. */
    public void fail(SourceException why) {
        state.updateAndGet(before -> before.failing(why));
        tell();
    }

    /** Takes the token away: from now on the source has none, until {@link #swap}. */
    public void remove() {
        fail(new None());
    }

    /** The source has no token, which is no failure of it. */
    private static final class None extends SourceException {
        private static final long serialVersionUID = 1L;

        None() {
            super(Reason.ABSENT, "the test has taken the token away", null);
        }
    }

    private void remember() {
        Token token = now().token;
        values.put(token.fingerprint(), token.reveal());
    }

    private void tell() {
        watchers.forEach(watcher -> watcher.changed.run());
    }

    private State now() {
        return Objects.requireNonNull(state.get());
    }

    // --- what the code under test gets ---

    /** The token for an agent: {@code TokenAgent.builder().token("api_token", tokens.source())}. Always the same. */
    public TokenSource source() {
        return source;
    }

    /**
     * The token for code that takes a provider. It never blocks, and looks at no clock: a token is handed out although it
     * has ended. Always the same.
     */
    public TokenProvider provider() {
        return provider;
    }

    /**
     * Hears an agent's events, so that {@link #rejected()} knows what servers refused to the agent:
     * {@code TokenAgent.builder().listener(tokens.listener())}. An agent tells it on a thread of its own, soon after, and at
     * most once a second for the same token; one with a fingerprint key of its own tells nothing that is understood here.
     */
    public TokenListener listener() {
        return event -> {
            if (event instanceof TokenEvent.Rejected told && values.containsKey(told.fingerprint())) {
                rejected.add(values.get(told.fingerprint()));
            }
        };
    }

    /** The values that {@link #provider()} was told to be invalid, and those that {@link #listener()} heard of, in order. */
    public List<String> rejected() {
        return List.copyOf(rejected);
    }

    private final class Source implements TokenSource {
        @Override
        public Optional<TokenDocument> fetch() throws SourceException {
            State now = now();
            if (now.failure instanceof None) {
                return Optional.empty();
            }
            if (now.failure != null) {
                throw now.failure;
            }
            return Optional.of(now.document);
        }

        @Override
        public Watch watch(Runnable changed) {
            Watcher watcher = new Watcher(changed);
            watchers.add(watcher);
            return () -> watchers.remove(watcher);
        }

        @Override
        public String describe() {
            return "the test";
        }

        @Override
        public SourceException absence() {
            return new None();
        }
    }

    private final class Provider implements TokenProvider {
        @Override
        public Token get() throws TokenUnavailableException {
            State now = now();
            if (now.failure != null) {
                throw TokenUnavailableException.of(NAME, List.of(now.failure));
            }
            return now.token;
        }

        @Override
        public boolean invalidate(Token token) {
            rejected.add(token.reveal());
            State now = now();
            return now.failure == null && now.token.generation() != token.generation();
        }
    }
}
