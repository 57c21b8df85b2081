package io.keyturn.test;

import io.keyturn.TokenAgent;
import io.keyturn.event.TokenListener;
import io.keyturn.provider.RefreshPolicy;
import io.keyturn.provider.TokenProvider;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.SourceHost;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.test.TokenSourceContract.Fixture;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import okhttp3.OkHttpClient;
import org.opentest4j.TestAbortedException;

/** One test of the contract: its fixture, the source as an agent would open it, and the agents that have it. */
final class SourceTrial implements AutoCloseable {
    static final String TOKEN = "contract";

    private static final String LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    private static final SecureRandom RANDOM = new SecureRandom();

    private static final Duration PAUSE = Duration.ofMillis(5);

    private final Fixture fixture;
    private final Duration patience;
    private final TokenSource given;
    private final SourceHost host;
    private final TokenSource opened;
    private final AtomicInteger underWay = new AtomicInteger();
    private final List<TokenAgent> agents = new ArrayList<>();

    private SourceTrial(Fixture fixture, TokenSource given, Duration patience) {
        SourceContext process = SourceContext.ofProcess();
        this.fixture = fixture;
        this.patience = patience;
        this.given = given;
        this.host = new SourceHost(
                fixture::variable, process.clock(), process.files(), new OkHttpClient(), (delay, task) -> {}, false);
        this.opened = given.in(new SourceContext(host, process.folder(), process.allow()));
    }

    static SourceTrial of(TokenSourceContract contract) throws Exception {
        Fixture fixture = contract.fixture();
        return new SourceTrial(fixture, fixture.source(), contract.patience());
    }

    /** A value like no other. */
    static String secret() {
        StringBuilder secret = new StringBuilder();
        for (int i = 0; i < 24; i++) {
            secret.append(LETTERS.charAt(RANDOM.nextInt(LETTERS.length())));
        }
        return secret.toString();
    }

    Fixture fixture() {
        return fixture;
    }

    /** The source as an agent would open it. */
    TokenSource source() {
        return opened;
    }

    Fetch fetch() {
        return Fetch.begin(opened, patience);
    }

    // --- agents ---

    /** An agent that has found the token which is there. */
    TokenAgent start(Duration timeout) {
        return start(timeout, event -> {});
    }

    private TokenAgent start(Duration timeout, TokenListener listener) {
        try {
            TokenAgent agent = TokenAgent.builder()
                    .environment(fixture::variable)
                    .listener(listener)
                    .startTimeout(patience)
                    .token(
                            TOKEN,
                            new Counted(given),
                            t -> t.refresh(RefreshPolicy.defaults().withTimeout(timeout)))
                    .start();
            agents.add(agent);
            return agent;
        } catch (TokenUnavailableException e) {
            // What the source says is not repeated: it may hold a value.
            throw new AssertionError("there is a token, but the agent has not found it: "
                    + e.reason().word());
        }
    }

    void assertHandsOut(TokenProvider provider, String value) {
        try {
            if (!provider.get().reveal().equals(value)) {
                throw new AssertionError("the agent hands out another token than the last good one");
            }
        } catch (TokenUnavailableException e) {
            throw new AssertionError("the agent hands out the last good token no more: "
                    + e.reason().word());
        }
    }

    /** Asks until this is what the source has: a fetch that was given up may still be on its way back. */
    void refreshUntil(TokenProvider provider, String value) {
        until("the agent has not found the new token", () -> {
            try {
                return provider.refresh().reveal().equals(value);
            } catch (TokenUnavailableException e) {
                return false;
            }
        });
    }

    /** Asks elsewhere, and tells how that ended: the reason's word, if there is no token. */
    CompletableFuture<String> refreshLater(TokenProvider provider) {
        CompletableFuture<String> end = new CompletableFuture<>();
        Thread thread = new Thread(
                () -> {
                    try {
                        provider.refresh();
                        end.complete("a token");
                    } catch (TokenUnavailableException e) {
                        end.complete(e.reason().word());
                    }
                },
                "token-source-contract");
        thread.setDaemon(true);
        thread.start();
        return end;
    }

    void awaitFetchUnderWay() {
        until("the agent has not asked the source", () -> underWay.get() > 0);
        long begun = System.nanoTime();
        while (System.nanoTime() - begun < Fetch.MOMENT.toNanos()) {
            if (underWay.get() == 0) {
                throw new AssertionError("the fixture hangs, but the source has answered");
            }
            LockSupport.parkNanos(PAUSE.toNanos());
        }
    }

    void awaitNoFetchUnderWay() {
        until("the fetch goes on although the agent is closed", () -> underWay.get() == 0);
    }

    private void until(String otherwise, BooleanSupplier done) {
        long begun = System.nanoTime();
        while (!done.getAsBoolean()) {
            if (System.nanoTime() - begun > patience.toNanos()) {
                throw new AssertionError(otherwise + " within " + patience.toMillis() + " ms");
            }
            LockSupport.parkNanos(PAUSE.toNanos());
        }
    }

    // --- what it tells ---

    /** Puts the world into a state; false if it can never be in that. */
    boolean isIn(State state) throws Exception {
        try {
            state.enter();
            return true;
        } catch (TestAbortedException e) {
            return false;
        }
    }

    /** What the fixture does. */
    interface State {
        void enter() throws Exception;
    }

    /** Hears all that the source tells in a state, if it can be in that. */
    void hear(Eavesdropper ear, String when, State state) throws Exception {
        if (isIn(state)) {
            hear(ear, when, fetch());
        }
    }

    /** Hears what it tells when it is interrupted. Whether it heeds that is another test's question. */
    void hearInterrupted(Eavesdropper ear, State state) throws Exception {
        if (isIn(state)) {
            Fetch hanging = fetch();
            if (hanging.within(Fetch.MOMENT).isEmpty()) {
                hanging.interrupt();
            }
            hear(ear, "interrupted", hanging);
        }
    }

    private void hear(Eavesdropper ear, String when, Fetch fetch) throws InterruptedException {
        Fetch.Outcome outcome = fetch.within(patience).orElse(Fetch.Outcome.NONE);
        if (outcome.thrown() != null) {
            ear.hear(when, outcome.thrown());
        }
        TokenDocument document = outcome.found();
        if (document != null) {
            ear.hear(when + ", the document", document);
            ear.hear(when + ", the document's origin", document.origin());
            ear.hear(when + ", the document's version", document.version());
        }
        for (TokenSource each : List.of(given, opened)) {
            ear.hear(when + ", describe()", each.describe());
            ear.hear(when + ", toString()", each);
        }
        ear.hear(when + ", absence()", opened.absence());
    }

    /** Hears all that an agent tells of a source that has a token, and then fails. */
    void hearAgent(Eavesdropper ear) throws Exception {
        TokenAgent agent = start(patience, event -> ear.hear("an event", event));
        ear.hear("the agent's status", agent.status());
        if (isIn(fixture::fails)) {
            try {
                agent.provider(TOKEN).refresh();
            } catch (TokenUnavailableException e) {
                ear.hear("in an agent", e);
            }
            ear.hear("the agent's status, degraded", agent.status());
        }
        agent.close();
    }

    @Override
    public void close() throws IOException {
        agents.forEach(TokenAgent::close);
        host.close();
        fixture.close();
    }

    /** The source, and how many of its fetches are under way. */
    private final class Counted implements TokenSource {
        private final TokenSource source;

        Counted(TokenSource source) {
            this.source = source;
        }

        @Override
        public Optional<TokenDocument> fetch() throws SourceException {
            underWay.incrementAndGet();
            try {
                return source.fetch();
            } finally {
                underWay.decrementAndGet();
            }
        }

        @Override
        public Watch watch(Runnable changed) {
            return source.watch(changed);
        }

        @Override
        public Optional<Duration> every() {
            return source.every();
        }

        @Override
        public boolean isLocal() {
            return source.isLocal();
        }

        @Override
        public String describe() {
            return source.describe();
        }

        @Override
        public SourceException absence() {
            return source.absence();
        }

        @Override
        public List<TokenSource> sources() {
            return source.sources();
        }

        @Override
        public TokenSource in(SourceContext context) {
            return new Counted(source.in(context));
        }
    }
}
