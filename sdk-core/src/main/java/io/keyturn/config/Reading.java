package io.keyturn.config;

import io.keyturn.token.TokenException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One pass over a tree of settings: what was asked for, what is needed, and what is wrong. For one thread; but one that
 * forgets has no state, and is for any number of them.
 */
final class Reading {
    private final boolean keeps;
    private final List<Problem> problems = new ArrayList<>();
    private final Set<Need> needs = new LinkedHashSet<>();
    private final IdentityHashMap<Settings.Node, Set<String>> asked = new IdentityHashMap<>();

    private Reading(boolean keeps) {
        this.keeps = keeps;
    }

    static Reading begin() {
        return new Reading(true);
    }

    static Reading forgetting() {
        return new Reading(false);
    }

    /** The keys of a map that were asked for so far: what was never asked for is unknown. */
    Set<String> asked(Settings.Node map) {
        return keeps ? asked.computeIfAbsent(map, m -> new HashSet<>()) : new HashSet<>();
    }

    boolean wasRead(Settings.Node map) {
        return asked.containsKey(map);
    }

    void add(Problem problem) {
        if (keeps) {
            problems.add(problem);
        }
    }

    /** Adds what an exception carries; what has no place of its own is wrong here. */
    void add(ConfigException e, Location at) {
        for (Problem problem : e.problems()) {
            add(problem.at().equals(Location.of("")) ? problem.movedTo(at) : problem);
        }
    }

    void need(String kind, String name, Location at) {
        if (keeps) {
            needs.add(new Need(kind, name, at));
        }
    }

    List<Problem> problems() {
        return problems;
    }

    List<Need> needs() {
        return List.copyOf(needs);
    }

    /** The references of a text that stands here: what they ask for is needed. */
    References noting(References references, Location at) {
        return new References() {
            @Override
            public @Nullable String variable(String name) {
                need("env", plain(name), at);
                return references.variable(name);
            }

            @Override
            public @Nullable String file(String path) throws TokenException {
                need("file", path, at);
                return references.file(path);
            }
        };
    }

    /** A variable may have any name; in what looks like none, the rest may be a default that was mistyped, and secret. */
    private static String plain(String variable) {
        int end = 0;
        while (end < variable.length()
                && (Character.isLetterOrDigit(variable.charAt(end)) || "_.".indexOf(variable.charAt(end)) >= 0)) {
            end++;
        }
        return end == variable.length() ? variable : variable.substring(0, end) + "…";
    }
}
