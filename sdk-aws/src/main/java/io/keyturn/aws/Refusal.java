package io.keyturn.aws;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.keyturn.source.ServiceAnswer;
import io.keyturn.source.SourceException;
import io.keyturn.token.Reason;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What Secrets Manager said instead of an answer. Of what it says only the error code is repeated: codes are AWS's own
 * words, while a message names who has asked.
 */
final class Refusal extends IOException {
    private static final long serialVersionUID = 1L;
    private static final int TOO_MANY_REQUESTS = 429;
    private static final int SERVER_ERROR = 500;

    /** How the front of AWS's services, and moto, say that nobody is let in. */
    private static final Pattern XML = Pattern.compile("<Code>([A-Za-z.]{1,64})</Code>");

    /** A code may stand behind a name space, and before an address. */
    private static final Pattern CODE = Pattern.compile("(?:[A-Za-z0-9._]+#)?([A-Za-z.]{1,64})(?::.*)?");

    /**
     * What an error code means.
     *
     * @param fix where it holds {@code %s}, the command that shows the secret stands there
     */
    private record Meaning(Reason reason, String what, String fix) {}

    private static final Meaning TOO_MANY = new Meaning(
            Reason.STORE_UNREACHABLE,
            "is throttled: the account asks Secrets Manager too often",
            "poll less often (refresh: {every: 5m}), or find out who else asks");

    private static final Meaning UNDECRYPTED = new Meaning(
            Reason.NOT_PERMITTED,
            "cannot be decrypted: its KMS key does not let it",
            "allow kms:Decrypt on the key in the policy of the role and in the key's own, and look whether the key is"
                    + " enabled: %s --query KmsKeyId");

    private static final Set<String> DENIED = Set.of("AccessDeniedException", "AccessDenied", "UnauthorizedOperation");

    private static final Map<String, Meaning> MEANINGS = new HashMap<>();

    static {
        mean(
                TOO_MANY,
                "Throttling",
                "ThrottlingException",
                "ThrottledException",
                "RequestThrottled",
                "RequestThrottledException",
                "TooManyRequestsException",
                "RequestLimitExceeded",
                "LimitExceededException",
                "SlowDown");
        mean(
                new Meaning(
                        Reason.STORE_UNREACHABLE, "cannot be read: Secrets Manager is in trouble", "it mends itself"),
                "InternalServiceError",
                "InternalServiceErrorException",
                "InternalFailure",
                "ServiceUnavailable");
        mean(
                new Meaning(
                        Reason.LOGIN_REFUSED,
                        "cannot be read: AWS does not know the credentials",
                        "which are used, is told by: aws sts get-caller-identity; they may have been deleted, or be of"
                                + " another partition"),
                "UnrecognizedClientException",
                "InvalidClientTokenId",
                "InvalidAccessKeyId",
                "InvalidToken",
                "AuthFailure",
                "IncompleteSignature",
                "IncompleteSignatureException",
                "MissingAuthenticationToken",
                "MissingAuthenticationTokenException",
                "NotAuthorized",
                "OptInRequired");
        mean(
                new Meaning(
                        Reason.LOGIN_REFUSED,
                        "cannot be read: AWS does not take the signature",
                        "is AWS_SECRET_ACCESS_KEY the one of this key id, and is this machine's clock right?"),
                "InvalidSignatureException",
                "SignatureDoesNotMatch",
                "RequestExpired",
                "RequestExpiredException",
                "RequestTimeTooSkewed");
        mean(
                new Meaning(
                        Reason.LOGIN_REFUSED,
                        "cannot be read: the AWS credentials have expired",
                        "log in again, or use a role, whose credentials the SDK renews by itself"),
                "ExpiredToken",
                "ExpiredTokenException");
        mean(
                new Meaning(Reason.ABSENT, "is not there", "is the name right, and the region? %s"),
                "ResourceNotFoundException");
        mean(
                new Meaning(Reason.INVALID, "cannot be read in its present state", "look at it: %s"),
                "InvalidRequestException");
        mean(
                new Meaning(Reason.INVALID, "cannot be: AWS does not take its secret_id or its stage", "correct them"),
                "InvalidParameterException",
                "ValidationException");
        mean(UNDECRYPTED, "DecryptionFailure", "DecryptionFailureException");
    }

    private static void mean(Meaning meaning, String... codes) {
        List.of(codes).forEach(code -> MEANINGS.put(code, meaning));
    }

    private final String code;
    private final int status;
    private final boolean isOfDeletion;
    private final boolean isOfKey;
    private final @Nullable Duration retryAfter;

    private Refusal(String code, int status, String message, @Nullable Duration retryAfter) {
        super("Secrets Manager answered " + status + (code.isEmpty() ? "" : " " + code));
        this.code = code;
        this.status = status;
        this.isOfDeletion = message.contains("delet");
        this.isOfKey = message.contains("kms");
        this.retryAfter = retryAfter;
    }

    static Refusal of(ServiceAnswer answer) {
        String code = "";
        String message = "";
        try {
            code = matched(CODE.matcher(answer.text("__type").orElse("")), true);
            message = answer.text("message").orElse("") + answer.text("Message").orElse("");
        } catch (SourceException e) {
            code = matched(XML.matcher(new String(answer.body(), UTF_8)), false);
        }
        return new Refusal(
                code,
                answer.status(),
                message.toLowerCase(Locale.ROOT),
                answer.retryAfter().orElse(null));
    }

    private static String matched(Matcher matcher, boolean whole) {
        return (whole ? matcher.matches() : matcher.find()) ? matcher.group(1) : "";
    }

    /**
     * What it means.
     *
     * @param action what was asked for
     */
    SourceException failure(StoredSecret secret, String action) {
        Meaning known = MEANINGS.get(code);
        if (status == TOO_MANY_REQUESTS || TOO_MANY.equals(known)) {
            return failed(secret, TOO_MANY);
        }
        if (status >= SERVER_ERROR) {
            return failed(
                    secret,
                    new Meaning(
                            Reason.STORE_UNREACHABLE,
                            "cannot be read: Secrets Manager answered " + status,
                            "it mends itself"));
        }
        if (code.equals("InvalidRequestException") && isOfDeletion) {
            return deleted(secret);
        }
        if (DENIED.contains(code)) {
            // AWS says the same of the key that the secret is encrypted with, which has another policy.
            return failed(secret, isOfKey ? UNDECRYPTED : denied(secret, action));
        }
        return failed(secret, known == null ? unknown() : known);
    }

    private static Meaning denied(StoredSecret secret, String action) {
        return new Meaning(
                Reason.NOT_PERMITTED,
                "must not be read: the policy does not allow secretsmanager:" + action,
                "allow secretsmanager:" + action + " on " + secret.resource()
                        + " in the policy of the role, or in the secret's own");
    }

    private Meaning unknown() {
        return new Meaning(
                Reason.STORE_UNREACHABLE,
                "cannot be read: there came " + status + (code.isEmpty() ? ", and no word of AWS" : ""),
                "is the endpoint right? A proxy or a login page may have answered in its place");
    }

    /** The secret will be gone, and AWS gives it out no more. */
    static SourceException deleted(StoredSecret secret) {
        return new SourceException(
                Reason.REVOKED,
                secret.describe() + " is about to be deleted",
                "if it is still needed: " + secret.command("restore-secret"));
    }

    private SourceException failed(StoredSecret secret, Meaning meaning) {
        String said = code.isEmpty() ? "" : " (" + code + ")";
        return new SourceException(
                meaning.reason,
                secret.describe() + " " + meaning.what + said,
                meaning.fix.replace("%s", secret.command("describe-secret")),
                retryAfter);
    }
}
