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

template <bool log_of>
void softmax_columns(const float* x, float* y, int64_t n, int64_t step, int64_t width) {
    each_column_block(width, [=](auto block, int64_t first) {
        constexpr int count = decltype(block)::count;
        F32 shift[count], last[count];
        for (int j = 0; j < count; ++j) shift[j] = lowest();
        for (int64_t k = 0; k < n; ++k) {
            for (int j = 0; j < count; ++j) shift[j] = max(shift[j], block.get(x + k * step + first, j));
        }
        sum_columns<count>(n, last, [&](int64_t k, int j) {
            const F32 e = exp_of_negative(block.get(x + k * step + first, j) - shift[j]);
            if constexpr (!log_of) block.put(y + k * step + first, j, e);
            return e;
        });
        for (int j = 0; j < count; ++j) last[j] = log_of ? log(last[j]) : F32(1.0) / last[j];
        for (int64_t k = 0; k < n; ++k) {
            const int64_t at = k * step + first;
            for (int j = 0; j < count; ++j) {
                block.put(
                    y + at, j,
                    log_of ? block.get(x + at, j) - shift[j] - last[j] : block.get(y + at, j) * last[j]);
            }
        }
    });
}

void softmax_columns_f32(const float* x, float* y, int64_t n, int64_t step, int64_t width, bool log) {
    log ? softmax_columns<true>(x, y, n, step, width) : softmax_columns<false>(x, y, n, step, width);
}

template <bool log_of>
void softmax_columns_backward(const float* dy, const float* y, float* dx, int64_t n, int64_t step,
                              int64_t width) {
    each_column_block(width, [=](auto block, int64_t first) {
        constexpr int count = decltype(block)::count;
        F32 total[count];
        sum_columns<count>(n, total, [&](int64_t k, int j) {
            const int64_t at = k * step + first;
            return gradient_term<log_of>(block.get(dy + at, j), block.get(y + at, j));
        });
        for (int64_t k = 0; k < n; ++k) {
            const int64_t at = k * step + first;
            for (int j = 0; j < count; ++j) {
                block.put(dx + at, j,
                          softmax_gradient<log_of>(block.get(dy + at, j), block.get(y + at, j), total[j]));
            }
        }
    });
}

void softmax_columns_backward_f32(const float* dy, const float* y, float* dx, int64_t n, int64_t step,
                                  int64_t width, bool log) {
    log ? softmax_columns_backward<true>(dy, y, dx, n, step, width)
        : softmax_columns_backward<false>(dy, y, dx, n, step, width);
}
