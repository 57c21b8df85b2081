/** Where and how a token may be used. */
@NullMarked
package io.keyturn.policy;

import org.jspecify.annotations.NullMarked;
