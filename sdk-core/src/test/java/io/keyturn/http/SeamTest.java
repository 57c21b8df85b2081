package io.keyturn.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.module.ModuleDescriptor.Version;
import okhttp3.OkHttp;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Which OkHttp these tests run with, and which of its seams is used. */
class SeamTest {
    /** The OkHttp of this run; read by reflection, since the compiler would write in the one that it sees. */
    static String version() {
        try {
            return (String) OkHttp.class.getField("VERSION").get(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Whether calls can be given another authenticator and cache: from 5.4 on. */
    static boolean isNew() {
        return Version.parse(version()).compareTo(Version.parse("5.4.0")) >= 0;
    }

    @Test
    @Tag("okhttp-floor")
    void version_isWhatTheRunClaims() {
        String claimed = System.getProperty("keyturn.okhttp");
        if (claimed == null) {
            assertThat(isNew()).isTrue();
        } else {
            assertThat(version()).isEqualTo(claimed);
        }
    }

    @Test
    @Tag("okhttp-floor")
    void seam_isTheOneOfThisOkHttp() {
        assertThat(Seam.ofThisOkHttp()).isInstanceOf(isNew() ? Seam.Since54.class : Seam.Since412.class);
    }
}
