/** What a token is: its value, what is known of it, and the words for why one cannot be had or used. */
@NullMarked
package io.keyturn.token;

import org.jspecify.annotations.NullMarked;
