/** Attaching a token to the requests it is for, and to no other. */
@NullMarked
package io.keyturn.http;

import org.jspecify.annotations.NullMarked;
