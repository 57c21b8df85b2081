package io.keyturn;

import io.keyturn.check.CheckReport;
import io.keyturn.check.CheckReport.TokenCheck;
import io.keyturn.check.ConnectivityCheck;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Location;
import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import io.keyturn.event.TokenListener;
import io.keyturn.policy.Endpoint;
import io.keyturn.provider.TokenUnavailableException;
import io.keyturn.source.SourceContext;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import okhttp3.OkHttpClient;
import org.jspecify.annotations.Nullable;

/** What a builder was told, and the way from there to open tokens. */
final class AgentPlan {
    private static final Comparator<Problem> BY_PLACE = Comparator.comparingInt(
                    (Problem problem) -> problem.at().line())
            .thenComparingInt(problem -> problem.at().column());

    Function<String, @Nullable String> variables = System::getenv;
    Clock clock = Clock.systemUTC();
    final List<TokenListener> listeners = new ArrayList<>();
    Path folder = Path.of("");

    @Nullable
    Settings settings;

    @Nullable
    String name;

    @Nullable
    OkHttpClient client;

    @Nullable
    Secret fingerprintKey;

    private @Nullable Duration startTimeout;
    private final List<TokenPlan> ownTokens = new ArrayList<>();

    /** All that was configured, by the program and by its settings. */
    private record Everything(
            String name,
            List<TokenPlan> tokens,
            @Nullable Secret fingerprintKey,
            Duration startTimeout,
            List<Problem> problems,
            List<Need> needs) {}

    void token(String tokenName, TokenSource source, Consumer<TokenOptions> configure) {
        Location at = Location.of("tokens." + tokenName);
        if (!TokenPlan.NAME.matcher(tokenName).matches()) {
            throw new ConfigException(List.of(Problem.of(at, TokenPlan.NAME_RULE)));
        }
        TokenOptions options = new TokenOptions();
        configure.accept(options);
        ownTokens.add(new TokenPlan(tokenName, at, source, options));
    }

    void startTimeout(Duration timeout) {
        if (timeout.isZero() || timeout.isNegative()) {
            throw new ConfigException(List.of(Problem.of(Location.of("start_timeout"), "must be positive")));
        }
        startTimeout = timeout;
    }

    // --- what is made of it ---

    OpenTokens start() throws TokenUnavailableException {
        Everything all = read(true);
        List<Problem> problems = new ArrayList<>(all.problems);
        problems.addAll(unset(all.tokens));
        if (!problems.isEmpty()) {
            throw new ConfigException(inOrder(problems));
        }
        OpenTokens tokens = open(all);
        try {
            tokens.awaitRequired(all.startTimeout);
            return tokens;
        } catch (TokenUnavailableException | RuntimeException e) {
            tokens.close();
            throw e;
        }
    }

    /** Opens the tokens for as long as it takes to look at them. */
    CheckReport look(Function<OpenTokens, CheckReport> look) {
        Everything all = read(true);
        if (!all.problems.isEmpty()) {
            return new CheckReport(all.name, all.problems, List.of(), List.of(), false);
        }
        try (OpenTokens tokens = open(all)) {
            return look.apply(tokens);
        }
    }

    /** What is not set or not there is a need, wherever it stands, and no error. Nothing is opened. */
    CheckReport validate() {
        Everything all = read(false);
        List<Problem> problems = all.problems.stream()
                .filter(problem -> problem.reason() != Reason.UNSET && problem.reason() != Reason.ABSENT)
                .toList();
        List<TokenCheck> tokens = problems.isEmpty()
                ? all.tokens.stream().map(AgentPlan::declared).toList()
                : List.of();
        return new CheckReport(all.name, problems, tokens, all.needs, false);
    }

    private static TokenCheck declared(TokenPlan token) {
        return ConnectivityCheck.declare(
                token.name(), token.at(), token.options().endpoints());
    }

    private OpenTokens open(Everything all) {
        return new OpenTokens(all.name, all.tokens, all.fingerprintKey, clock, client, listeners);
    }

    private Everything read(boolean readFiles) {
        List<TokenPlan> tokens = new ArrayList<>();
        List<Problem> problems = new ArrayList<>();
        List<Need> needs = List.of();
        String agent = name == null ? "agent" : name;
        Secret key = fingerprintKey;
        Duration timeout = startTimeout == null ? Duration.ofSeconds(10) : startTimeout;
        if (settings != null) {
            AgentSettings read = AgentSettings.read(settings, folder, variables, clock, readFiles);
            tokens.addAll(read.tokens());
            problems.addAll(read.problems());
            needs = read.needs();
            agent = name == null ? read.name() : name;
            key = key == null ? read.fingerprintKey() : key;
            timeout = startTimeout == null ? read.startTimeout() : startTimeout;
        }
        ownTokens.forEach(own -> tokens.add(opened(own, problems)));
        addClashes(tokens, problems);
        return new Everything(agent, tokens, key, timeout, inOrder(problems), needs);
    }

    /** A token of the program's with the agent's environment, and with its options judged as a whole. */
    private TokenPlan opened(TokenPlan own, List<Problem> problems) {
        TokenOptions options = own.options();
        try {
            options.complete();
        } catch (ConfigException e) {
            e.problems().forEach(problem -> problems.add(Problem.of(own.at(), problem.message())));
        }
        SourceContext context = new SourceContext(variables, clock, options.allow());
        return new TokenPlan(own.name(), own.at(), own.source().in(context), options);
    }

    /** Two tokens of one name, or for the same requests. */
    private static void addClashes(List<TokenPlan> tokens, List<Problem> problems) {
        for (int i = 0; i < tokens.size(); i++) {
            TokenPlan token = tokens.get(i);
            for (TokenPlan before : tokens.subList(0, i)) {
                if (before.name().equals(token.name())) {
                    problems.add(Problem.of(token.at(), "there is a token '" + token.name() + "' already"));
                } else {
                    before.tie(token)
                            .map(endpoint -> tie(before, token, endpoint))
                            .ifPresent(problems::add);
                }
            }
        }
    }

    private static Problem tie(TokenPlan before, TokenPlan token, Endpoint endpoint) {
        return Problem.of(
                token.at(),
                "tokens '" + before.name() + "' and '" + token.name() + "' have the same endpoint " + endpoint
                        + ": let one of them say attach: by_name");
    }

    /** Variables that required tokens would wait for in vain: they will not be set while this process lives. */
    private static List<Problem> unset(List<TokenPlan> tokens) {
        return tokens.stream()
                .filter(token -> token.options().isRequired())
                .flatMap(token -> token.unset().stream())
                .toList();
    }

    private static List<Problem> inOrder(List<Problem> problems) {
        return problems.stream().sorted(BY_PLACE).toList();
    }
}
