/** Tokens out of HashiCorp Vault, and out of OpenBao, which speaks its language. */
module io.keyturn.vault {
    requires transitive io.keyturn.core;
    requires org.slf4j;
    requires static org.jspecify;

    exports io.keyturn.vault;

    provides io.keyturn.source.TokenSourceFactory with
            io.keyturn.vault.VaultSourceFactory;
}
