package io.keyturn.benchmarks;

/** Something that was measured beside the first of its table. */
final class Compared {
    private final String name;
    private final Samples nanos = new Samples();
    private final Samples ratios = new Samples();
    private final Samples bytes = new Samples();

    Compared(String name) {
        this.name = name;
    }

    void add(double nanos, double ratio, double bytes) {
        this.nanos.add(nanos);
        this.ratios.add(ratio);
        this.bytes.add(bytes);
    }

    void clear() {
        nanos.clear();
        ratios.clear();
        bytes.clear();
    }

    String name() {
        return name;
    }

    double nanos() {
        return nanos.median();
    }

    /** Its time in times of the first one's. */
    Samples ratios() {
        return ratios;
    }

    double bytes() {
        return bytes.median();
    }
}
