/** {@code keyturn}: the check, the validation and the explanation of a configuration from a shell, what a
 * running agent does and says of itself, and a demo. */
module io.keyturn.cli {
    requires com.fasterxml.jackson.core;
    requires info.picocli;
    requires io.keyturn.yaml;
    requires jdk.httpserver;
    requires okhttp3.tls;
    requires static transitive org.jspecify;

    exports io.keyturn.cli;
}
