package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import org.junit.jupiter.api.Test;

class TokenUseTest {
    @Test
    void and_sameWish_isThatWish() {
        assertThat(TokenUse.named("a").and(TokenUse.named("a"))).isEqualTo(TokenUse.named("a"));
        assertThat(TokenUse.none().and(TokenUse.none())).isEqualTo(TokenUse.none());
    }

    @Test
    void and_contradiction_isIllegal() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> TokenUse.named("a").and(TokenUse.named("b")))
                .withMessage("named(a) contradicts named(b)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> TokenUse.none().and(TokenUse.named("b")))
                .withMessage("none() contradicts named(b)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> TokenUse.named("a").and(TokenUse.none()));
    }

    @Test
    void equals_sameWish_isEqual() {
        assertThat(TokenUse.named("a"))
                .hasSameHashCodeAs(TokenUse.named("a"))
                .isNotEqualTo(TokenUse.named("b"))
                .isNotEqualTo(TokenUse.none())
                .isNotEqualTo("a");
        assertThat(TokenUse.none()).isEqualTo(TokenUse.none()).hasToString("none()");
    }

    @Test
    void named_null_isRefused() {
        assertThatNullPointerException().isThrownBy(() -> TokenUse.named(null));
    }
}
