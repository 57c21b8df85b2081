package io.keyturn.test;

import static io.keyturn.source.TokenSources.command;

import io.keyturn.source.TokenSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@DisabledOnOs(OS.WINDOWS)
class CommandContractTest implements TokenSourceContract {
    @TempDir
    Path folder;

    @Override
    public Fixture fixture() {
        return new Script(folder);
    }

    private static final class Script implements Fixture {
        private final Path script;
        private String lines = "";

        Script(Path folder) {
            this.script = folder.resolve("script");
        }

        @Override
        public TokenSource source() {
            return command("sh", script.toString());
        }

        private void does(String what) throws IOException {
            lines = what;
            Path unnamed = Files.createTempFile(script.getParent(), "script", ".tmp");
            Files.writeString(unnamed, what + "\n");
            Files.move(unnamed, script, StandardCopyOption.ATOMIC_MOVE);
        }

        @Override
        public void has(String value) throws IOException {
            does("echo " + value);
        }

        @Override
        public void hasNone() throws IOException {
            does(":");
        }

        @Override
        public void fails() throws IOException {
            does(lines + "\n" + lines + " >&2\nexit 1");
        }

        @Override
        public void isSlow(Duration delay) throws IOException {
            does("sleep " + delay.toMillis() / 1e3 + "\n" + lines);
        }

        @Override
        public void hangs() throws IOException {
            does("trap '' TERM\nsleep 300");
        }

        @Override
        public void isOversized(String secret) throws IOException {
            does("while :; do echo " + secret + "; done");
        }

        @Override
        public void isMalformed(String secret) throws IOException {
            does("echo " + secret + "\necho " + secret);
        }
    }
}
