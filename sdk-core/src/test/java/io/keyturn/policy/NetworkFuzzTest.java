package io.keyturn.policy;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.keyturn.FuzzCase;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A network as somebody writes it, and addresses in it and elsewhere; Java's own reading of addresses is the other opinion. */
class NetworkFuzzTest {
    @FuzzTest(maxDuration = "30s")
    void parse(byte[] input) throws UnknownHostException {
        String text = new String(input, StandardCharsets.UTF_8);
        if (FuzzCase.holdsSecret(text)) {
            return;
        }
        FuzzCase.answer(() -> Network.parse(FuzzCase.withSecret(text, Arrays.hashCode(input))));
        Network network = FuzzCase.answer(() -> Network.parse(text));
        if (network == null) {
            return;
        }
        assertThat(Network.parse(network.toString()))
                .as("%s, read again", network)
                .isEqualTo(network);

        // What was accepted is a literal address, so that nobody is asked for a name.
        InetAddress first = InetAddress.getByName(address(text));
        assertThat(network.contains(first)).as("%s is in %s", first, network).isTrue();
        int bits = first.getAddress().length * 8;
        int length = text.indexOf('/') < 0 ? bits : Integer.parseInt(text.substring(text.indexOf('/') + 1));
        if (text.indexOf(':') >= 0 && text.indexOf('/') >= 0 && bits == 32) {
            length = length - 96;
        }
        for (int bit = 0; bit < bits; bit++) {
            InetAddress other = flipped(first, bit);
            assertThat(network.contains(other)).as("%s in %s", other, network).isEqualTo(bit >= length);
        }
    }

    private static String address(String text) {
        return text.indexOf('/') < 0 ? text : text.substring(0, text.indexOf('/'));
    }

    private static InetAddress flipped(InetAddress address, int bit) throws UnknownHostException {
        byte[] bytes = address.getAddress();
        BigInteger mask = BigInteger.ONE.shiftLeft(bytes.length * 8 - 1 - bit);
        byte[] flips = mask.toByteArray();
        for (int i = 1; i <= Math.min(flips.length, bytes.length); i++) {
            bytes[bytes.length - i] ^= flips[flips.length - i];
        }
        return InetAddress.getByAddress(bytes);
    }
}
