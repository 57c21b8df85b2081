package io.keyturn;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What is in a heap dump of HotSpot (HPROF 1.0.2, identifiers of eight bytes) and who holds it. Weak and phantom references
 * hold nothing; soft ones do, since they may for as long as memory is plenty.
 */
final class HeapDump {
    private static final int OBJECT = 2;
    private static final int CHAR = 5;
    private static final int BYTE = 8;

    private record Field(String name, int type) {}

    private static final class Type {
        private String name = "?";
        private long parent;
        private List<Field> fields = List.of();
    }

    private final ByteBuffer in;
    private final Map<Long, String> texts = new HashMap<>();
    private final Map<Long, Type> types = new HashMap<>();

    // Objects by number, in the order of the dump; those of classes are among them.
    private final Map<Long, Integer> numbers = new HashMap<>();
    private final List<String> names = new ArrayList<>();
    private final List<Integer> hits = new ArrayList<>();
    private final Map<Integer, String> roots = new HashMap<>();
    private final Map<Long, String> rootIds = new HashMap<>();

    // Who refers to whom, and by which field.
    private final List<Edge> edges = new ArrayList<>();
    private int[] firstEdge = {};
    private Edge[] byTarget = {};

    private record Edge(int from, long to, String by) {}

    private final List<byte[]> wanted;

    private HeapDump(ByteBuffer in, String text) {
        this.in = in;
        this.wanted = List.of(text.getBytes(ISO_8859_1), text.getBytes(UTF_16LE));
    }

    /** Reads a dump, and finds the arrays of bytes and characters that hold a text. */
    static HeapDump read(Path file, String text) throws IOException {
        try (FileChannel channel = FileChannel.open(file)) {
            HeapDump dump = new HeapDump(channel.map(MapMode.READ_ONLY, 0, channel.size()), text);
            dump.records(false);
            dump.records(true);
            dump.sort();
            return dump;
        }
    }

    /** How many objects are in it. */
    int objects() {
        return names.size();
    }

    /** The arrays that hold the text. */
    List<Integer> hits() {
        return hits;
    }

    /**
     * The shortest way from an object that is wanted to an array, through none of the objects that end the search; null if
     * there is none.
     */
    @Nullable
    String wayFrom(Predicate<String> wanted, Predicate<String> end, int hit) {
        return way(hit, number -> wanted.test(names.get(number)), number -> end.test(names.get(number)));
    }

    /** The shortest way from a root of the heap to an array; null if there is none. */
    @Nullable
    String wayFromRoot(int hit) {
        return way(hit, roots::containsKey, number -> false);
    }

    private @Nullable String way(int hit, IntPredicate wanted, IntPredicate end) {
        Map<Integer, Edge> came = new HashMap<>();
        Deque<Integer> next = new ArrayDeque<>(List.of(hit));
        came.put(hit, new Edge(hit, 0, ""));
        while (!next.isEmpty()) {
            int at = next.remove();
            if (wanted.test(at)) {
                return way(at, hit, came);
            }
            for (int i = firstEdge[at]; !end.test(at) && i < firstEdge[at + 1]; i++) {
                if (came.putIfAbsent(byTarget[i].from, new Edge(at, 0, byTarget[i].by)) == null) {
                    next.add(byTarget[i].from);
                }
            }
        }
        return null;
    }

    private String way(int from, int hit, Map<Integer, Edge> came) {
        StringBuilder way = new StringBuilder(roots.containsKey(from) ? roots.get(from) + " " : "");
        way.append(names.get(from));
        for (int at = from; at != hit; at = came.get(at).from) {
            way.append(came.get(at).by).append(" -> ").append(names.get(came.get(at).from));
        }
        return way.toString();
    }

    // --- reading ---

    private void records(boolean objects) {
        in.rewind();
        while (in.get() != 0) {
            // The format's name.
        }
        int size = in.getInt();
        if (size != Long.BYTES) {
            throw new IllegalStateException("identifiers of " + size + " bytes");
        }
        in.getLong();
        while (in.hasRemaining()) {
            int tag = in.get() & 0xFF;
            in.getInt();
            int length = in.getInt();
            int end = in.position() + length;
            switch (tag) {
                case 0x01 -> text(length, objects);
                case 0x02 -> loaded();
                case 0x0C, 0x1C -> heap(end, objects);
                default -> {}
            }
            in.position(end);
        }
    }

    private void text(int length, boolean objects) {
        long id = in.getLong();
        if (!objects) {
            byte[] bytes = new byte[length - Long.BYTES];
            in.get(bytes);
            texts.put(id, new String(bytes, UTF_8));
        }
    }

    private void loaded() {
        in.getInt();
        long id = in.getLong();
        in.getInt();
        type(id).name = texts.getOrDefault(in.getLong(), "?").replace('/', '.');
    }

    private Type type(long id) {
        return types.computeIfAbsent(id, key -> new Type());
    }

    private void heap(int end, boolean objects) {
        while (in.position() < end) {
            int tag = in.get() & 0xFF;
            switch (tag) {
                case 0xFF, 0x05, 0x07 -> root(tag, 0, objects);
                case 0x01 -> root(tag, Long.BYTES, objects);
                case 0x02, 0x03, 0x08 -> root(tag, 8, objects);
                case 0x04, 0x06 -> root(tag, 4, objects);
                case 0x20 -> type(objects);
                case 0x21 -> instance(objects);
                case 0x22 -> array(objects);
                case 0x23 -> primitives(objects);
                default -> throw new IllegalStateException("unknown record " + tag);
            }
        }
    }

    private void root(int tag, int more, boolean objects) {
        long id = in.getLong();
        skip(more);
        if (objects && id != 0) {
            String kind = Map.of(0x01, "JNI", 0x02, "JNI", 0x03, "stack", 0x04, "stack", 0x05, "class", 0x08, "thread")
                    .getOrDefault(tag, "root");
            rootIds.put(id, kind);
        }
    }

    private int number(long id, String name) {
        names.add(name);
        numbers.put(id, names.size() - 1);
        return names.size() - 1;
    }

    private void type(boolean objects) {
        long id = in.getLong();
        in.getInt();
        Type type = type(id);
        type.parent = in.getLong();
        long loader = in.getLong();
        skip(4 * Long.BYTES + 4);
        for (int i = in.getShort() & 0xFFFF; i > 0; i--) {
            in.getShort();
            value(in.get());
        }
        int number = objects ? number(id, "class " + type.name) : -1;
        if (objects) {
            edge(number, loader, ".classLoader");
        }
        for (int i = in.getShort() & 0xFFFF; i > 0; i--) {
            String name = texts.get(in.getLong());
            int kind = in.get();
            long value = value(kind);
            if (objects && kind == OBJECT) {
                edge(number, value, "." + name);
            }
        }
        List<Field> fields = new ArrayList<>();
        for (int i = in.getShort() & 0xFFFF; i > 0; i--) {
            fields.add(new Field(texts.getOrDefault(in.getLong(), "?"), in.get()));
        }
        type.fields = fields;
    }

    private void instance(boolean objects) {
        long id = in.getLong();
        in.getInt();
        Type type = type(in.getLong());
        int length = in.getInt();
        int end = in.position() + length;
        if (objects) {
            int number = number(id, type.name);
            boolean soft = type.name.equals("java.lang.ref.SoftReference") || isSoft(type);
            for (Type each = type; each != null; each = types.get(each.parent)) {
                for (Field field : each.fields) {
                    long value = value(field.type);
                    boolean weak =
                            each.name.equals("java.lang.ref.Reference") && field.name.equals("referent") && !soft;
                    if (field.type == OBJECT && !weak) {
                        edge(number, value, "." + field.name);
                    }
                }
            }
        }
        in.position(end);
    }

    private boolean isSoft(Type type) {
        for (Type each = type; each != null; each = types.get(each.parent)) {
            if (each.name.equals("java.lang.ref.SoftReference") || each.name.equals("java.lang.ref.FinalReference")) {
                return true;
            }
        }
        return false;
    }

    private void array(boolean objects) {
        long id = in.getLong();
        in.getInt();
        int length = in.getInt();
        Type type = type(in.getLong());
        if (!objects) {
            skip(length * Long.BYTES);
            return;
        }
        int number = number(id, type.name);
        for (int i = 0; i < length; i++) {
            edge(number, in.getLong(), "[" + i + "]");
        }
    }

    private void primitives(boolean objects) {
        long id = in.getLong();
        in.getInt();
        int length = in.getInt();
        int kind = in.get();
        if (!objects) {
            skip(length * size(kind));
            return;
        }
        int number = number(id, kind == BYTE ? "byte[" + length + "]" : kind == CHAR ? "char[" + length + "]" : "[]");
        byte[] bytes = new byte[length * size(kind)];
        in.get(bytes);
        if ((kind == BYTE || kind == CHAR) && wanted.stream().anyMatch(text -> contains(bytes, text, kind))) {
            hits.add(number);
        }
    }

    /** Characters stand in a dump with their high byte first. */
    private static boolean contains(byte[] bytes, byte[] text, int kind) {
        int shift = kind == CHAR ? 1 : 0;
        for (int i = shift; i + text.length - shift <= bytes.length; i++) {
            if (bytes[i] == text[0] && Arrays.equals(bytes, i, i + text.length - shift, text, 0, text.length - shift)) {
                return true;
            }
        }
        return false;
    }

    private void edge(int from, long to, String by) {
        if (to != 0) {
            edges.add(new Edge(from, to, by));
        }
    }

    private long value(int kind) {
        return switch (size(kind)) {
            case 1 -> in.get();
            case 2 -> in.getShort();
            case 4 -> in.getInt();
            default -> in.getLong();
        };
    }

    private static int size(int kind) {
        return switch (kind) {
            case 4, BYTE -> 1;
            case CHAR, 9 -> 2;
            case 6, 10 -> 4;
            case OBJECT, 7, 11 -> 8;
            default -> throw new IllegalStateException("unknown type " + kind);
        };
    }

    private void skip(int bytes) {
        in.position(in.position() + bytes);
    }

    /** Counts the edges of each target, and puts them side by side. */
    private void sort() {
        int[] counts = new int[names.size() + 1];
        edges.removeIf(edge -> !numbers.containsKey(edge.to));
        for (Edge edge : edges) {
            counts[numbers.get(edge.to) + 1]++;
        }
        for (int i = 1; i < counts.length; i++) {
            counts[i] += counts[i - 1];
        }
        firstEdge = counts.clone();
        byTarget = new Edge[edges.size()];
        for (Edge edge : edges) {
            byTarget[counts[numbers.get(edge.to)]++] = edge;
        }
        edges.clear();
        rootIds.forEach((id, kind) -> {
            if (numbers.containsKey(id)) {
                roots.put(numbers.get(id), kind);
            }
        });
    }
}
