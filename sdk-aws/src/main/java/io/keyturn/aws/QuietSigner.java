package io.keyturn.aws;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.scheme.AwsV4AuthScheme;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.AsyncSignRequest;
import software.amazon.awssdk.http.auth.spi.signer.AsyncSignedRequest;
import software.amazon.awssdk.http.auth.spi.signer.SignRequest;
import software.amazon.awssdk.http.auth.spi.signer.SignedRequest;
import software.amazon.awssdk.identity.spi.AwsCredentialsIdentity;
import software.amazon.awssdk.identity.spi.AwsSessionCredentialsIdentity;
import software.amazon.awssdk.identity.spi.IdentityProvider;
import software.amazon.awssdk.identity.spi.IdentityProviders;

/**
 * Signature Version 4 as Secrets Manager needs it: a request without a query, signed in its headers. The SDK's own signer
 * logs what it signs, and with that the session token of temporary credentials.
 */
final class QuietSigner implements AwsV4HttpSigner {
    /** Signs with what the SDK has found. */
    static final AwsV4AuthScheme SCHEME = new AwsV4AuthScheme() {
        private final QuietSigner signer = new QuietSigner();

        @Override
        public String schemeId() {
            return SCHEME_ID;
        }

        @Override
        public IdentityProvider<AwsCredentialsIdentity> identityProvider(IdentityProviders providers) {
            return providers.identityProvider(AwsCredentialsIdentity.class);
        }

        @Override
        public AwsV4HttpSigner signer() {
            return signer;
        }
    };

    private static final String ALGORITHM = "AWS4-HMAC-SHA256";
    private static final DateTimeFormatter SECOND =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);
    private static final int DAY = 8;
    private static final ContentStreamProvider EMPTY = InputStream::nullInputStream;

    private QuietSigner() {}

    @Override
    public SignedRequest sign(SignRequest<? extends AwsCredentialsIdentity> request) {
        Instant now = request.requireProperty(SIGNING_CLOCK, Clock.systemUTC()).instant();
        String region = request.requireProperty(REGION_NAME);
        String service = request.requireProperty(SERVICE_SIGNING_NAME);
        SdkHttpRequest signed =
                signed(request.request(), request.payload().orElse(EMPTY), request.identity(), now, region, service);
        SignedRequest.Builder answer = SignedRequest.builder().request(signed);
        request.payload().ifPresent(answer::payload);
        return answer.build();
    }

    private static SdkHttpRequest signed(
            SdkHttpRequest plain,
            ContentStreamProvider payload,
            AwsCredentialsIdentity identity,
            Instant now,
            String region,
            String service) {
        try {
            String second = SECOND.format(now);
            String bodyHash = hash(AgentHttp.bytes(payload));
            SdkHttpRequest.Builder request = plain.toBuilder()
                    .putHeader("Host", plain.getUri().getRawAuthority())
                    .putHeader("X-Amz-Date", second)
                    .putHeader("x-amz-content-sha256", bodyHash);
            if (identity instanceof AwsSessionCredentialsIdentity session) {
                request.putHeader("X-Amz-Security-Token", session.sessionToken());
            }
            Map<String, String> headers = headersToSign(request);
            String names = String.join(";", headers.keySet());
            String canonical = canonical(plain, headers, names, bodyHash);
            String day = second.substring(0, DAY);
            String scope = day + "/" + region + "/" + service + "/aws4_request";
            String toSign = ALGORITHM + "\n" + second + "\n" + scope + "\n" + hash(canonical.getBytes(UTF_8));
            byte[] key = ("AWS4" + identity.secretAccessKey()).getBytes(UTF_8);
            for (String step : new String[] {day, region, service, "aws4_request"}) {
                key = hmac(key, step);
            }
            String credential = identity.accessKeyId() + "/" + scope;
            return request.putHeader(
                            "Authorization",
                            ALGORITHM + " Credential=" + credential + ", SignedHeaders=" + names + ", Signature="
                                    + HexFormat.of().formatHex(hmac(key, toSign)))
                    .build();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no HMAC-SHA256");
        }
    }

    /** Those that mean something to the service, and that nobody in between may change. */
    private static Map<String, String> headersToSign(SdkHttpRequest.Builder request) {
        Map<String, String> headers = new TreeMap<>();
        request.forEachHeader((name, values) -> {
            String lower = name.toLowerCase(Locale.ROOT);
            if (lower.equals("host") || lower.equals("content-type") || lower.startsWith("x-amz-")) {
                headers.put(lower, String.join(",", values).strip().replaceAll(" +", " "));
            }
        });
        return headers;
    }

    private static String canonical(SdkHttpRequest plain, Map<String, String> headers, String names, String bodyHash)
            throws GeneralSecurityException {
        StringBuilder text = new StringBuilder()
                .append(plain.method().name())
                .append('\n')
                .append(path(plain.encodedPath()))
                .append("\n\n");
        headers.forEach(
                (name, value) -> text.append(name).append(':').append(value).append('\n'));
        return text.append('\n').append(names).append('\n').append(bodyHash).toString();
    }

    /** Encoded once more, as every service but S3 wants it. */
    private static String path(String encoded) {
        StringBuilder twice = new StringBuilder();
        for (byte each : (encoded.startsWith("/") ? encoded : "/" + encoded).getBytes(UTF_8)) {
            char c = (char) (each & 0xff);
            boolean plain = c < 0x80 && (Character.isLetterOrDigit(c) || "/-._~".indexOf(c) >= 0);
            twice.append(plain ? String.valueOf(c) : String.format(Locale.ROOT, "%%%02X", (int) c));
        }
        return twice.toString();
    }

    private static String hash(byte[] bytes) throws GeneralSecurityException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(UTF_8));
    }

    @Override
    public CompletableFuture<AsyncSignedRequest> signAsync(AsyncSignRequest<? extends AwsCredentialsIdentity> request) {
        throw new UnsupportedOperationException("nothing is asked asynchronously");
    }
}
