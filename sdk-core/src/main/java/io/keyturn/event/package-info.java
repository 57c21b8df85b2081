/** What happened to a token, and who wants to know. No event holds a value. */
@NullMarked
package io.keyturn.event;

import org.jspecify.annotations.NullMarked;
