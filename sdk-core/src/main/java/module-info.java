/** Keyturn: resolves API tokens, attaches each where it belongs, and proves that it works. */
module io.keyturn.core {
    requires transitive okhttp3;
    requires com.fasterxml.jackson.core;
    requires com.github.benmanes.caffeine;
    requires org.slf4j;
    requires static transitive org.jspecify;
    requires static com.nimbusds.jose.jwt;

    uses io.keyturn.source.TokenSourceFactory;

    provides io.keyturn.source.TokenSourceFactory with
            io.keyturn.oauth2.OAuth2SourceFactory;

    exports io.keyturn;
    exports io.keyturn.check;
    exports io.keyturn.config;
    exports io.keyturn.event;
    exports io.keyturn.http;
    exports io.keyturn.policy;
    exports io.keyturn.provider;
    exports io.keyturn.source;
    exports io.keyturn.token;
}
