package io.keyturn.provider;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScheduleTest {
    private static final RefreshPolicy EACH_MINUTE = RefreshPolicy.defaults().withEvery(Duration.ofMinutes(1));

    @RegisterExtension
    final Rig rig = new Rig();

    private final List<FakeSource> sources = new ArrayList<>();
    private final List<LiveProvider> providers = new ArrayList<>();

    private void open(ProviderContext context) throws TokenUnavailableException {
        FakeSource source = FakeSource.of("token-" + sources.size());
        LiveProvider provider = rig.opened(source, Rig.INTAKE, EACH_MINUTE, context);
        provider.get();
        sources.add(source);
        providers.add(provider);
    }

    private List<Integer> fetches() {
        return sources.stream().map(FakeSource::fetches).toList();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void remove_anyOfSeveral_theOthersAreStillTold(int gone) throws Exception {
        ProviderContext context = rig.context(Runnable::run);
        for (int i = 0; i < 3; i++) {
            open(context);
        }

        providers.get(gone).close();
        providers.get(gone).close();
        rig.advance(Duration.ofMinutes(1));
        open(context);
        rig.advance(Duration.ofMinutes(1));

        List<Integer> expected = new ArrayList<>(List.of(3, 3, 3, 2));
        expected.set(gone, 1);
        assertThat(fetches()).isEqualTo(expected);
    }

    @Test
    void remove_all_noneIsTold() throws Exception {
        ProviderContext context = rig.context(Runnable::run);
        for (int i = 0; i < 3; i++) {
            open(context);
        }

        providers.forEach(LiveProvider::retire);
        rig.advance(Duration.ofMinutes(5));

        assertThat(fetches()).containsExactly(1, 1, 1);
    }
}
