package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A file that holds a token document. */
final class FileSource implements TokenStore {
    /** Events and the poll of the watcher come long before it; it is for what may go wrong with both. */
    static final Optional<Duration> EVERY = Optional.of(Duration.ofMinutes(1));

    private final Path file;
    private final Form form;
    private final SourceContext context;
    /** All that is kept between two readings: there may be thousands of sources. */
    private volatile SettledFile.@Nullable Taken taken;

    FileSource(Path file, Form form, SourceContext context) {
        this.file = file;
        this.form = form;
        this.context = context;
    }

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        Optional<SecretFile.Content> content = read();
        if (content.isEmpty()) {
            return Optional.empty();
        }
        SecretFile.Content found = content.get();
        TokenDocument document = form.document(found.bytes(), found.modified(), describe());
        // One that says nothing of its own comes from what this source is described as.
        return Optional.of(found.remark()
                .map(remark -> document.withOrigin(describe() + " (" + remark + ")"))
                .orElse(document));
    }

    private Optional<SecretFile.Content> read() throws SourceException {
        SecretFile secret = new SecretFile(file, context.allow(), taken);
        try {
            return secret.read();
        } finally {
            taken = secret.taken();
        }
    }

    /** The value alone, in a file that nobody but its owner can read. */
    @Override
    public void save(TokenDocument document) throws SourceException {
        SecretFile.replace(file, document.value());
    }

    @Override
    public Watch watch(Runnable changed) {
        return context.files().watch(file, changed);
    }

    @Override
    public Optional<Duration> every() {
        return EVERY;
    }

    @Override
    public boolean isLocal() {
        return true;
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
    public TokenSource forKey(String key) {
        return new FileSource(Path.of(file.toString().replace("{key}", key)), form, context);
    }

    @Override
    public TokenSource in(SourceContext other) {
        return new FileSource(file, form, other);
    }

    /** What was read before makes no difference. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof FileSource that
                && file.equals(that.file)
                && form == that.form
                && context.equals(that.context);
    }

    @Override
    public int hashCode() {
        return file.hashCode();
    }

    @Override
    public String toString() {
        return describe();
    }
}
