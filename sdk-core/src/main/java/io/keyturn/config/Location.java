package io.keyturn.config;

/**
 * Where a setting was written.
 *
 * @param file the file's name as the user gave it, or an empty text for settings made by a program
 * @param line from 1; 0 if there is none
 * @param column from 1; 0 if there is none
 * @param path the way to it from the root, such as {@code agent.tokens.api_token}; may be empty
 */
public record Location(String file, int line, int column, String path) {
    /** A setting that a program made: only its path is known. */
    public static Location of(String path) {
        return new Location("", 0, 0, path);
    }

    /** The same place under a longer path: {@code agent} becomes {@code agent.name}. */
    public Location child(String key) {
        return new Location(file, line, column, path.isEmpty() ? key : path + "." + key);
    }

    // Written out: what a record has by itself is made of method handles when it is first used, and that takes a
    // command
    // longer than reading its configuration.

    @Override
    public boolean equals(Object other) {
        return other instanceof Location that
                && line == that.line
                && column == that.column
                && file.equals(that.file)
                && path.equals(that.path);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * (31 * line + column) + file.hashCode()) + path.hashCode();
    }

    /** For example {@code agent.yaml:2:14 agent.api_token}. */
    @Override
    public String toString() {
        if (file.isEmpty()) {
            return path;
        }
        String place = line == 0 ? file : file + ":" + line + ":" + column;
        return path.isEmpty() ? place : place + " " + path;
    }
}
