package io.keyturn.source;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Reads secret files in a process of its own: as another user, or where other file systems are mounted. */
final class SecretFileReader {
    private SecretFileReader() {}

    public static void main(String[] files) {
        for (String file : files) {
            System.out.println(answer(Path.of(file)));
        }
    }

    /** Content and remark, or reason and message. */
    static String answer(Path file) {
        try {
            return new SecretFile(file, Set.of())
                    .read()
                    .map(content -> new String(content.bytes(), UTF_8)
                            + content.remark().map(remark -> ", " + remark).orElse(""))
                    .orElse("absent");
        } catch (SourceException e) {
            return e.reason() + " " + e.getMessage();
        }
    }

    /** Our classes in a folder that another user can read, which those of the build may not be. */
    static Path copyOfClasses(Path target) throws IOException, URISyntaxException {
        for (Class<?> part : List.of(SecretFile.class, SecretFileReader.class)) {
            Path from = Path.of(
                    part.getProtectionDomain().getCodeSource().getLocation().toURI());
            for (String folder : List.of("io/keyturn/source", "io/keyturn/token", "io/keyturn/config")) {
                Path classes = from.resolve(folder);
                if (Files.isDirectory(classes)) {
                    copy(classes, target.resolve(folder));
                }
            }
        }
        return target;
    }

    private static void copy(Path from, Path to) throws IOException {
        Files.createDirectories(to);
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.write(to.resolve(file.getFileName().toString()), Files.readAllBytes(file));
            }
        }
    }

    /** Whether a command works here, with one more argument. */
    static boolean works(List<String> before, String argument) throws InterruptedException {
        List<String> command = new ArrayList<>(before);
        command.add(argument);
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            return process.waitFor(30, TimeUnit.SECONDS) && process.exitValue() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** The answers of another JVM that is started by this command. */
    static List<String> inAnotherProcess(List<String> before, Path classes, List<Path> files)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(before);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xshare:auto", "-cp", classes.toString(), SecretFileReader.class.getName()));
        files.forEach(file -> command.add(file.toString()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(output).isZero();
        return output.lines().toList();
    }
}
