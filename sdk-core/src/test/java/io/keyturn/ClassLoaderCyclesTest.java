package io.keyturn;

import static org.assertj.core.api.Assertions.assertThat;

import io.keyturn.source.TokenSources;
import io.keyturn.token.Reason;
import io.keyturn.token.TokenDocument;
import io.keyturn.token.TokenException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.CallSite;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.ref.WeakReference;
import java.lang.runtime.ObjectMethods;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import mockwebserver3.Dispatcher;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * An application server loads an application with its agent, and drops it again: OkHttp and what else is shared stays,
 * the agent's classes go, and none of its threads is left.
 */
@Timeout(120)
class ClassLoaderCyclesTest {
    private static final int CYCLES = 50;
    private static final int FEW_CYCLES = 10;

    /** Those that other tests in this process have left. */
    private final Set<Thread> before = Thread.getAllStackTraces().keySet();

    @TempDir
    Path folder;

    /**
     * Loads the agent and this test's application itself, and everything else from the parent. Its classes have the
     * parent's protection domain, since up to JDK 23 a thread keeps the domains of whoever made it begin: a thread of
     * OkHttp's own would keep the application for the minute that it idles, whoever sends the request.
     */
    private static final class Application extends ClassLoader {
        private static final ClassLoader PARENT = ClassLoaderCyclesTest.class.getClassLoader();

        Application() {
            super("application", PARENT);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith("io.keyturn.")) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                return loaded == null ? findClass(name) : loaded;
            }
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            try (InputStream file = PARENT.getResourceAsStream(name.replace('.', '/') + ".class")) {
                if (file == null) {
                    throw new ClassNotFoundException(name);
                }
                byte[] code = file.readAllBytes();
                return defineClass(name, code, 0, code.length, ClassLoaderCyclesTest.class.getProtectionDomain());
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }

    /** What an application does with its agent. It is loaded by the child, so everything it names is the child's. */
    public static final class Program {
        private Program() {}

        /** Opens an agent, sends a request, proves its token and closes it; answers what was sent. */
        public static String send(OkHttpClient client, URI api, Path token) throws Exception {
            List<String> events = new ArrayList<>();
            try (TokenAgent agent = agent(api, token)
                    .httpClient(client)
                    .listener(event -> events.add(event.toString()))
                    .start()) {
                assertThat(agent.check().tokens()).hasSize(1);
                return answer(agent.install(client), api);
            }
        }

        /** Opens an agent, asks it, and closes it while a fetch hangs. No request is sent; answers what would be. */
        public static String ask(URI api, Path token) throws Exception {
            CountDownLatch asked = new CountDownLatch(1);
            CompletableFuture<?> late;
            String sent;
            try (TokenAgent agent = agent(api, token)
                    .token("hanging", TokenSources.of("a store", () -> forever(asked)), TokenOptions::optional)
                    .start()) {
                var unused = agent.provider("api_token").refresh();
                sent = agent.authorize("GET", api).headers().get("Authorization");
                late = agent.provider("hanging").getAsync().toCompletableFuture();
                assertThat(asked.await(30, TimeUnit.SECONDS)).isTrue();
            }
            assertThat(reason(late)).isEqualTo(Reason.CLOSED);
            return sent;
        }

        private static TokenAgent.Builder agent(URI api, Path token) {
            return TokenAgent.builder()
                    .token("api_token", TokenSources.file(token), options -> options.endpoint(api.toString()));
        }

        private static TokenDocument forever(CountDownLatch asked) throws InterruptedException {
            asked.countDown();
            new CountDownLatch(1).await();
            throw new AssertionError();
        }

        private static Reason reason(CompletableFuture<?> late) throws Exception {
            try {
                late.get(30, TimeUnit.SECONDS);
                throw new AssertionError("a token");
            } catch (ExecutionException e) {
                return ((TokenException) e.getCause()).reason();
            }
        }

        private static String answer(OkHttpClient http, URI api) throws Exception {
            try (Response response = http.newCall(
                            new Request.Builder().url(api.toString()).build())
                    .execute()) {
                return response.body().string();
            }
        }
    }

    /** Runs a program of the child's. */
    @FunctionalInterface
    private interface Run {
        Object of(Class<?> program) throws Exception;
    }

    @Test
    void agent_sendsAndChecks_itsClassesAndThreadsGo() throws Exception {
        Path token = token();
        OkHttpClient shared = new OkHttpClient();
        List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
        try (MockWebServer server = new MockWebServer()) {
            server.setDispatcher(new Dispatcher() {
                @Override
                public MockResponse dispatch(RecordedRequest request) {
                    return new MockResponse.Builder()
                            .body(String.valueOf(request.getHeaders().get("Authorization")))
                            .build();
                }
            });
            server.start();
            URI api = server.url("/").uri();
            for (int i = 0; i < CYCLES; i++) {
                loaders.add(cycle(program -> program.getMethod("send", OkHttpClient.class, URI.class, Path.class)
                        .invoke(null, shared, api, token)));
            }
        } finally {
            shared.connectionPool().evictAll();
        }

        assertThatAllGo(loaders);
    }

    @Test
    void agent_closedDuringAFetchByAThreadOfTheApplication_itsClassesAndThreadsGo() throws Exception {
        Path token = token();
        URI api = URI.create("https://api.example/");
        List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
        Thread here = Thread.currentThread();
        ClassLoader context = here.getContextClassLoader();
        for (int i = 0; i < FEW_CYCLES; i++) {
            loaders.add(cycle(program -> {
                here.setContextClassLoader(program.getClassLoader());
                try {
                    return program.getMethod("ask", URI.class, Path.class).invoke(null, api, token);
                } finally {
                    here.setContextClassLoader(context);
                }
            }));
        }

        assertThatAllGo(loaders);
    }

    private Path token() throws IOException {
        Path token = Files.writeString(folder.resolve("token"), "token-1");
        return Files.setPosixFilePermissions(token, PosixFilePermissions.fromString("rw-------"));
    }

    /** In a method of its own, so that nothing of it is left on the stack. */
    private static WeakReference<ClassLoader> cycle(Run run) throws Exception {
        Application application = new Application();
        Class<?> program = application.loadClass(Program.class.getName());
        assertThat(program.getClassLoader()).isSameAs(application);
        assertThat(run.of(program)).isEqualTo("Bearer token-1");
        return new WeakReference<>(application);
    }

    private void assertThatAllGo(List<WeakReference<ClassLoader>> loaders) throws Exception {
        Awaitility.await()
                .atMost(Duration.ofSeconds(5))
                .untilAsserted(() -> assertThat(threads()).isEmpty());
        makeMethodsOfARecord();
        Awaitility.await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> {
            System.gc();
            assertThat(loaders.stream().filter(loader -> loader.get() != null))
                    .as("class loaders that are still there")
                    .isEmpty();
        });
    }

    /** The JDK keeps the class of the last record that it has made such methods for; from now on that is this one. */
    private static void makeMethodsOfARecord() throws Exception {
        record Last(@Nullable Last part) {}
        MethodHandles.Lookup lookup = MethodHandles.lookup();
        MethodHandle part = lookup.findVirtual(Last.class, "part", MethodType.methodType(Last.class));
        Map<String, MethodType> methods = Map.of(
                "equals", MethodType.methodType(boolean.class, Last.class, Object.class),
                "hashCode", MethodType.methodType(int.class, Last.class),
                "toString", MethodType.methodType(String.class, Last.class));
        for (Map.Entry<String, MethodType> method : methods.entrySet()) {
            try {
                assertThat(ObjectMethods.bootstrap(
                                lookup, method.getKey(), method.getValue(), Last.class, "part", part))
                        .isInstanceOf(CallSite.class);
            } catch (Throwable e) {
                throw new AssertionError(e);
            }
        }
    }

    private List<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> !before.contains(thread))
                .map(Thread::getName)
                .filter(name -> name.startsWith("keyturn-"))
                .toList();
    }
}
