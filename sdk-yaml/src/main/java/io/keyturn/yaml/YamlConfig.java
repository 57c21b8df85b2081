package io.keyturn.yaml;

import io.keyturn.TokenAgent;
import io.keyturn.config.ConfigException;
import io.keyturn.config.Location;
import io.keyturn.config.Problem;
import io.keyturn.config.Settings;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/**
 * An agent as {@code agent.yaml} describes it.
 *
 * <p>The file is read strictly: at most 256 KiB of UTF-8, one document, at most 20 levels, no tags, no repeated keys,
 * no aliases but to texts. Each value is the text as it was written, so that {@code 0123} and {@code NO} stay what they
 * are.
 *
 * <p>What is not YAML of this kind is reported here. What the settings mean, and what is wrong with that, is looked at
 * when the agent starts; so are variables and the files that references name.
 */
public final class YamlConfig {
    private YamlConfig() {}

    /**
     * Reads a file. Relative paths in it are relative to its folder. A running agent reads it again when it changes, or a
     * file that it names.
     *
     * @throws ConfigException if it cannot be read, or is not YAML of this kind; no value is in the message
     */
    public static TokenAgent.Builder load(Path file) {
        String origin = file.toString();
        Settings settings = YamlText.of(bytes(file), origin).settings();
        Path folder = file.toAbsolutePath().getParent();
        return TokenAgent.builder()
                .settings(settings, folder == null ? file : folder)
                .reloadFrom(file, changed -> YamlText.of(changed, origin).settings());
    }

    /**
     * Reads a text. Relative paths in it are relative to the working directory.
     *
     * @param origin what messages call the text: a file's name, or where else it is from
     * @throws ConfigException if it is not YAML of this kind; no value is in the message
     */
    public static TokenAgent.Builder parse(String text, String origin) {
        Settings settings = YamlText.of(text, origin).settings();
        return TokenAgent.builder().settings(settings, Path.of("").toAbsolutePath());
    }

    /** No more than tells that it is too much. */
    private static byte[] bytes(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return in.readNBytes(YamlText.MOST_BYTES + 1);
        } catch (NoSuchFileException e) {
            throw unreadable(file, "the file does not exist");
        } catch (AccessDeniedException e) {
            throw unreadable(file, "the file cannot be read: permission denied");
        } catch (IOException e) {
            throw unreadable(file, Files.isDirectory(file) ? "is a folder, not a file" : "the file cannot be read");
        }
    }

    private static ConfigException unreadable(Path file, String why) {
        return new ConfigException(List.of(Problem.of(new Location(file.toString(), 0, 0, ""), why)));
    }
}
