package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A program that prints a token document, such as {@code gh auth token}. It is started without a shell, has nothing to
 * read, and knows few variables: those below, and those that it is given. What it says on its standard error is not
 * looked at, since it may hold anything.
 *
 * <p>Its words may hold secrets, too: only the first is ever told.
 */
final class CommandSource implements TokenSource {
    static final Duration TIMEOUT = Duration.ofSeconds(10);

    /** Such programs ask somebody in the network, and few of them tell how long their token lives. */
    private static final Optional<Duration> EVERY = Optional.of(Duration.ofMinutes(1));

    private static final int MOST_BYTES = 1024 * 1024;
    private static final boolean WINDOWS = File.separatorChar == '\\';

    /**
     * What programs need to run at all: where other programs are, where a user's login is kept, who that is, in which
     * characters to print, and where to put what is in the works. Windows starts nothing without the others.
     */
    private static final Set<String> ALWAYS = WINDOWS
            ? Set.of(
                    "PATH", "PATHEXT", "SYSTEMROOT", "COMSPEC", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP")
            : Set.of("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR");

    private final List<String> words;
    private final Set<String> passedOn;
    private final Duration timeout;
    private final SourceContext context;

    /**
     * A program that nobody has asked yet.
     *
     * @param words the program, by its name on the {@code PATH} or by its path, and what it is told
     * @param passedOn the names of further variables that it is to know
     * @param timeout how long it may take; then it is ended, with all that it has started
     * @throws IllegalArgumentException if there is no program, or a word that no program can be told
     */
    CommandSource(List<String> words, Set<String> passedOn, Duration timeout, SourceContext context) {
        this.words = List.copyOf(words);
        this.passedOn = Set.copyOf(passedOn);
        this.timeout = timeout;
        this.context = context;
        if (words.isEmpty() || words.get(0).isBlank()) {
            throw new IllegalArgumentException("a command needs a program");
        }
        if (words.stream().anyMatch(word -> word.indexOf('\0') >= 0)) {
            throw new IllegalArgumentException("a word of a command holds a NUL");
        }
    }

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        // From before it is asked, so that a lifetime that it tells never ends too late.
        Instant begun = context.clock().instant();
        byte[] printed = printed();
        return isBlank(printed) ? Optional.empty() : Optional.of(Form.TOKEN.document(printed, begun, describe()));
    }

    private byte[] printed() throws SourceException {
        try (RunningCommand running = start()) {
            byte[] printed = running.output(timeout, MOST_BYTES);
            if (printed.length > MOST_BYTES) {
                throw failed(Reason.MALFORMED, "printed more than 1 MiB: not a token", null);
            }
            if (running.exitValue() != 0) {
                throw failed(
                        Reason.UNREACHABLE,
                        "exited with " + running.exitValue(),
                        "run it by hand to read what it says; it knows no variable that its env does not name");
            }
            return printed;
        } catch (TimeoutException e) {
            throw failed(
                    Reason.UNREACHABLE,
                    "did not end within " + timeout.toMillis() + " ms, and was killed",
                    "run it by hand: it may wait for an answer that nobody gives it here");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failed(Reason.UNREACHABLE, "was interrupted, and killed", null);
        } catch (SourceException e) {
            throw e;
        } catch (IOException e) {
            throw failed(Reason.UNREACHABLE, "could not be read", null);
        }
    }

    private RunningCommand start() throws SourceException {
        List<String> command = new ArrayList<>(words);
        command.set(0, program());
        try {
            return RunningCommand.start(command, environment());
        } catch (IOException | RuntimeException e) {
            // Replaced, not wrapped: it may quote a word, or a variable.
            throw failed(
                    Reason.UNREACHABLE,
                    "could not be started",
                    "run it by hand: the system may be out of processes, or it may need an interpreter that is not there");
        }
    }

    /**
     * The path of the program. The JDK would look for it on the {@code PATH} of this process, which need not be the
     * agent's. Where that names the working directory, nothing is looked for there: anybody may have put it there.
     */
    private String program() throws SourceException {
        String name = words.get(0);
        if (WINDOWS) {
            return name;
        }
        boolean isPath = name.indexOf('/') >= 0;
        try {
            Stream<Path> places = isPath ? Stream.of(Path.of(name)) : onPath(name);
            Optional<Path> found = places.filter(Files::isRegularFile)
                    .filter(Files::isExecutable)
                    .findFirst();
            if (found.isPresent()) {
                return found.get().toString();
            }
        } catch (InvalidPathException e) {
            // Then there is no such program either.
        }
        // Nothing that comes later by itself, as a file does: so that an agent does not wait for it.
        throw failed(
                Reason.INVALID,
                isPath ? "is not there, or cannot be executed" : "is not on the PATH",
                "install " + name + ", or write its path");
    }

    private Stream<Path> onPath(String name) {
        String path = context.variables().apply("PATH");
        return Stream.of(path == null ? new String[0] : path.split(File.pathSeparator, -1))
                .map(Path::of)
                .filter(Path::isAbsolute)
                .map(folder -> folder.resolve(name));
    }

    private Map<String, String> environment() {
        Map<String, String> environment = new HashMap<>();
        Stream.concat(ALWAYS.stream(), passedOn.stream()).forEach(name -> {
            String value = context.variables().apply(name);
            if (value != null) {
                environment.put(name, value);
            }
        });
        return environment;
    }

    private static boolean isBlank(byte[] text) {
        for (byte b : text) {
            if (b != ' ' && b != '\t' && b != '\n' && b != '\r') {
                return false;
            }
        }
        return true;
    }

    private SourceException failed(Reason reason, String how, @Nullable String fix) {
        return new SourceException(reason, describe() + " " + how, fix);
    }

    @Override
    public Optional<Duration> every() {
        return EVERY;
    }

    /** The program, and how much it is told; never what. */
    @Override
    public String describe() {
        int told = words.size() - 1;
        return "command " + words.get(0) + (told == 0 ? "" : told == 1 ? " (1 argument)" : " (" + told + " arguments)");
    }

    @Override
    public SourceException absence() {
        return failed(Reason.ABSENT, "printed nothing", "run it by hand: it may want a login first");
    }

    @Override
    public TokenSource in(SourceContext other) {
        return new CommandSource(words, passedOn, timeout, other);
    }

    /** Who asks makes no difference. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof CommandSource that
                && words.equals(that.words)
                && passedOn.equals(that.passedOn)
                && timeout.equals(that.timeout);
    }

    @Override
    public int hashCode() {
        return words.hashCode();
    }

    @Override
    public String toString() {
        return describe();
    }
}
