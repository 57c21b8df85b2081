package io.keyturn.test;

import static io.keyturn.source.TokenSources.env;
import static io.keyturn.source.TokenSources.firstOf;

import io.keyturn.source.TokenSources;

class FirstOfContractTest implements TokenSourceContract {
    @Override
    public Fixture fixture() {
        return new World(world -> firstOf(env("KEYTURN_IS_NOT_SET"), TokenSources.of("accounts db", world::document)));
    }
}
