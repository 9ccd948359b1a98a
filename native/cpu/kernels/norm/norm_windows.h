// Normalisation, relu and windows of 2 x 2 pixels in one sweep. Included inside an instruction-set namespace,
// after norm_columns.h.

constexpr int window_taps = 4;

// Where the pixels of a window begin, relative to its first one.
struct WindowOffsets {
    int64_t at[window_taps];
    explicit WindowOffsets(const WindowRow& row)
        : at{0, row.channels, row.pixel_row, row.pixel_row + row.channels} {}
};

void normalize_pool_f32(const float* x, const WindowRow& row, const float* mean, const float* scale,
                        const float* shift, float* y, uint8_t* index) {
    const WindowOffsets taps(row);
    const int64_t n = row.channels;
    each_column_block(n, [=](auto block, int64_t first) {
        constexpr int count = decltype(block)::count;
        F32 middle[count], factor[count], offset[count];
        for (int j = 0; j < count; ++j) {
            middle[j] = block.get(mean + first, j);
            factor[j] = block.get(scale + first, j);
            offset[j] = block.get(shift + first, j);
        }
        for (int64_t p = 0; p < row.windows; ++p) {
            const float* window = x + p * 2 * n + first;
            for (int j = 0; j < count; ++j) {
                F32 best;
                I32 found = int_constant(0);
#pragma GCC unroll 4
                for (int k = 0; k < window_taps; ++k) {
                    const F32 pixel = block.get(window + taps.at[k], j);
                    const F32 value = max(F32(0.0), fma(pixel - middle[j], factor[j], offset[j]));
                    if (k == 0) {
                        best = value;
                        continue;
                    }
                    const Mask better = less(best, value) | is_nan(value);
                    best = select(better, value, best);
                    found = bits_of(select(better, from_bits(int_constant(k)), from_bits(found)));
                }
                block.put(y + p * n + first, j, best);
                store_bytes(index + p * n + first + j * F32::width, found, block.lanes);
            }
        }
    });
}

void pool_products_f32(const float* dy, const float* y, const uint8_t* index, const float* x,
                       const WindowRow& row, const float* mean, float* sum, float* product) {
    const WindowOffsets taps(row);
    const int64_t n = row.channels;
    each_column_block(n, [=](auto block, int64_t first) {
        constexpr int count = decltype(block)::count;
        for (int64_t from = 0; from < row.windows; from += run_rows) {
            F32 sums[count], products[count];
            for (int j = 0; j < count; ++j) sums[j] = products[j] = F32(0.0);
            const int64_t to = row.windows - from < run_rows ? row.windows : from + run_rows;
            for (int64_t p = from; p < to; ++p) {
                const int64_t at = p * n + first;
                const float* window = x + p * 2 * n + first;
                for (int j = 0; j < count; ++j) {
                    const F32 g = relu_gradient(block.get(dy + at, j), block.get(y + at, j));
                    const I32 found = load_bytes(index + at + j * F32::width, block.lanes);
                    F32 pixel = block.get(window, j);
#pragma GCC unroll 4
                    for (int k = 1; k < window_taps; ++k) {
                        pixel =
                            select(equal(found, int_constant(k)), block.get(window + taps.at[k], j), pixel);
                    }
                    sums[j] = sums[j] + g;
                    products[j] = fma(g, pixel - block.get(mean + first, j), products[j]);
                }
            }
            for (int j = 0; j < count; ++j) {
                block.put(sum + first, j, block.get(sum + first, j) + sums[j]);
                block.put(product + first, j, block.get(product + first, j) + products[j]);
            }
        }
    });
}

void normalize_pool_backward_f32(const float* dy, const float* y, const uint8_t* index, const float* x,
                                 const WindowRow& row, const float* mean, const float* sum,
                                 const float* product, const float* scale, float* dx) {
    const WindowOffsets taps(row);
    const int64_t n = row.channels;
    each_column_block(n, [=](auto block, int64_t first) {
        constexpr int count = decltype(block)::count;
        F32 middle[count], factor[count], sums[count], products[count];
        for (int j = 0; j < count; ++j) {
            middle[j] = block.get(mean + first, j);
            factor[j] = block.get(scale + first, j);
            sums[j] = block.get(sum + first, j);
            products[j] = block.get(product + first, j);
        }
        for (int64_t p = 0; p < row.windows; ++p) {
            const int64_t at = p * n + first, window = p * 2 * n + first;
            for (int j = 0; j < count; ++j) {
                const F32 g = relu_gradient(block.get(dy + at, j), block.get(y + at, j));
                const I32 found = load_bytes(index + at + j * F32::width, block.lanes);
#pragma GCC unroll 4
                for (int k = 0; k < window_taps; ++k) {
                    const F32 share = select(equal(found, int_constant(k)), g, F32(0.0));
                    const F32 centered = block.get(x + window + taps.at[k], j) - middle[j];
                    const F32 rest = share - sums[j];
                    block.put(dx + window + taps.at[k], j, (rest - centered * products[j]) * factor[j]);
                }
            }
        }
    });
}
