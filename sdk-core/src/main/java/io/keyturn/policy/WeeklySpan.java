package io.keyturn.policy;

import io.keyturn.config.ConfigException;
import java.time.DateTimeException;
import java.time.DayOfWeek;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.zone.ZoneOffsetTransition;
import java.time.zone.ZoneRules;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Hours that come back each week, such as {@code mon-fri 08:00-18:00 Europe/Berlin}. Where the end comes before the start
 * it is the next day's, and the days are those on which the span begins.
 */
final class WeeklySpan {
    private static final String FORM = "must be days, hours and a zone, such as mon-fri 08:00-18:00 Europe/Berlin";
    private static final Pattern WRITTEN =
            Pattern.compile("([A-Za-z,-]+) ([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2}) (\\S+)");
    private static final List<String> DAYS = List.of("mon", "tue", "wed", "thu", "fri", "sat", "sun");
    private static final int MINUTES_A_DAY = 24 * 60;

    private final String written;
    private final Set<DayOfWeek> days;
    private final int start;
    private final int end;
    private final ZoneRules zone;

    private WeeklySpan(String written, Set<DayOfWeek> days, int start, int end, ZoneRules zone) {
        this.written = written;
        this.days = days;
        this.start = start;
        this.end = end;
        this.zone = zone;
    }

    /**
     * A span as it is written in a configuration.
     *
     * @throws ConfigException if it is none
     */
    static WeeklySpan parse(String text) {
        Matcher parts = WRITTEN.matcher(text);
        if (!parts.matches()) {
            throw new ConfigException(FORM);
        }
        int start = minute(parts.group(2), parts.group(3));
        int end = minute(parts.group(4), parts.group(5));
        if (start == end || start == MINUTES_A_DAY) {
            throw new ConfigException("must have hours that begin before 24:00 and do not end when they begin; a whole"
                    + " day is 00:00-24:00");
        }
        return new WeeklySpan(text, days(parts.group(1)), start, end, zone(parts.group(6)));
    }

    private static int minute(String hour, String minute) {
        int minutes = Integer.parseInt(hour) * 60 + Integer.parseInt(minute);
        if (Integer.parseInt(minute) > 59 || minutes > MINUTES_A_DAY) {
            throw new ConfigException("must have times from 00:00 to 24:00");
        }
        return minutes;
    }

    private static Set<DayOfWeek> days(String text) {
        Set<DayOfWeek> days = EnumSet.noneOf(DayOfWeek.class);
        for (String part : text.split(",", -1)) {
            String[] ends = part.split("-", -1);
            if (ends.length > 2) {
                throw wrongDays();
            }
            DayOfWeek last = day(ends[ends.length - 1]);
            for (DayOfWeek day = day(ends[0]); day != last; day = day.plus(1)) {
                days.add(day);
            }
            days.add(last);
        }
        return days;
    }

    private static DayOfWeek day(String text) {
        int day = DAYS.indexOf(text.toLowerCase(Locale.ROOT));
        if (day < 0) {
            throw wrongDays();
        }
        return DayOfWeek.of(day + 1);
    }

    private static ConfigException wrongDays() {
        return new ConfigException("must have days such as mon-fri or sat,sun, of " + String.join(", ", DAYS));
    }

    private static ZoneRules zone(String text) {
        try {
            return ZoneId.of(text).getRules();
        } catch (DateTimeException e) {
            throw new ConfigException("must end with a time zone, such as Europe/Berlin or UTC");
        }
    }

    /** Whether a clock on the wall shows a time within the span at this moment. */
    boolean contains(Instant instant) {
        LocalDateTime local = local(instant);
        int minute = local.getHour() * 60 + local.getMinute();
        boolean today = days.contains(local.getDayOfWeek());
        if (start < end) {
            return today && minute >= start && minute < end;
        }
        boolean since = days.contains(local.getDayOfWeek().minus(1));
        return (today && minute >= start) || (since && minute < end);
    }

    /** A later moment, in milliseconds, until which {@link #contains} answers the same. */
    long sameUntil(Instant instant) {
        LocalDateTime local = local(instant);
        int minute = local.getHour() * 60 + local.getMinute();
        int next = MINUTES_A_DAY;
        for (int change : new int[] {start, end}) {
            next = change > minute && change < next ? change : next;
        }
        LocalDateTime change = local.toLocalDate().atStartOfDay().plusMinutes(next);
        long until = change.toInstant(zone.getOffset(instant)).toEpochMilli();
        ZoneOffsetTransition transition = zone.nextTransition(instant);
        return transition == null
                ? until
                : Math.min(until, transition.getInstant().toEpochMilli());
    }

    private LocalDateTime local(Instant instant) {
        ZoneOffset offset = zone.getOffset(instant);
        return LocalDateTime.ofEpochSecond(instant.getEpochSecond(), instant.getNano(), offset);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof WeeklySpan span && written.equals(span.written);
    }

    @Override
    public int hashCode() {
        return written.hashCode();
    }

    /** As it was written. */
    @Override
    public String toString() {
        return written;
    }
}
