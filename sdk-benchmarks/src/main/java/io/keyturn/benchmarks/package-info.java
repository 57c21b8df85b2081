/**
 * What a token costs, measured beside the plainest thing that does the same and beside what other libraries do. From the
 * project's root:
 *
 * <pre>
 * mvn -q -Pbench -pl sdk-benchmarks -am -DskipTests package
 * java -jar sdk-benchmarks/target/benchmarks.jar
 * </pre>
 *
 * <p>This prints the tables of docs/performance.md, in some fifteen minutes; with {@code --quick} it only shows that all of it
 * runs. Any other arguments are JMH's own: {@code … benchmarks.jar Placeholders -prof gc} runs one class of benchmarks, where
 * the first column of numbers is nanoseconds a call and the rows {@code gc.alloc.rate.norm} are bytes a call.
 *
 * <p>What the command {@code keyturn check} takes as a whole process is compared with {@code io.keyturn.cli.OneRequest}, in
 * the tests of sdk-cli, which says how.
 */
package io.keyturn.benchmarks;
