package io.keyturn.http;

import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import okhttp3.Connection;

/** What OkHttp remembers for the headers of a connection's next requests: nothing public tells. */
final class Remembered {
    private Remembered() {}

    /** The values in the connection's table of sent headers. */
    static List<String> by(Connection connection) {
        Object writer = field(field(field(connection, "http2Connection"), "writer"), "hpackWriter");
        return Arrays.stream((Object[]) field(writer, "dynamicTable"))
                .filter(Objects::nonNull)
                .map(header -> field(header, "value").toString())
                .toList();
    }

    static boolean holds(Connection connection, String text) {
        // A long text is shortened when it is printed, but not this short.
        return by(connection).stream().anyMatch(value -> value.contains(text));
    }

    /** The value of a private field. */
    static Object field(Object of, String name) {
        try {
            Field field = of.getClass().getDeclaredField(name);
            field.setAccessible(true);
            return field.get(of);
        } catch (ReflectiveOperationException e) {
            throw new LinkageError(e.getMessage(), e);
        }
    }
}
