package io.keyturn.source;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.keyturn.Canary;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@DisabledOnOs(OS.WINDOWS)
class SecretFileTest {
    private static final Duration NEVER = Duration.ofSeconds(30);
    private static final Set<String> NOTHING = Set.of();

    @RegisterExtension
    final Canary canary = new Canary();

    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void write() throws IOException {
        file = secret("token", canary.token());
    }

    private Path secret(String name, String content) throws IOException {
        return chmod(Files.writeString(folder.resolve(name), content), "rw-------");
    }

    private static Path chmod(Path path, String mode) throws IOException {
        return Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(mode));
    }

    /** One read of its own, which waits for no writer: how that is done is {@link SettledFileTest}'s. */
    private static Optional<SecretFile.Content> read(Path path, Set<String> allow) throws SourceException {
        return new SecretFile(path, allow, Duration.ZERO).read();
    }

    private static String read(Path path) throws SourceException {
        return new String(read(path, NOTHING).orElseThrow().bytes(), UTF_8);
    }

    private SourceException refused(Path path, String... allow) {
        return assertTimeoutPreemptively(
                NEVER, () -> canary.caught(SourceException.class, () -> read(path, Set.of(allow))));
    }

    private static void run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).inheritIO().start();
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isZero();
    }

    private static boolean isRoot() throws IOException {
        return Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
    }

    // --- what can be read ---

    @ParameterizedTest
    @ValueSource(strings = {"rw-------", "r--------", "rwx------", "rw---x--x"})
    void read_ofTheOwnerAlone_content(String mode) throws IOException {
        Instant modified = Instant.parse("2026-01-01T00:00:00Z");
        Files.setLastModifiedTime(chmod(file, mode), FileTime.from(modified));

        SecretFile.Content content = read(file, NOTHING).orElseThrow();

        assertThat(content.bytes()).isEqualTo(canary.token().getBytes(UTF_8));
        assertThat(content.text(file)).isEqualTo(canary.token());
        assertThat(content.modified()).isEqualTo(modified);
        assertThat(content.remark()).isEmpty();
    }

    @Test
    void read_notThere_empty() throws SourceException {
        assertThat(read(folder.resolve("absent"), NOTHING)).isEmpty();
        assertThat(read(folder.resolve("absent/token"), NOTHING)).isEmpty();
    }

    @Test
    void read_largest_content() throws IOException {
        assertThat(read(secret("large", "x".repeat(65_536)))).hasSize(65_536);
    }

    @Test
    void read_oneByteMore_refused() throws IOException {
        SourceException e = refused(secret("large", "x".repeat(65_537)));

        assertThat(e).hasMessage("file " + folder.resolve("large") + " is larger than 64 KiB: not a token");
        assertThat(e.reason()).isEqualTo(Reason.MALFORMED);
    }

    @Test
    void text_notUtf8_refused() throws IOException {
        Files.write(file, new byte[] {'a', (byte) 0xff});
        SecretFile.Content content = read(file, NOTHING).orElseThrow();

        assertThat(canary.caught(SourceException.class, () -> content.text(file)))
                .hasMessage("file " + file + ": not a token: it is not valid UTF-8");
    }

    // --- rights ---

    @ParameterizedTest
    @CsvSource({
        "rw-r--r--, can be read by every user, world_read",
        "r--r--r--, can be read by every user, world_read",
        "rw----r--, can be read by every user, world_read",
        "rw-r-----, can be read by its group, group_read",
        "r--r-----, can be read by its group, group_read"
    })
    void read_readableByOthers_refusedAndSaysWhichWordAllowsIt(String mode, String what, String word)
            throws IOException {
        SourceException e = refused(chmod(file, mode));

        assertThat(e)
                .hasMessage("file " + file + " " + what + ", which needs allow: [" + word + "]")
                .hasNoCause();
        assertThat(e.fix()).isEqualTo("chmod go-r " + file);
        assertThat(e.reason()).isEqualTo(Reason.UNSAFE_FILE);
    }

    @ParameterizedTest
    @CsvSource({"rw-r-----, group_read", "rw-r-----, world_read", "rw-r--r--, world_read", "rw----r--, world_read"})
    void read_readableByOthersAsAllowed_content(String mode, String word) throws IOException {
        Path readable = chmod(file, mode);

        assertThat(read(readable, Set.of(word, "cache"))).isPresent();
    }

    @Test
    void read_readableByAllButOnlyGroupAllowed_refused() throws IOException {
        assertThat(refused(chmod(file, "rw-r--r--"), "group_read")).hasMessageContaining("world_read");
        assertThat(refused(chmod(file, "rw----r--"), "group_read")).hasMessageContaining("world_read");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rw--w----", "rw-----w-", "rw-rw-r--", "rwxrwxrwx"})
    void read_writableByOthers_refusedWhateverIsAllowed(String mode) throws IOException {
        chmod(file, mode);

        for (String[] allow : new String[][] {{}, {"group_read"}, {"world_read"}, {"group_read", "world_read"}}) {
            SourceException e = refused(file, allow);
            assertThat(e).hasMessage("file " + file + " can be written by others");
            assertThat(e.fix()).isEqualTo("chmod go-w " + file);
            assertThat(e.reason()).isEqualTo(Reason.UNSAFE_FILE);
        }
    }

    @Test
    void read_permissionDenied_refused() throws Exception {
        chmod(file, "---------");
        Path closed = Files.createDirectory(folder.resolve("closed"));
        Path inside = Files.writeString(closed.resolve("token"), canary.token());
        chmod(inside, "rw-------");
        chmod(closed, "---------");
        try {
            for (Path path : List.of(file, inside)) {
                String answer = readAsOrdinaryUser(path);
                canary.saw("answer", answer);
                assertThat(answer).isEqualTo("UNSAFE_FILE file " + path + " could not be read: permission denied");
            }
        } finally {
            chmod(closed, "rwx------");
        }
    }

    /** Root may read everything, so for root another process does it as nobody. */
    private String readAsOrdinaryUser(Path path) throws Exception {
        if (!isRoot()) {
            return SecretFileReader.answer(path);
        }
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/setpriv")), "setpriv is not here");
        chmod(folder, "rwxr-xr-x");
        Path classes = SecretFileReader.copyOfClasses(folder.resolve("classes"));
        return SecretFileReader.inAnotherProcess(
                        List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"), classes, List.of(path))
                .get(0);
    }

    // --- a read-only mount in memory ---

    @Test
    void read_onReadOnlyMemory_readableByOthersWithARemark() throws Exception {
        Path memory = Files.createDirectory(folder.resolve("memory"));
        Path mount = Files.createDirectory(folder.resolve("mount"));
        Path disk = Files.createDirectory(folder.resolve("disk"));
        Path bound = Files.createFile(folder.resolve("bound"));
        Path classes = SecretFileReader.copyOfClasses(folder.resolve("classes"));
        // What is mounted in a namespace of its own is gone with the last process in it.
        List<String> alone = List.of("unshare", "--mount", "--map-root-user", "sh", "-c");
        assumeTrue(SecretFileReader.works(alone, "mount -t tmpfs tmpfs " + mount), "mount(8) is not permitted here");
        // As a container sees it: memory that can be written elsewhere, mounted read-only as a folder and as a file.
        String prepare = String.join(
                "\n",
                "set -e",
                "mount -t tmpfs -o mode=755 tmpfs " + memory,
                "cd " + memory,
                "for mode in 0400 0440 0444 0644 0660 0646; do printf x > $mode; chmod $mode $mode; done",
                "mkdir ..one; printf x > ..one/token; chmod 0444 ..one/token; ln -s ..one ..data; ln -s ..data/token token",
                "mount --bind . " + mount + "; mount -o remount,bind,ro " + mount,
                "mount --bind 0444 " + bound + "; mount -o remount,bind,ro " + bound,
                "printf x > " + disk + "/0444; chmod 0444 " + disk + "/0444",
                // A file system of its own that is read-only, and no memory; where that is not permitted, a plain
                // folder.
                "mount -t overlay -o lowerdir=" + disk + ":" + bound.getParent() + "/classes overlay " + disk
                        + " || true",
                "exec \"$@\"");
        List<Path> paths = Stream.of("0400", "0440", "0444", "0644", "token", "0660", "0646")
                .map(mount::resolve)
                .collect(Collectors.toCollection(ArrayList::new));
        paths.addAll(List.of(bound, memory.resolve("0444"), disk.resolve("0444")));

        List<String> answers = SecretFileReader.inAnotherProcess(
                Stream.concat(alone.stream(), Stream.of(prepare, "sh")).toList(), classes, paths);

        String remark = "x, readable by others, on a read-only mount in memory";
        assertThat(answers)
                .containsExactly(
                        "x",
                        remark,
                        remark,
                        remark,
                        remark,
                        "UNSAFE_FILE file " + paths.get(5) + " can be written by others",
                        "UNSAFE_FILE file " + paths.get(6) + " can be written by others",
                        remark,
                        "UNSAFE_FILE file " + paths.get(8)
                                + " can be read by every user, which needs allow: [world_read]",
                        "UNSAFE_FILE file " + paths.get(9)
                                + " can be read by every user, which needs allow: [world_read]");
        assertThat(Files.readString(Path.of("/proc/self/mounts"))).doesNotContain(folder.toString());
        assertThat(memory).isEmptyDirectory();
    }

    // --- what is no regular file ---

    @Test
    void read_directory_refused() {
        SourceException e = refused(folder);

        assertThat(e).hasMessage("file " + folder + " is a directory");
        assertThat(e.reason()).isEqualTo(Reason.UNSAFE_FILE);
    }

    @Test
    void read_fifo_refusedWithoutBlocking() throws Exception {
        Path fifo = folder.resolve("fifo");
        run("mkfifo", "-m", "600", fifo.toString());

        assertThat(refused(fifo)).hasMessage("file " + fifo + " is not a regular file");
        assertThat(refused(Files.createSymbolicLink(folder.resolve("link"), fifo)))
                .hasMessageEndingWith("link is not a regular file");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/dev/zero", "/dev/null"})
    void read_device_refusedAtOnce(String device) {
        assertThat(refused(Path.of(device), "world_read")).hasMessage("file " + device + " is not a regular file");
    }

    @Test
    void read_socket_refused() throws IOException {
        Path socket = Files.createTempDirectory("kt").resolve("s");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));

            assertThat(refused(socket)).hasMessage("file " + socket + " is not a regular file");
        } finally {
            Files.deleteIfExists(socket);
            Files.delete(socket.getParent());
        }
    }

    // --- links ---

    @Test
    void read_chainOfLinks_content() throws IOException {
        Path link = file;
        for (int i = 0; i < 10; i++) {
            link = Files.createSymbolicLink(folder.resolve("link" + i), link.getFileName());
        }

        assertThat(read(link)).isEqualTo(canary.token());
    }

    @Test
    void read_linkToAFileOfOthers_judgedByTheFile() throws IOException {
        Path link = Files.createSymbolicLink(folder.resolve("link"), chmod(file, "rw-rw-r--"));

        assertThat(refused(link)).hasMessage("file " + link + " can be written by others");
    }

    @Test
    void read_linkLoop_refusedAtOnce() throws IOException {
        Path one = folder.resolve("one");
        Path two = Files.createSymbolicLink(folder.resolve("two"), one);
        Files.createSymbolicLink(one, two);

        assertThat(refused(one))
                .hasMessageStartingWith("file " + one + " could not be read: Too many levels of symbolic");
        assertThat(refused(one).reason()).isEqualTo(Reason.UNSAFE_FILE);
    }

    @Test
    void read_danglingLink_refusedAtOnce() throws IOException {
        Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("absent"));

        SourceException e = refused(link);

        assertThat(e).hasMessage("file " + link + " is a link to a file that does not exist");
        assertThat(e.reason()).isEqualTo(Reason.ABSENT);
    }

    /** JDK 17 says that it is not a directory, JDK 25 that there is no such file. */
    @Test
    void read_fileAsAFolder_nothingToRead() {
        Path inside = file.resolve("token");
        try {
            assertThat(read(inside, NOTHING)).isEmpty();
        } catch (SourceException e) {
            assertThat(canary.saw(e)).hasMessage("file " + inside + " could not be read: Not a directory");
        }
    }

    @Test
    void read_kubernetesLayout_followsTheSwap() throws IOException {
        Path first = version("..2026_01", "first");
        Files.createSymbolicLink(folder.resolve("..data"), first.getFileName());
        Path token = Files.createSymbolicLink(folder.resolve("mounted"), Path.of("..data/token"));
        assertThat(read(token)).isEqualTo("first");

        Path second = version("..2026_02", "second");
        swapData(second);
        delete(first);

        assertThat(read(token)).isEqualTo("second");
    }

    private Path version(String name, String content) throws IOException {
        Path version = Files.createDirectory(folder.resolve(name));
        chmod(Files.writeString(version.resolve("token"), content), "rw-------");
        return version;
    }

    private void swapData(Path version) throws IOException {
        Path link = Files.createSymbolicLink(folder.resolve("..data_tmp"), version.getFileName());
        Files.move(link, folder.resolve("..data"), ATOMIC_MOVE);
    }

    private static void delete(Path version) throws IOException {
        Files.delete(version.resolve("token"));
        Files.delete(version);
    }

    // --- while it is replaced ---

    private interface Step {
        void run(int round) throws IOException;
    }

    private interface Reading {
        void run() throws IOException;
    }

    /** Does something again and again, on another thread, while this one reads. */
    private static void meanwhile(Step step, int reads, Reading reading) throws IOException, InterruptedException {
        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger rounds = new AtomicInteger();
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread thread = new Thread(() -> {
            try {
                while (!over.get()) {
                    step.run(rounds.incrementAndGet());
                }
            } catch (Throwable t) {
                failure.set(t);
            }
        });
        thread.setDaemon(true);
        thread.start();
        try {
            for (int i = 0; i < reads || (rounds.get() < 100 && thread.isAlive()); i++) {
                reading.run();
            }
        } finally {
            over.set(true);
            thread.join(30_000);
        }
        assertThat(failure.get()).isNull();
    }

    @Test
    void read_renamedOverAllTheTime_oldOrNewContent() throws Exception {
        String one = "1".repeat(20_000);
        String two = "2".repeat(9_000);
        Set<String> seen = new TreeSet<>();
        secret("token", one);
        meanwhile(
                i -> Files.move(secret("next", i % 2 == 0 ? one : two), file, ATOMIC_MOVE),
                3_000,
                () -> seen.add(read(file)));
        assertThat(seen).containsExactlyInAnyOrder(one, two);
    }

    @Test
    void read_kubernetesSwapAllTheTime_oldOrNewContent() throws Exception {
        Path[] current = {version("..0", "0")};
        Files.createSymbolicLink(folder.resolve("..data"), current[0].getFileName());
        Path token = Files.createSymbolicLink(folder.resolve("mounted"), Path.of("..data/token"));
        Set<String> seen = new TreeSet<>();
        meanwhile(
                i -> {
                    Path next = version(".." + i, String.valueOf(i));
                    swapData(next);
                    delete(current[0]);
                    current[0] = next;
                },
                2_000,
                () -> seen.add(read(token)));
        assertThat(seen).allMatch(text -> text.matches("[0-9]+"));
    }

    /** The rights that are looked at are those of the file that is read. */
    @Test
    void read_swappedForAFileOfOthers_neverItsContent() throws Exception {
        Set<String> seen = new TreeSet<>();
        AtomicInteger refused = new AtomicInteger();
        meanwhile(
                i -> {
                    Path next = secret("next", i % 2 == 0 ? "good" : "evil");
                    // Inode numbers are used again; a time of its own tells one version from every other.
                    Files.setLastModifiedTime(next, FileTime.from(Instant.EPOCH.plusSeconds(i)));
                    Files.move(chmod(next, i % 2 == 0 ? "rw-------" : "rw-rw-rw-"), file, ATOMIC_MOVE);
                },
                3_000,
                () -> {
                    try {
                        seen.add(read(file));
                    } catch (SourceException e) {
                        assertThat(e).hasMessageContaining("can be written by others");
                        refused.incrementAndGet();
                    }
                });
        seen.remove(canary.token());
        assertThat(seen).containsExactly("good");
        assertThat(refused).hasPositiveValue();
    }

    @Test
    void read_deletedAndMadeAgainAllTheTime_contentOrNothing() throws Exception {
        Set<Optional<String>> seen = new HashSet<>();
        FileAttribute<?> ownerOnly = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
        meanwhile(
                i -> {
                    Files.delete(file);
                    Files.createFile(file, ownerOnly);
                },
                2_000,
                () -> seen.add(read(file, NOTHING).map(content -> new String(content.bytes(), UTF_8))));
        seen.remove(Optional.of(canary.token()));
        assertThat(seen).isNotEmpty().isSubsetOf(List.of(Optional.empty(), Optional.of("")));
    }
}
