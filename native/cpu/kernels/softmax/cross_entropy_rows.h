// Cross entropy against one label a row. Included inside an instruction-set namespace.

// Of each row of a group: the largest score, and the sum of e^(score - largest).
struct ExpRows {
    RowValues shift, total;
};

inline ExpRows exp_long_rows(const float* x, int64_t rows, int64_t n) {
    ExpRows made{RowValues(F32(0.0)), RowValues(F32(1.0))};
    for (int64_t r = 0; r < rows; ++r) {
        made.shift.at[r] = largest_of(x + r * n, n);
        made.total.at[r] = shifted_exp_sum<false>(x + r * n, made.shift[r], nullptr, n);
    }
    return made;
}

template <class Row>
inline ExpRows exp_short_rows(Row row, const float* x, int64_t rows, int64_t n) {
    const RowValues shift(row_maxima(row, x, rows, n));
    return {shift, RowValues(row_exp_sums<false, Row>(row, x, shift, nullptr, rows, n))};
}

// sum of w (shift - x) over the classes
inline float spread_of(const float* x, float shift, const float* weights, int64_t n) {
    RowTotals total(F32(0.0));
    each_row_vector(n, [&](auto vector, int64_t i, int slot) {
        const F32 gap = F32(shift) - vector.get(x + i, F32(shift));
        const F32 term = weights == nullptr ? gap : gap * vector.get(weights + i);
        total.slots[slot] = total.slots[slot] + term;
    });
    return total.sum();
}

// loss = on_target w_t (lse - x_t) + share sum_c w_c (lse - x_c) with lse = shift + log total
inline F32 group_losses(const float* x, const int64_t* labels, int64_t rows, int64_t n,
                        const CrossEntropyTerms& terms, const ExpRows& made) {
    const bool smooths = terms.share > 0.0f;
    RowValues gap(F32(0.0)), factor(F32(0.0)), spread(F32(0.0)), spread_factor(F32(0.0));
    for (int64_t r = 0; r < rows; ++r, x += n) {
        const int64_t label = labels[r];
        if (label == terms.ignored) continue;
        gap.at[r] = made.shift.at[r] - x[label];
        factor.at[r] = terms.on_target * (terms.weights == nullptr ? 1.0f : terms.weights[label]);
        if (!smooths) continue;
        spread.at[r] = terms.share * spread_of(x, made.shift.at[r], terms.weights, n);
        spread_factor.at[r] = terms.share * terms.weight_sum;
    }
    const F32 log_total = log(load(made.total.at)), factors = load(factor.at);
    F32 loss = factors * (load(gap.at) + log_total);
    if (smooths) loss = loss + (load(spread.at) + load(spread_factor.at) * log_total);
    return loss;
}

template <class ExpOf>
inline void cross_entropy_losses(const float* x, const int64_t* labels, int64_t rows, int64_t n,
                                 const CrossEntropyTerms& terms, float* losses, const ExpOf& exp_of) {
    each_row_group(rows, [&](int64_t first, int64_t count) {
        const float* scores = x + first * n;
        const F32 loss = group_losses(scores, labels + first, count, n, terms, exp_of(scores, count));
        store_part(losses + first, loss, count);
        // A row of NaN that is ignored gives 0, not 0 * NaN.
        for (int64_t r = first; r < first + count; ++r) {
            if (labels[r] == terms.ignored) losses[r] = 0.0f;
        }
    });
}

void cross_entropy_f32(const float* x, const int64_t* labels, int64_t rows, int64_t n,
                       const CrossEntropyTerms& terms, float* losses) {
    const bool is_short = with_short_row(n, [&](auto row) {
        cross_entropy_losses(x, labels, rows, n, terms, losses, [&](const float* scores, int64_t count) {
            return exp_short_rows(row, scores, count, n);
        });
    });
    if (is_short) return;
    cross_entropy_losses(x, labels, rows, n, terms, losses,
                         [&](const float* scores, int64_t count) { return exp_long_rows(scores, count, n); });
}

// dx = d (e / total (on_target w_t + share W) - share w_c), less d on_target w_t at the label
struct RowGradient {
    float on_target, on_exp, on_weights;

    RowGradient(float d_loss, int64_t label, const CrossEntropyTerms& terms) {
        const float target = terms.on_target * (terms.weights == nullptr ? 1.0f : terms.weights[label]);
        on_target = d_loss * target;
        on_exp = terms.share > 0.0f ? d_loss * (target + terms.share * terms.weight_sum) : on_target;
        on_weights = d_loss * terms.share;
    }
};

// dx of one row but for what is taken off at the label. each(body) walks it; e(vector, i, j): its
// exponentials, of which `factor` makes on_exp / total e.
template <class Each, class Exp>
inline void write_gradient(const RowGradient& gradient, F32 factor, const CrossEntropyTerms& terms, float* dx,
                           const Each& each, const Exp& e) {
    if (terms.share > 0.0f) {
        const F32 share(gradient.on_weights);
        each([&](auto vector, int64_t i, int j) {
            const F32 weight = terms.weights == nullptr ? F32(1.0) : vector.get(terms.weights + i);
            vector.put(dx + i, e(vector, i, j) * factor - share * weight);
        });
    } else {
        each([&](auto vector, int64_t i, int j) { vector.put(dx + i, e(vector, i, j) * factor); });
    }
}

template <class Each>
inline void write_zeros(float* dx, const Each& each) {
    each([&](auto vector, int64_t i, int) { vector.put(dx + i, F32(0.0)); });
}

template <class Row>
inline void short_gradients(Row row, const float* d_losses, const float* x, const int64_t* labels,
                            int64_t rows, int64_t n, const CrossEntropyTerms& terms, float* dx) {
    ExpBlock<Row> e;
    const RowValues shift(row_maxima(row, x, rows, n));
    const F32 totals = row_exp_sums<true>(row, x, shift, &e, rows, n);
    RowValues factors(F32(0.0));
    for (int64_t r = 0; r < rows; ++r) {
        if (labels[r] != terms.ignored) factors.at[r] = RowGradient(d_losses[r], labels[r], terms).on_exp;
    }
    store(factors.at, load(factors.at) / totals);
    const auto each = [&](const auto& body) { row.each(body); };
    for (int64_t r = 0; r < rows; ++r) {
        if (labels[r] == terms.ignored) {
            write_zeros(dx + r * n, each);
            continue;
        }
        write_gradient(RowGradient(d_losses[r], labels[r], terms), factors[r], terms, dx + r * n, each,
                       [&](auto, int64_t, int j) { return e[r][j]; });
    }
    // Not row by row: a load has to wait for a masked store that it follows.
    for (int64_t r = 0; r < rows; ++r) {
        if (labels[r] != terms.ignored)
            dx[r * n + labels[r]] -= RowGradient(d_losses[r], labels[r], terms).on_target;
    }
}

inline void long_gradient(float d_loss, const float* x, int64_t label, int64_t n,
                          const CrossEntropyTerms& terms, float* dx) {
    const auto each = [&](const auto& body) { each_row_vector(n, body); };
    if (label == terms.ignored) return write_zeros(dx, each);
    const F32 shift(largest_of(x, n));
    const F32 total(shifted_exp_sum<true>(x, shift, dx, n));
    const RowGradient gradient(d_loss, label, terms);
    write_gradient(gradient, F32(gradient.on_exp) / total, terms, dx, each,
                   [&](auto vector, int64_t i, int) { return vector.get(dx + i); });
    dx[label] -= gradient.on_target;
}

void cross_entropy_backward_f32(const float* d_losses, const float* x, const int64_t* labels, int64_t rows,
                                int64_t n, const CrossEntropyTerms& terms, float* dx) {
    const bool is_short = with_short_row(n, [&](auto row) {
        each_row_group(rows, [&](int64_t first, int64_t count) {
            short_gradients(row, d_losses + first, x + first * n, labels + first, count, n, terms,
                            dx + first * n);
        });
    });
    if (is_short) return;
    for (int64_t r = 0; r < rows; ++r) long_gradient(d_losses[r], x + r * n, labels[r], n, terms, dx + r * n);
}
