package io.keyturn;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The tests that the pages name as proof are there. */
class GuaranteesTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Path SECURITY = ROOT.resolve("SECURITY.md");
    private static final Pattern TEST = Pattern.compile("`([A-Z][A-Za-z0-9]*(?:Test|IT))(?:\\.([a-z]\\w*))?`");
    private static final Pattern LINK = Pattern.compile("\\]\\(([^):#]+)\\)");

    static Stream<Path> pages() throws IOException {
        try (Stream<Path> docs = Files.walk(ROOT.resolve("docs"))) {
            List<Path> pages = new ArrayList<>(
                    docs.filter(page -> page.toString().endsWith(".md")).toList());
            pages.add(SECURITY);
            return pages.stream();
        }
    }

    private static List<Path> sources(String name) throws IOException {
        List<Path> found = new ArrayList<>();
        try (Stream<Path> modules = Files.list(ROOT)) {
            for (Path module : modules.toList()) {
                Path tests = module.resolve("src/test/java");
                if (Files.isDirectory(tests)) {
                    try (Stream<Path> files = Files.walk(tests)) {
                        files.filter(file -> file.endsWith(name + ".java")).forEach(found::add);
                    }
                }
            }
        }
        return found;
    }

    @ParameterizedTest
    @MethodSource("pages")
    void tests_thatAPageNames_areThere(Path page) throws IOException {
        Set<String> missing = new LinkedHashSet<>();
        for (Matcher named = TEST.matcher(Files.readString(page)); named.find(); ) {
            String method = named.group(2);
            boolean there = false;
            for (Path source : sources(named.group(1))) {
                there |= method == null || Files.readString(source).contains("void " + method + "(");
            }
            if (!there) {
                missing.add(named.group());
            }
        }
        assertThat(missing).as("tests that %s names, and nobody has", page).isEmpty();
    }

    @Test
    void security_eachGuarantee_namesATest() throws IOException {
        String text = Files.readString(SECURITY);
        int from = text.indexOf("## What is guaranteed");
        List<String> rows = text.substring(from, text.indexOf("## What is not defended"))
                .lines()
                .filter(line -> line.startsWith("| ") && !line.startsWith("| guarantee"))
                .toList();
        assertThat(rows)
                .hasSizeGreaterThan(20)
                .allMatch(row -> TEST.matcher(row).find());
    }

    @Test
    void security_links_lead() throws IOException {
        for (Matcher link = LINK.matcher(Files.readString(SECURITY)); link.find(); ) {
            assertThat(ROOT.resolve(link.group(1))).exists();
        }
    }
}
