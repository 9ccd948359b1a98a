// mr rows by `vectors` vectors of columns, accumulators in registers. Included inside an instruction-set
// namespace. A value's sum runs step by step, so it depends neither on its place in the tile nor on the tile.

// Adds the steps of all runs; `at(i, offset)` is the address of row i.
template <int mr, int vectors>
struct ConvSum {
    F32 total[mr][vectors];

    explicit ConvSum(const float* bias) {
        for (int j = 0; j < vectors; ++j) {
            const F32 start = bias != nullptr ? load(bias + j * F32::width) : F32(0.0);
#pragma GCC unroll 16
            for (int i = 0; i < mr; ++i) total[i][j] = start;
        }
    }

    template <class Rows>
    __attribute__((always_inline)) void add(const Rows& rows, const float* b) {
        F32 line[vectors];
        for (int j = 0; j < vectors; ++j) line[j] = load(b + j * F32::width);
#pragma GCC unroll 16
        for (int i = 0; i < mr; ++i) {
            const F32 x = broadcast(rows(i));
            for (int j = 0; j < vectors; ++j) total[i][j] = fma(x, line[j], total[i][j]);
        }
    }

    // Rows anywhere: a pointer each.
    void add_scattered(const ConvTile<float>& tile) {
        const float* b = tile.b;
        for (int64_t run = 0; run < tile.runs; ++run) {
            int64_t at = tile.run_offsets[run];
            for (int64_t step = 0; step < tile.run_length; ++step, at += tile.run_step, b += tile.b_step)
                add([&](int i) { return tile.rows[i] + at; }, b);
        }
    }

    // Rows at equal distances: a pointer for each three of them, the others are addressing modes.
    void add_even(const ConvTile<float>& tile) {
        constexpr int groups = (mr + 2) / 3;
        const int64_t row_step = tile.row_step, run_step = tile.run_step;
        const float* b = tile.b;
        for (int64_t run = 0; run < tile.runs; ++run) {
            const float* group[groups];
#pragma GCC unroll 8
            for (int g = 0; g < groups; ++g)
                group[g] = tile.rows[0] + tile.run_offsets[run] + 3 * g * row_step;
            for (int64_t step = 0; step < tile.run_length; ++step, b += tile.b_step) {
                add([&](int i) { return group[i / 3] + i % 3 * row_step; }, b);
#pragma GCC unroll 8
                for (int g = 0; g < groups; ++g) group[g] += run_step;
            }
        }
    }
};

template <int mr, int vectors>
void conv_f32_micro(const ConvTile<float>& tile) {
    constexpr int64_t width = F32::width;
    // The lines of the result come from memory while the sums run.
#pragma GCC unroll 16
    for (int i = 0; i < mr; ++i) {
        for (int j = 0; j < vectors * width; j += 16) __builtin_prefetch(tile.out[i] + j, 1);
    }
    ConvSum<mr, vectors> sum(tile.bias);
    if (tile.row_step != 0) {
        sum.add_even(tile);
    } else {
        sum.add_scattered(tile);
    }
    const auto& total = sum.total;
    const bool whole = tile.cols == vectors * width;
#pragma GCC unroll 16
    for (int i = 0; i < mr; ++i) {
        float* out = tile.out[i];
        for (int j = 0; j < vectors; ++j) {
            const int64_t left = tile.cols - j * width;
            if (whole || left >= width) {
                store(out + j * width, tile.accumulate ? load(out + j * width) + total[i][j] : total[i][j]);
            } else if (left > 0) {
                const F32 before = tile.accumulate ? load_part(out + j * width, left) : F32(0.0);
                store_part(out + j * width, before + total[i][j], left);
            }
        }
    }
}

template <int mr, int vectors>
void fill_conv_rows(ConvMicroKernel<float>& kernel) {
    kernel.of_rows[mr] = &conv_f32_micro<mr, vectors>;
    if constexpr (mr > 1) fill_conv_rows<mr - 1, vectors>(kernel);
}

// `pixels` outputs of `vectors` vectors each, weights in registers.
template <int vectors, int pixels>
__attribute__((always_inline)) inline void few_taps_block(const ConvFewTaps<float>& work, const float* x,
                                                          const F32 (*weights)[vectors], const F32* start,
                                                          float* out) {
    F32 total[pixels][vectors];
#pragma GCC unroll 8
    for (int p = 0; p < pixels; ++p) {
        for (int j = 0; j < vectors; ++j) total[p][j] = start[j];
    }
#pragma GCC unroll 9
    for (int k = 0; k < conv_few_taps; ++k) {
        const float* at = x + work.offsets[k];
#pragma GCC unroll 8
        for (int p = 0; p < pixels; ++p) {
            const F32 value = broadcast(at + p * work.x_step);
            for (int j = 0; j < vectors; ++j) total[p][j] = fma(value, weights[k][j], total[p][j]);
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < pixels; ++p) {
        for (int j = 0; j < vectors; ++j) store(out + p * work.out_step + j * F32::width, total[p][j]);
    }
}

template <int vectors, int pixels>
void few_taps_columns(const ConvFewTaps<float>& work, int64_t column, int64_t nr) {
    F32 weights[conv_few_taps][vectors], start[vectors];
    for (int j = 0; j < vectors; ++j) {
        const int64_t at = column + j * F32::width;
        start[j] = work.bias != nullptr ? load(work.bias + at) : F32(0.0);
        for (int k = 0; k < conv_few_taps; ++k) weights[k][j] = load(work.b + k * nr + at);
    }
    for (int64_t r = 0; r < work.rows; ++r) {
        const float* x = work.x + r * work.x_row;
        float* out = work.out + r * work.out_row + column;
        int64_t p = 0;
        for (; p + pixels <= work.pixels; p += pixels)
            few_taps_block<vectors, pixels>(work, x + p * work.x_step, weights, start,
                                            out + p * work.out_step);
        for (; p < work.pixels; ++p)
            few_taps_block<vectors, 1>(work, x + p * work.x_step, weights, start, out + p * work.out_step);
    }
}

// `nr` columns, as many vectors of them at a time as registers hold
template <int vectors, int pixels, int64_t nr>
void few_taps_f32(const ConvFewTaps<float>& work) {
    for (int64_t column = 0; column < nr; column += vectors * F32::width)
        few_taps_columns<vectors, pixels>(work, column, nr);
}

constexpr int64_t conv_f64_mr = 4, conv_f64_nr = 8;

// float64 serves checks and small problems: plain loops.
void conv_f64_micro(const ConvTile<double>& tile) {
    double total[conv_f64_mr][conv_f64_nr];
    for (int64_t i = 0; i < conv_f64_mr; ++i) {
        for (int64_t j = 0; j < conv_f64_nr; ++j) total[i][j] = tile.bias != nullptr ? tile.bias[j] : 0.0;
    }
    const double* b = tile.b;
    for (int64_t run = 0; run < tile.runs; ++run) {
        int64_t at = tile.run_offsets[run];
        for (int64_t step = 0; step < tile.run_length; ++step, at += tile.run_step, b += tile.b_step) {
            for (int64_t i = 0; i < tile.row_count; ++i) {
                const double x = tile.rows[i][at];
                for (int64_t j = 0; j < conv_f64_nr; ++j) total[i][j] += x * b[j];
            }
        }
    }
    for (int64_t i = 0; i < tile.row_count; ++i) {
        for (int64_t j = 0; j < tile.cols; ++j)
            tile.out[i][j] = tile.accumulate ? tile.out[i][j] + total[i][j] : total[i][j];
    }
}

void fill_conv_f64(ConvMicroKernel<double>& kernel) {
    kernel.mr = conv_f64_mr;
    kernel.nr = conv_f64_nr;
    for (int64_t rows = 1; rows <= conv_f64_mr; ++rows) kernel.of_rows[rows] = &conv_f64_micro;
}
