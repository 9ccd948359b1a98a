// Normalisation over each row of x [rows, n]. Included inside an instruction-set namespace.

// term(vector, first element) summed over a row, in double from run to run: the error of a float sum would
// grow with the length.
template <class Term>
inline double sum_of_row(int64_t n, const Term& term) {
    constexpr int64_t run = 8192;
    double total = 0;
    for (int64_t from = 0; from < n; from += run) {
        RowTotals totals(F32(0.0));
        each_row_vector(n - from < run ? n - from : run, [&](auto vector, int64_t i, int slot) {
            totals.slots[slot] = totals.slots[slot] + term(vector, from + i);
        });
        total += static_cast<double>(totals.sum());
    }
    return total;
}

// Lane r: term(vector, row, first element) summed over row r of a group.
template <class Row, class Term>
inline F32 sums_of_rows(Row row, int64_t rows, const Term& term) {
    return join_rows(rows, JoinSum{}, [&](int64_t r) {
        F32 terms[Row::count];
        row.each([&](auto vector, int64_t i, int j) { terms[j] = term(vector, r, i); });
        return row.join(terms, JoinSum{});
    });
}

template <class Vector>
inline F32 scale_and_shift(Vector vector, F32 v, const float* weight, const float* bias, int64_t i) {
    return weight == nullptr ? v : fma(v, vector.get(weight + i), vector.get(bias + i));
}

template <class Row>
inline void normalize_short_rows(Row row, const float* x, int64_t rows, int64_t n, double epsilon,
                                 const float* weight, const float* bias, float* y, float* mean,
                                 float* inverse) {
    const F32 count(static_cast<double>(n));
    const RowValues middle(
        sums_of_rows(row, rows,
                     [&](auto vector, int64_t r, int64_t i) { return vector.get(x + r * n + i); }) /
        count);
    const F32 squares = sums_of_rows(row, rows, [&](auto vector, int64_t r, int64_t i) {
        const F32 distance = vector.get(x + r * n + i, middle[r]) - middle[r];
        return distance * distance;
    });
    const RowValues factor(F32(1.0) / sqrt(squares / count + F32(epsilon)));
    if (mean != nullptr) store_part(mean, load(middle.at), rows);
    store_part(inverse, load(factor.at), rows);
    for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
        const F32 center = middle[r], scale = factor[r];
        row.each([&](auto vector, int64_t i, int) {
            vector.put(y + i, scale_and_shift(vector, (vector.get(x + i) - center) * scale, weight, bias, i));
        });
    }
}

inline void normalize_long_row(const float* x, int64_t n, double epsilon, const float* weight,
                               const float* bias, float* y, float* mean, float* inverse) {
    const double count = static_cast<double>(n);
    const double sum = sum_of_row(n, [&](auto vector, int64_t i) { return vector.get(x + i); });
    const F32 center(sum / count);
    const double squares = sum_of_row(n, [&](auto vector, int64_t i) {
        const F32 distance = vector.get(x + i, center) - center;
        return distance * distance;
    });
    const double factor = 1.0 / ::sqrt(squares / count + epsilon);
    const F32 scale(factor);
    if (mean != nullptr) *mean = static_cast<float>(sum / count);
    *inverse = static_cast<float>(factor);
    each_row_vector(n, [&](auto vector, int64_t i, int) {
        vector.put(y + i, scale_and_shift(vector, (vector.get(x + i) - center) * scale, weight, bias, i));
    });
}

void normalize_rows_f32(const float* x, int64_t rows, int64_t n, double epsilon, const float* weight,
                        const float* bias, float* y, float* mean, float* inverse) {
    const auto mean_at = [=](int64_t row) { return mean == nullptr ? nullptr : mean + row; };
    const bool is_short = with_short_row(n, [&](auto row) {
        each_row_group(rows, [&](int64_t first, int64_t count) {
            normalize_short_rows(row, x + first * n, count, n, epsilon, weight, bias, y + first * n,
                                 mean_at(first), inverse + first);
        });
    });
    if (is_short) return;
    for (int64_t r = 0; r < rows; ++r) {
        normalize_long_row(x + r * n, n, epsilon, weight, bias, y + r * n, mean_at(r), inverse + r);
    }
}

// A row's operands in the backward pass.
struct NormRow {
    const float *dy, *x, *weight;
    F32 mean, inverse;

    template <class Vector>
    F32 gradient(Vector vector, int64_t i) const {
        const F32 g = vector.get(dy + i);
        return weight == nullptr ? g : g * vector.get(weight + i);
    }
    template <class Vector>
    F32 normalized(Vector vector, int64_t i) const {
        return (vector.get(x + i, mean) - mean) * inverse;
    }
};

// The gradients of weight and bias of the rows seen so far, in whole vectors.
template <int count>
struct ShortAffineTotals {
    F32 weight[count], bias[count];
};

template <class Row>
inline void short_rows_backward(Row row, const float* dy, const float* x, const float* mean,
                                const float* inverse, const float* weight, int64_t rows, int64_t n, float* dx,
                                float* dweight, float* dbias) {
    constexpr int count = Row::count;
    ShortAffineTotals<count> totals;
    const F32 share(1.0 / static_cast<double>(n));
    row.each([&](auto, int64_t, int j) { totals.weight[j] = totals.bias[j] = F32(0.0); });
    for (int64_t r = 0; r < rows; ++r, dy += n, x += n, dx += n) {
        const NormRow operands{dy, x, weight, broadcast(mean + r), broadcast(inverse + r)};
        F32 sums[count], products[count], g[count], v[count];
        row.each([&](auto vector, int64_t i, int j) {
            const F32 upstream = vector.get(dy + i);
            g[j] = weight == nullptr ? upstream : upstream * vector.get(weight + i);
            v[j] = operands.normalized(vector, i);
            sums[j] = g[j];
            products[j] = g[j] * v[j];
            totals.weight[j] = fma(upstream, v[j], totals.weight[j]);
            totals.bias[j] = totals.bias[j] + upstream;
        });
        const F32 sum = F32(sum_lanes(row.join(sums, JoinSum{}))) * share;
        const F32 product = F32(sum_lanes(row.join(products, JoinSum{}))) * share;
        row.each([&](auto vector, int64_t i, int j) {
            vector.put(dx + i, (g[j] - sum - v[j] * product) * operands.inverse);
        });
    }
    if (dweight == nullptr) return;
    row.each([&](auto vector, int64_t i, int j) {
        vector.put(dweight + i, totals.weight[j]);
        vector.put(dbias + i, totals.bias[j]);
    });
}

struct RowMeans {
    F32 sum, product;
};

// The means over a row of the gradient, and of the gradient times what it was normalised to.
inline RowMeans gradient_means(const NormRow& operands, int64_t n) {
    constexpr int64_t run = 8192;
    double sum = 0, product = 0;
    for (int64_t from = 0; from < n; from += run) {
        RowTotals sums(F32(0.0)), products(F32(0.0));
        each_row_vector(n - from < run ? n - from : run, [&](auto vector, int64_t i, int slot) {
            const F32 g = operands.gradient(vector, from + i);
            sums.slots[slot] = sums.slots[slot] + g;
            products.slots[slot] = fma(g, operands.normalized(vector, from + i), products.slots[slot]);
        });
        sum += static_cast<double>(sums.sum());
        product += static_cast<double>(products.sum());
    }
    return {F32(sum / static_cast<double>(n)), F32(product / static_cast<double>(n))};
}

template <bool affine>
inline void long_row_backward(const NormRow& operands, int64_t n, float* dx, float* dweight, float* dbias) {
    const RowMeans means = gradient_means(operands, n);
    each_row_vector(n, [&](auto vector, int64_t i, int) {
        const F32 v = operands.normalized(vector, i), upstream = vector.get(operands.dy + i);
        F32 g = upstream;
        if constexpr (affine) {
            g = upstream * vector.get(operands.weight + i);
            vector.put(dweight + i, fma(upstream, v, vector.get(dweight + i)));
            vector.put(dbias + i, vector.get(dbias + i) + upstream);
        }
        vector.put(dx + i, (g - means.sum - v * means.product) * operands.inverse);
    });
}

void normalize_rows_backward_f32(const float* dy, const float* x, const float* mean, const float* inverse,
                                 const float* weight, int64_t rows, int64_t n, float* dx, float* dweight,
                                 float* dbias) {
    const bool is_short = with_short_row(n, [&](auto row) {
        short_rows_backward(row, dy, x, mean, inverse, weight, rows, n, dx, dweight, dbias);
    });
    if (is_short) return;
    if (dweight != nullptr) {
        each_row_vector(n, [&](auto vector, int64_t i, int) {
            vector.put(dweight + i, F32(0.0));
            vector.put(dbias + i, F32(0.0));
        });
    }
    for (int64_t r = 0; r < rows; ++r) {
        const NormRow operands{dy + r * n, x + r * n, weight, broadcast(mean + r), broadcast(inverse + r)};
        if (dweight == nullptr) {
            long_row_backward<false>(operands, n, dx + r * n, dweight, dbias);
        } else {
            long_row_backward<true>(operands, n, dx + r * n, dweight, dbias);
        }
    }
}
