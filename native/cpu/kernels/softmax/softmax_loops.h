// Included inside an instruction-set namespace.

// A NaN anywhere in a row reaches its sum of exponentials, and by that each result: maxima need not look for
// it.

inline F32 lowest() { return F32(-INFINITY); }

// e^x for x <= 0 in fewer steps than exp: 2^n 2^f with x = (n + f) log 2, and 2^f by the polynomial that
// meets it in the Chebyshev nodes of [-1/2, 1/2]. The error grows with |x|, to 18 units in the last place at
// e^-87: no more than the rounding of x, a difference of scores, makes of it. As in exp,
// what vanishes (beyond the end of a row, or masked by -infinity) costs no more than the rest.
inline F32 exp_below_largest(F32 x) {
    const Mask stays = ~less(x, F32(-104.0));
    const F32 bounded = select(stays, x, F32(0.0));
    const F32 n = round_even(bounded * F32(1.44269504088896341));
    const F32 f = fma(bounded, F32(1.44269504088896341), -n);
    F32 p = F32(1.5453162949e-4);
    p = fma(p, f, F32(1.3390863365e-3));
    p = fma(p, f, F32(9.6180825573e-3));
    p = fma(p, f, F32(5.5503571142e-2));
    p = fma(p, f, F32(2.4022650761e-1));
    p = fma(p, f, F32(6.9314718803e-1));
    return scale_by_power_of_two(fma(p, f, F32(1.0)), n, stays);
}

float exp_sum_f32(const float* x, float shift, float* y, int64_t n) {
    const F32 middle(shift);
    RowTotals total(F32(0.0));
    each_row_vector(n, [&](auto vector, int64_t i, int slot) {
        // What lies beyond is e^-infinity = 0.
        const F32 e = exp(vector.get(x + i, lowest()) - middle);
        if (y != nullptr) vector.put(y + i, e);
        total.slots[slot] = total.slots[slot] + e;
    });
    return total.sum();
}

inline float largest_of(const float* x, int64_t n) {
    RowTotals best(lowest());
    each_row_vector(n, [&](auto vector, int64_t i, int slot) {
        best.slots[slot] = max(best.slots[slot], vector.get(x + i, lowest()));
    });
    return best.largest();
}

// y = e^(x - shift), which is not above the largest; returns the sum. y may be null.
template <bool stores>
inline float shifted_exp_sum(const float* x, F32 shift, float* y, int64_t n) {
    RowTotals total(F32(0.0));
    each_row_vector(n, [&](auto vector, int64_t i, int slot) {
        // The next row; behind the last one there is nothing to fetch, and no harm.
        __builtin_prefetch(x + n + i);
        if constexpr (stores) __builtin_prefetch(y + n + i, 1);
        const F32 e = exp_below_largest(vector.get(x + i, lowest()) - shift);
        if constexpr (stores) vector.put(y + i, e);
        total.slots[slot] = total.slots[slot] + e;
    });
    return total.sum();
}

template <bool log_of>
inline void softmax_long_row(const float* x, float* y, int64_t n) {
    const F32 shift(largest_of(x, n));
    const F32 total(shifted_exp_sum<!log_of>(x, shift, y, n));
    const F32 last = log_of ? log(total) : F32(1.0) / total;
    each_row_vector(n, [&](auto vector, int64_t i, int) {
        vector.put(y + i, log_of ? vector.get(x + i) - shift - last : vector.get(y + i) * last);
    });
}

// The largest of each row of a group.
template <class Row>
inline F32 row_maxima(Row row, const float* x, int64_t rows, int64_t n) {
    return join_rows(rows, JoinMax{}, [&](int64_t r) {
        F32 scores[Row::count];
        row.each([&](auto vector, int64_t i, int j) { scores[j] = vector.get(x + r * n + i, lowest()); });
        return row.join(scores, JoinMax{});
    });
}

// e^(x - shift) of each vector of a group of rows, in whole vectors: loads do not have to wait for masked
// stores.
template <class Row>
struct ExpBlock {
    F32 at[F32::width * Row::count];
    const F32* operator[](int64_t r) const { return at + r * Row::count; }
};

// The sum of e^(x - shift) of each row of a group; what was summed goes to `keep`, where it is not null.
template <bool keeps, class Row>
inline F32 row_exp_sums(Row row, const float* x, const RowValues& shift, ExpBlock<Row>* keep, int64_t rows,
                        int64_t n) {
    return join_rows(rows, JoinSum{}, [&](int64_t r) {
        const F32 middle = shift[r];
        const float* from = x + r * n;
        F32 terms[Row::count];
        row.each([&](auto vector, int64_t i, int j) {
            __builtin_prefetch(from + F32::width * n + i);
            terms[j] = exp_below_largest(vector.get(from + i, lowest()) - middle);
            if constexpr (keeps) keep->at[r * Row::count + j] = terms[j];
        });
        return row.join(terms, JoinSum{});
    });
}

template <bool log_of, class Row>
inline void softmax_short_rows(Row row, const float* x, float* y, int64_t rows, int64_t n) {
    ExpBlock<Row> e;
    const RowValues shift(row_maxima(row, x, rows, n));
    const F32 totals = row_exp_sums<!log_of>(row, x, shift, &e, rows, n);
    const RowValues last(log_of ? log(totals) : F32(1.0) / totals);
    for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
        const F32 middle = shift[r], end = last[r];
        row.each([&](auto vector, int64_t i, int j) {
            vector.put(y + i, log_of ? vector.get(x + i) - middle - end : e[r][j] * end);
        });
    }
}

template <bool log_of>
void softmax_rows(const float* x, float* y, int64_t rows, int64_t n) {
    const bool is_short = with_short_row(n, [&](auto row) {
        each_row_group(rows, [&](int64_t first, int64_t count) {
            softmax_short_rows<log_of>(row, x + first * n, y + first * n, count, n);
        });
    });
    if (is_short) return;
    for (int64_t r = 0; r < rows; ++r) softmax_long_row<log_of>(x + r * n, y + r * n, n);
}

void softmax_rows_f32(const float* x, float* y, int64_t rows, int64_t n, bool log) {
    log ? softmax_rows<true>(x, y, rows, n) : softmax_rows<false>(x, y, rows, n);
}

// What the backward pass sums, and what it makes of the sum.
template <bool log_of>
inline F32 gradient_term(F32 dy, F32 y) {
    return log_of ? dy : dy * y;
}
template <bool log_of>
inline F32 softmax_gradient(F32 dy, F32 y, F32 total) {
    return log_of ? dy - exp_below_largest(y) * total : y * (dy - total);
}

template <bool log_of>
void softmax_rows_backward(const float* dy, const float* y, float* dx, int64_t rows, int64_t n) {
    const bool is_short = with_short_row(n, [&](auto row) {
        constexpr int count = decltype(row)::count;
        for (int64_t at = 0; at < rows * n; at += n) {
            F32 g[count], p[count], terms[count];
            row.each([&](auto vector, int64_t i, int j) {
                g[j] = vector.get(dy + at + i);
                p[j] = vector.get(y + at + i);
                terms[j] = gradient_term<log_of>(g[j], p[j]);
            });
            const F32 total(sum_lanes(row.join(terms, JoinSum{})));
            row.each([&](auto vector, int64_t i, int j) {
                vector.put(dx + at + i, softmax_gradient<log_of>(g[j], p[j], total));
            });
        }
    });
    if (is_short) return;
    for (int64_t r = 0; r < rows; ++r, dy += n, y += n, dx += n) {
        RowTotals totals(F32(0.0));
        each_row_vector(n, [&](auto vector, int64_t i, int slot) {
            totals.slots[slot] =
                totals.slots[slot] + gradient_term<log_of>(vector.get(dy + i), vector.get(y + i));
        });
        const F32 total(totals.sum());
        each_row_vector(n, [&](auto vector, int64_t i, int) {
            vector.put(dx + i, softmax_gradient<log_of>(vector.get(dy + i), vector.get(y + i), total));
        });
    }
}

void softmax_rows_backward_f32(const float* dy, const float* y, float* dx, int64_t rows, int64_t n,
                               bool log) {
    log ? softmax_rows_backward<true>(dy, y, dx, rows, n) : softmax_rows_backward<false>(dy, y, dx, rows, n);
}
