package io.keyturn;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@link HeapDumpTest} with a minute after the swap, which is too long for every build. */
@Timeout(300)
class HeapDumpRealIT {
    @TempDir
    Path folder;

    @Test
    void heapDump_aMinuteAfterASwap_noObjectOfOursHoldsTheOldToken() throws Exception {
        List<String> others = HeapDumpTest.assertOldTokenIsGone(folder, Duration.ofSeconds(60));

        // What OkHttp keeps for as long as a connection lives is gone with it; its buffers are overwritten as it
        // happens.
        assertThat(others).noneMatch(way -> way.contains("Hpack"));
        System.out.println("The old token in buffers of OkHttp and the JDK: " + others.size() + "\n  "
                + String.join("\n  ", others));
    }
}
