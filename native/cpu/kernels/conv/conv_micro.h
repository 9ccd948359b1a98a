// mr rows by `vectors` vectors of columns, accumulators in registers. Included inside an instruction-set
// namespace. A value's sum runs step by step, so it depends neither on its place in the tile nor on the tile.

template <int mr, int vectors>
void conv_f32_micro(const ConvTile<float>& tile) {
    constexpr int64_t width = F32::width;
    F32 total[mr][vectors];
    for (int j = 0; j < vectors; ++j) {
        const F32 start = tile.bias != nullptr ? load(tile.bias + j * width) : F32(0.0);
        for (int i = 0; i < mr; ++i) total[i][j] = start;
    }
    const float* b = tile.b;
    const int64_t b_step = tile.b_step, run_step = tile.run_step, run_length = tile.run_length;
    for (int64_t run = 0; run < tile.runs; ++run) {
        int64_t at = tile.run_offsets[run];
        for (int64_t step = 0; step < run_length; ++step, at += run_step, b += b_step) {
            F32 row[vectors];
            for (int j = 0; j < vectors; ++j) row[j] = load(b + j * width);
#pragma GCC unroll 16
            for (int i = 0; i < mr; ++i) {
                const F32 x = broadcast(tile.rows[i] + at);
                for (int j = 0; j < vectors; ++j) total[i][j] = fma(x, row[j], total[i][j]);
            }
        }
    }
    const bool whole = tile.cols == vectors * width;
#pragma GCC unroll 16
    for (int i = 0; i < mr; ++i) {
        if (i >= tile.row_count) break;
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
            for (int64_t i = 0; i < conv_f64_mr; ++i) {
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
