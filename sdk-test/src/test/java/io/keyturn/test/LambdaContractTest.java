package io.keyturn.test;

import io.keyturn.source.TokenSources;

class LambdaContractTest implements TokenSourceContract {
    @Override
    public Fixture fixture() {
        return new World(world -> TokenSources.of("accounts db", world::document));
    }
}
