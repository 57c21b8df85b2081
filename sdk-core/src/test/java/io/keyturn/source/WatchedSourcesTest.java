package io.keyturn.source;

import static io.keyturn.config.Written.map;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.config.Location;
import io.keyturn.config.Settings;
import io.keyturn.config.Written;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import okhttp3.OkHttpClient;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Sources that tell when they change, and which of them are the same after the configuration was read again. */
@DisabledOnOs(OS.WINDOWS)
class WatchedSourcesTest {
    private static final Duration NEVER = Duration.ofSeconds(30);

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private final Map<String, String> variables = new ConcurrentHashMap<>();
    private final Clock clock = Clock.systemUTC();
    private final ExecutorService pool = Executors.newFixedThreadPool(8, WatchedSourcesTest::daemon);
    private final FileWatcher watcher =
            new FileWatcher(Duration.ofMillis(20), System::nanoTime, pool, WatchedSourcesTest::daemon);
    private final Function<String, String> environment = variables::get;

    private static Thread daemon(Runnable task) {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    }

    private SourceHost host;

    @AfterEach
    void close() {
        watcher.close();
        pool.shutdownNow();
    }

    private SourceContext context(String... allow) {
        return new SourceContext(host(), folder, Set.of(allow));
    }

    /** One for all, as of an agent. */
    private SourceHost host() {
        if (host == null) {
            host = new SourceHost(environment, clock, watcher, new OkHttpClient(), (delay, task) -> {}, false);
        }
        return host;
    }

    private Path file(String name, String content) throws IOException {
        Path file = folder.resolve(name);
        return Files.setPosixFilePermissions(
                Files.writeString(file, content), PosixFilePermissions.fromString("rw-------"));
    }

    private void renameOver(Path file, String content) throws IOException {
        Files.move(file("next", content), file, ATOMIC_MOVE);
    }

    /** As a configuration has it that was read a moment ago. */
    private TokenSource written(Object token, String... allow) {
        Settings settings =
                Written.in("agent.yaml", map("t", token)).open(context(allow).references(List.of(folder), true));
        return TokenSources.read(settings.get("t").orElseThrow(), context(allow))
                .orElseThrow()
                .in(context(allow));
    }

    private static String revealed(TokenSource source) throws SourceException {
        return source.fetch().orElseThrow().value().reveal();
    }

    // --- changes ---

    /** What a provider does: asks at first, and then each time it is told. */
    private static final class Asking implements AutoCloseable {
        private final TokenSource source;
        private final Watch watch;
        private final AtomicInteger asked = new AtomicInteger();
        private volatile String last = "";

        Asking(TokenSource source) {
            this.source = source;
            this.watch = source.watch(this::ask);
            ask();
        }

        private void ask() {
            asked.incrementAndGet();
            try {
                last = source.fetch().map(found -> found.value().reveal()).orElse("none");
            } catch (SourceException e) {
                last = String.valueOf(e.getMessage());
            }
        }

        void await(String expected) {
            Awaitility.await().atMost(NEVER).until(() -> last.equals(expected));
        }

        @Override
        public void close() {
            watch.close();
        }
    }

    @Test
    void file_changes_toldAndRead() throws IOException {
        Path file = file("token", "first");
        try (Asking asking = new Asking(TokenSources.file(file).in(context()))) {
            asking.await("first");
            renameOver(file, "renamed");
            asking.await("renamed");
            Files.writeString(file, "in place");
            asking.await("in place");
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw-rw-"));
            asking.await("file " + file + " can be written by others");
            Files.delete(file);
            asking.await("none");
            Files.createDirectory(file);
            asking.await("file " + file + " is a directory");
            Files.delete(file);
            file("token", "back");
            asking.await("back");
        }
    }

    @Test
    void file_fifoInItsPlace_refusedWithoutHanging() throws Exception {
        Path file = file("token", "first");
        try (Asking asking = new Asking(TokenSources.file(file).in(context()))) {
            asking.await("first");
            Files.delete(file);
            assertThat(new ProcessBuilder("mkfifo", file.toString()).start().waitFor())
                    .isZero();

            asking.await("file " + file + " is not a regular file");
        }
    }

    @Test
    void template_filesInIt_toldAndRead() throws IOException {
        variables.put("A", "a");
        Path one = file("one", "1");
        Path two = file("two", "2");
        try (Asking asking = new Asking(written("${A}-${file:one}-${file:two}"))) {
            asking.await("a-1-2");
            renameOver(one, "3");
            asking.await("a-3-2");
            Files.writeString(two, "4");
            asking.await("a-3-4");
            Files.delete(two);
            asking.await("none");
            file("two", "5");
            asking.await("a-3-5");
        }
    }

    /** The environment does not say so at once, but a file of which nobody knew may come to be asked for. */
    @Test
    void template_fileThatIsAskedForLater_toldToo() throws IOException {
        Path later = file("later", "1");
        Path first = file("first", "${later}");
        Settings settings = Settings.text(Location.of("t"), references -> {
                    try {
                        String name = references.file("first");
                        return name == null ? String.valueOf(references.file("later")) : name;
                    } catch (TokenException e) {
                        return "failed";
                    }
                })
                .open(context().references(List.of(), true));
        TokenSource source = TemplateSource.of(settings, Form.TOKEN, problem -> {});
        try (Asking asking = new Asking(source)) {
            asking.await("${later}");
            Files.delete(first);
            asking.await("1");
            renameOver(later, "2");
            asking.await("2");
        }
    }

    @Test
    void firstOf_fileThatComes_told() throws IOException {
        TokenSource source = written(map("first_of", List.of(map("file", "wanted"), "${file:other}")));
        Path other = file("other", "2");
        try (Asking asking = new Asking(source)) {
            asking.await("2");
            renameOver(other, "3");
            asking.await("3");
            file("wanted", "1");
            asking.await("1");
        }
    }

    @Test
    void close_ofTheWatch_nothingIsTold() throws IOException {
        Path file = file("token", "first");
        file("other", "x");
        Asking direct = new Asking(TokenSources.file(file).in(context()));
        Asking template = new Asking(written("${file:token}${file:other}"));
        Asking still = new Asking(TokenSources.file(file).in(context()));

        direct.close();
        template.close();
        int asked = direct.asked.get() + template.asked.get();
        renameOver(file, "second");
        still.await("second");
        renameOver(folder.resolve("other"), "y");
        renameOver(file, "third");
        still.await("third");

        assertThat(direct.asked.get() + template.asked.get()).isEqualTo(asked);
        still.close();
    }

    @Test
    void watch_withoutAnAgent_nothing() throws IOException {
        Path file = file("token", "first");
        AtomicInteger calls = new AtomicInteger();
        Watch watch = TokenSources.file(file).watch(calls::incrementAndGet);
        Watch variable = written("${A}").watch(calls::incrementAndGet);

        renameOver(file, "second");
        try (Asking heard = new Asking(TokenSources.file(file).in(context()))) {
            renameOver(file, "third");
            heard.await("third");
        }

        watch.close();
        variable.close();
        assertThat(calls).hasValue(0);
    }

    /** Each source has its own memory of what it has read. */
    @Test
    void fetch_writtenInPlace_settledForEachSource() throws IOException {
        Path file = file("token", "first");
        TokenSource one = TokenSources.file(file).in(context());
        TokenSource two = written("${file:token}");
        assertThat(revealed(one)).isEqualTo("first");
        assertThat(revealed(two)).isEqualTo("first");

        Files.writeString(file, "");
        Thread writer = new Thread(() -> {
            try {
                Files.writeString(file, "second");
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
        writer.start();

        assertThat(revealed(one)).isEqualTo("second");
        assertThat(revealed(two)).isEqualTo("second");
    }

    // --- where they are asked, and how often ---

    @Test
    void isLocal_readsOnlyThisMachine() {
        TokenSource env = TokenSources.env("A");
        TokenSource file = TokenSources.file("/absent");
        TokenSource value = TokenSources.value("abc");
        TokenSource own = Optional::empty;

        assertThat(List.of(env, file, value, written("${A}"), written("${file:a}")))
                .allMatch(TokenSource::isLocal);
        assertThat(TokenSources.firstOf(env, file).isLocal()).isTrue();
        assertThat(TokenSources.firstOf(env, own).isLocal()).isFalse();
    }

    @Test
    void every_aMinuteWhereThereIsAFile() {
        Duration minute = Duration.ofMinutes(1);
        TokenSource env = TokenSources.env("A");
        TokenSource often = new TokenSource() {
            @Override
            public Optional<TokenDocument> fetch() {
                return Optional.empty();
            }

            @Override
            public Optional<Duration> every() {
                return Optional.of(Duration.ofSeconds(5));
            }
        };

        assertThat(TokenSources.file("/absent").every()).contains(minute);
        assertThat(written("${file:a}").every()).contains(minute);
        assertThat(written("${A}").every()).isEmpty();
        assertThat(env.every()).isEmpty();
        assertThat(TokenSources.firstOf(env, TokenSources.value("abc")).every()).isEmpty();
        assertThat(TokenSources.firstOf(env, TokenSources.file("/absent"), often)
                        .every())
                .contains(Duration.ofSeconds(5));
    }

    // --- the same source ---

    @Test
    void equals_writtenAlike_whateverTheLineAndWhateverWasRead() throws IOException {
        file("token", canary.token());
        variables.put("A", "a");
        List<Object> all = List.of(
                "${A}",
                "${file:token}",
                "abc",
                map("env", "A"),
                map("file", "token"),
                map("first_of", List.of(map("env", "B"), "${file:token}", map("file", "token"))));
        for (Object token : all) {
            TokenSource one = written(token);
            TokenSource two = TokenSources.read(
                            Written.in("agent.yaml", map("x", "1", "y", "2", "t", token))
                                    .open(context().references(List.of(folder), true))
                                    .get("t")
                                    .orElseThrow(),
                            context())
                    .orElseThrow()
                    .in(context());
            var unused = one.fetch();

            assertThat(one).as("%s", token).isEqualTo(two).hasSameHashCodeAs(two);
            canary.saw("source", one);
        }
        assertThat(TokenSources.value(canary.token()))
                .isEqualTo(TokenSources.value(canary.token()))
                .isNotEqualTo(TokenSources.value("other"));
    }

    @Test
    void equals_writtenOtherwise_different() {
        List<TokenSource> all = new ArrayList<>(List.of(
                written("${A}"),
                written("${B}"),
                written("abc"),
                written("${file:token}"),
                written("${file:token}", "world_read"),
                written(map("file", "token")),
                written(map("file", "token"), "world_read"),
                written(map("file", "other")),
                written(map("env", "A")),
                written(map("env", "B")),
                written(map("first_of", List.of(map("env", "A")))),
                written(map("first_of", List.of(map("env", "A"), map("env", "B"))))));

        assertThat(all).doesNotHaveDuplicates();
        assertThat(TokenSources.file("/a").in(context())).isNotEqualTo(TokenSources.file("/a"));
        assertThat(TokenSources.of("db", () -> null)).isNotEqualTo(TokenSources.of("db", () -> null));
        assertThat(TokenSources.pushed()).isNotEqualTo(TokenSources.pushed());
    }
}
