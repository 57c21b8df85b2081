package io.keyturn.aws;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which value of which secret is the token.
 *
 * @param id the secret's name, or its ARN
 * @param key the field of its JSON; null if the whole value is the token document
 * @param stage the staging label whose version counts
 * @param place whom to ask
 */
record StoredSecret(String id, @Nullable String key, String stage, SecretsManager.Place place) {
    /** The label of the version in force. */
    static final String CURRENT = "AWSCURRENT";

    private static final Pattern ARN = Pattern.compile("arn:[a-z0-9-]+:secretsmanager:([a-z0-9-]+):[0-9]*:secret:.+");

    /** The region that an ARN names; null of a name. */
    static @Nullable String regionOf(String id) {
        Matcher arn = ARN.matcher(id);
        return arn.matches() ? arn.group(1) : null;
    }

    /** The resource as a policy of IAM names it. Of a name, six characters that AWS has added are not known. */
    String resource() {
        if (regionOf(id) != null) {
            return id;
        }
        String region = place.region() == null ? "*" : place.region();
        return "arn:aws:secretsmanager:" + region + ":*:secret:" + id + "-??????";
    }

    /** How the AWS command line is asked about it. */
    String command(String action) {
        return "aws secretsmanager " + action + " --secret-id " + id
                + (place.region() == null ? "" : " --region " + place.region());
    }

    /** Such as {@code aws_secrets_manager prod/agent#api_token in eu-central-1}. */
    String describe() {
        boolean told = place.region() == null || regionOf(id) != null;
        return "aws_secrets_manager " + id
                + (key == null ? "" : "#" + key)
                + (stage.equals(CURRENT) ? "" : " (" + stage + ")")
                + (told ? "" : " in " + place.region());
    }
}
