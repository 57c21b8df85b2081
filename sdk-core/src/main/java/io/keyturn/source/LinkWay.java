package io.keyturn.source;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** The way to a file through symbolic links: each link on it, and where the last one leads. */
final class LinkWay {
    /** As many as Linux follows; a loop ends there. */
    private static final int MOST_LINKS = 40;

    private LinkWay() {}

    /** The links in the order in which they are followed, each by its own place, then the file itself. */
    static List<Path> to(Path file) {
        Path root = file.getRoot();
        Path at = root;
        List<Path> way = new ArrayList<>(1);
        Deque<Path> names = new ArrayDeque<>();
        file.forEach(names::addLast);
        while (!names.isEmpty()) {
            Path next = at.resolve(names.removeFirst()).normalize();
            if (way.size() >= MOST_LINKS || !Files.isSymbolicLink(next)) {
                at = next;
                continue;
            }
            way.add(next);
            try {
                Path target = Files.readSymbolicLink(next);
                at = target.isAbsolute() ? target.getRoot() : at;
                List<Path> further = new ArrayList<>();
                target.forEach(further::add);
                for (int i = further.size() - 1; i >= 0; i--) {
                    names.addFirst(further.get(i));
                }
            } catch (IOException e) {
                // It is gone already: whoever looks next will see where the way leads then.
                break;
            }
        }
        // The file's own path where it is the same, so that it is kept once.
        way.add(at.equals(file) ? file : at);
        return List.copyOf(way);
    }
}
