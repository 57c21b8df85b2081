/** The configuration file: YAML that is read strictly, and the references to variables and files in it. */
@NullMarked
package io.keyturn.yaml;

import org.jspecify.annotations.NullMarked;
