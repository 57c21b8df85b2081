package io.keyturn.check;

import io.keyturn.provider.Snapshot;

/** Tells whether an API repeats in its answer what it was sent: that must not be shown. */
record Echo(String value, String sent) {
    /** So many characters of a token in a row are no accident. */
    private static final int RUN = 8;

    static Echo of(Snapshot snapshot) {
        String form = snapshot.sent().reveal();
        // What follows the prefix: of HTTP Basic this is another text than the value.
        return new Echo(snapshot.token().reveal(), form.substring(form.lastIndexOf(' ') + 1));
    }

    boolean isIn(String text) {
        return isIn(text, value) || isIn(text, sent);
    }

    private static boolean isIn(String text, String secret) {
        if (secret.length() < RUN) {
            return text.contains(secret);
        }
        for (int i = 0; i + RUN <= text.length(); i++) {
            if (secret.contains(text.substring(i, i + RUN))) {
                return true;
            }
        }
        return false;
    }

    /** Not the record's own, which would tell what must not be told. */
    @Override
    public String toString() {
        return "Echo";
    }
}
