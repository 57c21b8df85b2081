package io.keyturn.test;

import static org.junit.jupiter.api.Assumptions.abort;

import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import java.time.Duration;

class TestTokensContractTest implements TokenSourceContract {
    @Override
    public Fixture fixture() {
        return new Scripted(TestTokens.of("first"));
    }

    private record Scripted(TestTokens tokens) implements Fixture {
        @Override
        public TokenSource source() {
            return tokens.source();
        }

        @Override
        public void has(String value) {
            tokens.swap(value);
        }

        @Override
        public void hasNone() {
            tokens.remove();
        }

        @Override
        public void fails() {
            tokens.fail(Reason.UNREACHABLE, "the store is down");
        }

        @Override
        public void isSlow(Duration delay) {
            abort("it never waits");
        }

        @Override
        public void hangs() {
            abort("it never waits");
        }

        @Override
        public void isOversized(String secret) {
            abort("a test cannot put it there");
        }

        @Override
        public void isMalformed(String secret) {
            abort("a test cannot put it there");
        }
    }
}
