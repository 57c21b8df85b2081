package io.keyturn.http;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.util.function.ToIntFunction;
import javax.net.SocketFactory;

/** Sockets that end at a server on loopback, whatever address they are to connect to: nothing leaves the machine. */
final class Detour extends SocketFactory {
    private final ToIntFunction<InetSocketAddress> port;

    /** Sockets that connect to this port here instead of the address that they are given. */
    Detour(ToIntFunction<InetSocketAddress> port) {
        this.port = port;
    }

    @Override
    public Socket createSocket() {
        return new Socket() {
            @Override
            public void connect(SocketAddress address, int timeout) throws IOException {
                int here = port.applyAsInt((InetSocketAddress) address);
                super.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), here), timeout);
            }
        };
    }

    @Override
    public Socket createSocket(String host, int port) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Socket createSocket(String host, int port, InetAddress localHost, int localPort) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Socket createSocket(InetAddress host, int port) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Socket createSocket(InetAddress address, int port, InetAddress localAddress, int localPort) {
        throw new UnsupportedOperationException();
    }
}
