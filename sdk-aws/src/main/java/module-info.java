/** Tokens out of AWS Secrets Manager. */
module io.keyturn.aws {
    requires transitive io.keyturn.core;
    requires com.fasterxml.jackson.core;
    requires org.slf4j;
    requires software.amazon.awssdk.auth;
    requires software.amazon.awssdk.awscore;
    requires software.amazon.awssdk.core;
    requires software.amazon.awssdk.http;
    requires software.amazon.awssdk.http.auth.aws;
    requires software.amazon.awssdk.http.auth.spi;
    requires software.amazon.awssdk.identity.spi;
    requires software.amazon.awssdk.profiles;
    requires software.amazon.awssdk.regions;
    requires software.amazon.awssdk.services.secretsmanager;
    requires static org.jspecify;

    exports io.keyturn.aws;

    provides io.keyturn.source.TokenSourceFactory with
            io.keyturn.aws.SecretsManagerSourceFactory;
}
