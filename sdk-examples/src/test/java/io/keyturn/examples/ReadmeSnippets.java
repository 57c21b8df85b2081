package io.keyturn.examples;

import static io.keyturn.source.TokenSources.env;
import static io.keyturn.source.TokenSources.file;
import static io.keyturn.source.TokenSources.firstOf;

import io.keyturn.TokenAgent;
import io.keyturn.http.Attachment;
import io.keyturn.http.TokenUse;
import io.keyturn.policy.TokenDeniedException;
import io.keyturn.policy.TokenPolicies;
import io.keyturn.policy.TokenPolicy;
import io.keyturn.provider.RefreshPolicy;
import io.keyturn.provider.TokenProvider;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.yaml.YamlConfig;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the README shows and no story tells in these words: it has the addresses that a reader puts his own for, so it is
 * compiled and not run. {@link ReadmeTest} compares it.
 */
final class ReadmeSnippets {
    private static final Logger log = LoggerFactory.getLogger(ReadmeSnippets.class);

    private ReadmeSnippets() {}

    static void quickstart() throws IOException {
        // snippet: quickstart
        TokenAgent agent = YamlConfig.load(Path.of("agent.yaml")).start();
        OkHttpClient http = agent.install(new OkHttpClient.Builder()).build();

        Request request =
                new Request.Builder().url("https://api.example.com/v1/me").build();
        try (Response response = http.newCall(request).execute()) { // carries the token
            System.out.println(response.code());
        }
        // end
        agent.close();
    }

    static void oauth2() throws IOException {
        // snippet: oauth2
        TokenSource source = TokenSources.configured(Map.of(
                "oauth2",
                Map.of(
                        "token_url", "https://idp.example.com/oauth2/token",
                        "client_id", "ci-agent",
                        "client_secret", Map.of("file", "/run/secrets/idp"))));
        TokenAgent agent = TokenAgent.builder()
                .token("api_token", source, t -> t.endpoint("https://api.example.com"))
                .start();
        // end
        agent.close();
    }

    static void rotation(TokenAgent agent) {
        // snippet: rotation
        TokenProvider tokens = agent.provider("api_token"); // keep the provider, not the token
        agent.listen(System.out::println); // Swapped[… generation=2, source=file /run/secrets/api_token]
        // end
        System.out.println(tokens);
    }

    static void perKey(Function<String, TokenSource> accounts, String url) throws IOException {
        // snippet: per-key
        TokenAgent agent = TokenAgent.builder()
                .tokenPerKey("github", accounts, t -> t.endpoint("https://api.github.com"))
                .start();
        Request request = new Request.Builder()
                .url(url)
                .tag(TokenUse.class, TokenUse.key("acme"))
                .build();
        TokenProvider acme = agent.provider("github", "acme");
        // end
        System.out.println(request + " " + acme);
        agent.close();
    }

    static void verified(Path secret) throws IOException {
        // snippet: verified
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "api_token",
                        file(secret),
                        t -> t.endpoint("https://api.example.com")
                                .check("GET /v1/me")
                                .verify()
                                .acceptRotatedFrom("X-New-Access-Token")
                                .refresh(RefreshPolicy.defaults().withBefore(Duration.ofMinutes(5))))
                .start();
        // end
        agent.close();
    }

    static void demand(TokenAgent agent, String url, URI uri) throws IOException {
        // snippet: demand
        Request request = new Request.Builder()
                .url(url)
                .tag(TokenUse.class, TokenUse.requiring("write")) // in Retrofit: @Tag TokenUse
                .build();
        Attachment other = agent.authorize("POST", uri, TokenUse.requiring("write")); // another client
        // end
        System.out.println(request + " " + other);
    }

    static void policy(TokenSource source, Clock clock) throws IOException {
        // snippet: policy
        TokenPolicy reads = TokenPolicies.scopes(Set.of("read"), Set.of("write"), false);
        TokenPolicy builds = TokenPolicies.allOf(
                TokenPolicies.endpoints("https://api.example.com/v1/builds"),
                TokenPolicies.hours(clock, "mon-fri 08:00-18:00 Europe/Berlin"));
        TokenPolicy own = (token, destination) -> {
            if (destination.method().equals("DELETE")) {
                throw new TokenDeniedException(Reason.POLICY, "nothing is deleted by " + token, null);
            }
        };
        TokenAgent agent = TokenAgent.builder()
                .token(
                        "api_token",
                        source,
                        t -> t.endpoint("https://api.example.com")
                                .policy(TokenPolicies.anyOf(reads, builds))
                                .policy(own))
                .start();
        // end
        agent.close();
    }

    static void redacted(TokenAgent agent) {
        // snippet: redacted
        OkHttpClient client = agent.install(new OkHttpClient.Builder())
                .addNetworkInterceptor(chain -> {
                    log.info("{}", agent.redacted(chain.request()));
                    return chain.proceed(chain.request());
                })
                .build();
        // end
        System.out.println(client);
    }

    static void builder() throws IOException {
        // snippet: builder
        TokenAgent agent = TokenAgent.builder()
                .name("ci-agent")
                .token(
                        "api_token",
                        firstOf(env("AGENT_API_TOKEN"), file("/run/secrets/api_token")),
                        t -> t.endpoint("https://api.example.com").check("GET /v1/me"))
                .start();
        // end
        agent.close();
    }
}
