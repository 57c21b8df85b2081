package io.keyturn.benchmarks;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Numbers that were measured. A median and quartiles, since a busy machine makes outliers of a mean. For one thread. */
final class Samples {
    private final List<Double> values = new ArrayList<>();

    void add(double value) {
        values.add(value);
    }

    void addAll(Samples others) {
        values.addAll(others.values);
    }

    /** What each is in times of the other one of the same place. */
    Samples over(Samples others) {
        Samples ratios = new Samples();
        for (int i = 0; i < values.size(); i++) {
            ratios.add(values.get(i) / others.values.get(i));
        }
        return ratios;
    }

    void clear() {
        values.clear();
    }

    double median() {
        return quantile(0.5);
    }

    /** Half of what lies between the quartiles. */
    double spread() {
        return (quantile(0.75) - quantile(0.25)) / 2;
    }

    /** The smallest number that this part of all are not above; not a number if there is none. */
    double quantile(double part) {
        if (values.isEmpty()) {
            return Double.NaN;
        }
        List<Double> sorted = new ArrayList<>(values);
        Collections.sort(sorted);
        int index = (int) Math.ceil(part * sorted.size()) - 1;
        return sorted.get(Math.max(0, index));
    }
}
