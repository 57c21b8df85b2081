package io.keyturn.config;

/**
 * Something outside the configuration that it needs.
 *
 * @param kind {@code env}, {@code file} or {@code module}
 * @param name the variable's name, the file's path or the module's artifact
 * @param at where it is asked for
 */
public record Need(String kind, String name, Location at) {
    // Written out for the same reason as a location's.

    @Override
    public boolean equals(Object other) {
        return other instanceof Need that && kind.equals(that.kind) && name.equals(that.name) && at.equals(that.at);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * kind.hashCode() + name.hashCode()) + at.hashCode();
    }
}
