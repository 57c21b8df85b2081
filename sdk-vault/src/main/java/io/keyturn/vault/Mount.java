package io.keyturn.vault;

/**
 * Where a secrets engine is mounted, and which.
 *
 * @param path ends with a slash; it may have others
 * @param versioned whether it is KV v2, which keeps versions and has paths of its own for values and for what is known of
 *     them
 */
record Mount(String path, boolean versioned) {
    boolean holds(String logical) {
        return logical.startsWith(path);
    }

    /** Where KV v2 has the value. */
    String data(String logical) {
        return path + "data/" + logical.substring(path.length());
    }

    /** Where KV v2 has what is known of the value. */
    String metadata(String logical) {
        return path + "metadata/" + logical.substring(path.length());
    }
}
