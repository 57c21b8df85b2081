/** Settings that know where they were written, so that what is wrong with one can be shown at its place. */
@NullMarked
package io.keyturn.config;

import org.jspecify.annotations.NullMarked;
