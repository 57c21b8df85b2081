package io.keyturn.aws;

import io.keyturn.source.SourceContext;
import io.keyturn.source.SourceException;
import io.keyturn.source.TokenSource;
import io.keyturn.token.Reason;
import io.keyturn.token.Token;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.services.secretsmanager.model.DescribeSecretResponse;
import software.amazon.awssdk.services.secretsmanager.model.GetSecretValueResponse;

/**
 * A secret of AWS Secrets Manager. A version never changes, so each poll asks for the labels alone, and reads a value only
 * when the label has moved to another version. Where the policy does not allow to ask for the labels, the value is read
 * each time.
 *
 * <p>A rotation moves {@code AWSCURRENT} at its end. An API that has not heard of the new token by then, or not
 * everywhere, refuses it: the version before it may then stand in, once, until it is refused itself or the label moves.
 */
final class SecretsManagerSource implements TokenSource {
    private static final Logger log = LoggerFactory.getLogger(SecretsManagerSource.class);
    private static final Optional<Duration> EVERY = Optional.of(Duration.ofMinutes(1));
    private static final String PREVIOUS = "AWSPREVIOUS";

    /** How long the policy's word is taken that the labels must not be asked for. */
    private static final Duration DENIED = Duration.ofHours(1);

    private static final int SHORT_VERSION = 8;

    private final StoredSecret secret;
    private final SourceContext context;
    private volatile @Nullable Version known;
    private volatile @Nullable Instant deniedUntil;
    private volatile @Nullable Nothing nothing;

    /**
     * The version that was read last.
     *
     * @param id as AWS names it
     * @param standIn what is used in its place; null if it is used itself
     * @param stoodIn whether there has been one, or the question has been asked
     */
    private record Version(
            String id, TokenDocument document, @Nullable TokenDocument standIn, boolean stoodIn) {
        TokenDocument used() {
            return standIn == null ? document : standIn;
        }

        /** The same, used itself from now on. */
        Version itself() {
            return new Version(id, document, null, true);
        }
    }

    /** Why there is none. */
    private record Nothing(String why, @Nullable String fix) {}

    /** Nothing is asked yet. */
    SecretsManagerSource(StoredSecret secret, SourceContext context) {
        this.secret = secret;
        this.context = context;
    }

    @Override
    public Optional<TokenDocument> fetch() throws SourceException {
        return found(this::current);
    }

    @Override
    public Optional<TokenDocument> fetchInsteadOf(Token refused) throws SourceException {
        return found(() -> insteadOf(refused));
    }

    private interface Look {
        Version version() throws SourceException;
    }

    /** Of what is not there nothing is thrown: another source may have it. */
    private Optional<TokenDocument> found(Look look) throws SourceException {
        try {
            return Optional.of(look.version().used());
        } catch (SourceException e) {
            if (e.reason() != Reason.ABSENT) {
                throw e;
            }
            nothing = new Nothing(String.valueOf(e.getMessage()), e.fix());
            return Optional.empty();
        }
    }

    @Override
    public SourceException absence() {
        Nothing found = nothing;
        return found == null ? TokenSource.super.absence() : new SourceException(Reason.ABSENT, found.why, found.fix);
    }

    private Version insteadOf(Token refused) throws SourceException {
        Version now = current();
        if (!refused.isOf(now.used())) {
            return now;
        }
        Version next = now;
        if (now.standIn != null) {
            next = now.itself();
        } else if (!now.stoodIn && secret.stage().equals(StoredSecret.CURRENT)) {
            next = new Version(now.id, now.document, previous(refused), true);
        }
        known = next;
        return next;
    }

    private Version current() throws SourceException {
        Version before = known;
        String id = labelled();
        if (before != null && before.id.equals(id)) {
            return still(before);
        }
        SecretsManager aws = aws();
        GetSecretValueResponse value = id == null ? aws.stage(secret, secret.stage()) : aws.version(secret, id);
        if (before != null && before.id.equals(value.versionId())) {
            return still(before);
        }
        Version now = new Version(value.versionId(), document(value, ""), null, false);
        known = now;
        return now;
    }

    /** What stands in for a version may have an end of its own. */
    private Version still(Version before) {
        if (before.standIn == null || !isOver(before.standIn)) {
            return before;
        }
        Version now = before.itself();
        known = now;
        return now;
    }

    private boolean isOver(TokenDocument document) {
        return document.expiresAt()
                .filter(end -> !end.isAfter(context.clock().instant()))
                .isPresent();
    }

    /** Which version has the label; null if the policy does not let anybody ask. */
    private @Nullable String labelled() throws SourceException {
        Instant denied = deniedUntil;
        if (denied != null && context.clock().instant().isBefore(denied)) {
            return null;
        }
        try {
            DescribeSecretResponse described = aws().describe(secret);
            deniedUntil = null;
            return labelled(described);
        } catch (SourceException e) {
            if (e.reason() != Reason.NOT_PERMITTED) {
                throw e;
            }
            if (denied == null) {
                log.warn(
                        "{}: the value is read at each poll, since the policy does not allow"
                                + " secretsmanager:DescribeSecret on {}",
                        secret.describe(),
                        secret.resource());
            }
            deniedUntil = context.clock().instant().plus(DENIED);
            return null;
        }
    }

    private String labelled(DescribeSecretResponse described) throws SourceException {
        if (described.deletedDate() != null) {
            throw Refusal.deleted(secret);
        }
        Map<String, List<String>> labels = described.versionIdsToStages();
        return labels.entrySet().stream()
                .filter(version -> version.getValue().contains(secret.stage()))
                .map(Map.Entry::getKey)
                .findFirst()
                .orElseThrow(() -> new SourceException(
                        Reason.ABSENT,
                        secret.describe() + " has no version that is " + secret.stage(),
                        "give it a value: " + secret.command("put-secret-value")));
    }

    /** What was in force before; null if there is nothing that could serve. Whatever goes wrong here, there is none. */
    private @Nullable TokenDocument previous(Token refused) {
        try {
            TokenDocument before = document(
                    aws().stage(secret, PREVIOUS),
                    " (" + PREVIOUS + ", since the API refused " + StoredSecret.CURRENT + ")");
            return isOver(before) || refused.isOf(before) ? null : before;
        } catch (SourceException e) {
            return null;
        }
    }

    private TokenDocument document(GetSecretValueResponse value, String special) throws SourceException {
        String id = value.versionId();
        String origin = secret.describe() + ", version " + id.substring(0, Math.min(SHORT_VERSION, id.length()));
        String key = secret.key();
        String text = text(value);
        return context.document(key == null ? text : JsonField.text(text, key, origin), value.createdDate(), origin)
                .withVersion(id)
                .withOrigin(origin + special);
    }

    private String text(GetSecretValueResponse value) throws SourceException {
        if (value.secretString() != null) {
            return value.secretString();
        }
        if (value.secretBinary() == null) {
            throw new SourceException(Reason.MALFORMED, secret.describe() + " has no value", null);
        }
        try {
            return TokenDocument.decode(value.secretBinary().asByteArray());
        } catch (TokenException e) {
            throw new SourceException(
                    Reason.MALFORMED, secret.describe() + " is binary, and " + e.getMessage(), e.fix());
        }
    }

    private SecretsManager aws() {
        return secret.place().open(context);
    }

    @Override
    public Optional<Duration> every() {
        return EVERY;
    }

    @Override
    public String describe() {
        return secret.describe();
    }

    /** Who asks makes no difference. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof SecretsManagerSource that && secret.equals(that.secret);
    }

    @Override
    public int hashCode() {
        return secret.hashCode();
    }

    @Override
    public String toString() {
        return secret.describe();
    }
}
