package io.keyturn.yaml;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.Canary;
import io.keyturn.config.Template;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A token whose source is the same after the file was read again keeps its provider, so that must be seen. */
class TemplateTest {
    @RegisterExtension
    final Canary canary = new Canary();

    @Test
    void equals_writtenAlike_equal() {
        for (String raw : new String[] {"", "literal", "${A}", "${file:token}"}) {
            Template one = Placeholders.template(raw);
            Template two = Placeholders.template(new String(raw.toCharArray()));

            assertThat(one).isEqualTo(two).hasSameHashCodeAs(two);
        }
        assertThat(Placeholders.template("${A}"))
                .isNotEqualTo(Placeholders.template("$<A>"))
                .isNotEqualTo(Placeholders.template("A"))
                .isNotEqualTo("${A}");
    }

    @Test
    void toString_literalToken_notShown() {
        Template template = Placeholders.template(canary.token());

        canary.saw("template", template);
        assertThat(template).hasToString("[text]");
    }
}
