package io.keyturn.source;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class WatchedFolderTest {
    private static final Path PLACE = Path.of("/run/secrets");
    private static final Path DATA = Path.of("..data");

    private final Lane lane = new Lane(FileWatcher.none());
    private final WatchedFolder folder = new WatchedFolder(PLACE, lane);
    private final WatchedFile one = file("one");
    private final WatchedFile two = file("two");

    private WatchedFile file(String name) {
        return new WatchedFile(PLACE.resolve(name), () -> {}, Signature.NONE, lane);
    }

    @Test
    void files_oneStandsThere_isFoundByItsName() {
        folder.add(one.file, one);
        folder.add(one.file, one);
        folder.add(two.file, two);

        assertThat(folder.files(Path.of("one"))).containsExactly(one);
        assertThat(folder.files(Path.of("other"))).isEmpty();
        assertThat(folder.files()).containsExactlyInAnyOrder(one, two);
    }

    @Test
    void remove_ofSeveral_theOthersStay() {
        WatchedFile three = file("three");
        Path data = PLACE.resolve(DATA);
        folder.add(data, one);
        folder.add(data, two);
        folder.add(data, two);
        folder.add(data, three);
        assertThat(folder.files(DATA)).containsExactly(one, two, three);

        folder.remove(data, one);
        assertThat(folder.files(DATA)).containsExactly(two, three);
        folder.remove(data, three);
        folder.remove(data, three);
        assertThat(folder.files(DATA)).containsExactly(two);
        assertThat(folder.files()).containsExactly(two);
        assertThat(folder.isEmpty()).isFalse();
        folder.remove(data, two);
        assertThat(folder.files(DATA)).isEmpty();
        assertThat(folder.isEmpty()).isTrue();
    }
}
