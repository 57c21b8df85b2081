package io.keyturn.source;

import io.keyturn.config.References;
import io.keyturn.token.Reason;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * References of a configuration. A file is read only inside the fence: whoever can write one line of a configuration
 * should not thereby read every file of the machine.
 */
record FencedReferences(SourceContext context, Path folder, List<Path> roots, boolean open) implements References {
    private static final List<Path> ALWAYS = List.of(Path.of("/run/secrets"), Path.of("/var/run/secrets"));

    @Override
    public @Nullable String variable(String name) {
        return context.variables().apply(name);
    }

    @Override
    public @Nullable String file(String path) throws SourceException {
        Path file = resolve(path);
        boolean inside = Stream.of(List.of(folder), roots, ALWAYS)
                .flatMap(List::stream)
                .anyMatch(root -> file.startsWith(root.toAbsolutePath().normalize()));
        if (!inside) {
            throw new SourceException(
                    Reason.INVALID,
                    "file " + path + " lies outside the folders that ${file:…} may read",
                    "name its folder in agent.file_roots");
        }
        if (!open) {
            return null;
        }
        Optional<SecretFile> content = SecretFile.read(file, context.allow());
        return content.isEmpty() ? null : content.get().text(file);
    }

    private Path resolve(String path) throws SourceException {
        try {
            return folder.toAbsolutePath().resolve(path).normalize();
        } catch (InvalidPathException e) {
            throw new SourceException(Reason.INVALID, "${file:…} holds what is no path", null);
        }
    }
}
