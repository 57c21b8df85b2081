/** Tokens for tests, and what each source of tokens must stand. */
@NullMarked
package io.keyturn.test;

import org.jspecify.annotations.NullMarked;
