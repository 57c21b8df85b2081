package io.keyturn.examples;

import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.openai.OpenAiChatModel;
import io.keyturn.TokenAgent;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSources;
import java.io.IOException;
import okhttp3.OkHttpClient;

/**
 * A framework that builds on OkHttp gets a client that attaches the token. The framework itself never sees one: its API
 * key is a placeholder.
 */
public final class WithLangChain4j {
    private WithLangChain4j() {}

    public static void main(String[] args) throws IOException {
        try (LoopbackApi api = LoopbackApi.start()) {
            run(api);
        }
    }

    static void run(LoopbackApi api) throws IOException {
        String url = api.url("/v1");
        String next = api.issue();
        PushedSource source = TokenSources.pushed();
        source.set(api.issue());
        try (TokenAgent agent =
                TokenAgent.builder().token("llm", source, t -> t.endpoint(url)).start()) {
            // snippet: langchain4j
            ChatModel model = OpenAiChatModel.builder()
                    .httpClientBuilder(
                            new OkHttpClientBuilder().okHttpClientBuilder(agent.install(new OkHttpClient.Builder())))
                    .baseUrl(url)
                    .apiKey(agent.placeholder("llm")) // filled where the token may go; a harmless word elsewhere
                    .modelName("any")
                    .build();

            String first = model.chat("Hi");
            source.set(next); // swapped while the program runs
            String second = model.chat("Hi");
            // end
            System.out.println(first + " " + second + " The last was "
                    + agent.provider("llm").get());
        }
    }
}
