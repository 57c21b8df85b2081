package io.keyturn.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.keyturn.config.ConfigException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NetworkTest {
    /** An address written as a literal: no name is looked up. */
    private static InetAddress address(String literal) throws UnknownHostException {
        return InetAddress.getByName(literal);
    }

    @ParameterizedTest
    @CsvSource({
        "203.0.113.0/24, 203.0.113.0/24",
        "203.0.113.7, 203.0.113.7",
        "203.0.113.7/32, 203.0.113.7",
        "0.0.0.0/0, 0.0.0.0/0",
        "0.0.0.0, 0.0.0.0",
        "255.255.255.255, 255.255.255.255",
        "128.0.0.0/1, 128.0.0.0/1",
        "10.0.0.0/8, 10.0.0.0/8",
        "10.255.255.254/31, 10.255.255.254/31",
        "2001:db8::/32, 2001:db8::/32",
        "2001:DB8::/32, 2001:db8::/32",
        "2001:db8:0:0:0:0:0:0/32, 2001:db8::/32",
        "2001:0db8:0000::1, 2001:db8::1",
        "::/0, ::/0",
        "::, ::",
        "::1, ::1",
        "::1/128, ::1",
        "1::, 1::",
        "1::/16, 1::/16",
        "8000::/1, 8000::/1",
        "fe80::/10, fe80::/10",
        "2001:db8:1:2::/64, 2001:db8:1:2::/64",
        "2001:db8:1:2:8000::/65, 2001:db8:1:2:8000::/65",
        "1:2:3:4:5:6:7:8, 1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::, 1:2:3:4:5:6:7:0",
        "::2:3:4:5:6:7:8, 0:2:3:4:5:6:7:8",
        "::ffff:10.0.0.0/104, 10.0.0.0/8",
        "::ffff:a00:0/104, 10.0.0.0/8",
        "::FFFF:203.0.113.7, 203.0.113.7",
        "0:0:0:0:0:ffff:203.0.113.7, 203.0.113.7",
        "::ffff:0:0/96, 0.0.0.0/0",
        "64:ff9b::192.0.2.0/120, 64:ff9b::c000:200/120",
        "1:2:3:4:5:6:1.2.3.4, 1:2:3:4:5:6:102:304",
    })
    void parse_network_isWrittenInItsShortForm(String text, String written) {
        Network network = Network.parse(text);

        assertThat(network).hasToString(written);
        assertThat(Network.parse(network.toString())).isEqualTo(network);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "/",
                "/8",
                "10.0.0.0/",
                "10.0.0.0/33",
                "10.0.0.0/-1",
                "10.0.0.0/+8",
                "10.0.0.0/08",
                "10.0.0.0/8 ",
                " 10.0.0.0/8",
                "10.0.0.0 /8",
                "10.0.0.0/8/8",
                "10.0.0.0/255.0.0.0",
                "10.0.0.0/1000",
                "10.0.0.0/99999999999",
                "10.0.0",
                "10.0.0/8",
                "10",
                "167772160",
                "0x0a000000",
                "10.0.0.0.0",
                "10.0.0.",
                ".10.0.0.0",
                "10..0.0",
                "10.0.0.256",
                "10.0.0.-1",
                "10.0.0.1e1",
                "010.0.0.0",
                "10.0.0.00",
                "0x0a.0.0.0",
                "١٠.0.0.0",
                "10.0.0.0-10.0.0.9",
                "10.0.0.*",
                "example.com",
                "localhost",
                "[::1]",
                "[::1]/128",
                "::/129",
                "::/-1",
                "::/00",
                ":",
                ":::",
                "1:",
                ":1",
                "1::2::3",
                "1:2:3:4:5:6:7",
                "1:2:3:4:5:6:7:8:9",
                "1:2:3:4:5:6:7:8::",
                "::1:2:3:4:5:6:7:8",
                "1:2:3:4::5:6:7:8",
                "12345::",
                "g::",
                "::1%eth0",
                "fe80::1%1/64",
                "::1.2.3",
                "::1.2.3.4.5",
                "::01.2.3.4",
                "::1.2.3.256",
                "1.2.3.4::",
                "::1.2.3.4:5",
                "1:2:3:4:5:6:7:1.2.3.4",
                "::ffff:1.2.3.4/129",
                "::١",
                "10.0.0.0\n",
                "10.0.0.0/8\n",
            })
    void parse_anythingElse_isConfigException(String text) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> Network.parse(text))
                .withMessageStartingWith("must ")
                .satisfies(e -> {
                    if (text.strip().length() > 3) {
                        assertThat(e.getMessage()).doesNotContain(text.strip());
                    }
                });
    }

    @ParameterizedTest
    @CsvSource({
        "10.1.2.3/8, 10.0.0.0/8, 10.1.2.3",
        "203.0.113.128/24, 203.0.113.0/24, 203.0.113.128",
        "0.0.0.1/0, 0.0.0.0/0, 0.0.0.1",
        "10.0.0.1/31, 10.0.0.0/31, 10.0.0.1",
        "2001:db8::1/32, 2001:db8::/32, 2001:db8::1",
        "2001:db8:0:1::/48, 2001:db8::/48, 2001:db8:0:1::",
        "::1/0, ::/0, ::1",
        "::ffff:10.1.2.3/104, 10.0.0.0/8, 10.1.2.3",
        "::ffff:10.0.0.0/64, ::/64, 10.0.0.0",
    })
    void parse_addressWithinANetwork_saysWhichNetworkIsMeant(String text, String network, String address) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> Network.parse(text))
                .withMessageContaining("is " + network + " meant, or " + address + "?");
    }

    @ParameterizedTest
    @CsvSource({
        "10.0.0.0%eth0, zone",
        "[::1], brackets",
        "010.0.0.1, leading zeros",
        "10.0.0.0/33, from 0 to 32",
        "::/129, from 0 to 128",
    })
    void parse_wrong_saysWhy(String text, String why) {
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> Network.parse(text))
                .withMessageContaining(why);
    }

    @ParameterizedTest
    @CsvSource({
        "203.0.113.0/24, 203.0.113.0, true",
        "203.0.113.0/24, 203.0.113.255, true",
        "203.0.113.0/24, 203.0.112.255, false",
        "203.0.113.0/24, 203.0.114.0, false",
        "203.0.113.7, 203.0.113.7, true",
        "203.0.113.7, 203.0.113.6, false",
        "0.0.0.0/0, 0.0.0.0, true",
        "0.0.0.0/0, 255.255.255.255, true",
        "0.0.0.0/0, ::1, false",
        "0.0.0.0/0, ::, false",
        "128.0.0.0/1, 127.255.255.255, false",
        "128.0.0.0/1, 128.0.0.0, true",
        "2001:db8::/32, 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff, true",
        "2001:db8::/32, 2001:db9::, false",
        "2001:db8::/32, 203.0.113.7, false",
        "::/0, 2001:db8::1, true",
        "::/0, 203.0.113.7, false",
        "::/64, 0.0.0.1, false",
        "::/95, 203.0.113.7, false",
        "2001:db8:1:2:8000::/65, 2001:db8:1:2:8000::1, true",
        "2001:db8:1:2:8000::/65, 2001:db8:1:2:7fff::1, false",
        "2001:db8:1:2:8000::/65, 2001:db8:1:3:8000::1, false",
        "2001:db8:1:2::/63, 2001:db8:1:3::1, true",
        "::1, ::1, true",
        "::1, ::2, false",
        "::1, 0.0.0.1, false",
        "::ffff:10.0.0.0/104, 10.1.2.3, true",
        "::ffff:10.0.0.0/104, 11.1.2.3, false",
        "10.0.0.0/8, ::ffff:10.1.2.3, true",
        "10.0.0.0/8, ::10.1.2.3, false",
        "169.254.0.0/16, 169.254.169.254, true",
        "fe80::/10, fe80::1%1, true",
    })
    void contains_address_isComparedBitByBit(String network, String address, boolean contained) throws Exception {
        assertThat(Network.parse(network).contains(address(address))).isEqualTo(contained);
    }

    /** Java makes an IPv4 address of it only where it is asked to. */
    @Test
    void contains_ipv6AddressThatStandsForIpv4_isThatOne() throws Exception {
        byte[] bytes = new byte[16];
        bytes[10] = bytes[11] = (byte) 0xFF;
        bytes[12] = 10;
        InetAddress mapped = Inet6Address.getByAddress(null, bytes, 0);
        assertThat(mapped).isInstanceOf(Inet6Address.class);

        assertThat(Network.parse("10.0.0.0/8").contains(mapped)).isTrue();
        assertThat(Network.parse("11.0.0.0/8").contains(mapped)).isFalse();
        assertThat(Network.parse("::/0").contains(mapped)).isFalse();
    }

    /** Each prefix length against Java's own reading of the address. */
    @Test
    void contains_everyLength_splitsAtItsBit() throws Exception {
        Random random = new Random(42);
        for (int size : new int[] {4, 16}) {
            for (int length = 1; length <= size * 8; length++) {
                byte[] bytes = new byte[size];
                random.nextBytes(bytes);
                bytes[0] |= 0x20; // never one that stands for IPv4
                byte[] first = bytes.clone();
                for (int bit = length; bit < size * 8; bit++) {
                    first[bit / 8] &= (byte) ~(0x80 >> bit % 8);
                }
                byte[] other = bytes.clone();
                other[(length - 1) / 8] ^= (byte) (0x80 >> (length - 1) % 8);

                Network network = Network.parse(InetAddress.getByAddress(first).getHostAddress() + "/" + length);

                assertThat(network.contains(InetAddress.getByAddress(bytes))).isTrue();
                assertThat(network.contains(InetAddress.getByAddress(first))).isTrue();
                assertThat(network.contains(InetAddress.getByAddress(other))).isFalse();
            }
        }
    }
}
