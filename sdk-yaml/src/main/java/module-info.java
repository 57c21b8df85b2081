/** Turns {@code agent.yaml} into the settings of {@code io.keyturn.core}. */
module io.keyturn.yaml {
    requires transitive io.keyturn.core;
    requires org.yaml.snakeyaml;
    requires static org.jspecify;

    exports io.keyturn.yaml;
}
