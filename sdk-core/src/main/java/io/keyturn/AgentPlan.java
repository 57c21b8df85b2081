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
import io.keyturn.source.SourceHost;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Secret;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
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

    Reloading.@Nullable Origin origin;

    @Nullable
    String name;

    @Nullable
    OkHttpClient client;

    @Nullable
    Secret fingerprintKey;

    private @Nullable PolicyOptions policy;

    @Nullable
    Path statusFile;

    @Nullable
    Path readyFile;

    /** Whether the agent leaves no trace. */
    private boolean onlyLooks;

    private @Nullable Duration startTimeout;
    private final List<TokenPlan> ownTokens = new ArrayList<>();

    void token(String tokenName, TokenSource source, Consumer<TokenOptions> configure) {
        Location at = Location.of("tokens." + tokenName);
        if (!TokenPlan.NAME.matcher(tokenName).matches()) {
            throw new ConfigException(List.of(Problem.of(at, TokenPlan.NAME_RULE)));
        }
        TokenOptions options = new TokenOptions();
        configure.accept(options);
        ownTokens.add(new TokenPlan(tokenName, null, source, options, false));
    }

    void policy(Consumer<PolicyOptions> configure) {
        PolicyOptions options = new PolicyOptions();
        try {
            configure.accept(options);
            policy = options.complete();
        } catch (ConfigException e) {
            Location at = Location.of("policy");
            throw new ConfigException(e.problems().stream()
                    .map(problem -> Problem.of(at, problem.message()))
                    .toList());
        }
    }

    void startTimeout(Duration timeout) {
        if (timeout.isZero() || timeout.isNegative()) {
            throw new ConfigException(List.of(Problem.of(Location.of("start_timeout"), "must be positive")));
        }
        startTimeout = timeout;
    }

    // --- what is made of it ---

    OpenTokens start() throws TokenUnavailableException {
        AgentConfiguration all = read(settings, true);
        ProbeFiles.clear(all.readyFile());
        OpenTokens tokens = new OpenTokens(this, usable(all), true);
        try {
            tokens.start();
            return tokens;
        } catch (TokenUnavailableException | RuntimeException e) {
            tokens.close();
            throw e;
        }
    }

    /** Opens the tokens for somebody who watches them; none is waited for, and no file is written. */
    OpenTokens watch() {
        onlyLooks = true;
        OpenTokens tokens = new OpenTokens(this, usable(read(settings, true)), true);
        tokens.watch();
        return tokens;
    }

    /** The same, unless something is wrong with it, or a variable is not set. */
    private AgentConfiguration usable(AgentConfiguration all) {
        List<Problem> problems = new ArrayList<>(all.problems());
        problems.addAll(unset(all.tokens()));
        if (!problems.isEmpty()) {
            throw new ConfigException(inOrder(problems));
        }
        return all;
    }

    boolean onlyLooks() {
        return onlyLooks;
    }

    /** Opens the tokens for as long as it takes to look at them. */
    CheckReport look(Function<OpenTokens, CheckReport> look) {
        AgentConfiguration all = read(settings, true);
        if (!all.problems().isEmpty()) {
            return new CheckReport(all.name(), all.problems(), List.of(), List.of(), false);
        }
        try (OpenTokens tokens = new OpenTokens(this, all, false)) {
            return look.apply(tokens);
        }
    }

    /** What these settings say now, with what the program has said; variables that nobody will set are a problem, too. */
    AgentConfiguration read(Settings changed) {
        AgentConfiguration all = read(changed, true);
        return all.with(unset(all.tokens()));
    }

    /** What is not set or not there is a need, wherever it stands, and no error. Nothing is opened. */
    CheckReport validate() {
        AgentConfiguration all = read(settings, false);
        List<Problem> problems = all.problems().stream()
                .filter(problem -> problem.reason() != Reason.UNSET && problem.reason() != Reason.ABSENT)
                .toList();
        List<TokenCheck> tokens = problems.isEmpty()
                ? all.tokens().stream().map(AgentPlan::declared).toList()
                : List.of();
        return new CheckReport(all.name(), problems, tokens, all.needs(), false);
    }

    private static TokenCheck declared(TokenPlan token) {
        return ConnectivityCheck.declare(
                token.name(), token.at(), token.options().endpoints());
    }

    private AgentConfiguration read(@Nullable Settings written, boolean readFiles) {
        List<TokenPlan> tokens = new ArrayList<>();
        List<Problem> problems = new ArrayList<>();
        List<Need> needs = List.of();
        Set<Path> files = Set.of();
        String agent = name == null ? "agent" : name;
        Secret key = fingerprintKey;
        Duration timeout = startTimeout == null ? Duration.ofSeconds(10) : startTimeout;
        Duration poll = Duration.ofSeconds(1);
        HttpSettings http = HttpSettings.defaults(variables);
        PolicyOptions asked = policy;
        Path statusPath = statusFile;
        Path readyPath = readyFile;
        if (written != null) {
            AgentSettings read = AgentSettings.read(written, folder, variables, clock, readFiles);
            tokens.addAll(read.tokens());
            problems.addAll(read.problems());
            needs = read.needs();
            files = read.files();
            agent = name == null ? read.name() : name;
            key = key == null ? read.fingerprintKey() : key;
            timeout = startTimeout == null ? read.startTimeout() : startTimeout;
            poll = read.poll();
            http = read.http() == null ? http : read.http();
            asked = asked == null ? read.policy() : asked;
            statusPath = statusPath == null ? read.statusFile() : statusPath;
            readyPath = readyPath == null ? read.readyFile() : readyPath;
        }
        for (TokenPlan own : ownTokens) {
            tokens.add(own);
            addProblems(own, problems);
        }
        addClashes(tokens, problems);
        return new AgentConfiguration(
                agent,
                tokens,
                key,
                timeout,
                poll,
                http,
                asked,
                onlyLooks ? null : statusPath,
                onlyLooks ? null : readyPath,
                files,
                inOrder(problems),
                needs);
    }

    /** Judges the options of a token of the program's own as a whole. */
    private static void addProblems(TokenPlan own, List<Problem> problems) {
        try {
            own.options().complete();
        } catch (ConfigException e) {
            e.problems().forEach(problem -> problems.add(Problem.of(own.at(), problem.message())));
        }
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
    private List<Problem> unset(List<TokenPlan> tokens) {
        SourceHost reading = SourceHost.reading(variables, clock);
        return tokens.stream()
                .filter(token -> token.options().isRequired())
                .map(token -> token.opened(
                        new SourceContext(reading, folder, token.options().allow())))
                .flatMap(token -> token.unset().stream())
                .toList();
    }

    private static List<Problem> inOrder(List<Problem> problems) {
        return problems.stream().sorted(BY_PLACE).toList();
    }
}
