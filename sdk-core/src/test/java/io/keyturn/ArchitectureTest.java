package io.keyturn;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;
import static com.tngtech.archunit.library.GeneralCodingRules.NO_CLASSES_SHOULD_ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.GeneralCodingRules.NO_CLASSES_SHOULD_USE_FIELD_INJECTION;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaCodeUnitAccess;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;

/** What the design says of the code as a whole. */
class ArchitectureTest {
    /** The way of a token: a package imports only packages above it. The root, which opens them all, is the last. */
    private static final List<String> WAY = List.of(
            "io.keyturn.token",
            "io.keyturn.config",
            "io.keyturn.event",
            "io.keyturn.source",
            "io.keyturn.oauth2",
            "io.keyturn.provider",
            "io.keyturn.policy",
            "io.keyturn.http",
            "io.keyturn.check",
            "io.keyturn");

    /** Who may see a token's value, beside what attaches it to requests; another name here is another place to look at. */
    private static final Set<String> MAY_REVEAL = Set.of(
            "io.keyturn.token.Fingerprint",
            "io.keyturn.token.JwtHints",
            "io.keyturn.token.Token",
            // a credential for Java's own key factories, and one that is saved
            "io.keyturn.source.Pem",
            "io.keyturn.source.SecretFile",
            // what a client proves itself with, and the token that a service is asked about
            "io.keyturn.oauth2.FormRequest",
            // asSupplier, for libraries that take nothing else
            "io.keyturn.provider.TokenProvider");

    private static final JavaClasses CODE = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("io.keyturn");

    @Test
    void packages_all_areOnTheWay() {
        Set<String> found = new TreeSet<>();
        CODE.forEach(each -> found.add(each.getPackageName()));

        assertThat(found).containsExactlyInAnyOrderElementsOf(WAY);
    }

    @Test
    void packages_each_importsOnlyThoseAbove() {
        for (int i = 0; i < WAY.size() - 1; i++) {
            noClasses()
                    .that(resideInAnyPackage(WAY.get(i)))
                    .should()
                    .dependOnClassesThat(
                            resideInAnyPackage(WAY.subList(i + 1, WAY.size()).toArray(String[]::new)))
                    .because(WAY.get(i) + " comes before them on the way of a token")
                    .check(CODE);
        }
    }

    @Test
    void packages_noCycles() {
        slices().matching("io.keyturn.(*)..").should().beFreeOfCycles().check(CODE);
    }

    @Test
    void okHttp_whereNothingIsSent_isNotKnown() {
        noClasses()
                .that(resideInAnyPackage(
                        "io.keyturn.token", "io.keyturn.config", "io.keyturn.event", "io.keyturn.provider"))
                .should()
                .dependOnClassesThat(resideInAnyPackage("okhttp3..", "okio.."))
                .check(CODE);
    }

    @Test
    void packages_all_areNullMarked() throws ClassNotFoundException {
        for (String name : WAY) {
            assertThat(Class.forName(name + ".package-info").isAnnotationPresent(NullMarked.class))
                    .as(name)
                    .isTrue();
        }
    }

    @Test
    void standardStreams_neverUsed() {
        NO_CLASSES_SHOULD_ACCESS_STANDARD_STREAMS.check(CODE);
        NO_CLASSES_SHOULD_USE_FIELD_INJECTION.check(CODE);
    }

    /** A virtual thread that waits in one pins its carrier. */
    @Test
    void synchronized_neverUsed() throws IOException {
        noMethods().should().haveModifier(JavaModifier.SYNCHRONIZED).check(CODE);
        try (Stream<Path> sources = Files.walk(Path.of("src/main/java"))) {
            List<Path> java =
                    sources.filter(path -> path.toString().endsWith(".java")).toList();
            assertThat(java).hasSizeGreaterThan(50);
            for (Path path : java) {
                assertThat(Files.readString(path))
                        .as(path.toString())
                        .doesNotContainPattern("(?m)^\\s*synchronized\\b");
            }
        }
    }

    @Test
    void reveal_calledWhereItIsAllowed() {
        assertThat(callersOfReveal(CODE)).isEqualTo(new TreeSet<>(MAY_REVEAL));
    }

    @Test
    void reveal_calledElsewhere_isFound() {
        JavaClasses planted = new ClassFileImporter().importClasses(RevealedTextTest.Directly.class);

        assertThat(callersOfReveal(planted)).containsExactly(RevealedTextTest.class.getName());
    }

    private static Set<String> callersOfReveal(JavaClasses code) {
        Set<String> callers = new TreeSet<>();
        for (JavaClass each : code) {
            boolean reveals = Stream.<JavaCodeUnitAccess<?>>concat(
                            each.getMethodCallsFromSelf().stream(), each.getMethodReferencesFromSelf().stream())
                    .anyMatch(ArchitectureTest::isReveal);
            if (reveals && !each.getPackageName().equals("io.keyturn.http")) {
                callers.add(outermost(each).getName());
            }
        }
        return callers;
    }

    private static boolean isReveal(JavaCodeUnitAccess<?> call) {
        JavaClass owner = call.getTargetOwner();
        return call.getTarget().getName().equals("reveal")
                && (owner.isEquivalentTo(Token.class) || owner.isEquivalentTo(Secret.class));
    }

    private static JavaClass outermost(JavaClass inner) {
        return inner.getEnclosingClass().map(ArchitectureTest::outermost).orElse(inner);
    }

    @Test
    void names_tellWhatTheThingIs() {
        classes()
                .should()
                .haveNameNotMatching(".*\\.(Default|Abstract)[A-Z][^.]*|.*(Impl|Manager|Utils?|Helper)")
                .check(CODE);
        noClasses()
                .should()
                .resideInAnyPackage("..internal..", "..impl..", "..util..", "..common..")
                .check(CODE);
    }
}
