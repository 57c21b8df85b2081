package io.keyturn.test;

import static io.keyturn.source.TokenSources.env;
import static org.junit.jupiter.api.Assumptions.abort;

import io.keyturn.source.TokenSource;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;

class EnvContractTest implements TokenSourceContract {
    @Override
    public Fixture fixture() {
        return new Variable();
    }

    private static final class Variable implements Fixture {
        private final AtomicReference<String> value = new AtomicReference<>();

        @Override
        public TokenSource source() {
            return env("API_TOKEN");
        }

        @Override
        public String variable(String name) {
            return name.equals("API_TOKEN") ? value.get() : System.getenv(name);
        }

        @Override
        public void has(String text) {
            value.set(text);
        }

        @Override
        public void hasNone() {
            value.set(null);
        }

        @Override
        public void fails() {
            abort("a variable can always be read");
        }

        @Override
        public void isSlow(Duration delay) {
            abort("a variable is read at once");
        }

        @Override
        public void hangs() {
            abort("a variable is read at once");
        }

        @Override
        public void isOversized(String secret) {
            value.set(secret.repeat(5_000));
        }

        @Override
        public void isMalformed(String secret) {
            value.set(secret + "\n" + secret);
        }
    }
}
