package io.keyturn.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import com.sun.management.ThreadMXBean;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import okhttp3.HttpUrl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A request that our own rules allow costs no memory, whatever they are put together to. */
class PolicyAllocationTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final int CALLS = 1_000;
    private static final int MOST_ROUNDS = 500;

    private static final Instant ISSUED = Instant.parse("2026-01-01T00:00:00Z");
    private static final Token TOKEN = Token.of(
            "api",
            TokenDocument.of("ktn_allocation_7Qm2Xv9LrT4w")
                    .withScopes(Set.of("read"))
                    .withIssuedAt(ISSUED)
                    .withExpiresAt(ISSUED.plus(Duration.ofDays(30))));
    private static final HttpUrl URL = HttpUrl.get("https://api.example.com/v1/me?x=1");

    private static InetAddress[] addresses() throws Exception {
        return new InetAddress[] {
            InetAddress.getByName("203.0.113.7"),
            InetAddress.getByName("203.0.113.8"),
            InetAddress.getByName("2001:db8::7"),
            InetAddress.getByName("2001:db8:ffff::8")
        };
    }

    static Stream<Arguments> policies() {
        TokenPolicy reads = TokenPolicies.scopes(Set.of("read"), Set.of("admin"), false);
        TokenPolicy writes = TokenPolicies.scopes(Set.of("write"), Set.of(), false);
        TokenPolicy always = TokenPolicies.hours(Clock.systemUTC(), "mon-sun 00:00-24:00 Europe/Berlin");
        TokenPolicy never = TokenPolicies.endpoints("https://elsewhere.example.com");
        TokenPolicy here = TokenPolicies.endpoints("https://other.example.com", "https://api.example.com/v1");
        TokenPolicy there = TokenPolicies.allowIps("10.0.0.0/8", "203.0.113.0/24", "2001:db8::/32");
        TokenPolicy lives = TokenPolicies.maxLifetime(Duration.ofDays(90), false);
        return Stream.of(
                Arguments.of("nothing", TokenPolicies.allOf()),
                Arguments.of("hours", always),
                Arguments.of("allowIps", there),
                Arguments.of("endpoints", here),
                Arguments.of("https", TokenPolicies.https()),
                Arguments.of(
                        "all of them",
                        TokenPolicies.allOf(
                                reads, lives, TokenPolicies.expires(), always, there, here, TokenPolicies.https())),
                Arguments.of("anyOf of requests", TokenPolicies.anyOf(never, TokenPolicies.allOf(there, always))),
                Arguments.of(
                        "anyOf of tokens and requests",
                        TokenPolicies.anyOf(
                                writes,
                                TokenPolicies.allOf(reads, never),
                                TokenPolicies.allOf(reads, lives, TokenPolicies.expires(), always))));
    }

    /** The least that many calls have allocated, once the machine knows them. */
    private static long allocated(TokenPolicy policy, InetAddress... addresses) throws TokenDeniedException {
        long least = Long.MAX_VALUE;
        for (int round = 0; round < MOST_ROUNDS && least > 0; round++) {
            long before = THREADS.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < CALLS; i++) {
                TokenPolicies.check(policy, TOKEN, "GET", URL, addresses[i % addresses.length]);
            }
            least = Math.min(least, THREADS.getCurrentThreadAllocatedBytes() - before);
        }
        return least;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("policies")
    void check_ourRules_allocateNothing(String what, TokenPolicy policy) throws Exception {
        assertThatCode(() -> policy.admit(TOKEN)).doesNotThrowAnyException();
        assertThat(allocated(policy, addresses())).as(what).isZero();
    }

    /** So it would be seen if they did. */
    @Test
    void check_programsRule_costsADestination() throws Exception {
        List<Destination> kept = new ArrayList<>(List.of(new Destination("GET", URL, null)));
        TokenPolicy theirs = (token, destination) -> kept.set(0, destination);
        assertThat(allocated(TokenPolicies.allOf(TokenPolicies.https(), theirs), addresses()))
                .isGreaterThanOrEqualTo(CALLS * 16L);
    }
}
