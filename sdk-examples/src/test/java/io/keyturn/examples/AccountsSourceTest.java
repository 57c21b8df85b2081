package io.keyturn.examples;

import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.test.TokenSourceContract;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/** A source of an application's own stands the contract, as docs/testing.md shows it. */
// snippet: source-contract
class AccountsSourceTest implements TokenSourceContract {
    @Override
    public Fixture fixture() {
        return new Accounts();
    }

    private static final class Accounts implements Fixture {
        /** Stands for the database: what the next query comes to. */
        private volatile Callable<@Nullable String> query = () -> null;

        @Override
        public TokenSource source() {
            return TokenSources.of("accounts db", () -> {
                String row = query.call();
                return row == null ? null : TokenDocument.parse(row);
            });
        }

        @Override
        public void has(String value) {
            query = () -> value;
        }

        @Override
        public void hasNone() {
            query = () -> null;
        }

        @Override
        public void fails() {
            query = () -> {
                throw new IOException("no connection");
            };
        }

        @Override
        public void isSlow(Duration delay) {
            Callable<@Nullable String> before = query;
            query = () -> {
                Thread.sleep(delay.toMillis());
                return before.call();
            };
        }

        @Override
        public void hangs() {
            query = () -> {
                new CountDownLatch(1).await();
                return null;
            };
        }

        @Override
        public void isOversized(String secret) {
            has(secret.repeat(5_000));
        }

        @Override
        public void isMalformed(String secret) {
            has(secret + "\n" + secret);
        }
    }
}
// end
