package io.keyturn.cli;

import okhttp3.OkHttpClient;

/**
 * Loads what a check will need while the command line and the configuration are read: the first HTTP client takes most of
 * a check's time, since its classes are many and the system's certificates are read. Where this comes too late, or fails,
 * nothing changes: the check makes its own.
 */
final class WarmUp {
    private WarmUp() {}

    static void beginFor(String[] args) {
        if (args.length > 0 && args[0].equals("check")) {
            Thread thread = new Thread(OkHttpClient::new, "keyturn-warm-up");
            thread.setDaemon(true);
            thread.start();
        }
    }
}
