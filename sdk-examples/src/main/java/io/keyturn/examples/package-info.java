/** One story a class, each with a {@code main} that runs without a network. Begin with {@link io.keyturn.examples.QuickStart}. */
@NullMarked
package io.keyturn.examples;

import org.jspecify.annotations.NullMarked;
