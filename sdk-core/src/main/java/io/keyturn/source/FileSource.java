package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.nio.file.Path;
import java.util.Optional;

/** A file that holds a token document. */
record FileSource(Path file, SourceContext context) implements TokenSource {
    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        Optional<SecretFile> content = SecretFile.read(file, context.allow());
        if (content.isEmpty()) {
            return Optional.empty();
        }
        SecretFile found = content.get();
        String origin =
                describe() + found.remark().map(remark -> " (" + remark + ")").orElse("");
        return Optional.of(Documents.parse(found.bytes(), found.modified(), origin));
    }

    @Override
    public String describe() {
        return "file " + file;
    }

    @Override
    public SourceException absence() {
        return new SourceException(Reason.ABSENT, describe() + " does not exist", null);
    }

    @Override
    public TokenSource in(SourceContext other) {
        return new FileSource(file, other);
    }
}
