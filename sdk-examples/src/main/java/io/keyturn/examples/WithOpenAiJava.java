package io.keyturn.examples;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.credential.BearerTokenCredential;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import io.keyturn.TokenAgent;
import io.keyturn.source.PushedSource;
import io.keyturn.source.TokenSources;
import java.io.IOException;

/**
 * An SDK that takes a supplier asks it for each request, and so has the current token. Where the token then goes is the
 * SDK's affair: no endpoint can be enforced there.
 */
public final class WithOpenAiJava {
    private WithOpenAiJava() {}

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
        ChatCompletionCreateParams hi = ChatCompletionCreateParams.builder()
                .model("any")
                .addUserMessage("Hi")
                .build();
        try (TokenAgent agent = TokenAgent.builder().token("llm", source).start()) {
            // snippet: openai-java
            OpenAIClient client = OpenAIOkHttpClient.builder()
                    .baseUrl(url)
                    .credential(
                            BearerTokenCredential.create(agent.provider("llm").asSupplier()))
                    .build();

            ChatCompletion first = client.chat().completions().create(hi);
            source.set(next); // swapped while the program runs
            ChatCompletion second = client.chat().completions().create(hi);
            // end
            System.out.println(text(first) + " " + text(second) + " The last was "
                    + agent.provider("llm").get());
            client.close();
        }
    }

    private static String text(ChatCompletion answer) {
        return answer.choices().get(0).message().content().orElseThrow();
    }
}
