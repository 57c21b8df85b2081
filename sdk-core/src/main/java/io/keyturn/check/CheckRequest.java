package io.keyturn.check;

import io.keyturn.config.ConfigException;
import io.keyturn.config.Settings;
import io.keyturn.policy.Endpoint;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * The request that proves a token: it is sent with the token, which must be accepted, and without it, which must not.
 *
 * @param method GET, HEAD or OPTIONS, unless the user allows another
 * @param target a path from the endpoint's root, or a URL
 * @param expected the statuses that say that the token was accepted
 * @param refused the statuses that say that a request without it was refused; none: that is not tried
 * @param identity a JSON pointer to whom the answer says that the token belongs, or null
 */
public record CheckRequest(
        String method,
        String target,
        Set<Integer> expected,
        Set<Integer> refused,
        @Nullable String identity) {
    private static final Set<String> SAFE = Set.of("GET", "HEAD", "OPTIONS");
    private static final Pattern FORM = Pattern.compile("([A-Za-z]+) +(\\S+)");
    private static final Pattern STATUS = Pattern.compile("[1-5]([0-9]{2}|xx)");
    private static final Set<Integer> SUCCESS = statuses("2xx");
    private static final Set<Integer> REFUSED = Set.of(401, 403);

    /**
     * A request as it is written, such as {@code GET /v1/me}.
     *
     * @throws ConfigException if it is not one
     */
    public static CheckRequest parse(String text) {
        Matcher form = FORM.matcher(text);
        if (!form.matches()) {
            throw new ConfigException("must be a method and a target, such as GET /v1/me");
        }
        String target = form.group(2);
        boolean known = target.startsWith("/") || target.matches("(?i)https?://.*");
        if (!known || target.indexOf('#') >= 0) {
            throw new ConfigException("the target must be a path that begins with a slash, or a URL, without fragment");
        }
        return new CheckRequest(form.group(1).toUpperCase(Locale.ROOT), target, SUCCESS, REFUSED, null);
    }

    /** The text form, or a map with {@code request}, {@code expect}, {@code anonymous} and {@code identity}. */
    public static CheckRequest read(Settings settings) {
        if (!settings.isMap()) {
            return parse(settings.text());
        }
        CheckRequest request = settings.read("request", parse("GET /"), value -> parse(value.text()));
        if (!settings.has("request")) {
            settings.note("'request' is missing");
        }
        Set<Integer> expected = union(settings.each("expect", CheckRequest::statuses), SUCCESS);
        boolean off = settings.get("anonymous").filter(Settings::isText).isPresent()
                && settings.text("anonymous", "").equals("off");
        Set<Integer> refused = off ? Set.of() : union(settings.each("anonymous", CheckRequest::statuses), REFUSED);
        String identity = settings.read("identity", CheckRequest::pointer).orElse(null);
        return new CheckRequest(request.method, request.target, expected, refused, identity);
    }

    private static Set<Integer> union(List<Set<Integer>> sets, Set<Integer> fallback) {
        return sets.isEmpty()
                ? fallback
                : sets.stream().flatMap(Set::stream).collect(Collectors.toCollection(TreeSet::new));
    }

    private static Set<Integer> statuses(Settings value) {
        String text = value.text();
        if (!STATUS.matcher(text).matches()) {
            throw value.wrong("must be a status such as 200, or a class of them such as 2xx");
        }
        return statuses(text);
    }

    private static Set<Integer> statuses(String text) {
        if (!text.endsWith("xx")) {
            return Set.of(Integer.parseInt(text));
        }
        int first = (text.charAt(0) - '0') * 100;
        return IntStream.range(first, first + 100).boxed().collect(Collectors.toUnmodifiableSet());
    }

    private static String pointer(Settings value) {
        String text = value.text();
        if (!text.startsWith("/")) {
            throw value.wrong("must be a JSON pointer that begins with a slash, such as /login");
        }
        return text;
    }

    /**
     * The URL that is asked, which must be one of the token's endpoints.
     *
     * @param allowUnsafe whether the method may be one that changes something
     * @throws ConfigException if it is none of them, or the method is not allowed
     */
    public HttpUrl within(List<Endpoint> endpoints, boolean allowUnsafe) {
        if (!SAFE.contains(method) && !allowUnsafe) {
            throw new ConfigException(
                    "must be GET, HEAD or OPTIONS, since it is sent again and again" + " (or allow: [unsafe_check])");
        }
        if (endpoints.isEmpty()) {
            throw new ConfigException("needs an endpoint: without one the token may go nowhere");
        }
        Predicate<HttpUrl> covered = url -> endpoints.stream().anyMatch(endpoint -> endpoint.covers(url));
        return endpoints.stream()
                .map(endpoint -> Endpoint.httpUrl(endpoint.url(), target))
                .filter(url -> url != null && covered.test(url))
                .findFirst()
                .orElseThrow(() -> new ConfigException("lies outside the token's endpoints: "
                        + endpoints.stream().map(Endpoint::toString).collect(Collectors.joining(", "))));
    }
}
