package io.keyturn.test;

import static org.junit.jupiter.api.Assumptions.abort;

import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSources;
import java.time.Duration;

class PushedContractTest implements TokenSourceContract {
    @Override
    public Fixture fixture() {
        return new Program(TokenSources.pushed());
    }

    private record Program(PushedSource source) implements Fixture {
        @Override
        public void has(String value) {
            source.set(value);
        }

        @Override
        public void hasNone() {
            if (source.fetch().isPresent()) {
                abort("what was pushed cannot be taken back");
            }
        }

        @Override
        public void fails() {
            abort("it has what was pushed, and asks nobody");
        }

        @Override
        public void isSlow(Duration delay) {
            abort("it has what was pushed, and asks nobody");
        }

        @Override
        public void hangs() {
            abort("it has what was pushed, and asks nobody");
        }

        @Override
        public void isOversized(String secret) {
            abort("the program cannot push it");
        }

        @Override
        public void isMalformed(String secret) {
            abort("the program cannot push it");
        }
    }
}
