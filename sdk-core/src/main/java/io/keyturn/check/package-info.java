/** Proving that a token works: the way of a request, step by step, with what mends each failure. */
@NullMarked
package io.keyturn.check;

import org.jspecify.annotations.NullMarked;
