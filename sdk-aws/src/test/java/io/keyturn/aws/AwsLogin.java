package io.keyturn.aws;

import io.keyturn.Canary;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** What the AWS SDK's chains find during a test: system properties come first, and nothing outside is asked. */
final class AwsLogin implements BeforeEachCallback, AfterEachCallback {
    static final String KEY_ID = "AKIAIOSFODNN7EXAMPLE";

    private final Map<String, String> before = new HashMap<>();

    @Override
    public void beforeEach(ExtensionContext context) {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put("aws.accessKeyId", KEY_ID);
        properties.put("aws.secretAccessKey", "secret/" + Canary.TOKEN);
        properties.put("aws.sessionToken", "session/" + Canary.TOKEN);
        properties.put("aws.disableEc2Metadata", "true");
        properties.put("aws.configFile", "/nonexistent/config");
        properties.put("aws.sharedCredentialsFile", "/nonexistent/credentials");
        properties.forEach(this::set);
    }

    /** Null for none. */
    void set(String property, String value) {
        String was = value == null ? System.clearProperty(property) : System.setProperty(property, value);
        before.putIfAbsent(property, was == null ? "" : was);
    }

    /** Nobody is logged in, unless the environment says otherwise. */
    void none() {
        set("aws.accessKeyId", null);
        set("aws.secretAccessKey", null);
        set("aws.sessionToken", null);
    }

    @Override
    public void afterEach(ExtensionContext context) {
        before.forEach((property, was) -> {
            if (was.isEmpty()) {
                System.clearProperty(property);
            } else {
                System.setProperty(property, was);
            }
        });
        before.clear();
    }
}
