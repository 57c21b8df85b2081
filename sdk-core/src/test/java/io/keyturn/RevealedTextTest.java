package io.keyturn;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.keyturn.token.Secret;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Outside the package {@code token} the text of one lives in a {@link Secret}, never in a field. */
class RevealedTextTest {
    @Test
    void keptBy_allOfTheCode_nobody() {
        List<Class<?>> code = new ArrayList<>();
        for (JavaClass each : new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("io.keyturn")) {
            code.add(each.reflect());
        }
        assertThat(code).hasSizeGreaterThan(100);
        assertThat(RevealedText.keptBy(code)).isEmpty();
    }

    // --- planted: each keeps a text in another way ---

    static final class Directly {
        String text;

        void take(Token token) {
            text = token.reveal();
        }
    }

    static final class Made {
        byte[] sent;

        void take(Secret secret) {
            String pair = "ci:" + secret.reveal();
            sent = Base64.getEncoder().encode(pair.getBytes(UTF_8));
        }
    }

    static final class Built {
        String text;

        void take(Secret secret) {
            StringBuilder all = new StringBuilder();
            all.append("Bearer ");
            all.append(secret.reveal());
            text = all.toString();
        }
    }

    static final class Listed {
        List<String> texts = List.of();

        void take(Secret secret) {
            List<String> mine = new ArrayList<>();
            mine.add(secret.reveal());
            texts = mine;
        }
    }

    static final class Varied {
        String text;

        void take(Secret secret) {
            text = String.format("%s %s", "Bearer", secret.reveal());
        }
    }

    record Recorded(String name, String text) {
        static Recorded of(Token token) {
            return new Recorded(token.name(), token.reveal());
        }
    }

    static final class Farther {
        String text;

        void take(Token token) {
            put(prefixed(token));
        }

        private static String prefixed(Token token) {
            return "Bearer " + token.reveal();
        }

        private void put(String any) {
            text = any;
        }
    }

    static final class Captured {
        Supplier<String> later = () -> "";

        void take(Token token) {
            String text = token.reveal();
            later = () -> text;
        }
    }

    static final class InALambda {
        String text;

        void take(Token token) {
            String revealed = token.reveal();
            Stream.of(1).forEach(each -> text = revealed + each);
        }
    }

    static final class Mapped {
        static Map<String, String> headers = Map.of();

        static void take(Token token) {
            headers = Map.of("Authorization", token.reveal());
        }
    }

    static Stream<Class<?>> planted() {
        return Stream.of(
                Directly.class,
                Made.class,
                Built.class,
                Listed.class,
                Varied.class,
                Recorded.class,
                Farther.class,
                Captured.class,
                InALambda.class,
                Mapped.class);
    }

    @ParameterizedTest
    @MethodSource("planted")
    void keptBy_oneThatKeepsAText_isFound(Class<?> planted) {
        assertThat(RevealedText.keptBy(List.of(planted))).hasSize(1);
    }

    // --- these do not ---

    static final class Guarded {
        Secret sent = Secret.of("");
        int length;
        boolean prefixed;
        TokenDocument document;

        void take(Token token) {
            sent = Secret.of("Bearer " + token.reveal());
            length = token.reveal().length();
            prefixed = token.reveal().startsWith("Bearer ");
            document = TokenDocument.of(token.reveal());
        }
    }

    static final class Passing {
        String name = "";

        boolean isIn(Token token, List<String> texts) {
            String text = token.reveal();
            return texts.stream().anyMatch(each -> each.contains(text));
        }

        Map<String, String> take(Token token) {
            name = token.name();
            return Map.of("Authorization", token.reveal());
        }
    }

    @Test
    void keptBy_thoseThatKeepNoText_nobody() {
        assertThat(RevealedText.keptBy(List.of(Guarded.class, Passing.class))).isEmpty();
    }
}
