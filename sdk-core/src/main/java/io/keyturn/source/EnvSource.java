package io.keyturn.source;

import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import java.util.Optional;

/** An environment variable; empty is the same as not set. */
record EnvSource(String variable, Form form, SourceContext context) implements TokenSource {
    /** What a person should know of a token from a variable: a process sees its environment as it was at its start. */
    static final String ONLY_AT_RESTART = " (changes only at restart)";

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        String text = context.variables().apply(variable);
        return text == null || text.isEmpty()
                ? Optional.empty()
                : Optional.of(form.document(text, describe()).withOrigin(describe() + ONLY_AT_RESTART));
    }

    @Override
    public boolean isLocal() {
        return true;
    }

    @Override
    public String describe() {
        return "environment variable " + variable;
    }

    @Override
    public SourceException absence() {
        boolean empty = context.variables().apply(variable) != null;
        return new SourceException(Reason.UNSET, describe() + (empty ? " is empty" : " is not set"), null);
    }

    @Override
    public TokenSource in(SourceContext other) {
        return new EnvSource(variable, form, other);
    }
}
