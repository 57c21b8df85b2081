package io.keyturn.check;

import static io.keyturn.source.TokenSources.env;
import static io.keyturn.source.TokenSources.file;
import static io.keyturn.source.TokenSources.firstOf;
import static io.keyturn.source.TokenSources.value;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.RecordingServer;
import io.keyturn.TokenAgent;
import io.keyturn.check.CheckReport.SourceCheck;
import io.keyturn.check.CheckReport.Step;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import java.util.Map;
import java.util.Set;
import org.assertj.core.groups.Tuple;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Which source gives each token, and why the others do not. */
@Timeout(60)
class ExplainTest {
    @RegisterExtension
    final Canary canary = new Canary();

    private TokenCheck explain(TokenSource source) {
        CheckReport report = Reports.seen(
                TokenAgent.builder()
                        .environment(Map.of("AGENT_API_TOKEN", canary.token())::get)
                        .token("api_token", source)
                        .explain(Set.of()),
                canary);
        return report.tokens().get(0);
    }

    @Test
    void explain_secondOfThree_tellsWhyTheFirstHasNoneAndThatTheThirdIsNotAsked() {
        TokenSource never = () -> {
            throw new AssertionError("asked");
        };

        TokenCheck token = explain(firstOf(env("NOT_SET"), env("AGENT_API_TOKEN"), never));

        assertThat(token.sources())
                .containsExactly(
                        new SourceCheck(
                                "environment variable NOT_SET", false, "environment variable NOT_SET is not set"),
                        new SourceCheck("environment variable AGENT_API_TOKEN", true, "has the token"),
                        new SourceCheck("a source of the program's own", false, "not asked"));
        assertThat(token.source()).startsWith("environment variable AGENT_API_TOKEN");
        assertThat(token.fingerprint()).isNotNull();
        assertThat(token.steps()).extracting(Step::step).containsExactly("config", "resolve", "expiry", "scopes");
    }

    @Test
    void explain_firstFails_isWhereTheSearchEnds() {
        TokenSource down = () -> {
            throw new SourceException(Reason.UNREACHABLE, "the store is down", null);
        };

        TokenCheck token = explain(firstOf(down, env("AGENT_API_TOKEN")));

        assertThat(token.sources())
                .extracting(SourceCheck::chosen, SourceCheck::why)
                .containsExactly(Tuple.tuple(false, "the store is down"), Tuple.tuple(false, "not asked"));
        assertThat(token.status()).isEqualTo(Status.UNKNOWN);
    }

    @Test
    void explain_none_tellsWhyOfEach() {
        CheckReport report = TokenAgent.builder()
                .environment(name -> null)
                .token("api_token", firstOf(env("NOT_SET"), file("/nowhere/token")))
                .explain(Set.of());

        assertThat(report.tokens().get(0).sources())
                .extracting(SourceCheck::why)
                .containsExactly("environment variable NOT_SET is not set", "file /nowhere/token does not exist");
        assertThat(report.exitCode()).isEqualTo(2);
    }

    @Test
    void explain_endpoint_isNotAsked() {
        try (RecordingServer server = RecordingServer.start()) {
            CheckReport report = TokenAgent.builder()
                    .token(
                            "api_token",
                            value("t1"),
                            t -> t.endpoint(server.url("/")).check("GET /"))
                    .explain(Set.of());

            assertThat(report.exitCode()).isZero();
            assertThat(report.tokens().get(0).endpoints()).containsExactly(server.url("/"));
            assertThat(server.seen()).isEmpty();
        }
    }

    @Test
    void explain_text_marksTheChosenOne() {
        CheckReport report = TokenAgent.builder()
                .environment(Map.of("B", canary.token())::get)
                .token("api_token", firstOf(env("A"), env("B")))
                .explain(Set.of());

        assertThat(report.toString()).contains("""
                          -        environment variable A  environment variable A is not set
                          chosen   environment variable B  has the token
                        """);
    }
}
