/** The command {@code keyturn}: {@link io.keyturn.cli.HealthCheck}. */
@NullMarked
package io.keyturn.cli;

import org.jspecify.annotations.NullMarked;
