package io.keyturn.yaml;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.util.List;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.reader.StreamReader;

/** A text that may be parsed: small enough, and of characters that YAML allows. It knows the place of each of them. */
final class YamlText {
    static final int MOST_BYTES = 256 * 1024;
    private static final int BYTE_ORDER_MARK = 0xFEFF;

    private final String origin;
    /** Code points, since SnakeYAML counts them. */
    private final int[] points;

    private YamlText(String origin, String text) {
        this.origin = origin;
        int at = !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK ? 1 : 0;
        this.points = new int[text.codePointCount(at, text.length())];
        for (int i = 0; i < points.length; i++) {
            points[i] = text.codePointAt(at);
            at += Character.charCount(points[i]);
        }
    }

    static YamlText of(byte[] bytes, String origin) {
        requireSmall(bytes.length, origin);
        CharBuffer chars = CharBuffer.allocate(bytes.length);
        boolean malformed =
                UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes), chars, true).isError();
        YamlText text = new YamlText(origin, chars.flip().toString());
        if (malformed) {
            throw text.wrong(
                    text.points.length, isUtf16(bytes) ? "is UTF-16; save the file as UTF-8" : "is not UTF-8 here");
        }
        return text.checked();
    }

    static YamlText of(String text, String origin) {
        // The first look spares the bytes of what is far too long.
        requireSmall(text.length(), origin);
        requireSmall(text.getBytes(UTF_8).length, origin);
        return new YamlText(origin, text).checked();
    }

    /** Before anything else is done with it: SnakeYAML takes seconds for a few megabytes. */
    private static void requireSmall(int bytes, String origin) {
        if (bytes > MOST_BYTES) {
            Location whole = new Location(origin, 0, 0, "");
            throw new ConfigException(List.of(Problem.of(whole, "is larger than 256 KiB (262,144 bytes)")));
        }
    }

    private static boolean isUtf16(byte[] bytes) {
        int mark = bytes.length < 2 ? 0 : (bytes[0] & 0xFF) << 8 | (bytes[1] & 0xFF);
        return mark == BYTE_ORDER_MARK || mark == 0xFFFE;
    }

    private YamlText checked() {
        for (int i = 0; i < points.length; i++) {
            if (!StreamReader.isPrintable(points[i])) {
                throw wrong(i, String.format("a control character, U+%04X, cannot stand here", points[i]));
            }
        }
        if (pointAt(0) == BYTE_ORDER_MARK) {
            throw wrong(0, "a second byte order mark cannot stand here");
        }
        return this;
    }

    private ConfigException wrong(int index, String message) {
        return new ConfigException(List.of(Problem.of(at(index, ""), message)));
    }

    /** What stands in it, as settings. */
    Settings settings() {
        return new YamlTree(this).read();
    }

    StreamReader reader() {
        return new StreamReader(new String(points, 0, points.length));
    }

    /** The code point at an index; -1 before the beginning and behind the end. */
    int pointAt(int index) {
        return index < 0 || index >= points.length ? -1 : points[index];
    }

    Location at(Mark mark, String path) {
        return new Location(origin, mark.getLine() + 1, mark.getColumn() + 1, path);
    }

    /** The place of an index; lines end where SnakeYAML ends them. */
    Location at(int index, String path) {
        int line = 1;
        int start = 0;
        for (int i = 0; i < index; i++) {
            if (isLineBreak(points[i]) && !(points[i] == '\r' && pointAt(i + 1) == '\n')) {
                line++;
                start = i + 1;
            }
        }
        return new Location(origin, line, index - start + 1, path);
    }

    /** Where the line of an index begins. */
    int lineStart(int index) {
        int start = Math.min(index, points.length);
        while (start > 0 && !isLineBreak(points[start - 1])) {
            start--;
        }
        return start;
    }

    private static boolean isLineBreak(int c) {
        return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
    }
}
