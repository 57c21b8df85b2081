package io.keyturn.examples;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.yaml.YamlConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What the README and the pages of {@code docs} show is true. A block of Java stands behind {@code <!-- snippet: NAME -->}
 * and is the region of that name in this module's sources, from {@code // snippet: NAME} to {@code // end}. YAML is a valid
 * configuration, unless {@code <!-- not run: WHY -->} stands before it. A command is one that there is.
 */
class ReadmeTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Pattern BLOCK = Pattern.compile("(?m)(?:^<!-- ([^\n]*) -->\n)?^```(\\w*)\n(?s:(.*?))^```$");
    private static final Pattern REGION = Pattern.compile("(?m)^ *// snippet: (\\S+)\n(?s:(.*?))^ *// end$");

    /** Languages that nobody runs here; the policy in Rego is what OpaRealIT runs. */
    private static final Set<String> DATA = Set.of("json", "text", "rego");

    private record Block(Path page, int line, String marker, String language, String text) {
        @Override
        public String toString() {
            return ROOT.relativize(page) + ":" + line;
        }
    }

    static Stream<Path> pages() throws IOException {
        try (Stream<Path> docs = Files.walk(ROOT.resolve("docs"))) {
            List<Path> pages = new ArrayList<>(
                    docs.filter(page -> page.toString().endsWith(".md")).toList());
            pages.add(ROOT.resolve("README.md"));
            pages.add(ROOT.resolve("CONTRIBUTING.md"));
            return pages.stream();
        }
    }

    static Stream<Block> blocks() throws IOException {
        List<Block> blocks = new ArrayList<>();
        for (Path page : pages().toList()) {
            String text = Files.readString(page);
            assertThat(text.split("(?m)^```", -1).length % 2)
                    .as("fences of " + page)
                    .isOne();
            for (Matcher match = BLOCK.matcher(text); match.find(); ) {
                int line = (int) text.substring(0, match.start(2)).lines().count();
                String marker = match.group(1) == null ? "" : match.group(1);
                blocks.add(new Block(page, line, marker, match.group(2), match.group(3)));
            }
        }
        return blocks.stream();
    }

    /** Each line of a block of commands, without its comment, and what else in the text is a command of ours. */
    static Stream<Arguments> commands() throws IOException {
        List<Arguments> commands = new ArrayList<>();
        for (Block block :
                blocks().filter(each -> each.language().equals("console")).toList()) {
            for (String command : block.text().replaceAll("(?m)(^|\\s)#.*", "").split("&&|\n", -1)) {
                if (!command.isBlank()) {
                    commands.add(Arguments.of(block, command.strip()));
                }
            }
        }
        for (Path page : pages().toList()) {
            found("`(keyturn [a-z][^`]*)`", Files.readString(page))
                    .forEach(command -> commands.add(Arguments.of(ROOT.relativize(page), command)));
        }
        return commands.stream();
    }

    @ParameterizedTest
    @MethodSource("blocks")
    void block_ofEachPage_isTrue(Block block) throws IOException {
        switch (block.language()) {
            case "java" -> assertIsRegion(block);
            case "yaml" -> assertIsValid(block);
            case "xml" -> assertModulesExist(block);
            case "console" -> assertThat(block.text()).isNotBlank();
            default -> assertThat(DATA).as("languages of blocks").contains(block.language());
        }
    }

    private static void assertIsRegion(Block block) throws IOException {
        assertThat(block.marker()).as("what stands before a block of Java").startsWith("snippet: ");
        String name = block.marker().substring("snippet: ".length());
        Map<String, String> regions = regions();
        assertThat(regions).containsKey(name);
        assertThat(block.text()).isEqualToNormalizingWhitespace(regions.get(name));
    }

    private static Map<String, String> regions() throws IOException {
        Map<String, String> regions = new HashMap<>();
        try (Stream<Path> files = Files.walk(Path.of("src"))) {
            for (Path file :
                    files.filter(path -> path.toString().endsWith(".java")).toList()) {
                for (Matcher match = REGION.matcher(Files.readString(file)); match.find(); ) {
                    assertThat(regions.put(match.group(1), match.group(2)))
                            .as("regions named " + match.group(1))
                            .isNull();
                }
            }
        }
        return regions;
    }

    private static void assertIsValid(Block block) {
        if (!block.marker().startsWith("not run: ")) {
            var report = YamlConfig.parse(block.text(), block.toString()).validate();
            assertThat(report.errors()).isEmpty();
            assertThat(report.tokens()).isNotEmpty();
        }
    }

    private static void assertModulesExist(Block block) throws IOException {
        String parent = Files.readString(ROOT.resolve("pom.xml"));
        for (String artifact : found("<artifactId>keyturn-([a-z-]+)</artifactId>", block.text())) {
            assertThat(ROOT.resolve("sdk-" + artifact + "/pom.xml")).exists();
            assertThat(parent).contains("<module>sdk-" + artifact + "</module>");
        }
        for (String version : found("<version>(.*)</version>", block.text())) {
            boolean ours = block.text().contains("<groupId>io.keyturn</groupId>");
            assertThat(parent)
                    .contains(
                            ours
                                    ? "<artifactId>keyturn-parent</artifactId>\n  <version>" + version + "</version>"
                                    : ".version>" + version + "</");
        }
    }

    @ParameterizedTest
    @MethodSource("commands")
    void command_thatIsShown_exists(Object where, String command) throws Exception {
        List<String> words = List.of(command.split("\\s+"));
        List<String> arguments = words.subList(1, words.size());
        switch (words.get(0)) {
            case "mvn" -> assertMavenKnows(arguments);
            case "java" -> assertJarIsOurs(arguments);
            case "keyturn" -> assertCliKnows(arguments);
            case "export", "chmod" -> assertThat(arguments).isNotEmpty();
            default -> assertThat(ROOT.resolve(words.get(0))).isExecutable();
        }
    }

    private static void assertMavenKnows(List<String> arguments) throws IOException {
        String pom = Files.readString(ROOT.resolve("pom.xml"));
        for (String argument : arguments) {
            if (argument.startsWith("-P")) {
                assertThat(pom).contains("<id>" + argument.substring(2) + "</id>");
            } else if (argument.startsWith("sdk-")) {
                assertThat(ROOT.resolve(argument + "/pom.xml")).exists();
            } else if (argument.startsWith("-Dexample=")) {
                assertThat(Path.of("src/main/java/io/keyturn/examples", argument.substring(10) + ".java"))
                        .exists();
            } else {
                assertThat(argument)
                        .matches("-q|-pl|-am|-DskipTests|test|package|verify|install|process-classes|spotless:apply");
            }
        }
    }

    /** {@code -jar sdk-cli/target/keyturn.jar check …} */
    private static void assertJarIsOurs(List<String> arguments) throws Exception {
        assertThat(arguments.get(0)).isEqualTo("-jar");
        Matcher jar = Pattern.compile("(sdk-[a-z]+)/target/(\\w+)\\.jar").matcher(arguments.get(1));
        assertThat(jar.matches()).as(arguments.get(1)).isTrue();
        assertThat(Files.readString(ROOT.resolve(jar.group(1) + "/pom.xml")))
                .contains("<finalName>" + jar.group(2) + "</finalName>");
        if (jar.group(2).equals("keyturn")) {
            assertCliKnows(arguments.subList(2, arguments.size()));
        }
    }

    /** Its help, for which nothing is done, names every option. */
    private static void assertCliKnows(List<String> arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "io.keyturn.cli.HealthCheck"));
        command.addAll(arguments);
        command.add("--help");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
        assertThat(said).contains("keyturn " + arguments.get(0));
        assertThat(arguments)
                .filteredOn(word -> word.startsWith("--"))
                .allSatisfy(option -> assertThat(said).contains(option));
    }

    @ParameterizedTest
    @MethodSource("pages")
    void link_withinTheProject_leadsSomewhere(Path page) throws IOException {
        for (String target : found("\\]\\(([^)#]+)[^)]*\\)", Files.readString(page))) {
            if (!target.startsWith("https://")) {
                assertThat(page.resolveSibling(target)).exists();
            }
        }
    }

    /** Everything that the one group of an expression catches. */
    private static List<String> found(String expression, String text) {
        return Pattern.compile(expression)
                .matcher(text)
                .results()
                .map((MatchResult match) -> match.group(1))
                .toList();
    }
}
