package io.keyturn.cli;

import java.io.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Whether a person looks at a stream of this process. */
final class Terminal {
    private Terminal() {}

    static boolean isOutput() {
        Path output = descriptor(1);
        return Files.isSymbolicLink(output) ? isTerminal(output) : isConsole(System.console());
    }

    /** Where the system does not tell this stream apart from the others, nobody does. */
    static boolean isError() {
        return isTerminal(descriptor(2));
    }

    /** On Linux. System.console() knows only of input and output together, and loads JLine on some JDKs. */
    private static Path descriptor(int number) {
        return Path.of("/proc/self/fd/" + number);
    }

    static boolean isTerminal(Path descriptor) {
        try {
            String target = Files.readSymbolicLink(descriptor).toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    /** Since JDK 22 there is a console without a terminal, and a method that tells. */
    private static boolean isConsole(@Nullable Console console) {
        if (console == null) {
            return false;
        }
        try {
            return (boolean) Console.class.getMethod("isTerminal").invoke(console);
        } catch (ReflectiveOperationException e) {
            return true;
        }
    }
}
