/** What tests of code that uses {@code io.keyturn.core} need. */
module io.keyturn.test {
    requires transitive io.keyturn.core;
    requires static transitive org.junit.jupiter.api;
    requires static org.jspecify;

    exports io.keyturn.test;
}
