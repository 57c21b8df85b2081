/** Tokens out of AWS Secrets Manager: {@code aws_secrets_manager}. */
@NullMarked
package io.keyturn.aws;

import org.jspecify.annotations.NullMarked;
