/**
 * What a token costs, measured beside the plainest thing that does the same. From the project's root:
 *
 * <pre>
 * mvn -q -Pbench -pl sdk-benchmarks -am -DskipTests package
 * java -jar sdk-benchmarks/target/benchmarks.jar -prof gc
 * </pre>
 *
 * <p>The first column of numbers is nanoseconds a call; the rows {@code gc.alloc.rate.norm} are bytes a call. One of them
 * alone: {@code … benchmarks.jar Placeholders -prof gc}.
 *
 * <p>What the command {@code keyturn check} takes as a whole process is compared with {@code io.keyturn.cli.OneRequest}, in
 * the tests of sdk-cli, which says how.
 */
package io.keyturn.benchmarks;
