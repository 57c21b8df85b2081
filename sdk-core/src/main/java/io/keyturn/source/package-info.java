/** Where tokens come from. */
@NullMarked
package io.keyturn.source;

import org.jspecify.annotations.NullMarked;
