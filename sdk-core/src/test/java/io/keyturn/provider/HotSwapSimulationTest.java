package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.keyturn.ManualClock;
import io.keyturn.http.Placement;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.source.Watch;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.LoggerFactory;

/**
 * Thousands of days in the life of a provider, with everything that can go wrong, on clocks of their own and in one
 * thread. Every seed is another world; all are the same in each run but the last. To repeat one: {@code
 * -Dkeyturn.simulation.seed=N}; for more or fewer days {@code -Dkeyturn.simulation.days=N}.
 */
@Timeout(300)
class HotSwapSimulationTest {
    private static final int WORLDS = 200;
    private static final long SECOND = 1_000_000_000L;
    private static final long MINUTE = 60 * SECOND;
    private static final long DAY = 86_400 * SECOND;

    private final Logger log = (Logger) LoggerFactory.getLogger(LiveProvider.class);

    @BeforeEach
    void keepQuiet() {
        log.setLevel(Level.OFF);
    }

    @AfterEach
    void speakAgain() {
        log.setLevel(null);
    }

    @Test
    void days_withEveryFault_theRulesHold() {
        long days = Long.getLong("keyturn.simulation.days", 10_000);
        Long only = Long.getLong("keyturn.simulation.seed");
        long[] seeds = only != null
                ? new long[] {only}
                : LongStream.concat(LongStream.range(1, WORLDS), LongStream.of(System.nanoTime()))
                        .toArray();
        long each = Math.max(1, days / seeds.length);
        Tally all = new Tally();
        for (long seed : seeds) {
            World world = new World(seed);
            try {
                world.live(each, all);
            } catch (Throwable t) {
                throw new AssertionError(
                        "seed " + seed + " on day " + world.nanos / DAY + " (" + world + "): -Dkeyturn.simulation.seed="
                                + seed + " -Dkeyturn.simulation.days=" + each,
                        t);
            }
        }
        assertThat(all.fetches)
                .as("a world in which nothing happens proves nothing")
                .isGreaterThan(days);
        assertThat(all.answers).isGreaterThan(days * 10);
        assertThat(all.late)
                .as("an expired token that went out after a step or a suspend")
                .isPositive();
        assertThat(all.failures).isPositive();
        assertThat(all.steps).isPositive();
    }

    private static void require(boolean holds, Supplier<String> otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise.get());
        }
    }

    /** What happened in all worlds. */
    private static final class Tally {
        private long fetches;
        private long failures;
        private long answers;
        private long late;
        private long steps;
    }

    /** What the source does. */
    private enum Mode {
        WELL,
        DOWN,
        EMPTY,
        GARBAGE,
        ENDED,
        STUCK,
        SLOW,
        HANGING
    }

    private static final List<Mode> MODES = List.of(Mode.values());

    private static final class World {
        private final Random random;
        private final Duration poll;
        private final Duration lifetime;
        private final boolean issuesAtEachFetch;
        private final boolean watched;
        private final Duration every;

        private final PriorityQueue<Task> queue = new PriorityQueue<>();
        private final Schedule schedule;
        private final ProviderContext context;
        private final Source source;
        private final Map<Long, String> versions = new HashMap<>();
        private Tally tally = new Tally();
        private LiveProvider provider;

        private long nanos;
        private long planned;
        private long sleptNanos;
        private long clockErrorNanos;
        private long steppedAt = -DAY;
        private long wellSince;
        private long clockRightSince;
        private boolean rude;
        private boolean inline;
        private int queued;
        private long newest;

        World(long seed) {
            this.random = new Random(seed);
            // Every second is what an agent does; but few worlds can do that, since it is most of the work.
            this.poll = Duration.ofSeconds(seed % 100 == 0 ? 1 : 30 + random.nextInt(90));
            // From a minute, in few worlds since each fetch has its price, or ten of them to a day.
            double shortest = seed % 20 == 0 ? 60 : 600;
            this.lifetime = Duration.ofSeconds((long) (shortest * Math.pow(86_400 / shortest, random.nextDouble())));
            this.issuesAtEachFetch = random.nextBoolean();
            this.watched = random.nextBoolean();
            this.every = random.nextInt(3) > 0 ? null : Duration.ofMinutes(1 + random.nextInt(30));
            this.source = new Source();
            Clock clock = new WorldClock();
            this.schedule = new Schedule(clock, () -> nanos, poll, this::later);
            this.context = new ProviderContext(
                    clock, () -> nanos, random::nextDouble, schedule, this::execute, event -> rudely("listener"));
        }

        @Override
        public String toString() {
            return "poll " + poll + ", lifetime " + lifetime + ", every " + every + ", watched " + watched
                    + ", issues at each fetch " + issuesAtEachFetch + ", source " + source.mode + ", clock error "
                    + Duration.ofNanos(clockErrorNanos);
        }

        // --- time ---

        private final class WorldClock extends Clock {
            @Override
            public Instant instant() {
                return ManualClock.START.plusNanos(nanos + sleptNanos + clockErrorNanos);
            }

            @Override
            public ZoneId getZone() {
                return ZoneOffset.UTC;
            }

            @Override
            public Clock withZone(ZoneId zone) {
                return this;
            }
        }

        /** When it really is. */
        private Instant really() {
            return ManualClock.START.plusNanos(nanos + sleptNanos);
        }

        private final class Task implements Future<Object>, Comparable<Task> {
            private final long due;
            private final long number = planned++;
            private Runnable code;

            Task(long due, Runnable code) {
                this.due = due;
                this.code = code;
            }

            @Override
            public int compareTo(Task other) {
                return due != other.due ? Long.compare(due, other.due) : Long.compare(number, other.number);
            }

            void run() {
                Runnable now = code;
                code = null;
                if (now != null) {
                    now.run();
                }
            }

            @Override
            public boolean cancel(boolean interrupt) {
                code = null;
                return true;
            }

            @Override
            public boolean isCancelled() {
                return code == null;
            }

            @Override
            public boolean isDone() {
                return code == null;
            }

            @Override
            public Object get() {
                throw new UnsupportedOperationException();
            }

            @Override
            public Object get(long timeout, TimeUnit unit) {
                throw new UnsupportedOperationException();
            }
        }

        private Future<?> later(long delay, Runnable code) {
            Task task = new Task(nanos + delay, code);
            queue.add(task);
            return task;
        }

        private void execute(Runnable code) {
            if (inline) {
                inline = false;
                code.run();
                return;
            }
            queued++;
            var unused = later(random.nextInt(2_000_000), () -> {
                queued--;
                code.run();
            });
        }

        /** Lets everything happen until then. A fetch calls this, too, while it takes its time. */
        private void runUntil(long end) {
            for (Task task = queue.peek(); task != null && task.due <= end; task = queue.peek()) {
                queue.poll();
                nanos = Math.max(nanos, task.due);
                task.run();
            }
            nanos = Math.max(nanos, end);
        }

        // --- life ---

        void live(long days, Tally all) {
            tally = all;
            provider = begun(null);
            var unused = provider.getAsync();
            again(20 * MINUTE, this::fault);
            again(3 * MINUTE, this::ask);
            again(40 * MINUTE, this::refuse);
            again(DAY / 2, this::reload);
            again(DAY / 2, this::clockFault);
            if (!issuesAtEachFetch) {
                source.rotate();
            }
            runUntil(days * DAY);
            provider.close();
            assertThat(provider.status().isUsable()).isFalse();
        }

        private LiveProvider begun(LiveProvider before) {
            LiveProvider begun = new LiveProvider(
                    "simulated",
                    source,
                    new WorldIntake(),
                    Placement.bearer()::form,
                    new RefreshPolicy(0.2, null, every, Duration.ofSeconds(10)),
                    context,
                    before);
            begun.open();
            return begun;
        }

        /** Does something about that often. */
        private void again(long about, Runnable something) {
            var unused = later((long) (about * 2 * random.nextDouble()), () -> {
                something.run();
                again(about, something);
            });
        }

        private void fault() {
            Mode before = source.mode;
            source.mode = random.nextInt(3) > 0 ? Mode.WELL : MODES.get(random.nextInt(MODES.size()));
            rude = random.nextInt(4) == 0;
            if (source.mode != Mode.WELL || rude) {
                wellSince = Long.MAX_VALUE;
            } else if (before != Mode.WELL || wellSince == Long.MAX_VALUE) {
                wellSince = nanos;
            }
        }

        private void clockFault() {
            tally.steps++;
            if (random.nextInt(3) == 0) {
                // The machine sleeps.
                sleptNanos += (long) (random.nextDouble() * DAY);
                source.renew();
            } else if (clockErrorNanos != 0) {
                clockErrorNanos = 0;
                clockRightSince = nanos;
            } else {
                clockErrorNanos = (long) ((random.nextDouble() - 0.5) * 60 * DAY);
                clockRightSince = Long.MAX_VALUE;
                // It is put right soon, for most of the days are to be such as days are.
                var unused = later((long) (random.nextDouble() * 60 * MINUTE), () -> {
                    if (clockErrorNanos != 0) {
                        steppedAt = nanos;
                        clockErrorNanos = 0;
                        clockRightSince = nanos;
                    }
                });
            }
            steppedAt = nanos;
        }

        private void reload() {
            if (source.under == 0 && queued == 0) {
                LiveProvider before = provider;
                provider = begun(before);
                before.retire();
                wellSince = source.mode == Mode.WELL && !rude ? nanos : Long.MAX_VALUE;
                var unused = provider.getAsync();
            }
        }

        private boolean isSettled() {
            long bound = RefreshPolicy.LONGEST_DELAY.toNanos()
                    + (every == null ? 0 : every.toNanos())
                    + poll.toNanos() * 2
                    + 15 * SECOND;
            return source.under == 0
                    && wellSince != Long.MAX_VALUE
                    && clockRightSince != Long.MAX_VALUE
                    && nanos - Math.max(wellSince, clockRightSince) > bound
                    && nanos - steppedAt > bound;
        }

        private void ask() {
            TokenStatus status = provider.status();
            if (isSettled()) {
                require(
                        status.isUsable() && status.failure() == null,
                        () -> "the source is well again, and the token is not back: " + status);
            }
            if (!status.isUsable()) {
                if (queued == 0 && source.under == 0 && status.failure() == null) {
                    var unused = provider.getAsync();
                }
                return;
            }
            Token token = got();
            tally.answers++;
            Instant wall = context.clock().instant();
            // Whatever happens at the very moment of an end may come before it is told.
            if (token.isExpired(wall.minusMillis(1))) {
                tally.late++;
                require(
                        nanos - steppedAt <= poll.toNanos(),
                        () -> token + " went out " + Duration.ofNanos(nanos - steppedAt) + " after the clock stepped");
            }
            String known = versions.putIfAbsent(token.generation(), token.reveal());
            require(
                    known == null || known.equals(token.reveal()),
                    () -> "two versions have the number " + token.generation());
            require(token.generation() >= newest, () -> "version " + token.generation() + " came back over " + newest);
            newest = token.generation();
            if (random.nextInt(50) == 0) {
                provider.offer(source.issued("offered"), token);
            }
        }

        private Token got() {
            try {
                return provider.get();
            } catch (TokenUnavailableException e) {
                throw new AssertionError("it said that it had one", e);
            }
        }

        /** A server says 401, and whoever asked waits. */
        private void refuse() {
            if (source.under > 0 || queued > 0 || !provider.status().isUsable()) {
                return;
            }
            Token token = got();
            int before = source.calls;
            inline = true;
            boolean another = provider.invalidate(token);
            inline = false;
            require(
                    !another || got().generation() != token.generation(),
                    () -> "it said that there is another than " + token);
            require(source.calls - before <= 1, () -> "more than one call for a rejected " + token);
        }

        private void rudely(String where) {
            if (rude && random.nextInt(3) == 0) {
                switch (random.nextInt(4)) {
                    case 0 -> throw new OutOfMemoryError(where);
                    case 1 -> throw new StackOverflowError(where);
                    case 2 -> throw new LinkageError(where);
                    default -> throw new IllegalStateException(where);
                }
            }
        }

        private final class WorldIntake implements Intake {
            @Override
            public Token accept(String name, TokenDocument document, long generation) {
                rudely("intake");
                return Token.of(name, document, generation, null);
            }

            @Override
            public void prove(Snapshot candidate) throws TokenException {
                rudely("proof");
                if (rude && random.nextInt(5) == 0) {
                    throw new TokenException(Reason.UNAUTHENTICATED, "refused", null);
                }
            }
        }

        private final class Source implements TokenSource {
            private final Deque<Long> failing = new ArrayDeque<>();
            private Mode mode = Mode.WELL;
            private Runnable changed = () -> {};
            private TokenDocument current = issued("first");
            private TokenDocument ended = TokenDocument.of("ended").withExpiresAt(ManualClock.START.minusSeconds(1));
            private long issued;
            private long failingSince = -1;
            private int calls;
            private int under;

            TokenDocument issued(String kind) {
                return TokenDocument.of(kind + "-" + issued++).withExpiresAt(really().plus(World.this.lifetime));
            }

            /** A store in which somebody puts the next token long before the last one ends. */
            void rotate() {
                renew();
                if (watched && random.nextInt(3) > 0 && mode == Mode.WELL && under == 0 && queued == 0) {
                    changed.run();
                }
                var unused = later((long) (lifetime.toNanos() * (0.3 + 0.2 * random.nextDouble())), this::rotate);
            }

            /** What the machine that does so did not sleep through. */
            void renew() {
                ended = current;
                current = issued("stored");
            }

            @Override
            public Watch watch(Runnable told) {
                changed = told;
                return Watch.none();
            }

            @Override
            public Optional<TokenDocument> fetch() throws SourceException {
                calls++;
                tally.fetches++;
                require(under == 0, () -> "two fetches at a time");
                under++;
                try {
                    Optional<TokenDocument> answer = answered();
                    failingSince = -1;
                    return answer;
                } catch (SourceException | RuntimeException | Error e) {
                    failed();
                    throw e;
                } finally {
                    under--;
                }
            }

            private void failed() {
                tally.failures++;
                if (failingSince < 0) {
                    failingSince = nanos;
                    failing.clear();
                }
                failing.add(nanos);
                require(
                        nanos - failingSince >= MINUTE || failing.size() <= 10,
                        () -> failing.size() + " calls in the first failing minute");
            }

            private Optional<TokenDocument> answered() throws SourceException {
                return switch (mode) {
                    case WELL -> Optional.of(now());
                    case STUCK -> Optional.of(current);
                    case ENDED -> Optional.of(ended);
                    case EMPTY -> Optional.empty();
                    case DOWN ->
                        throw new SourceException(
                                Reason.UNREACHABLE,
                                "down",
                                null,
                                random.nextBoolean() ? null : Duration.ofSeconds(random.nextInt(10_000)));
                    case GARBAGE -> {
                        rude = true;
                        wellSince = Long.MAX_VALUE;
                        rudely("source");
                        yield random.nextBoolean() ? null : Optional.of(now());
                    }
                    case SLOW -> slow((long) (random.nextDouble() * 20 * SECOND), true);
                    case HANGING -> slow((long) (random.nextDouble() * 10 * MINUTE), false);
                };
            }

            private TokenDocument now() {
                if (issuesAtEachFetch) {
                    current = issued("issued");
                }
                return current;
            }

            /** What it read first is what it answers in the end. */
            private Optional<TokenDocument> slow(long takes, boolean heedsInterruption) throws SourceException {
                TokenDocument read = now();
                long end = nanos + takes;
                boolean interrupted = false;
                while (nanos < end) {
                    Task next = queue.peek();
                    runUntil(next == null ? end : Math.min(end, Math.max(next.due, nanos)));
                    interrupted |= Thread.interrupted();
                    if (interrupted && heedsInterruption) {
                        throw new SourceException(Reason.UNREACHABLE, "interrupted", null);
                    }
                }
                if (wellSince != Long.MAX_VALUE) {
                    // It was well again before this came back.
                    wellSince = nanos;
                }
                return Optional.of(read);
            }
        }
    }
}
