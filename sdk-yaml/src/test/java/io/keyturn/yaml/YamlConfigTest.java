package io.keyturn.yaml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.keyturn.Canary;
import io.keyturn.config.ConfigException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class YamlConfigTest {
    private static final String SEED = "agent:\n  api_token: ${AGENT_API_TOKEN}\n";

    @TempDir
    Path folder;

    @Test
    void load_fileWithAnUnsetVariable_isReadAll() throws IOException {
        Path file = Files.writeString(folder.resolve("agent.yaml"), SEED);

        assertThat(YamlConfig.load(file)).isNotNull();
    }

    @Test
    void load_settingsThatMeanNothing_areNotLookedAt() throws IOException {
        Path file = Files.writeString(folder.resolve("agent.yaml"), "agnet:\n  timeout: ${\n");

        assertThatCode(() -> YamlConfig.load(file)).doesNotThrowAnyException();
    }

    @Test
    void load_fileThatIsNotYaml_isToldWithTheNameAsGiven() throws IOException {
        Path file = Files.writeString(folder.resolve("agent.yaml"), "agent:\n\tapi_token: " + Canary.WORD + "\n");

        ConfigException thrown = refusal(file);

        assertThat(thrown).hasMessage(file + ":2:1 agent: a tab cannot stand here; YAML indents with spaces");
        Canary.assertNotIn(thrown);
    }

    @Test
    void load_missingFile_isTold() {
        Path file = folder.resolve("none.yaml");

        assertThat(refusal(file)).hasMessage(file + ": the file does not exist").hasNoCause();
    }

    @Test
    void load_missingFolder_isTold() {
        Path file = Path.of("none", "agent.yaml");

        assertThat(refusal(file)).hasMessage("none/agent.yaml: the file does not exist");
    }

    @Test
    void load_folder_isTold() {
        assertThat(refusal(folder))
                .hasMessage(folder + ": is a folder, not a file")
                .hasNoCause();
    }

    @Test
    void load_fileInsteadOfAFolder_isTold() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), SEED).resolve("agent.yaml");

        assertThat(refusal(file)).hasMessage(file + ": the file cannot be read").hasNoCause();
    }

    @Test
    void load_fileThatMayNotBeRead_isTold() throws IOException {
        Path file = Files.writeString(folder.resolve("agent.yaml"), SEED);
        assertThat(file.toFile().setReadable(false)).isTrue();
        assumeFalse(Files.isReadable(file), "root reads everything; RunnableJarIT becomes another user for this");

        assertThat(refusal(file))
                .hasMessage(file + ": the file cannot be read: permission denied")
                .hasNoCause();
    }

    @Test
    void load_fileThatIsTooLarge_isTold() throws IOException {
        Path file = Files.write(folder.resolve("agent.yaml"), new byte[256 * 1024 + 1]);

        assertThat(refusal(file)).hasMessage(file + ": is larger than 256 KiB (262,144 bytes)");
    }

    @Test
    void load_deviceWithoutEnd_isTold() {
        Path device = Path.of("/dev/zero");
        assumeFalse(Files.notExists(device), "no such device here");

        assertThat(refusal(device)).hasMessage("/dev/zero: is larger than 256 KiB (262,144 bytes)");
    }

    @Test
    void parse_text_isReadAll() {
        assertThat(YamlConfig.parse(SEED, "a test")).isNotNull();
    }

    @Test
    void parse_textThatIsNotYaml_isToldWithTheOrigin() {
        assertThat(catchThrowableOfType(ConfigException.class, () -> YamlConfig.parse("a: b\na: c\n", "a test")))
                .hasMessage("a test:2:1: the key 'a' was given before, in line 1");
    }

    private static ConfigException refusal(Path file) {
        return catchThrowableOfType(ConfigException.class, () -> YamlConfig.load(file));
    }
}
