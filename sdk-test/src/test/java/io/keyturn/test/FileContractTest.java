package io.keyturn.test;

import static org.junit.jupiter.api.Assumptions.abort;

import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@DisabledOnOs(OS.WINDOWS)
class FileContractTest implements TokenSourceContract {
    @TempDir
    Path folder;

    @Override
    public Fixture fixture() {
        return new SecretFile(folder);
    }

    private record SecretFile(Path folder) implements Fixture {
        private Path token() {
            return folder.resolve("token");
        }

        @Override
        public TokenSource source() {
            return TokenSources.file(token());
        }

        @Override
        public void has(String value) throws IOException {
            Path unnamed = Files.createTempFile(folder, "token", ".tmp"); // only its owner can read it
            Files.writeString(unnamed, value);
            if (Files.isDirectory(token())) {
                Files.delete(token());
            }
            Files.move(unnamed, token(), StandardCopyOption.ATOMIC_MOVE);
        }

        @Override
        public void hasNone() throws IOException {
            Files.deleteIfExists(token());
        }

        @Override
        public void fails() throws IOException {
            hasNone();
            Files.createDirectory(token());
        }

        @Override
        public void isSlow(Duration delay) {
            abort("a file system cannot be slowed down here");
        }

        @Override
        public void hangs() {
            abort("a file system cannot be made to hang here");
        }

        @Override
        public void isOversized(String secret) throws IOException {
            has(secret.repeat(5_000));
        }

        @Override
        public void isMalformed(String secret) throws IOException {
            has("{\"token\": \"" + secret);
        }
    }
}
