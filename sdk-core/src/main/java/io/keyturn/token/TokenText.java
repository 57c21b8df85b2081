package io.keyturn.token;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;

/** What text may be a token: what every header can carry, and nothing that is plainly something else. */
final class TokenText {
    private static final int MOST_CHARACTERS = 64 * 1024;

    private TokenText() {}

    /** Strict UTF-8 without its byte order mark and its one trailing line break. */
    static String decode(byte[] bytes) throws TokenException {
        String text;
        try {
            text = UTF_8.newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw malformed("it is not valid UTF-8");
        }
        return trim(text);
    }

    /** A text without its byte order mark and its one trailing line break. */
    static String trim(String text) {
        int start = text.startsWith("\uFEFF") ? 1 : 0;
        int end = text.length();
        if (end > start && text.charAt(end - 1) == '\n') {
            end--;
            if (end > start && text.charAt(end - 1) == '\r') {
                end--;
            }
        }
        return text.substring(start, end);
    }

    static void requireToken(String text) throws TokenException {
        if (text.isBlank()) {
            throw malformed(text.isEmpty() ? "it is empty" : "it is nothing but white space");
        }
        if (text.length() > MOST_CHARACTERS) {
            throw malformed("it is longer than 65,536 characters");
        }
        if (text.startsWith("<")) {
            throw malformed("it looks like HTML or XML");
        }
        if (text.startsWith("-----BEGIN")) {
            throw malformed("it looks like a PEM block");
        }
        if (text.startsWith("[")) {
            throw malformed("it looks like a list");
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < ' ' || c > '~') {
                throw malformed("a header cannot carry the character at index " + i + " (" + kind(c) + ")");
            }
        }
        if (text.charAt(0) == ' ' || text.charAt(text.length() - 1) == ' ') {
            throw malformed("it begins or ends with white space");
        }
    }

    /** PEM in one line. */
    static String pem(String text) throws TokenException {
        String line = text.strip().replaceAll("[\\r\\n\\t ]+", " ");
        if (!line.startsWith("-----BEGIN ") || line.length() > MOST_CHARACTERS) {
            throw new TokenException(Reason.MALFORMED, "not PEM: it does not begin with -----BEGIN", null);
        }
        if (!line.chars().allMatch(c -> c >= ' ' && c <= '~')) {
            throw new TokenException(Reason.MALFORMED, "not PEM: it is not ASCII", null);
        }
        return line;
    }

    static TokenException malformed(String why) {
        return new TokenException(Reason.MALFORMED, "not a token: " + why, null);
    }

    private static String kind(char c) {
        if (c == '\n' || c == '\r') {
            return "a line break";
        }
        return c < ' ' || c == 127 ? "a control character" : "not ASCII";
    }
}
