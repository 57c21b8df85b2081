package io.keyturn.source;

import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.time.Instant;

/** What is expected where a source looks; what is wrong with it says where it was found. */
enum Form {
    /** A token document. */
    TOKEN {
        @Override
        TokenDocument parse(String text) throws TokenException {
            return TokenDocument.parse(text);
        }

        @Override
        TokenDocument parse(byte[] bytes, Instant receivedAt) throws TokenException {
            return TokenDocument.parse(bytes, receivedAt);
        }
    },
    /** Keys and certificates, which {@link Pem} reads. */
    PEM {
        @Override
        TokenDocument parse(String text) throws TokenException {
            return TokenDocument.pem(text);
        }

        @Override
        TokenDocument parse(byte[] bytes, Instant receivedAt) throws TokenException {
            return TokenDocument.pem(TokenDocument.decode(bytes));
        }
    };

    abstract TokenDocument parse(String text) throws TokenException;

    abstract TokenDocument parse(byte[] bytes, Instant receivedAt) throws TokenException;

    TokenDocument document(String text, String origin) throws SourceException {
        try {
            return parse(text);
        } catch (TokenException e) {
            throw from(origin, e);
        }
    }

    TokenDocument document(byte[] bytes, Instant receivedAt, String origin) throws SourceException {
        try {
            return parse(bytes, receivedAt);
        } catch (TokenException e) {
            throw from(origin, e);
        }
    }

    static SourceException from(String origin, TokenException e) {
        return new SourceException(e.reason(), origin + ": " + e.getMessage(), e.fix());
    }
}
