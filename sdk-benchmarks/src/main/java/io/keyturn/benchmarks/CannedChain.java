package io.keyturn.benchmarks;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.net.SocketFactory;
import javax.net.ssl.HostnameVerifier;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.Authenticator;
import okhttp3.Cache;
import okhttp3.Call;
import okhttp3.CertificatePinner;
import okhttp3.Connection;
import okhttp3.ConnectionPool;
import okhttp3.CookieJar;
import okhttp3.Dns;
import okhttp3.EventListener;
import okhttp3.Interceptor;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.ResponseBody;

/**
 * OkHttp without OkHttp: a chain that leads through some interceptors to an answer that is already there. As in OkHttp one
 * line calls all of them, which is why none is compiled as a part of another. What no interceptor of ours asks is not
 * answered.
 */
final class CannedChain implements Interceptor.Chain {
    /** Loaded as in every program that has sent a request: until then each method that names one is a call of its own. */
    @SuppressWarnings("unused")
    private static final List<Class<?>> LOADED = List.of(Cache.class, Connection.class, InetAddress.class);

    private static final ResponseBody EMPTY = ResponseBody.create("", null);

    private final List<Interceptor> interceptors;
    private final int index;
    private final Request request;

    private CannedChain(List<Interceptor> interceptors, int index, Request request) {
        this.interceptors = interceptors;
        this.index = index;
        this.request = request;
    }

    /** What a client with this network interceptor does with a request. */
    static CannedChain through(Interceptor network, Request request) {
        return new CannedChain(List.of(CannedChain::followUp, network, CannedChain::answer), 0, request);
    }

    /** What a client with both kinds of interceptors does with a request. */
    static CannedChain through(Interceptor application, Interceptor network, Request request) {
        return new CannedChain(List.of(application, CannedChain::followUp, network, CannedChain::answer), 0, request);
    }

    Response proceed() throws IOException {
        return proceed(request);
    }

    @Override
    public Request request() {
        return request;
    }

    @Override
    public Response proceed(Request changed) throws IOException {
        return interceptors.get(index).intercept(new CannedChain(interceptors, index + 1, changed));
    }

    /** As OkHttp does: the caller sees its own request, and the one on the wire behind it. */
    private static Response followUp(Interceptor.Chain chain) throws IOException {
        Response network = chain.proceed(chain.request());
        return answerTo(chain.request())
                .networkResponse(network.newBuilder().body(EMPTY).build())
                .build();
    }

    private static Response answer(Interceptor.Chain chain) {
        return answerTo(chain.request()).build();
    }

    private static Response.Builder answerTo(Request request) {
        return new Response.Builder()
                .request(request)
                .protocol(Protocol.HTTP_2)
                .code(200)
                .message("")
                .body(EMPTY);
    }

    @Override
    public Connection connection() {
        return null;
    }

    @Override
    public Authenticator getAuthenticator() {
        return Authenticator.NONE;
    }

    @Override
    public Interceptor.Chain withAuthenticator(Authenticator authenticator) {
        return this;
    }

    @Override
    public Cache getCache() {
        return null;
    }

    @Override
    public Interceptor.Chain withCache(Cache cache) {
        return this;
    }

    // --- what is not asked ---

    @Override
    public Call call() {
        throw new UnsupportedOperationException();
    }

    @Override
    public int connectTimeoutMillis() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withConnectTimeout(int timeout, TimeUnit unit) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int readTimeoutMillis() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withReadTimeout(int timeout, TimeUnit unit) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int writeTimeoutMillis() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withWriteTimeout(int timeout, TimeUnit unit) {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean getFollowSslRedirects() {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean getFollowRedirects() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Dns getDns() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withDns(Dns dns) {
        throw new UnsupportedOperationException();
    }

    @Override
    public SocketFactory getSocketFactory() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withSocketFactory(SocketFactory factory) {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean getRetryOnConnectionFailure() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withRetryOnConnectionFailure(boolean retry) {
        throw new UnsupportedOperationException();
    }

    @Override
    public CookieJar getCookieJar() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withCookieJar(CookieJar jar) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Proxy getProxy() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withProxy(Proxy proxy) {
        throw new UnsupportedOperationException();
    }

    @Override
    public ProxySelector getProxySelector() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withProxySelector(ProxySelector selector) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Authenticator getProxyAuthenticator() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withProxyAuthenticator(Authenticator authenticator) {
        throw new UnsupportedOperationException();
    }

    @Override
    public SSLSocketFactory getSslSocketFactoryOrNull() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withSslSocketFactory(SSLSocketFactory factory, X509TrustManager manager) {
        throw new UnsupportedOperationException();
    }

    @Override
    public X509TrustManager getX509TrustManagerOrNull() {
        throw new UnsupportedOperationException();
    }

    @Override
    public HostnameVerifier getHostnameVerifier() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withHostnameVerifier(HostnameVerifier verifier) {
        throw new UnsupportedOperationException();
    }

    @Override
    public CertificatePinner getCertificatePinner() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withCertificatePinner(CertificatePinner pinner) {
        throw new UnsupportedOperationException();
    }

    @Override
    public ConnectionPool getConnectionPool() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Interceptor.Chain withConnectionPool(ConnectionPool pool) {
        throw new UnsupportedOperationException();
    }

    @Override
    public EventListener getEventListener() {
        throw new UnsupportedOperationException();
    }
}
