package io.keyturn.http;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.Predicate;
import okhttp3.Authenticator;
import okhttp3.Call;
import okhttp3.ConnectionPool;
import okhttp3.Dns;
import okhttp3.EventListener;
import okhttp3.Interceptor;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.Route;
import org.jspecify.annotations.Nullable;

/**
 * What OkHttp lets an interceptor do to its call. From 5.4 on it may replace the call's authenticator and cache; before
 * that, down to 4.12, the same is done from outside. The one that fits is picked once an agent, and the other is never
 * linked.
 */
interface Seam {
    /** What is to be sent again after a 401; null if nothing is. */
    @FunctionalInterface
    interface Retry {
        @Nullable
        Request after(Response unauthorized) throws IOException;
    }

    static Seam ofThisOkHttp() {
        try {
            Interceptor.Chain.class.getMethod("withAuthenticator", Authenticator.class);
            return new Since54();
        } catch (NoSuchMethodException e) {
            return new Since412();
        }
    }

    /**
     * A chain that does not connect to the other addresses of this name. Where OkHttp cannot do that it is the same chain:
     * what it has connected to is asked on the wire in any case.
     */
    Interceptor.Chain connectingOnly(Interceptor.Chain chain, String host, Predicate<InetAddress> allowed);

    /** A name has no address that is allowed. */
    final class NoneAllowed extends UnknownHostException {
        private static final long serialVersionUID = 1L;

        private final transient List<InetAddress> found;

        private NoneAllowed(String host, List<InetAddress> found) {
            super(host);
            this.found = found;
        }

        List<InetAddress> found() {
            return found;
        }
    }

    /** Sends the chain's request, not through the cache where that is said, and once more after a 401 if that helps. */
    Response proceed(Interceptor.Chain chain, boolean bypassCache, Retry retry) throws IOException;

    /** Whether {@link #proceedGuarded} can be had. */
    boolean canRefuseRedirects();

    /**
     * Sends a request of which every redirect is looked at before it is followed: the call ends with what
     * {@code refusal} answers, if it answers anything.
     */
    Response proceedGuarded(
            Interceptor.Chain chain, Request request, Retry retry, Function<Request, @Nullable IOException> refusal)
            throws IOException;

    /** On the wire: the pool that the chain's connection belongs to; null if OkHttp does not tell. */
    @Nullable
    ConnectionPool pool(Interceptor.Chain chain);

    /** On the wire: the request without what {@link #proceed} added to it. */
    Request asSentByCaller(Request request);

    /** On the wire: whether the answer may still come into a cache. */
    boolean mayCache(Interceptor.Chain chain);

    /** OkHttp 5.4 and later. */
    final class Since54 implements Seam {
        /** Our second try comes first; the client's own authenticator is asked once we have given up. */
        private record Recovering(Retry retry, Authenticator callers) implements Authenticator {
            @Override
            public @Nullable Request authenticate(@Nullable Route route, Response response) throws IOException {
                Request again = retry.after(response);
                return again != null ? again : callers.authenticate(route, response);
            }
        }

        /** Equal to another that does the same, or no call could use the connection of the one before it. */
        private record AllowedOnly(Dns callers, String host, Predicate<InetAddress> allowed) implements Dns {
            @Override
            public List<InetAddress> lookup(String name) throws UnknownHostException {
                List<InetAddress> found = callers.lookup(name);
                if (!name.equals(host)) {
                    return found;
                }
                List<InetAddress> good = found.stream().filter(allowed).toList();
                if (good.isEmpty() && !found.isEmpty()) {
                    throw new NoneAllowed(name, found);
                }
                return good;
            }
        }

        @Override
        public Interceptor.Chain connectingOnly(Interceptor.Chain chain, String host, Predicate<InetAddress> allowed) {
            return chain.withDns(new AllowedOnly(chain.getDns(), host, allowed));
        }

        /** The last one that was made. A client has the same authenticator in each call, so it fits nearly always. */
        private volatile Recovering last = new Recovering(response -> null, Authenticator.NONE);

        @Override
        public Response proceed(Interceptor.Chain chain, boolean bypassCache, Retry retry) throws IOException {
            return recovering(bypassCache ? withoutCache(chain) : chain, retry).proceed(chain.request());
        }

        private static Interceptor.Chain withoutCache(Interceptor.Chain chain) {
            return chain.getCache() == null ? chain : chain.withCache(null);
        }

        private Interceptor.Chain recovering(Interceptor.Chain chain, Retry retry) {
            Authenticator callers = chain.getAuthenticator();
            Recovering fits = last;
            if (fits.retry != retry || fits.callers != callers) {
                fits = new Recovering(retry, callers);
                last = fits;
            }
            return chain.withAuthenticator(fits);
        }

        @Override
        public boolean canRefuseRedirects() {
            return true;
        }

        @Override
        public Response proceedGuarded(
                Interceptor.Chain chain, Request request, Retry retry, Function<Request, @Nullable IOException> refusal)
                throws IOException {
            AtomicReference<@Nullable IOException> refused = new AtomicReference<>();
            chain.call().addEventListener(new EventListener() {
                @Override
                public void followUpDecision(Call call, Response response, @Nullable Request next) {
                    IOException why = next != null && response.isRedirect() ? refusal.apply(next) : null;
                    if (why != null) {
                        refused.set(why);
                        call.cancel();
                    }
                }
            });
            try {
                return recovering(withoutCache(chain), retry).proceed(request);
            } catch (IOException e) {
                IOException why = refused.get();
                throw why == null ? e : why;
            }
        }

        @Override
        public ConnectionPool pool(Interceptor.Chain chain) {
            return chain.getConnectionPool();
        }

        @Override
        public Request asSentByCaller(Request request) {
            return request;
        }

        @Override
        public boolean mayCache(Interceptor.Chain chain) {
            return chain.getCache() != null;
        }
    }

    /** OkHttp from 4.12 to 5.3. */
    final class Since412 implements Seam {
        @Override
        public Interceptor.Chain connectingOnly(Interceptor.Chain chain, String host, Predicate<InetAddress> allowed) {
            return chain;
        }

        /** A tag: the call's request forbids caching because of us, and this is what the caller had said. */
        private record CallersCacheControl(List<String> values) {}

        @Override
        public Response proceed(Interceptor.Chain chain, boolean bypassCache, Retry retry) throws IOException {
            Request request = bypassCache ? withoutCache(chain.request()) : chain.request();
            Response response = chain.proceed(request);
            if (response.code() == 401 && response.priorResponse() == null && retry.after(response) != null) {
                response.close();
                response = chain.proceed(request);
            }
            return response.newBuilder()
                    .request(asSentByCaller(response.request()))
                    .build();
        }

        /** A request that says {@code no-store} is neither answered from OkHttp's cache nor written to it. */
        private static Request withoutCache(Request request) {
            CallersCacheControl said = new CallersCacheControl(request.headers("Cache-Control"));
            return request.newBuilder()
                    .addHeader("Cache-Control", "no-store")
                    .tag(CallersCacheControl.class, said)
                    .build();
        }

        @Override
        public boolean canRefuseRedirects() {
            return false;
        }

        @Override
        public Response proceedGuarded(
                Interceptor.Chain chain,
                Request request,
                Retry retry,
                Function<Request, @Nullable IOException> refusal) {
            throw new UnsupportedOperationException("OkHttp before 5.4 cannot refuse a redirect");
        }

        @Override
        @Nullable
        public ConnectionPool pool(Interceptor.Chain chain) {
            return null;
        }

        @Override
        public Request asSentByCaller(Request request) {
            CallersCacheControl said = request.tag(CallersCacheControl.class);
            if (said == null) {
                return request;
            }
            Request.Builder restored =
                    request.newBuilder().removeHeader("Cache-Control").tag(CallersCacheControl.class, null);
            said.values().forEach(value -> restored.addHeader("Cache-Control", value));
            return restored.build();
        }

        @Override
        public boolean mayCache(Interceptor.Chain chain) {
            return chain.request().tag(CallersCacheControl.class) == null;
        }
    }
}
