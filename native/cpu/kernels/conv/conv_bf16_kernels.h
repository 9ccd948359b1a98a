// Micro-kernel of all three passes of a convolution of bfloat16, with sums in float32. Neighbours along a run
// lie side by side and are multiplied in pairs.
#pragma once

#include <cstdint>

#include "tensor/half.h"

namespace nativegrad::cpu {

constexpr int64_t conv_bf16_most_rows = 14;

// out[i][j] (+)= bias[j] + sum over runs, pairs and both of a pair of
// rows[i][run_offsets[run] + pair * pair_step + 0 or 1] * b[.., j, 0 or 1]
struct ConvBf16Tile {
    const BFloat16* rows[conv_bf16_most_rows];  // row_count of them
    void* out[conv_bf16_most_rows];             // row_count of them, each `cols` long, float or BFloat16
    int64_t row_count, cols;
    int64_t row_step;  // rows[i] = rows[0] + i * row_step for all; 0 where that is not so
    const int64_t* run_offsets;
    int64_t runs, pairs, pair_step;
    bool single;        // each run ends in a single element
    const BFloat16* b;  // [nr, 2] readable ones for each pair, and for each single one
    int64_t b_step;     // from one to the next
    const float* bias;  // nr elements, or null
    bool accumulate;    // where out is float
    bool rounds;        // out is BFloat16
};

constexpr int64_t conv_bf16_few_runs = 3, conv_bf16_few_length = 3;

// Three runs of three elements, a kernel of 3x3 over one channel: their weights stay in registers.
// out[row][pixel][j] = bias[j] + sum over runs of x[row][pixel][offsets[run] + 0, 1, 2] * b[run, ..]
struct ConvBf16FewTaps {
    int64_t rows, pixels;
    const BFloat16* x;
    int64_t x_row, x_step;
    const int64_t* offsets;  // of the runs
    const BFloat16* b;       // [run, 2, nr, 2]: a pair and a single one
    const float* bias;       // nr elements, or null
    BFloat16* out;           // nr elements each
    int64_t out_row, out_step;
};

struct ConvBf16Kernels {
    int64_t nr;                                                      // 0: this processor has no such kernels
    void (*run[conv_bf16_most_rows + 1])(const ConvBf16Tile& tile);  // by row_count
    void (*few_taps)(const ConvBf16FewTaps& work);
};

}  // namespace nativegrad::cpu
