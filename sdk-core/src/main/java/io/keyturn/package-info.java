/** The one thing that an application opens: {@link io.keyturn.TokenAgent}. */
@NullMarked
package io.keyturn;

import org.jspecify.annotations.NullMarked;
