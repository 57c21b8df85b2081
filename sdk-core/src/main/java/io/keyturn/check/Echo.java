package io.keyturn.check;

import io.keyturn.provider.Snapshot;

/** Tells whether an API repeats in its answer what it was sent: that must not be shown. */
record Echo(Snapshot snapshot) {
    /** What is sent is another text than the value where HTTP Basic carries it. */
    boolean isIn(String text) {
        return snapshot.token().isRepeatedIn(text) || snapshot.sent().isRepeatedIn(text);
    }
}
