// Included inside an instruction-set namespace.

void column_moments_f32(const float* x, int64_t rows, int64_t n, float* mean, float* squares) {
    const F32 share(1.0 / static_cast<double>(rows));
    each_column_block(n, [=](auto block, int64_t first) {
        constexpr int count = decltype(block)::count;
        F32 middle[count], total[count];
        for (int j = 0; j < count; ++j) total[j] = F32(0.0);
        const float* row = x + first;
        for (int64_t r = 0; r < rows; ++r, row += n) {
            for (int j = 0; j < count; ++j) total[j] = total[j] + block.get(row, j);
        }
        for (int j = 0; j < count; ++j) {
            middle[j] = total[j] * share;
            block.put(mean + first, j, middle[j]);
            total[j] = F32(0.0);
        }
        row = x + first;
        for (int64_t r = 0; r < rows; ++r, row += n) {
            for (int j = 0; j < count; ++j) {
                const F32 distance = block.get(row, j) - middle[j];
                total[j] = fma(distance, distance, total[j]);
            }
        }
        for (int j = 0; j < count; ++j) block.put(squares + first, j, total[j]);
    });
}

// The gradient before a relu: dy where y is above 0 (or NaN), the same bits as relu_backward.
inline F32 relu_gradient(F32 dy, F32 y) { return select(less_equal(y, F32(0.0)), F32(0.0), dy); }

// Sums are made of runs of so many rows: the error of one long running sum would grow with its length.
constexpr int64_t run_rows = 16;

template <bool relu>
void column_products(const float* dy, const float* y, const float* x, const float* mean, int64_t rows,
                     int64_t n, float* sum, float* product) {
    each_column_block(n, [=](auto block, int64_t first) {
        constexpr int count = decltype(block)::count;
        F32 middle[count], sums[count], products[count];
        for (int j = 0; j < count; ++j) {
            middle[j] = block.get(mean + first, j);
            sums[j] = products[j] = F32(0.0);
        }
        for (int64_t from = 0; from < rows; from += run_rows) {
            F32 run_sums[count], run_products[count];
            for (int j = 0; j < count; ++j) run_sums[j] = run_products[j] = F32(0.0);
            const int64_t to = rows - from < run_rows ? rows : from + run_rows;
            for (int64_t r = from; r < to; ++r) {
                for (int j = 0; j < count; ++j) {
                    F32 g = block.get(dy + r * n + first, j);
                    if constexpr (relu) g = relu_gradient(g, block.get(y + r * n + first, j));
                    run_sums[j] = run_sums[j] + g;
                    run_products[j] = fma(g, block.get(x + r * n + first, j) - middle[j], run_products[j]);
                }
            }
            for (int j = 0; j < count; ++j) {
                sums[j] = sums[j] + run_sums[j];
                products[j] = products[j] + run_products[j];
            }
        }
        for (int j = 0; j < count; ++j) {
            block.put(sum + first, j, sums[j]);
            block.put(product + first, j, products[j]);
        }
    });
}

void column_products_f32(const float* dy, const float* y, const float* x, const float* mean, int64_t rows,
                         int64_t n, float* sum, float* product) {
    if (y == nullptr) return column_products<false>(dy, y, x, mean, rows, n, sum, product);
    column_products<true>(dy, y, x, mean, rows, n, sum, product);
}

template <bool relu>
void normalize_columns(const float* x, const float* mean, const float* scale, const float* shift,
                       int64_t rows, int64_t n, float* y) {
    each_column_block(n, [=](auto block, int64_t first) {
        constexpr int count = decltype(block)::count;
        F32 middle[count], factor[count], offset[count];
        for (int j = 0; j < count; ++j) {
            middle[j] = block.get(mean + first, j);
            factor[j] = block.get(scale + first, j);
            offset[j] = block.get(shift + first, j);
        }
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t at = r * n + first;
            for (int j = 0; j < count; ++j) {
                const F32 value = fma(block.get(x + at, j) - middle[j], factor[j], offset[j]);
                block.put(y + at, j, relu ? max(F32(0.0), value) : value);
            }
        }
    });
}

void normalize_columns_f32(const float* x, const float* mean, const float* scale, const float* shift,
                           int64_t rows, int64_t n, bool relu, float* y) {
    if (relu) return normalize_columns<true>(x, mean, scale, shift, rows, n, y);
    normalize_columns<false>(x, mean, scale, shift, rows, n, y);
}

template <bool relu>
void normalize_columns_backward(const float* dy, const float* y, const float* x, const float* mean,
                                const float* sum, const float* product, const float* scale, int64_t rows,
                                int64_t n, float* dx) {
    each_column_block(n, [=](auto block, int64_t first) {
        constexpr int count = decltype(block)::count;
        F32 middle[count], factor[count], sums[count], products[count];
        for (int j = 0; j < count; ++j) {
            middle[j] = block.get(mean + first, j);
            factor[j] = block.get(scale + first, j);
            sums[j] = block.get(sum + first, j);
            products[j] = block.get(product + first, j);
        }
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t at = r * n + first;
            for (int j = 0; j < count; ++j) {
                const F32 centered = block.get(x + at, j) - middle[j];
                F32 g = block.get(dy + at, j);
                if constexpr (relu) g = relu_gradient(g, block.get(y + at, j));
                const F32 rest = g - sums[j];
                block.put(dx + at, j, (rest - centered * products[j]) * factor[j]);
            }
        }
    });
}

void normalize_columns_backward_f32(const float* dy, const float* y, const float* x, const float* mean,
                                    const float* sum, const float* product, const float* scale, int64_t rows,
                                    int64_t n, float* dx) {
    if (y == nullptr) {
        return normalize_columns_backward<false>(dy, y, x, mean, sum, product, scale, rows, n, dx);
    }
    normalize_columns_backward<true>(dy, y, x, mean, sum, product, scale, rows, n, dx);
}
