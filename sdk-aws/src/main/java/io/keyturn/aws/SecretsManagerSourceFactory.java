package io.keyturn.aws;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import io.keyturn.policy.Endpoint;
import io.keyturn.source.SourceContext;
import io.keyturn.source.TokenSource;
import io.keyturn.source.TokenSourceFactory;
import java.util.regex.Pattern;

/**
 * Makes the sources of {@code aws_secrets_manager}: {@code secret_id}, {@code key}, {@code region}, {@code endpoint} and
 * {@code stage}. Credentials, and a region that nothing names, are what the AWS SDK's own chains find.
 */
public final class SecretsManagerSourceFactory implements TokenSourceFactory {
    /** What AWS allows in names, and what its ARNs are made of. */
    private static final Pattern SECRET_ID = Pattern.compile("[A-Za-z0-9/_+=.@:!-]{1,2048}");

    private static final Pattern REGION = Pattern.compile("[a-z0-9-]{1,63}");
    private static final Pattern STAGE = Pattern.compile("[\\x21-\\x7E]{1,256}");

    /** For {@link java.util.ServiceLoader}. */
    public SecretsManagerSourceFactory() {}

    @Override
    public String key() {
        return "aws_secrets_manager";
    }

    @Override
    public TokenSource create(Settings settings, SourceContext context) {
        if (!settings.isMap()) {
            throw settings.wrong("must be a map with the key secret_id, and perhaps key, region, endpoint and stage");
        }
        boolean insecure = context.allow().contains("insecure_http");
        if (!settings.has("secret_id")) {
            settings.note("'secret_id' is missing: the secret's name, or its ARN");
        }
        String secretId = settings.read("secret_id", "", SecretsManagerSourceFactory::secretId);
        String key = settings.read("key", SecretsManagerSourceFactory::nonBlank).orElse(null);
        String stage = settings.read("stage", StoredSecret.CURRENT, SecretsManagerSourceFactory::stage);
        String region =
                settings.read("region", value -> region(value, secretId)).orElse(StoredSecret.regionOf(secretId));
        String endpoint =
                settings.read("endpoint", value -> endpoint(value, insecure)).orElse(null);
        StoredSecret secret =
                new StoredSecret(secretId, key, stage, new SecretsManager.Place(region, endpoint, insecure));
        return new SecretsManagerSource(secret, context);
    }

    private static String secretId(Settings value) {
        String text = value.text();
        if (!SECRET_ID.matcher(text).matches()) {
            // It is not repeated: whoever writes the value of a secret here has made a mistake already.
            throw value.wrong("must be the name of a secret, such as prod/agent, or its ARN");
        }
        return text;
    }

    private static String nonBlank(Settings value) {
        String text = value.text();
        if (text.isBlank()) {
            throw value.wrong("must be a field of the secret's JSON; leave it out if the whole value is the token");
        }
        return text;
    }

    private static String stage(Settings value) {
        String text = value.text();
        if (text.equals("AWSPENDING")) {
            throw value.wrong("must not be AWSPENDING: what a rotation has not finished yet is never sent to an API");
        }
        if (!STAGE.matcher(text).matches()) {
            throw value.wrong("must be a staging label, such as AWSCURRENT");
        }
        return text;
    }

    private static String region(Settings value, String secretId) {
        String text = value.text();
        if (!REGION.matcher(text).matches()) {
            throw value.wrong("must be a region, such as eu-central-1");
        }
        String other = StoredSecret.regionOf(secretId);
        if (other != null && !other.equals(text)) {
            throw value.wrong("must be " + other + ", as the ARN says, or be left out");
        }
        return text;
    }

    /** @throws ConfigException if it is none, or plain http would leave this machine */
    private static String endpoint(Settings value, boolean insecure) {
        return Endpoint.parse(value.text(), insecure).toString();
    }
}
