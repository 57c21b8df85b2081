package io.keyturn.policy;

import io.keyturn.config.ConfigException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * A block of IP addresses, or one address (RFC 4632, RFC 4291 2.3). An IPv4 address is kept as the IPv6 address that stands
 * for it (RFC 4291 2.5.5.2), so that the two ways to write it mean the same; a block holds addresses of one kind only.
 *
 * @param high the first 64 bits
 * @param low the others
 * @param length how many bits are compared
 */
record Network(long high, long low, int length) {
    private static final String FORM = "must be a network such as 203.0.113.0/24 or 2001:db8::/32, or an address";
    private static final Pattern WRITTEN = Pattern.compile("([^/]+?)(?:/(0|[1-9][0-9]{0,2}))?");
    private static final Pattern NUMBER = Pattern.compile("0|[1-9][0-9]{0,2}");
    private static final Pattern GROUP = Pattern.compile("[0-9A-Fa-f]{1,4}");
    private static final int BITS = 128;
    private static final int GROUPS = 8;

    /** What stands before an IPv4 address. */
    private static final long MAPPED = 0xFFFFL << 32;

    private static final int MAPPED_LENGTH = 96;

    /**
     * A network as it is written in a configuration.
     *
     * @throws ConfigException if it is none, or names one of its addresses instead of the network
     */
    static Network parse(String text) {
        Matcher written = WRITTEN.matcher(text);
        int[] groups = written.matches() ? groups(written.group(1)) : null;
        if (groups == null) {
            throw new ConfigException(FORM + reason(text));
        }
        long high = joined(groups, 0);
        long low = joined(groups, GROUPS / 2);
        boolean dotted = text.indexOf(':') < 0;
        int spare = dotted ? MAPPED_LENGTH : 0;
        int length = written.group(2) == null ? BITS : Integer.parseInt(written.group(2)) + spare;
        if (length > BITS) {
            throw new ConfigException(
                    dotted
                            ? "must have a prefix length from 0 to 32 for IPv4"
                            : "must have a prefix length from 0 to 128 for IPv6");
        }
        Network network = new Network(high & mask(length), low & mask(length - Long.SIZE), length);
        if (network.high != high || network.low != low) {
            throw new ConfigException("must be a network, and names an address in it: is " + network + " meant, or "
                    + new Network(high, low, BITS) + "?");
        }
        return network;
    }

    private static String reason(String text) {
        if (text.indexOf('%') >= 0) {
            return "; a zone such as %eth0 is no part of it";
        }
        return text.indexOf('[') >= 0 ? "; without brackets" : "; numbers have no leading zeros";
    }

    /** The first bits set, of 64. */
    private static long mask(int length) {
        return length <= 0 ? 0 : -1L << (Long.SIZE - Math.min(length, Long.SIZE));
    }

    private static long joined(int[] groups, int from) {
        long joined = 0;
        for (int i = from; i < from + GROUPS / 2; i++) {
            joined = joined << 16 | groups[i];
        }
        return joined;
    }

    /** The eight groups of an address; null if it is none. */
    private static int @Nullable [] groups(String text) {
        if (text.indexOf(':') < 0) {
            int[] groups = {0, 0, 0, 0, 0, 0xFFFF, 0, 0};
            return putDotted(text, groups, GROUPS - 2) ? groups : null;
        }
        int gap = text.indexOf("::");
        if (gap < 0) {
            int[] all = new int[GROUPS];
            return put(text, all) == GROUPS ? all : null;
        }
        int[] before = new int[GROUPS];
        int[] after = new int[GROUPS];
        int first = put(text.substring(0, gap), before);
        int last = put(text.substring(gap + 2), after);
        // The gap stands for at least one group, and an IPv4 address only for the last two.
        if (first < 0 || last < 0 || first + last >= GROUPS || text.lastIndexOf('.', gap) >= 0) {
            return null;
        }
        System.arraycopy(after, 0, before, GROUPS - last, last);
        return before;
    }

    /** Groups with colons between them, perhaps an IPv4 address at the end; how many they are, or -1 if they are wrong. */
    private static int put(String text, int[] groups) {
        if (text.isEmpty()) {
            return 0;
        }
        List<String> parts = List.of(text.split(":", -1));
        boolean dotted = parts.get(parts.size() - 1).indexOf('.') >= 0;
        int count = parts.size() + (dotted ? 1 : 0);
        if (count > GROUPS) {
            return -1;
        }
        for (int i = 0; i < parts.size(); i++) {
            String part = parts.get(i);
            if (dotted && i == parts.size() - 1) {
                return putDotted(part, groups, i) ? count : -1;
            }
            if (!GROUP.matcher(part).matches()) {
                return -1;
            }
            groups[i] = Integer.parseInt(part, 16);
        }
        return count;
    }

    /** Four numbers without leading zeros, which some would read as octal (RFC 6943 3.1.1). */
    private static boolean putDotted(String text, int[] groups, int at) {
        String[] numbers = text.split("\\.", -1);
        if (numbers.length != 4) {
            return false;
        }
        for (int i = 0; i < 4; i++) {
            if (!NUMBER.matcher(numbers[i]).matches() || Integer.parseInt(numbers[i]) > 255) {
                return false;
            }
            groups[at + i / 2] = groups[at + i / 2] << 8 | Integer.parseInt(numbers[i]);
        }
        return true;
    }

    /** Whether an address lies in it. */
    boolean contains(InetAddress address) {
        byte[] bytes = address.getAddress();
        boolean four = address instanceof Inet4Address;
        long otherHigh = four ? 0 : joined(bytes, 0, Long.BYTES);
        long otherLow = four ? MAPPED | joined(bytes, 0, 4) : joined(bytes, Long.BYTES, Long.BYTES);
        return isFour(otherHigh, otherLow) == isFour()
                && (otherHigh & mask(length)) == high
                && (otherLow & mask(length - Long.SIZE)) == low;
    }

    private static long joined(byte[] bytes, int from, int count) {
        long joined = 0;
        for (int i = from; i < from + count; i++) {
            joined = joined << 8 | (bytes[i] & 0xFF);
        }
        return joined;
    }

    private static boolean isFour(long high, long low) {
        return high == 0 && low >>> 32 == 0xFFFF;
    }

    private boolean isFour() {
        return length >= MAPPED_LENGTH && isFour(high, low);
    }

    /** As it would be written: {@code 203.0.113.0/24}; of one address, the address alone. */
    @Override
    public String toString() {
        int bits = isFour() ? length - MAPPED_LENGTH : length;
        return address() + (length == BITS ? "" : "/" + bits);
    }

    private String address() {
        if (isFour()) {
            return (low >>> 24 & 0xFF) + "." + (low >>> 16 & 0xFF) + "." + (low >>> 8 & 0xFF) + "." + (low & 0xFF);
        }
        StringBuilder groups = new StringBuilder();
        for (int i = 0; i < GROUPS; i++) {
            long half = i < GROUPS / 2 ? high : low;
            groups.append(i == 0 ? "" : ":").append(Long.toHexString(half >>> (48 - 16 * (i % 4)) & 0xFFFF));
        }
        // In its short form (RFC 5952).
        return new HttpUrl.Builder()
                .scheme("http")
                .host(groups.toString())
                .build()
                .host();
    }
}
