package io.keyturn.yaml;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.keyturn.FuzzCase;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** References in any text. */
class PlaceholdersFuzzTest {
    /** What no input has, so that it can be found again in what is made of it. */
    private static final String MARK = "\uE000";

    /** The first line is a variable's value, the others the text. */
    @FuzzTest(maxDuration = "30s")
    void expand(byte[] input) {
        String[] parts =
                new String(input, StandardCharsets.UTF_8).replace(MARK, "").split("\n", 2);
        String value = parts[0];
        String text = parts[parts.length - 1];
        if (FuzzCase.holdsSecret(text)) {
            return;
        }

        assertThat(Placeholders.expand(text.replace("$", "$$"), name -> FuzzCase.SECRET))
                .isEqualTo(text);

        // A value is put in as it is, whatever it looks like: in place of a mark it comes out as in place of itself.
        String marked = expand(text, name -> MARK);
        String filled = expand(text, name -> "x" + value);
        assertThat(filled).isEqualTo(marked == null ? null : marked.replace(MARK, "x" + value));

        // Where a variable is set or not makes no difference to what is malformed.
        String unset = expand(text, name -> null);
        if (marked == null) {
            assertThat(unset).isNull();
        }
        String secret = expand(text, name -> FuzzCase.SECRET);
        assertThat(secret).isEqualTo(marked == null ? null : marked.replace(MARK, FuzzCase.SECRET));
        assertThat(expand(text, name -> null)).isEqualTo(unset);
        if (text.indexOf('$') < 0) {
            assertThat(marked).isEqualTo(text);
        }
    }

    private static @Nullable String expand(String text, Function<String, @Nullable String> variables) {
        return FuzzCase.answer(() -> Placeholders.expand(text, variables));
    }
}
