package io.keyturn.source;

import io.keyturn.config.References;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What an agent gives to the sources of one of its tokens.
 *
 * @param variables the environment: a variable's value, or null
 * @param clock the agent's clock
 * @param allow the words of the token's {@code allow}, each of which relaxes a rule
 * @param files tells when files change
 */
public record SourceContext(
        Function<String, @Nullable String> variables, Clock clock, Set<String> allow, FileWatcher files) {
    private static final SourceContext OF_PROCESS =
            new SourceContext(System::getenv, Clock.systemUTC(), Set.of(), FileWatcher.none());

    /**
     * The process's own environment and clock, every rule in force and nothing watched: what a source uses that no agent has
     * opened.
     */
    public static SourceContext ofProcess() {
        return OF_PROCESS;
    }

    /**
     * What the references in a configuration stand for.
     *
     * @param folder what a relative path is relative to, and the first place where files may be read
     * @param roots where else files may be read
     * @param open whether files are read at all; if not, they count as absent
     */
    public References references(Path folder, List<Path> roots, boolean open) {
        return new FencedReferences(this, folder, roots, open);
    }
}
