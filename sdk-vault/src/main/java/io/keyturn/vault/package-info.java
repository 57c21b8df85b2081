/** The source {@code vault}: secrets of Vault, the ways to log in there, and what keeps a login and a lease alive. */
@NullMarked
package io.keyturn.vault;

import org.jspecify.annotations.NullMarked;
