package io.keyturn;

import io.keyturn.config.Location;
import io.keyturn.config.Need;
import io.keyturn.config.Problem;
import io.keyturn.config.References;
import io.keyturn.config.Settings;
import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.SourceHost;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSources;
import io.keyturn.token.Secret;
import io.keyturn.token.TokenException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Reads the {@code agent} map of a configuration. The keys of one token are {@link TokenOptions}'. */
final class AgentSettings {
    private static final Map<String, String> LATER =
            Map.ofEntries(TokenOptions.later("state_dir"), TokenOptions.later("audit"), TokenOptions.later("alerts"));

    private static final String PER_KEY_NEEDS_FILE =
            "per_key needs a file with {key} in its path, such as /run/tenants/{key}/token";

    private final Settings root;
    private final Path folder;
    private final boolean readFiles;
    private final SourceHost host;
    private final List<Path> fileRoots = new ArrayList<>();
    private final List<TokenPlan> tokens = new ArrayList<>();
    private String name = "agent";
    private final Set<Path> files = ConcurrentHashMap.newKeySet();
    private Duration startTimeout = Duration.ofSeconds(10);
    private Duration poll = Duration.ofSeconds(1);
    private @Nullable HttpSettings http;
    private @Nullable PolicyOptions policy;
    private @Nullable Path statusFile;
    private @Nullable Path readyFile;
    private @Nullable Secret fingerprintKey;

    private AgentSettings(
            Settings root, Path folder, Function<String, @Nullable String> variables, Clock clock, boolean readFiles) {
        this.readFiles = readFiles;
        this.host = SourceHost.reading(variables, clock);
        this.folder = folder;
        this.root = root.open(noted(references(Set.of())));
    }

    /**
     * Reads everything; what is wrong is in {@link #problems}.
     *
     * @param readFiles whether files may be looked into; if not, they count as absent
     */
    static AgentSettings read(
            Settings root, Path folder, Function<String, @Nullable String> variables, Clock clock, boolean readFiles) {
        AgentSettings settings = new AgentSettings(root, folder, variables, clock, readFiles);
        Optional<Settings> agent = settings.root.get("agent");
        if (agent.isEmpty()) {
            settings.root.note("'agent' is missing: the configuration is a map with this key");
        } else if (!agent.get().isMap()) {
            agent.get().note("must be a map with 'api_token' or 'tokens'");
        } else {
            settings.agent(agent.get());
        }
        return settings;
    }

    private SourceContext context(Set<String> allow) {
        return new SourceContext(host, folder, allow);
    }

    private References references(Set<String> allow) {
        return context(allow).references(fileRoots, readFiles);
    }

    /** The same references, of which it is written down which files they read: those are read again when they change. */
    private References noted(References references) {
        return new References() {
            @Override
            public @Nullable String variable(String variable) {
                return references.variable(variable);
            }

            @Override
            public @Nullable String file(String path) throws TokenException {
                files.add(folder.toAbsolutePath().resolve(path).normalize());
                return references.file(path);
            }
        };
    }

    private void agent(Settings agent) {
        // First, since the roots count for every reference to a file that is read from here on.
        fileRoots.addAll(agent.each("file_roots", this::path));
        agent.refuse(LATER);
        name = agent.text("name", name);
        startTimeout = agent.duration("start_timeout", startTimeout);
        poll = agent.duration("poll", poll);
        http = agent.read("http", value -> HttpSettings.read(value, context(Set.of()), readFiles))
                .orElse(null);
        policy = agent.read("policy", PolicyOptions::read).orElse(null);
        probeFiles(agent);
        fingerprintKey = agent.get("fingerprint_key").flatMap(this::credential).orElse(null);
        if (agent.has("api_token")) {
            // The keys of this token stand beside it; its source alone stands in it.
            Settings source = agent.get("api_token").orElseThrow();
            source.refuse(misplaced("stands beside 'api_token', not in it"));
            token("api_token", agent, source);
        } else {
            agent.refuse(misplaced("belongs to a token: put it below tokens and the token's name"));
        }
        agent.get("tokens").ifPresent(this::tokens);
        if (!agent.has("api_token") && !agent.has("tokens")) {
            agent.note("has no token: 'api_token' or 'tokens' is needed");
        }
    }

    private void probeFiles(Settings agent) {
        statusFile = agent.read("status_file", this::file).orElse(null);
        readyFile = agent.read("ready_file", this::file).orElse(null);
        if (readyFile != null && readyFile.equals(statusFile)) {
            agent.get("ready_file").ifPresent(value -> value.note("must be another file than 'status_file'"));
        }
    }

    private Path file(Settings value) {
        Path file = path(value).toAbsolutePath().normalize();
        if (file.getFileName() == null || file.equals(folder.toAbsolutePath().normalize())) {
            throw value.wrong("must be the path of a file");
        }
        return file;
    }

    private static Map<String, String> misplaced(String why) {
        return TokenOptions.KEYS.stream().collect(Collectors.toMap(key -> key, key -> "'" + key + "' " + why));
    }

    private void tokens(Settings map) {
        if (map.keys().isEmpty()) {
            map.note("must be a map of names and tokens");
        }
        for (String tokenName : map.keys()) {
            if (!TokenPlan.NAME.matcher(tokenName).matches()) {
                map.refuse(Map.of(tokenName, TokenPlan.NAME_RULE));
            } else if (tokens.stream().anyMatch(plan -> plan.name().equals(tokenName))) {
                map.refuse(Map.of(tokenName, "there is a token '" + tokenName + "' already"));
            } else {
                Settings token = map.get(tokenName).orElseThrow();
                token(tokenName, token, token);
            }
        }
    }

    private void token(String tokenName, Settings options, Settings source) {
        TokenOptions read = new TokenOptions();
        read.readAllow(options);
        References references = references(read.allow());
        Optional<TokenSource> found = TokenSources.read(source.with(references), context(read.allow()));
        read.read(options);
        found.filter(one -> read.isPerKey() && one.forKey("x").equals(one))
                .ifPresent(one -> options.get("per_key").orElse(options).note(PER_KEY_NEEDS_FILE));
        Location at = sourceAt(source);
        boolean inFile = source.isText() || source.has("value");
        tokens.add(new TokenPlan(tokenName, at, found.orElseGet(TokenSources::pushed), read, inFile));
    }

    /** Where a person looks for the token: at the value itself where the source is one key. */
    private static Location sourceAt(Settings source) {
        return source.get("value")
                .or(() -> source.get("env"))
                .or(() -> source.get("file"))
                .map(Settings::at)
                .orElse(source.at());
    }

    private Path path(Settings value) {
        try {
            return folder.resolve(value.text());
        } catch (InvalidPathException e) {
            throw value.wrong("must be a path");
        }
    }

    /** A secret that is read once, when the agent starts. */
    private Optional<Secret> credential(Settings value) {
        Optional<TokenSource> source = context(Set.of()).source(value);
        if (source.isEmpty() || !readFiles) {
            return Optional.empty();
        }
        TokenSource opened = source.get();
        try {
            return Optional.of(opened.fetch().orElseThrow(opened::absence).value());
        } catch (SourceException e) {
            value.note(new Problem(value.at(), e.reason(), String.valueOf(e.getMessage()), e.fix()));
            return Optional.empty();
        }
    }

    /** What is wrong, in the order of the file. */
    List<Problem> problems() {
        return root.problems();
    }

    List<Need> needs() {
        return root.needs();
    }

    String name() {
        return name;
    }

    Duration startTimeout() {
        return startTimeout;
    }

    @Nullable
    Secret fingerprintKey() {
        return fingerprintKey;
    }

    Duration poll() {
        return poll;
    }

    @Nullable
    HttpSettings http() {
        return http;
    }

    @Nullable
    PolicyOptions policy() {
        return policy;
    }

    @Nullable
    Path statusFile() {
        return statusFile;
    }

    @Nullable
    Path readyFile() {
        return readyFile;
    }

    /** The files from which a setting that is no token was filled in. */
    Set<Path> files() {
        return files;
    }

    List<TokenPlan> tokens() {
        return tokens;
    }
}
