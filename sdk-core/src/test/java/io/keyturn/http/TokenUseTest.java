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

    @Test
    void requiring_joined_unites() {
        TokenUse both = TokenUse.requiring("read").and(TokenUse.requiring("write"));
        assertThat(both)
                .isEqualTo(TokenUse.requiring("write", "read"))
                .hasSameHashCodeAs(TokenUse.requiring("write", "read"))
                .isNotEqualTo(TokenUse.requiring("read"))
                .hasToString("requiring(read, write)");
        assertThat(TokenUse.named("a").and(both).and(TokenUse.key("k")))
                .isEqualTo(TokenUse.key("k").and(both).and(TokenUse.named("a")))
                .hasToString("named(a) and key(k) and requiring(read, write)");
        assertThat(TokenUse.scopesOf(TokenUse.named("a").and(both))).containsExactlyInAnyOrder("read", "write");
    }

    @Test
    void requiring_ofNoToken_contradicts() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> TokenUse.none().and(TokenUse.requiring("read")))
                .withMessage("none() contradicts requiring(read)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> TokenUse.requiring("read").and(TokenUse.none()));
    }

    @Test
    void requiring_whatIsNoScope_isIllegal() {
        assertThatIllegalArgumentException().isThrownBy(TokenUse::requiring);
        for (String wrong : new String[] {"", " ", "read write", "read,\twrite", "r\u00e9ad", "re\"ad", "re\\ad"}) {
            assertThatIllegalArgumentException()
                    .as(wrong)
                    .isThrownBy(() -> TokenUse.requiring("fine", wrong))
                    .withMessageContaining("one word");
        }
        assertThat(TokenUse.requiring("https://www.example.com/auth/drive.readonly", "repo:status"))
                .isNotNull();
    }

    @Test
    void isDemand_whoNamesKeysOrRequires() {
        assertThat(TokenUse.isDemand(null)).isFalse();
        assertThat(TokenUse.isDemand(TokenUse.none())).isFalse();
        assertThat(TokenUse.isDemand(TokenUse.named("a"))).isTrue();
        assertThat(TokenUse.isDemand(TokenUse.key("k"))).isTrue();
        assertThat(TokenUse.isDemand(TokenUse.requiring("read"))).isTrue();
    }
}
