package io.keyturn.config;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Times as people write them in a configuration. */
final class Durations {
    private static final Pattern FORM = Pattern.compile("([0-9]{1,9})(ms|s|m|h|d)");
    private static final Duration MOST = Duration.ofDays(36_500);

    private Durations() {}

    static Duration parse(String text) {
        Matcher form = FORM.matcher(text);
        if (form.matches()) {
            long number = Long.parseLong(form.group(1));
            Duration duration = switch (form.group(2)) {
                case "ms" -> Duration.ofMillis(number);
                case "s" -> Duration.ofSeconds(number);
                case "m" -> Duration.ofMinutes(number);
                case "h" -> Duration.ofHours(number);
                default -> Duration.ofDays(number);
            };
            if (!duration.isZero() && duration.compareTo(MOST) <= 0) {
                return duration;
            }
        }
        throw new ConfigException("must be a duration such as 500ms, 10s, 5m, 12h or 90d, of at most 36500d");
    }

    static Instant date(String text) {
        try {
            return text.length() == 10
                    ? LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant()
                    : Instant.parse(text);
        } catch (DateTimeException e) {
            throw new ConfigException("must be a day such as 2026-12-31, or an instant such as 2026-12-31T12:00:00Z");
        }
    }
}
