/** The current token, kept fresh. */
@NullMarked
package io.keyturn.provider;

import org.jspecify.annotations.NullMarked;
