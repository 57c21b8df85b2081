package io.keyturn.check;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;

/** How a step ended, from the best to the worst. Unknown is not healthy. */
public enum Status {
    /** There was nothing to do, or a step before it failed. */
    SKIP,
    /** It works. */
    PASS,
    /** It works, and somebody should look at it. */
    WARN,
    /** It could not be told. */
    UNKNOWN,
    /** It does not work. */
    FAIL;

    /** The status as it stands in reports, such as {@code pass}. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    static Status worst(Collection<Status> all) {
        return all.stream()
                .max(Comparator.naturalOrder())
                .filter(status -> status != SKIP)
                .orElse(PASS);
    }
}
