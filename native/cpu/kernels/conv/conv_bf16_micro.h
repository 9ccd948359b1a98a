// `rows` rows by `vectors` vectors of columns, accumulators in registers. Included inside an instruction-set
// namespace. A value's sum runs pair by pair, so it depends neither on its place in the tile nor on the tile.

template <int rows, int vectors>
struct ConvBf16Sum {
    F32 total[rows][vectors];

    explicit ConvBf16Sum(const float* bias) {
        for (int j = 0; j < vectors; ++j) {
            const F32 start = bias != nullptr ? load(bias + j * F32::width) : F32(0.0);
#pragma GCC unroll 16
            for (int i = 0; i < rows; ++i) total[i][j] = start;
        }
    }

    template <class Read>
    __attribute__((always_inline)) void add(const Read& read, const BFloat16* b) {
        Bf16Pairs line[vectors];
        for (int j = 0; j < vectors; ++j) line[j] = load_pairs(b + 2 * j * F32::width);
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) {
            const Bf16Pairs x = read(i);
            for (int j = 0; j < vectors; ++j) total[i][j] = add_products(total[i][j], line[j], x);
        }
    }

    // Rows anywhere: a pointer each.
    void add_scattered(const ConvBf16Tile& tile) {
        const BFloat16* b = tile.b;
        for (int64_t run = 0; run < tile.runs; ++run) {
            int64_t at = tile.run_offsets[run];
            for (int64_t p = 0; p < tile.pairs; ++p, at += tile.pair_step, b += tile.b_step)
                add([&](int i) { return broadcast_pair(tile.rows[i] + at); }, b);
            if (!tile.single) continue;
            add([&](int i) { return broadcast_single(tile.rows[i] + at); }, b);
            b += tile.b_step;
        }
    }

    // Rows at equal distances: a pointer for each three of them, the others are addressing modes.
    void add_even(const ConvBf16Tile& tile) {
        constexpr int groups = (rows + 2) / 3;
        const int64_t row_step = tile.row_step, pair_step = tile.pair_step;
        const BFloat16* b = tile.b;
        for (int64_t run = 0; run < tile.runs; ++run) {
            const BFloat16* group[groups];
#pragma GCC unroll 8
            for (int g = 0; g < groups; ++g)
                group[g] = tile.rows[0] + tile.run_offsets[run] + 3 * g * row_step;
            for (int64_t p = 0; p < tile.pairs; ++p, b += tile.b_step) {
                add([&](int i) { return broadcast_pair(group[i / 3] + i % 3 * row_step); }, b);
#pragma GCC unroll 8
                for (int g = 0; g < groups; ++g) group[g] += pair_step;
            }
            if (!tile.single) continue;
            add([&](int i) { return broadcast_single(group[i / 3] + i % 3 * row_step); }, b);
            b += tile.b_step;
        }
    }
};

// to [cols], whole vectors and the rest of the last
template <int vectors>
inline void store_conv_row(float* to, const F32* total, int64_t cols, bool accumulate) {
    for (int j = 0; j < vectors; ++j, to += F32::width, cols -= F32::width) {
        if (cols >= F32::width) {
            store(to, accumulate ? load(to) + total[j] : total[j]);
        } else if (cols > 0) {
            store_part(to, accumulate ? load_part(to, cols) + total[j] : total[j], cols);
        }
    }
}
template <int rows, int vectors>
void conv_bf16_micro(const ConvBf16Tile& tile) {
    // The lines of the result come from memory while the sums run.
    const int64_t bytes = tile.cols * static_cast<int64_t>(tile.rounds ? sizeof(BFloat16) : sizeof(float));
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
        const char* line = static_cast<const char*>(tile.out[i]);
        for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(line + at, 1);
    }
    ConvBf16Sum<rows, vectors> sum(tile.bias);
    if (tile.row_step != 0) {
        sum.add_even(tile);
    } else {
        sum.add_scattered(tile);
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
        if (tile.rounds) {
            store_rounded_row<vectors>(static_cast<BFloat16*>(tile.out[i]), sum.total[i], tile.cols);
        } else {
            store_conv_row<vectors>(static_cast<float*>(tile.out[i]), sum.total[i], tile.cols,
                                    tile.accumulate);
        }
    }
}

template <int rows>
void fill_conv_bf16(ConvBf16Kernels& kernels) {
    kernels.run[rows] = &conv_bf16_micro<rows, 2>;
    if constexpr (rows > 1) fill_conv_bf16<rows - 1>(kernels);
}

template <int pixels, int vectors>
__attribute__((always_inline)) inline void few_taps_bf16_block(
    const ConvBf16FewTaps& work, const BFloat16* x,
    const Bf16Pairs (&weights)[2 * conv_bf16_few_runs][vectors], const F32 (&start)[vectors], BFloat16* out) {
    F32 total[pixels][vectors];
    for (int i = 0; i < pixels; ++i) {
        for (int j = 0; j < vectors; ++j) total[i][j] = start[j];
    }
#pragma GCC unroll 3
    for (int run = 0; run < conv_bf16_few_runs; ++run) {
#pragma GCC unroll 4
        for (int i = 0; i < pixels; ++i) {
            const BFloat16* from = x + i * work.x_step + work.offsets[run];
            const Bf16Pairs pair = broadcast_pair(from), single = broadcast_single(from + 2);
            for (int j = 0; j < vectors; ++j) {
                total[i][j] = add_products(total[i][j], weights[2 * run][j], pair);
                total[i][j] = add_products(total[i][j], weights[2 * run + 1][j], single);
            }
        }
    }
    for (int i = 0; i < pixels; ++i)
        store_rounded_row<vectors>(out + i * work.out_step, total[i], vectors * F32::width);
}

void few_taps_bf16(const ConvBf16FewTaps& work) {
    constexpr int vectors = 2, pixels = 4;
    Bf16Pairs weights[2 * conv_bf16_few_runs][vectors];
    F32 start[vectors];
    for (int j = 0; j < vectors; ++j) {
        for (int step = 0; step < 2 * conv_bf16_few_runs; ++step)
            weights[step][j] = load_pairs(work.b + 2 * (step * vectors + j) * F32::width);
        start[j] = work.bias != nullptr ? load(work.bias + j * F32::width) : F32(0.0);
    }
    for (int64_t row = 0; row < work.rows; ++row) {
        const BFloat16* x = work.x + row * work.x_row;
        BFloat16* out = work.out + row * work.out_row;
        int64_t p = 0;
        for (; p + pixels <= work.pixels; p += pixels)
            few_taps_bf16_block<pixels>(work, x + p * work.x_step, weights, start, out + p * work.out_step);
        for (; p < work.pixels; ++p)
            few_taps_bf16_block<1>(work, x + p * work.x_step, weights, start, out + p * work.out_step);
    }
}
