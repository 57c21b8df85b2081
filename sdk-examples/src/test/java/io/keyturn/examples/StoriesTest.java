package io.keyturn.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import io.keyturn.TokenAgent;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.TokenDocument;
import java.io.IOException;
import okhttp3.OkHttp;
import okhttp3.OkHttpClient;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Runs in an ordinary build with the OkHttp that we bring, and once more with the oldest that we support. */
@Tag("okhttp-floor")
class StoriesTest {
    private final Stage stage = new Stage();

    StoriesTest() throws IOException {}

    @AfterEach
    void close() {
        stage.close();
    }

    @Test
    void okHttp_inThisRun_isTheOneThatWasAskedFor() {
        // openai-java brings okhttp 4.12.0; the parent's dependencyManagement makes it ours.
        String asked = System.getProperty("keyturn.okhttp");
        System.out.println("the stories run with OkHttp " + OkHttp.VERSION);
        assertThat(OkHttp.VERSION).startsWith(asked == null ? "5." : asked);
    }

    @Test
    void quickStart_played_provesTheTokenAndSendsIt() throws Throwable {
        String printed = stage.play(QuickStart::run);

        // The check asks twice, once without the token.
        assertThat(stage.tokensSeenAt("/v1/me")).containsExactly(1, 0, 1);
        assertThat(printed).contains("pass: 1 token", "/v1/me answered 200 to api_token#");
    }

    @Test
    void quickStart_sentOnToAStranger_leavesTheTokenAtHome() throws Throwable {
        stage.api.sendOnTo(stage.stranger.url("/v1/me"));

        assertThat(stage.play(QuickStart::run)).contains("redirected", "/v1/me answered 401 to no token");
        stage.assertStrangerSawNoToken();
    }

    @Test
    void ownKey_played_itsModuleIsFoundAndGivesTheToken() throws Throwable {
        String printed = stage.play(OwnKey::run);

        assertThat(stage.tokensSeenAt("/v1/me")).containsExactly(1);
        assertThat(printed).contains("/v1/me answered 200 to api_token#");
    }

    @Test
    void withLangChain4j_tokenPushedBetweenTwoCalls_sendsTheNewOne() throws Throwable {
        String printed = stage.play(WithLangChain4j::run);

        assertThat(stage.tokensSeenAt("/v1/chat/completions")).containsExactly(2, 1);
        assertThat(printed).startsWith("Hello! Hello! The last was llm#");
    }

    @Test
    void withLangChain4j_sentOnToAStranger_leavesTheTokenAtHome() {
        stage.api.sendOnTo(stage.stranger.url("/v1/chat/completions"));

        assertThatThrownBy(() -> stage.play(WithLangChain4j::run)).hasMessageContaining("not a token of this API");
        stage.assertStrangerSawNoToken();
    }

    @Test
    void withOpenAiJava_tokenPushedBetweenTwoCalls_sendsTheNewOne() throws Throwable {
        String printed = stage.play(WithOpenAiJava::run);

        assertThat(stage.tokensSeenAt("/v1/chat/completions")).containsExactly(2, 1);
        assertThat(printed).startsWith("Hello! Hello! The last was llm#");
    }

    @Test
    void withOpenAiJava_sentOnToAStranger_leavesTheTokenAtHome() {
        stage.api.sendOnTo(stage.stranger.url("/v1/chat/completions"));

        assertThatThrownBy(() -> stage.play(WithOpenAiJava::run)).hasMessageContaining("not a token of this API");
        stage.assertStrangerSawNoToken();
    }

    @Test
    void openAiJava_onAnInstalledClientAfterA401_sendsTheNextTokenInsteadOfThePlaceholder() throws Throwable {
        String url = stage.api.url("/v1");
        TokenSource source = TokenSources.of("issued on demand", () -> TokenDocument.of(stage.api.issue()));
        try (TokenAgent agent =
                TokenAgent.builder().token("llm", source, t -> t.endpoint(url)).start()) {
            OpenAIClient client = OpenAIOkHttpClient.builder()
                    .okHttpClient(agent.install(new OkHttpClient()))
                    .baseUrl(url)
                    .apiKey(agent.placeholder("llm"))
                    .build();
            client.models().list();
            stage.api.acceptOnly("what it issues from now on");
            client.models().list();
            client.close();
        }
        assertThat(stage.tokensSeenAt("/v1/models")).containsExactly(1, 1, 2);
    }

    @Test
    void anyClient_fileReplacedAndOldTokenRefused_sendsTheNewOneAfterA401() throws Throwable {
        String printed = stage.play(AnyClient::run);

        // The second request meets the old token or, if the watch was quicker, the new one.
        assertThat(stage.tokensSeenAt("/v1/me")).startsWith(1).endsWith(2).hasSizeBetween(2, 3);
        assertThat(printed.lines()).hasSize(2).allMatch(line -> line.contains("/v1/me answered 200 to "));
    }

    @Test
    void ownSource_played_sendsEachTokenToItsOwnEndpoint() throws Throwable {
        String printed = stage.play(OwnSource::run);

        assertThat(stage.tokensSeenAt("/deploy")).containsExactly(1);
        assertThat(stage.tokensSeenAt("/accounts")).containsExactly(2);
        assertThat(printed.lines().toList())
                .hasSize(2)
                .anyMatch(line -> line.startsWith("/accounts answered 200 to accounts#"))
                .anyMatch(line -> line.startsWith("/deploy answered 200 to deploy#"));
    }

    @Test
    void rotatedSecret_played_sendsTheNewTokenAfterTheSwap() throws Throwable {
        String printed = stage.play(RotatedSecret::run);

        assertThat(stage.tokensSeenAt("/v1/me")).containsExactly(1, 2);
        assertThat(printed).contains("generation=2, source=file ");
    }

    @Test
    void main_ofEachStory_endsWellOnItsOwn() throws Throwable {
        String printed = stage.play(unused -> {
            QuickStart.main(new String[0]);
            WithLangChain4j.main(new String[0]);
            WithOpenAiJava.main(new String[0]);
            AnyClient.main(new String[0]);
            OwnSource.main(new String[0]);
            RotatedSecret.main(new String[0]);
        });
        assertThat(printed).doesNotContainIgnoringCase("exception");
    }
}
