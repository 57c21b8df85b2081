/** Tokens that a token service issues (OAuth 2.0). */
@NullMarked
package io.keyturn.oauth2;

import org.jspecify.annotations.NullMarked;
