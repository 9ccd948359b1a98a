// Softmax along an axis whose neighbours are `step` floats apart. Included inside an instruction-set
// namespace.

// Sums over each column of a block are made of runs of so many terms: the error of one long running sum would
// grow with its length. term(k, j): the k-th element of vector j.
template <int count, class Term>
inline void sum_columns(int64_t n, F32* totals, const Term& term) {
    constexpr int64_t run = 16;
    for (int j = 0; j < count; ++j) totals[j] = F32(0.0);
    for (int64_t from = 0; from < n; from += run) {
        const int64_t to = n - from < run ? n : from + run;
        F32 part[count];
        for (int j = 0; j < count; ++j) part[j] = F32(0.0);
        for (int64_t k = from; k < to; ++k) {
            for (int j = 0; j < count; ++j) part[j] = part[j] + term(k, j);
        }
        for (int j = 0; j < count; ++j) totals[j] = totals[j] + part[j];
    }
}

// Columns of so few elements are kept in one place: neighbours that are a power of two apart would push each
// other out of the first-level cache between the passes.
constexpr int64_t most_kept = 64;

// keeps: x is read once, and y written once.
template <bool log_of, bool keeps, class Block>
inline void softmax_column_block(Block block, const float* x, float* y, int64_t n, int64_t step) {
    constexpr int count = Block::count;
    F32 kept[keeps ? most_kept * count : 1], shift[count], last[count];
    for (int j = 0; j < count; ++j) shift[j] = lowest();
    for (int64_t k = 0; k < n; ++k) {
        for (int j = 0; j < count; ++j) {
            const F32 v = block.get(x + k * step, j);
            if constexpr (keeps) kept[k * count + j] = v;
            shift[j] = max(shift[j], v);
        }
    }
    const auto score = [&](int64_t k, int j) {
        return keeps ? kept[k * count + j] : block.get(x + k * step, j);
    };
    sum_columns<count>(n, last, [&](int64_t k, int j) {
        const F32 e = exp_below_largest(score(k, j) - shift[j]);
        if constexpr (keeps && !log_of) kept[k * count + j] = e;
        if constexpr (!keeps && !log_of) block.put(y + k * step, j, e);
        return e;
    });
    for (int j = 0; j < count; ++j) last[j] = log_of ? log(last[j]) : F32(1.0) / last[j];
    for (int64_t k = 0; k < n; ++k) {
        for (int j = 0; j < count; ++j) {
            if constexpr (log_of) {
                block.put(y + k * step, j, score(k, j) - shift[j] - last[j]);
            } else {
                const F32 e = keeps ? kept[k * count + j] : block.get(y + k * step, j);
                block.put(y + k * step, j, e * last[j]);
            }
        }
    }
}

template <bool log_of>
void softmax_columns(const float* x, float* y, int64_t n, int64_t step, int64_t width) {
    each_column_block(width, [=](auto block, int64_t first) {
        if (n <= most_kept) {
            softmax_column_block<log_of, true>(block, x + first, y + first, n, step);
        } else {
            softmax_column_block<log_of, false>(block, x + first, y + first, n, step);
        }
    });
}

void softmax_columns_f32(const float* x, float* y, int64_t n, int64_t step, int64_t width, bool log) {
    log ? softmax_columns<true>(x, y, n, step, width) : softmax_columns<false>(x, y, n, step, width);
}

template <bool log_of, bool keeps, class Block>
inline void softmax_column_block_backward(Block block, const float* dy, const float* y, float* dx, int64_t n,
                                          int64_t step) {
    constexpr int count = Block::count, room = keeps ? most_kept / 2 * count : 1;
    F32 gradients[room], results[room], total[count];
    sum_columns<count>(n, total, [&](int64_t k, int j) {
        const F32 g = block.get(dy + k * step, j), p = block.get(y + k * step, j);
        if constexpr (keeps) {
            gradients[k * count + j] = g;
            results[k * count + j] = p;
        }
        return gradient_term<log_of>(g, p);
    });
    for (int64_t k = 0; k < n; ++k) {
        for (int j = 0; j < count; ++j) {
            const F32 g = keeps ? gradients[k * count + j] : block.get(dy + k * step, j);
            const F32 p = keeps ? results[k * count + j] : block.get(y + k * step, j);
            block.put(dx + k * step, j, softmax_gradient<log_of>(g, p, total[j]));
        }
    }
}

template <bool log_of>
void softmax_columns_backward(const float* dy, const float* y, float* dx, int64_t n, int64_t step,
                              int64_t width) {
    each_column_block(width, [=](auto block, int64_t first) {
        const auto at = [=](const float* from) { return from + first; };
        if (n <= most_kept / 2) {
            softmax_column_block_backward<log_of, true>(block, at(dy), at(y), dx + first, n, step);
        } else {
            softmax_column_block_backward<log_of, false>(block, at(dy), at(y), dx + first, n, step);
        }
    });
}

void softmax_columns_backward_f32(const float* dy, const float* y, float* dx, int64_t n, int64_t step,
                                  int64_t width, bool log) {
    log ? softmax_columns_backward<true>(dy, y, dx, n, step, width)
        : softmax_columns_backward<false>(dy, y, dx, n, step, width);
}
