package io.keyturn.cli;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.check.CheckReport;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.Charset;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What a command has around it.
 *
 * @param command what a person types to start it
 * @param colour whether a person looks at {@code out}, and wants colours
 * @param progress whether a person looks at {@code err}
 */
record Shell(
        String command,
        Function<String, @Nullable String> variables,
        InputStream in,
        PrintStream out,
        PrintStream err,
        boolean colour,
        boolean progress) {

    static Shell ofProcess() {
        Function<String, @Nullable String> variables = System::getenv;
        return new Shell(
                command(System.getProperty("sun.java.command", "")),
                variables,
                System.in,
                stream(FileDescriptor.out),
                stream(FileDescriptor.err),
                wantsColour(variables) && Terminal.isOutput(),
                !isDumb(variables) && Terminal.isError());
    }

    /** What the variables say; <a href="https://no-color.org">NO_COLOR</a> means no, whatever it is set to. */
    static boolean wantsColour(Function<String, @Nullable String> variables) {
        return !isDumb(variables) && isEmpty(variables.apply("NO_COLOR"));
    }

    private static boolean isDumb(Function<String, @Nullable String> variables) {
        return "dumb".equals(variables.apply("TERM"));
    }

    /** For the next command to be copied: the class or jar that was started is where a JVM's own command begins. */
    static String command(String started) {
        int jar = started.indexOf(".jar ");
        return jar < 0 ? "keyturn" : "java -jar " + started.substring(0, jar + 4);
    }

    private static PrintStream stream(FileDescriptor descriptor) {
        return new PrintStream(new FileOutputStream(descriptor), false, charset());
    }

    /** The terminal's own; where the locale says nothing, as in most containers, that would be ASCII, and a loss. */
    private static Charset charset() {
        String name = System.getProperty("stdout.encoding", System.getProperty("native.encoding", "UTF-8"));
        Charset charset = Charset.isSupported(name) ? Charset.forName(name) : UTF_8;
        return charset.equals(US_ASCII) ? UTF_8 : charset;
    }

    /** What a variable is set to; null where it is not set, or empty. */
    @Nullable
    String variable(String name) {
        String value = variables.apply(name);
        return isEmpty(value) ? null : value;
    }

    private static boolean isEmpty(@Nullable String value) {
        return value == null || value.isEmpty();
    }

    void print(CheckReport report, boolean json) {
        if (json) {
            byte[] document = (report.toJson() + "\n").getBytes(UTF_8);
            out.write(document, 0, document.length);
        } else {
            out.print(report.render(colour));
        }
        out.flush();
    }
}
